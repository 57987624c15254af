import { KEYS } from '../../domain/keys.ts';
import type { CapacityRecord, HostRecord } from '../../domain/records.ts';
import type { Draft } from '../state/draft.ts';

/** Takes every record of the host away. The caller has made sure that no instance is on it. */
export function forgetHost(draft: Draft, record: HostRecord): void {
  draft.del(KEYS.host(record.id));
  draft.del(KEYS.hostName(record.name));
  draft.del(KEYS.hostTransport(record.transport));
  draft.del(KEYS.capacity(record.id));
  draft.del(KEYS.assign('compute', record.id));
}

/** A host that was given up goes with the last instance that was on it. */
export function forgetLostHost(draft: Draft, hostId: string): void {
  const record = draft.get<HostRecord>(KEYS.host(hostId));
  if (record?.lost === undefined) return;
  if ((draft.get<CapacityRecord>(KEYS.capacity(hostId))?.instances ?? 0) === 0) forgetHost(draft, record);
}
