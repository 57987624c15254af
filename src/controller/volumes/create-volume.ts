import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { KEYS } from '../../domain/keys.ts';
import type { SnapshotRecord } from '../../domain/snapshot.ts';
import { volumeAmounts } from '../../domain/usage.ts';
import type { VolumeRecord, VolumeType } from '../../domain/volume.ts';
import { volumeTransition, withoutFields } from '../../domain/volume.ts';
import type { ChangeContext, ChangeHandler, ReadContext } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import { putTags, type Tags } from '../tags/resource-tags.ts';
import { claimQuota, quotaOwner } from '../users/quota.ts';
import { sourceSnapshot, volumeBackend, volumeOf, zoneFor } from './volume-lookup.ts';
import { volumeView } from './volume-view.ts';

/** So many volumes and copies may be in the making of one snapshot: their ids are in its record. */
const PENDING_MAX = 100;

interface NewVolume {
  readonly sizeGib?: number | undefined;
  readonly snapshotId?: string | undefined;
  readonly zone: string;
  readonly volumeType: VolumeType;
  readonly tags?: Tags | undefined;
}

/** Writes a volume's whole intent into the draft: record, quota, tags, and that its snapshot is needed. */
function draftVolume(draft: Draft, context: ChangeContext, ask: NewVolume): VolumeRecord {
  const { snapshotId, zone, volumeType } = ask;
  const record: VolumeRecord = {
    ...{ v: 1, id: newId('volume', context.cloud.random), ...quotaOwner(context.principal) },
    ...{ sizeGib: volumeSize(draft, context, ask), volumeType, zone, state: 'creating' },
    ...(snapshotId === undefined ? {} : { snapshotId }),
    createdAtMs: context.nowMs,
    stateChangedAtMs: context.nowMs,
    operationId: context.operationId,
  };
  claimQuota(draft, record, volumeAmounts(record));
  putVolume(draft, record, ask.tags ?? {});
  return record;
}

/** The record of a volume that is to be made, with its tags; its snapshot stays until then. Errors: of the snapshot, when it is no more. */
export function putVolume(draft: Draft, record: VolumeRecord, tags: Tags): void {
  const { id, projectId, snapshotId } = record;
  if (snapshotId !== undefined) holdSnapshot(draft, snapshotId, id);
  draft.put(KEYS.volume(id), record);
  putTags(draft, { projectId, resourceId: id, kind: 'volume' }, tags);
}

const NAMES = { size: 'Size', snapshot: 'SnapshotId' };

/** How large the volume is to be: as asked for, else as its snapshot. `names`: what the caller's parameters are called. */
export function volumeSize(
  draft: Draft,
  context: ReadContext,
  { sizeGib, snapshotId }: Pick<NewVolume, 'sizeGib' | 'snapshotId'>,
  names: typeof NAMES = NAMES,
): number {
  if (snapshotId === undefined) {
    if (sizeGib !== undefined) return sizeGib;
    throw new CloudError('MissingParameter', `${names.size}: is needed, in GiB, where there is no ${names.snapshot}`, {
      details: { parameter: names.size },
    });
  }
  volumeBackend(context.cloud, names.snapshot, 'snapshots');
  const snapshot = sourceSnapshot(draft, context, snapshotId);
  if (sizeGib !== undefined && sizeGib < snapshot.sizeGib) {
    throw new CloudError(
      'InvalidParameterValue',
      `${names.size}: ${sizeGib} GiB is less than the ${snapshot.sizeGib} GiB of ${snapshotId}; give at least that`,
      { details: { parameter: names.size } },
    );
  }
  return sizeGib ?? snapshot.sizeGib;
}

/** The volume is in its snapshot's record, so that the snapshot stays until the volume is made. */
function holdSnapshot(draft: Draft, snapshotId: string, volumeId: string): void {
  const snapshot = draft.get<SnapshotRecord>(KEYS.snapshot(snapshotId));
  if (snapshot?.state !== 'completed') {
    throw new CloudError('InvalidSnapshot.NotFound', `SnapshotId: ${snapshotId} was deleted meanwhile`, {
      details: { snapshotId },
    });
  }
  const pendingUses = [...(snapshot.pendingUses ?? []), volumeId];
  if (pendingUses.length > PENDING_MAX) {
    throw new CloudError(
      'ResourceLimitExceeded',
      `SnapshotId: ${PENDING_MAX} volumes and copies of ${snapshotId} are being made; wait for some`,
    );
  }
  draft.put(KEYS.snapshot(snapshotId), { ...snapshot, pendingUses } satisfies SnapshotRecord);
}

export function refuseEncryption(encrypted: boolean | undefined): void {
  if (encrypted !== true) return;
  throw new CloudError('UnsupportedOperation', 'Encrypted: volumes of this cloud are not encrypted; leave it out', {
    details: { parameter: 'Encrypted' },
  });
}

export const createVolume: ChangeHandler<'CreateVolume'> = {
  decide(draft, input, context) {
    volumeBackend(context.cloud, 'CreateVolume');
    refuseEncryption(input.Encrypted);
    const record = draftVolume(draft, context, {
      sizeGib: input.Size,
      snapshotId: input.SnapshotId,
      zone: zoneFor(draft, context, input.AvailabilityZone),
      volumeType: input.VolumeType,
      tags: input.Tags,
    });
    const { operationId } = context;
    const volume = volumeView(record, input.Tags ?? {}, draft.replica.rev);
    return { output: { volume, operationId }, targets: [record.id], pending: [record.id] };
  },
};

export const deleteVolume: ChangeHandler<'DeleteVolume'> = {
  decide(draft, { VolumeId: id }, context) {
    volumeBackend(context.cloud, 'DeleteVolume');
    const { operationId, nowMs } = context;
    const record = volumeOf((key) => draft.get(key), context.principal, id);
    if (record.attachment !== undefined) {
      throw new CloudError(
        'VolumeInUse',
        `VolumeId: ${id} is ${record.attachment.state} to ${record.attachment.instanceId}; detach it first`,
        { details: { volumeId: id, instanceId: record.attachment.instanceId } },
      );
    }
    refuseUnlessIdle(record, ['available', 'error'], 'deleted');
    const rest = withoutFields(record, 'retry');
    draft.put(KEYS.volume(id), volumeTransition(rest, 'deleting', nowMs, { operationId }));
    return { output: { volumeId: id, operationId }, targets: [id], pending: [id] };
  },
};

/** Errors: 'IncorrectState', with what there is to do. */
export function refuseUnlessIdle(record: VolumeRecord, states: readonly VolumeRecord['state'][], done: string): void {
  const { id, state, modification } = record;
  const why = modification?.state === 'modifying' ? 'its size is being changed' : `it is ${state}`;
  if (states.includes(state) && modification?.state !== 'modifying') return;
  throw new CloudError(
    'IncorrectState',
    `VolumeId: ${id} can't be ${done}: ${why}; it must be ${states.join(' or ')}`,
    {
      details: { volumeId: id, state },
    },
  );
}
