import type { CapacityRecord, ClaimRecord } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import { unclaim } from '../../domain/placement.ts';
import { instanceAmounts } from '../../domain/usage.ts';
import type { Draft } from '../state/draft.ts';
import { releaseQuota } from '../users/quota.ts';
import { dropInstanceAddress } from '../networks/public-addresses.ts';
import { detachVolumes } from '../volumes/volume-uses.ts';

/** Gives back all that the instance held, in the transaction that says that it is gone. The address stays in quarantine. */
export function releaseClaims(draft: Draft, record: InstanceRecord, nowMs: number): void {
  releaseQuota(draft, record, instanceAmounts(record));
  detachVolumes(draft, record.id, nowMs);
  dropInstanceAddress(draft, record.id);
  const addressKey = KEYS.address(record.nic.networkId, record.nic.address);
  const address = draft.get<ClaimRecord>(addressKey);
  if (address?.owner === record.id) {
    draft.put(addressKey, { ...address, releasedAtMs: nowMs } satisfies ClaimRecord);
  }
  for (const key of [KEYS.mac(record.nic.mac), KEYS.interfaceName(record.nic.tap)]) {
    if (draft.get<ClaimRecord>(key)?.owner === record.id) draft.del(key);
  }
  const capacityKey = KEYS.capacity(record.hostId);
  const used = draft.get<CapacityRecord>(capacityKey) ?? NO_CAPACITY;
  draft.put(capacityKey, unclaim(used, record));
  if (record.hasUserData === true) draft.del(KEYS.userData(record.id));
}
