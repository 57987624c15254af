import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Modification, VolumeRecord } from '../../domain/volume.ts';
import type { SnapshotRecord } from '../../domain/snapshot.ts';
import type { Replica } from '../../ports/store.ts';
import { tagsOf, type Tags } from '../tags/resource-tags.ts';

export type VolumeView = OperationOutput<'DescribeVolumes'>['volumes'][number];
export type SnapshotView = OperationOutput<'DescribeSnapshots'>['snapshots'][number];
type AttachmentView = OperationOutput<'AttachVolume'>['attachment'];
type ModificationView = OperationOutput<'ModifyVolume'>['modification'];

/** The record as a user sees it. Size is what it has: while it grows, the one before. */
export function volumeView(record: VolumeRecord, tags: Tags, rev: number): VolumeView {
  const { attachment, modification, stateReason, snapshotId, retry } = record;
  return {
    volumeId: record.id,
    projectId: record.projectId,
    sizeGib: modification?.state === 'modifying' ? modification.fromGib : record.sizeGib,
    volumeType: record.volumeType,
    availabilityZone: record.zone,
    ...(snapshotId === undefined ? {} : { snapshotId }),
    state: record.state,
    ...(stateReason === undefined ? {} : { stateReason }),
    createTimeMs: record.createdAtMs,
    ...(attachment === undefined ? {} : { attachment: attachmentView(record.id, attachment) }),
    ...(modification === undefined ? {} : { modification: modificationView(record, modification) }),
    status: record.state === 'creating' ? 'insufficient-data' : record.state === 'error' ? 'impaired' : 'ok',
    autoEnableIo: record.autoEnableIo === true,
    tags: { ...tags },
    ...(retry === undefined ? {} : { lastError: retry.lastError }),
    rev,
  };
}

export function attachmentView(volumeId: string, attachment: NonNullable<VolumeRecord['attachment']>): AttachmentView {
  const { instanceId, device, state, askedAtMs, deleteOnTermination } = attachment;
  return { volumeId, instanceId, device, state, attachTimeMs: askedAtMs, deleteOnTermination };
}

export function modificationView({ id, volumeType }: VolumeRecord, modification: Modification): ModificationView {
  const { state, fromGib, fromType, toGib, startedAtMs, endedAtMs, message } = modification;
  return {
    ...{ volumeId: id, state, volumeType, startTimeMs: startedAtMs },
    originalSizeGib: fromGib,
    originalVolumeType: fromType,
    targetSizeGib: toGib,
    ...(endedAtMs === undefined ? {} : { endTimeMs: endedAtMs }),
    ...(message === undefined ? {} : { message }),
  };
}

/** Undefined: it is being deleted, and so not shown. */
export function snapshotView(record: SnapshotRecord, tags: Tags, rev: number): SnapshotView | undefined {
  const { state, stateReason } = record;
  if (state === 'deleting') return undefined;
  return {
    snapshotId: record.id,
    projectId: record.projectId,
    volumeId: record.volumeId,
    volumeSizeGib: record.sizeGib,
    availabilityZone: record.zone,
    description: record.description,
    state,
    ...(stateReason === undefined ? {} : { stateReason }),
    progress: state === 'completed' ? 100 : 0,
    startTimeMs: record.createdAtMs,
    public: record.public,
    sharedWith: [...record.sharedWith],
    tags: { ...tags },
    rev,
  };
}

/** All snapshots as views, those that are being deleted left out. */
export function snapshotViews(replica: Replica, prefix: string): SnapshotView[] {
  return replica
    .range<SnapshotRecord>(prefix)
    .flatMap(({ value, rev }) => snapshotView(value, tagsOf(replica, value.id), rev) ?? []);
}
