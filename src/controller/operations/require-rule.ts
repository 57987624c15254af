import { CloudError } from '../../base/errors.ts';
import { ACCESS_RULES, passesRule } from '../../domain/access-rules.ts';
import type { OperationDefinition } from '../../messages/operations/definition.ts';
import type { Principal } from './handler.ts';

/** CloudError 'UnauthorizedOperation', which names the rule, for whom the table of rules does not let in. */
export function requireRule({ name: operation, access }: OperationDefinition, principal: Principal): void {
  const { name, projectId, roles } = principal;
  if (passesRule(access, roles)) return;
  const allowed = ['cloudadmin', ...ACCESS_RULES[access]].join(', ');
  throw new CloudError(
    'UnauthorizedOperation',
    `${operation} is for ${allowed} (rule "${access}"); ${name} is ${roles.join(', ') || 'nothing'} in project ${projectId}; see "novactl why denied ${operation}"`,
    { details: { rule: access } },
  );
}
