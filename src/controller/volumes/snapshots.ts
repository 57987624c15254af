import { isoTime } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { TagsRecord } from '../../domain/records.ts';
import { projectInRegion, projectWithoutRegion } from '../../domain/project-region.ts';
import type { SnapshotRecord } from '../../domain/snapshot.ts';
import { snapshotTransition } from '../../domain/snapshot.ts';
import { snapshotAmounts } from '../../domain/usage.ts';
import { type InstanceVolumesRecord, withoutFields } from '../../domain/volume.ts';
import type { ChangeContext, ChangeHandler, Plan, Principal, ReadHandler } from '../operations/handler.ts';
import { badParameter, mayUse } from '../operations/handler.ts';
import { instanceOf } from '../operations/instance-lookup.ts';
import type { Listing } from '../operations/listing.ts';
import { listed } from '../operations/listing.ts';
import { finishTarget } from '../operations/operation-record.ts';
import type { Draft } from '../state/draft.ts';
import { putTags, type Tags, tagsOf } from '../tags/resource-tags.ts';
import { claimQuota, quotaOwner } from '../users/quota.ts';
import { refuseEncryption, refuseUnlessIdle } from './create-volume.ts';
import {
  isInZones,
  mayRestore,
  snapshotOf,
  sourceSnapshot,
  volumeBackend,
  volumeOf,
  zoneFor,
} from './volume-lookup.ts';
import type { SnapshotView } from './volume-view.ts';
import { snapshotView, snapshotViews } from './volume-view.ts';

/** So many snapshots of one volume may be in the making: their ids are in its record. */
const PENDING_MAX = 20;
/** Other projects that may use one snapshot. */
const SHARED_MAX = 200;

export const createSnapshot: ChangeHandler<'CreateSnapshot'> = {
  decide(draft, input, context) {
    volumeBackend(context.cloud, 'CreateSnapshot', 'snapshots');
    return planned(draft, snapshotOfVolume(draft, context, input.VolumeId, input), input.Tags ?? {}, context);
  },
};

/** Each of them by itself: volumes that are written to together are not copied at one moment. */
export const createSnapshots: ChangeHandler<'CreateSnapshots'> = {
  decide(draft, input, context) {
    volumeBackend(context.cloud, 'CreateSnapshots', 'snapshots');
    const { operationId } = context;
    const { ExcludeVolumeIds: left = [], Description, Tags = {}, CopyTags } = input;
    const { id } = instanceOf((key) => draft.get<InstanceRecord>(key), context.principal, input.InstanceId);
    const has = Object.values(draft.get<InstanceVolumesRecord>(KEYS.instanceVolumes(id))?.volumes ?? {});
    const other = left.find((volumeId) => !has.includes(volumeId));
    if (other !== undefined) throw badParameter('ExcludeVolumeIds', `${id} has no volume ${other}`);
    const volumeIds = has.filter((volumeId) => !left.includes(volumeId));
    if (volumeIds.length === 0) throw badParameter('InstanceId', `${id} has no volumes to make snapshots of`);
    const snapshots = volumeIds.map((volumeId) => {
      const tags = { ...(CopyTags === true ? draft.get<TagsRecord>(KEYS.tags(volumeId))?.tags : {}), ...Tags };
      return viewNow(draft, snapshotOfVolume(draft, context, volumeId, { Description, Tags: tags }), tags);
    });
    const targets = snapshots.map(({ snapshotId }) => snapshotId);
    return { output: { snapshots, operationId }, targets, pending: targets };
  },
};

function snapshotOfVolume(
  draft: Draft,
  context: ChangeContext,
  volumeId: string,
  ask: { Description?: string | undefined; Tags?: Tags | undefined },
): SnapshotRecord {
  const volume = volumeOf((key) => draft.get(key), context.principal, volumeId);
  if (volume.modification?.state !== 'modifying') refuseUnlessIdle(volume, ['available', 'in-use'], 'copied');
  const { sizeGib, zone } = volume;
  const pending = volume.pendingSnapshots ?? [];
  if (pending.length >= PENDING_MAX) throw tooMany('VolumeId', `snapshots of ${volume.id}`, PENDING_MAX);
  const record = newSnapshot(draft, context, { volumeId: volume.id, sizeGib, zone }, ask);
  draft.put(KEYS.volume(volume.id), { ...volume, pendingSnapshots: [...pending, record.id] });
  return record;
}

export const copySnapshot: ChangeHandler<'CopySnapshot'> = {
  decide(draft, input, context) {
    volumeBackend(context.cloud, 'CopySnapshot', 'copy-snapshots');
    refuseEncryption(input.Encrypted);
    const source = sourceSnapshot(draft, inRegion(context, input.SourceRegion), input.SourceSnapshotId);
    const pending = source.pendingUses ?? [];
    if (pending.length >= PENDING_MAX) throw tooMany('SourceSnapshotId', `copies of ${source.id}`, PENDING_MAX);
    const { volumeId, sizeGib } = source;
    const zone = zoneFor(
      draft,
      context,
      input.AvailabilityZone ?? (isInZones(context.principal, source) ? source.zone : undefined),
    );
    const record = newSnapshot(draft, context, { volumeId, sizeGib, zone, copyOf: source.id }, input);
    draft.put(KEYS.snapshot(source.id), { ...source, pendingUses: [...pending, record.id] });
    return planned(draft, record, input.Tags ?? {}, context);
  },
};

/** The caller in the source's region. */
function inRegion(context: ChangeContext, region: string | undefined): ChangeContext {
  if (region === undefined) return context;
  const { principal, cloud } = context;
  const projectId = projectInRegion(projectWithoutRegion(principal.projectId), region, cloud.policy.region);
  return { ...context, principal: { ...withoutFields(principal, 'zones'), projectId } };
}

function tooMany(parameter: string, what: string, limit: number): CloudError {
  return new CloudError('ResourceLimitExceeded', `${parameter}: ${limit} ${what} are being made; wait for some`);
}

function newSnapshot(
  draft: Draft,
  context: ChangeContext,
  of: Pick<SnapshotRecord, 'volumeId' | 'sizeGib' | 'zone' | 'copyOf'>,
  ask: { Description?: string | undefined; Tags?: Tags | undefined },
): SnapshotRecord {
  const { nowMs, operationId } = context;
  const record: SnapshotRecord = {
    ...{ v: 1, id: newId('snapshot', context.cloud.random), ...quotaOwner(context.principal), ...of },
    ...{ description: ask.Description ?? '', state: 'pending', public: false, sharedWith: [] },
    ...{ createdAtMs: nowMs, stateChangedAtMs: nowMs, operationId },
  };
  claimQuota(draft, record, snapshotAmounts);
  draft.put(KEYS.snapshot(record.id), record);
  putTags(draft, { projectId: record.projectId, resourceId: record.id, kind: 'snapshot' }, ask.Tags ?? {});
  return record;
}

function planned(
  draft: Draft,
  record: SnapshotRecord,
  tags: Tags,
  { operationId }: ChangeContext,
): Plan<'CreateSnapshot'> & Plan<'CopySnapshot'> {
  const snapshot = viewNow(draft, record, tags);
  return { output: { snapshot, operationId }, targets: [record.id], pending: [record.id] };
}

function viewNow(draft: Draft, record: SnapshotRecord, tags: Tags): SnapshotView {
  const view = snapshotView(record, tags, draft.replica.rev);
  if (view === undefined) throw new CloudError('InternalError', `${record.id} is being deleted`);
  return view;
}

export const deleteSnapshot: ChangeHandler<'DeleteSnapshot'> = {
  decide(draft, { SnapshotId: id }, context) {
    volumeBackend(context.cloud, 'DeleteSnapshot', 'snapshots');
    const { operationId, nowMs } = context;
    const record = snapshotOf((key) => draft.get(key), context.principal, id);
    const user = record.pendingUses?.[0];
    if (user !== undefined) {
      throw new CloudError('InvalidSnapshot.InUse', `SnapshotId: ${user} is being made of ${id}; wait for that`, {
        details: { snapshotId: id, usedBy: user },
      });
    }
    // Whoever waits for it to be made is told that it never will be.
    if (record.state === 'pending' && record.operationId !== undefined) {
      finishTarget(draft, record.operationId, id, nowMs, {
        error: { code: 'IncorrectState', message: `superseded by ${operationId}` },
      });
    }
    const rest = withoutFields(record, 'retry');
    draft.put(KEYS.snapshot(id), snapshotTransition(rest, 'deleting', nowMs, { operationId }));
    return { output: { snapshotId: id, operationId }, targets: [id], pending: [id] };
  },
};

export const modifySnapshotAttribute: ChangeHandler<'ModifySnapshotAttribute'> = {
  decide(draft, input, context) {
    volumeBackend(context.cloud, 'ModifySnapshotAttribute', 'snapshots');
    const { SnapshotId: id, Public, Add = [], Remove = [], Reset } = input;
    const record = snapshotOf((key) => draft.get(key), context.principal, id);
    const before = Reset === true ? [] : record.sharedWith;
    const gone = Remove.map(projectWithoutRegion);
    const sharedWith = [...new Set([...before, ...Add.map(projectWithoutRegion)])].filter((one) => !gone.includes(one));
    if (sharedWith.length > SHARED_MAX) {
      throw new CloudError('ResourceLimitExceeded', `${id} would be shared with more than ${SHARED_MAX} projects`);
    }
    const next: SnapshotRecord = {
      ...record,
      public: Public ?? (Reset === true ? false : record.public),
      sharedWith,
    };
    draft.put(KEYS.snapshot(id), next);
    const { operationId } = context;
    return { output: { snapshot: viewNow(draft, next, tagsOf(draft.replica, id)), operationId }, targets: [id] };
  },
};

const SNAPSHOTS: Listing<SnapshotView> = {
  parameter: 'SnapshotIds',
  notFound: 'InvalidSnapshot.NotFound',
  idOf: (row) => row.snapshotId,
  tagsOf: (row) => row.tags,
  fields: {
    description: (row) => row.description,
    encrypted: () => 'false',
    'owner-id': (row) => [row.projectId, projectWithoutRegion(row.projectId)],
    progress: (row) => `${row.progress}%`,
    'snapshot-id': (row) => row.snapshotId,
    'start-time': (row) => isoTime(row.startTimeMs),
    status: (row) => row.state,
    'storage-tier': () => 'standard',
    'volume-id': (row) => row.volumeId,
    'volume-size': (row) => String(row.volumeSizeGib),
  },
};

export const describeSnapshots: ReadHandler<'DescribeSnapshots'> = ({ cloud, principal }, input) => {
  const { OwnerIds, RestorableByUserIds, SnapshotIds } = input;
  const owners = OwnerIds?.map((id) => projectWithoutRegion(id === 'self' ? principal.projectId : id));
  const seen = snapshotViews(cloud.store, PREFIX.snapshot).filter(
    (row) =>
      isInZones(principal, { zone: row.availabilityZone }) &&
      isSeen(principal, row) &&
      (owners?.includes(projectWithoutRegion(row.projectId)) ?? true) &&
      (RestorableByUserIds?.some((id) => isRestorableBy(row, id, principal)) ?? true),
  );
  const { rows, ...rest } = listed(seen, { ...input, ids: SnapshotIds }, SNAPSHOTS);
  // Tags are their owner's.
  const snapshots = rows.map((row) => (mayUse(principal, row.projectId) ? row : { ...row, tags: {}, sharedWith: [] }));
  return { snapshots, rev: cloud.store.rev, ...rest };
};

function isSeen(principal: Principal, row: SnapshotView): boolean {
  return mayUse(principal, row.projectId) || isRestorableBy(row, 'self', principal);
}

/** `all`: everybody may. */
function isRestorableBy(row: SnapshotView, id: string, principal: Principal): boolean {
  if (id === 'all') return row.public;
  const region = principal.projectId.slice(projectWithoutRegion(principal.projectId).length);
  const projectId = id === 'self' ? principal.projectId : `${projectWithoutRegion(id)}${region}`;
  return mayRestore(projectId, row);
}
