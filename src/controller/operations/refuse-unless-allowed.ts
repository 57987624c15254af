import { CloudError } from '../../base/errors.ts';
import type { AccessRule } from '../../domain/access-rules.ts';
import { ACCESS_RULES, passesRule } from '../../domain/access-rules.ts';
import type { Principal } from './handler.ts';

/** For a part of an operation that fewer may ask for than the rest of it. `what`: as the text of 'UnauthorizedOperation' begins. */
export function refuseUnlessAllowed({ name, projectId, roles }: Principal, rule: AccessRule, what: string): void {
  if (passesRule(rule, roles)) return;
  throw new CloudError(
    'UnauthorizedOperation',
    `${what} is for cloudadmin, ${ACCESS_RULES[rule].join(', ')} (rule "${rule}"); ${name} is ${roles.join(', ')} in project ${projectId}`,
    { details: { rule } },
  );
}
