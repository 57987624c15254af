import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { SnapshotRecord } from '../../domain/snapshot.ts';
import type { InstanceVolumesRecord, VolumeRecord } from '../../domain/volume.ts';
import { attachmentTransition, withoutFields } from '../../domain/volume.ts';
import type { Draft } from '../state/draft.ts';

/** The instance's place for the volume is free again. */
export function freeSlot(draft: Draft, { id, attachment }: VolumeRecord): void {
  if (attachment === undefined) return;
  const key = KEYS.instanceVolumes(attachment.instanceId);
  const known = draft.get<InstanceVolumesRecord>(key);
  if (known === undefined) return;
  const left = Object.entries(known.volumes).filter(([, volumeId]) => volumeId !== id);
  if (left.length === 0) draft.del(key);
  else draft.put(key, { ...known, volumes: Object.fromEntries(left) } satisfies InstanceVolumesRecord);
}

/** What a volume or snapshot is made of is needed no more: the snapshot of a volume or copy, or the volume of a snapshot. */
export function freeSource(draft: Draft, record: VolumeRecord | SnapshotRecord): void {
  if ('volumeId' in record && record.copyOf === undefined) {
    const key = KEYS.volume(record.volumeId);
    const volume = draft.get<VolumeRecord>(key);
    const left = volume?.pendingSnapshots?.filter((id) => id !== record.id) ?? [];
    if (volume?.pendingSnapshots === undefined) return;
    const rest = withoutFields(volume, 'pendingSnapshots');
    draft.put(key, left.length === 0 ? rest : { ...rest, pendingSnapshots: left });
    return;
  }
  const snapshotId = 'volumeId' in record ? record.copyOf : record.snapshotId;
  if (snapshotId === undefined) return;
  const key = KEYS.snapshot(snapshotId);
  const snapshot = draft.get<SnapshotRecord>(key);
  if (snapshot?.pendingUses === undefined) return;
  const left = snapshot.pendingUses.filter((id) => id !== record.id);
  const rest = withoutFields(snapshot, 'pendingUses');
  draft.put(key, left.length === 0 ? rest : { ...rest, pendingUses: left });
}

/**
 * The instance ended: its volumes are detached, in the transaction that says so, and those that were to go with it are deleted after that; all of them, when it
 * never ran: they were made for it, and nobody has seen them. What waited for an attachment is told when it is detached.
 */
export function detachVolumes(draft: Draft, instanceId: string, nowMs: number): void {
  const key = KEYS.instanceVolumes(instanceId);
  const known = draft.get<InstanceVolumesRecord>(key);
  if (known === undefined) return;
  const neverRan = draft.get<InstanceRecord>(KEYS.instance(instanceId))?.launchedAtMs === undefined;
  for (const volumeId of Object.values(known.volumes)) {
    const volume = draft.get<VolumeRecord>(KEYS.volume(volumeId));
    if (volume?.attachment?.instanceId !== instanceId) continue;
    const attachment = attachmentTransition(volume.attachment, 'detaching', nowMs, { force: true });
    const goes = neverRan || volume.deleteDetached === true || volume.attachment.deleteOnTermination;
    draft.put(KEYS.volume(volumeId), { ...volume, attachment, ...(goes ? { deleteDetached: true } : {}) });
  }
  draft.del(key);
}
