import type { InstanceAddressRecord, PublicAddressRecord } from './address.ts';
import type { InstanceRecord } from './instance.ts';
import { KEYS, PREFIX } from './keys.ts';
import type { SnapshotRecord } from './snapshot.ts';
import type { Attachment, InstanceVolumesRecord, VolumeRecord } from './volume.ts';
import { deviceSlot } from './volume.ts';

interface Stored {
  readonly key: string;
  readonly value: unknown;
}

type ByKey = ReadonlyMap<string, unknown>;
type Found = (text: string) => void;

/**
 * What does not add up in volumes, snapshots and public addresses: attachments and associations that only one side knows of, with what is no more, and
 * what is to be made of nothing. Each as a sentence that names the key.
 */
export function checkVolumes(records: readonly Stored[], byKey: ByKey, found: Found): void {
  for (const { key, value } of records) {
    const check = CHECKS.find(({ prefix }) => key.startsWith(prefix));
    check?.check(value as never, key, byKey, found);
  }
}

/** Fields without which nothing can be said of a record, by the prefix of its key. */
export const VOLUME_FIELDS: Readonly<Record<string, readonly string[]>> = {
  [PREFIX.publicAddress]: ['publicIp', 'allocationId', 'projectId', 'domain'],
  [PREFIX.snapshot]: ['id', 'projectId', 'volumeId', 'sizeGib', 'state'],
  [PREFIX.volume]: ['id', 'projectId', 'sizeGib', 'zone', 'state'],
  'instance-address/': ['publicIp'],
  'instance-volumes/': ['volumes'],
};

const CHECKS: readonly {
  readonly prefix: string;
  readonly check: (value: never, key: string, byKey: ByKey, found: Found) => void;
}[] = [
  { prefix: PREFIX.volume, check: checkVolume },
  { prefix: PREFIX.snapshot, check: checkSnapshot },
  { prefix: PREFIX.publicAddress, check: checkAddress },
  { prefix: 'instance-volumes/', check: checkInstanceVolumes },
  { prefix: 'instance-address/', check: checkInstanceAddress },
];

function checkVolume(record: VolumeRecord, key: string, byKey: ByKey, found: Found): void {
  const { id, state, attachment, pendingSnapshots = [], snapshotId } = record;
  // Before it is made, and when it could not be, only a volume of a launch has a place.
  const isMade = state !== 'creating' && state !== 'error';
  if (isMade && (attachment !== undefined) !== (state === 'in-use')) {
    found(
      `${key} is ${state}, and ${attachment === undefined ? 'not attached' : `attached to ${attachment.instanceId}`}`,
    );
  }
  for (const one of pendingSnapshots) {
    const snapshot = byKey.get(KEYS.snapshot(one)) as SnapshotRecord | undefined;
    if (snapshot?.volumeId !== id) found(`${key} waits for ${one}, which is no snapshot of it`);
  }
  if (state === 'creating' && snapshotId !== undefined) checkSource(key, id, snapshotId, byKey, found);
  if (attachment !== undefined) checkAttachment(id, attachment, byKey, found);
}

function checkAttachment(id: string, attachment: Attachment, byKey: ByKey, found: Found): void {
  const key = KEYS.volume(id);
  const slots = (byKey.get(KEYS.instanceVolumes(attachment.instanceId)) as InstanceVolumesRecord | undefined)?.volumes;
  const instance = byKey.get(KEYS.instance(attachment.instanceId)) as InstanceRecord | undefined;
  const isLive = instance !== undefined && instance.state !== 'terminated';
  if (!isLive && attachment.state !== 'detaching') {
    found(`${key} is ${attachment.state} to ${attachment.instanceId}, which is no more`);
  }
  if (isLive && slots?.[deviceSlot(attachment.device) ?? ''] !== id) {
    found(`${key}: ${attachment.instanceId} does not have it at ${attachment.device}`);
  }
}

function checkSnapshot(record: SnapshotRecord, key: string, byKey: ByKey, found: Found): void {
  const { id, state, copyOf, volumeId } = record;
  if (state !== 'pending') return;
  if (copyOf !== undefined) checkSource(key, id, copyOf, byKey, found);
  else {
    const volume = byKey.get(KEYS.volume(volumeId)) as VolumeRecord | undefined;
    if (volume?.pendingSnapshots?.includes(id) !== true)
      found(`${key} is to be made of ${volumeId}, which does not wait`);
  }
}

/** What is to be made of a snapshot is in its record, so that it stays. */
function checkSource(key: string, id: string, snapshotId: string, byKey: ByKey, found: Found): void {
  const source = byKey.get(KEYS.snapshot(snapshotId)) as SnapshotRecord | undefined;
  if (source?.pendingUses?.includes(id) !== true) found(`${key} is to be made of ${snapshotId}, which does not wait`);
}

function checkInstanceVolumes({ volumes }: InstanceVolumesRecord, key: string, byKey: ByKey, found: Found): void {
  const instanceId = key.slice('instance-volumes/'.length);
  for (const [slot, id] of Object.entries(volumes)) {
    const volume = byKey.get(KEYS.volume(id)) as VolumeRecord | undefined;
    if (volume?.attachment?.instanceId === instanceId && deviceSlot(volume.attachment.device) === slot) continue;
    found(`${key} has ${id} at ${slot}, where it is not`);
  }
}

function checkAddress(record: PublicAddressRecord, key: string, byKey: ByKey, found: Found): void {
  const { publicIp, association } = record;
  if (key !== KEYS.publicAddress(publicIp)) found(`${key} is of ${publicIp}`);
  if (association === undefined) return;
  const { instanceId } = association;
  const instance = byKey.get(KEYS.instance(instanceId)) as InstanceRecord | undefined;
  if (instance === undefined || instance.state === 'terminated') found(`${key} is of ${instanceId}, which is no more`);
  const back = byKey.get(KEYS.instanceAddress(instanceId)) as InstanceAddressRecord | undefined;
  if (back?.publicIp !== publicIp) found(`${key} is of ${instanceId}, which has ${back?.publicIp ?? 'none'}`);
}

function checkInstanceAddress({ publicIp }: InstanceAddressRecord, key: string, byKey: ByKey, found: Found): void {
  const instanceId = key.slice('instance-address/'.length);
  const address = byKey.get(KEYS.publicAddress(publicIp)) as PublicAddressRecord | undefined;
  if (address?.association?.instanceId !== instanceId) found(`${key} has ${publicIp}, which is not its`);
}
