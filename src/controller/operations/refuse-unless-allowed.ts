import { CloudError } from '../../base/errors.ts';
import type { AccessRule } from '../../domain/access-rules.ts';
import { ACCESS_RULES, passesRule } from '../../domain/access-rules.ts';
import type { Principal } from './handler.ts';

/** For an operation, or a part of it that fewer may ask for than the rest. `what`: as the text of 'UnauthorizedOperation' begins; `hint`: as it ends. */
export function refuseUnlessAllowed(principal: Principal, rule: AccessRule, what: string, hint = ''): void {
  const { name, projectId, roles } = principal;
  if (passesRule(rule, roles)) return;
  const allowed = ['cloudadmin', ...ACCESS_RULES[rule]].join(', ');
  throw new CloudError(
    'UnauthorizedOperation',
    `${what} is for ${allowed} (rule "${rule}"); ${name} is ${roles.join(', ') || 'nothing'} in project ${projectId}${hint}`,
    { details: { rule } },
  );
}
