import type { InstanceAddressRecord, PublicAddressRecord } from '../../domain/address.ts';
import { KEYS } from '../../domain/keys.ts';
import type { Replica } from '../../ports/store.ts';

/** The public address that an instance has, with its allocation and association; undefined: none. */
export function publicAddressOf(
  replica: Pick<Replica, 'get'>,
  instanceId: string,
): { readonly publicIp: string; readonly allocationId: string; readonly associationId: string } | undefined {
  const publicIp = replica.get<InstanceAddressRecord>(KEYS.instanceAddress(instanceId))?.value.publicIp;
  if (publicIp === undefined) return undefined;
  const record = replica.get<PublicAddressRecord>(KEYS.publicAddress(publicIp))?.value;
  if (record?.association?.instanceId !== instanceId) return undefined;
  return { publicIp, allocationId: record.allocationId, associationId: record.association.associationId };
}
