import { auditClients } from './audit-clients.ts';
import { auditHosts } from './audit-hosts.ts';
import { auditProcesses } from './audit-processes.ts';
import { auditRecords } from './audit-records.ts';
import type { Facts } from './facts.ts';

/** Everything that is not as it has to be in a cloud at rest, each as a sentence that begins with its rule. Shares no code with what it checks. */
export function audit(facts: Facts): string[] {
  return [...auditRecords(facts), ...auditHosts(facts), ...auditClients(facts), ...auditProcesses(facts)];
}
