import type { OperationDefinition } from '../../messages/operations/definition.ts';
import type { Principal } from './handler.ts';
import { refuseUnlessAllowed } from './refuse-unless-allowed.ts';

/** CloudError 'UnauthorizedOperation', which names the rule, for whom the table of rules does not let in. */
export function requireRule({ name, access }: OperationDefinition, principal: Principal): void {
  refuseUnlessAllowed(principal, access, name, `; see "novactl why denied ${name}"`);
}
