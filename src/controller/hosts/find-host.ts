import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';

/** The host of that id or name. CloudError 'InvalidHost.NotFound' that names the parameter. */
export function findHost(replica: Pick<Replica, 'get'>, idOrName: string, parameter: string): HostRecord {
  const named = replica.get<{ hostId: string }>(KEYS.hostName(idOrName))?.value.hostId ?? idOrName;
  const record = replica.get<HostRecord>(KEYS.host(named))?.value;
  if (record !== undefined) return record;
  throw new CloudError('InvalidHost.NotFound', `${parameter}: there is no host ${idOrName}; see "novactl host list"`, {
    details: { parameter },
  });
}
