import { CloudError } from '../../base/errors.ts';
import { needCapability } from '../../domain/capabilities.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { SnapshotRecord } from '../../domain/snapshot.ts';
import type { VolumeRecord } from '../../domain/volume.ts';
import type { VolumeBackend, VolumeCapability } from '../../ports/volume-backend.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { ChangeContext, Principal, ReadContext } from '../operations/handler.ts';
import { mayUse, mayUseInstance } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';

type Get = <T>(key: string) => T | undefined;

/** Where volumes are. Errors: 'UnsupportedOperation', where this cloud has none or they can't do that. */
export function volumeBackend(
  { policy, volumes }: ControllerContext,
  what: string,
  capability?: VolumeCapability,
): VolumeBackend {
  needCapability(volumes === undefined ? [] : policy.capabilities, 'volumes', what);
  if (volumes === undefined) throw new CloudError('InternalError', 'volumes without a backend');
  if (capability !== undefined && !volumes.capabilities.includes(capability)) {
    throw new CloudError('UnsupportedOperation', `${what}: the volumes of this cloud can't do that (${capability})`, {
      details: { capability },
    });
  }
  return volumes;
}

/** The volume, or InvalidVolume.NotFound: the same for one that is not there and one of another project. */
export function volumeOf(get: Get, principal: Principal, volumeId: string): VolumeRecord {
  const record = get<VolumeRecord>(KEYS.volume(volumeId));
  if (record !== undefined && mayUseInstance(principal, record)) return record;
  throw new CloudError('InvalidVolume.NotFound', `VolumeId: there is no volume ${volumeId} in this project`, {
    details: { parameter: 'VolumeId', volumeId },
  });
}

/** Whether volumes may be made of the snapshot by that project. */
export function mayRestore(
  projectId: string,
  record: Pick<SnapshotRecord, 'public' | 'projectId' | 'sharedWith'>,
): boolean {
  if (record.projectId === projectId) return true;
  const region = (id: string): string => id.slice(projectWithoutRegion(id).length);
  const isNear = region(record.projectId) === region(projectId);
  return isNear && (record.public || record.sharedWith.includes(projectWithoutRegion(projectId)));
}

/** One that the caller may see; `own`: and change. */
export function snapshotOf(
  get: Get,
  principal: Principal,
  snapshotId: string,
  own: 'own' | 'shared' = 'own',
): SnapshotRecord {
  const record = get<SnapshotRecord>(KEYS.snapshot(snapshotId));
  const isSeen = record !== undefined && record.state !== 'deleting' && isInZones(principal, record);
  if (isSeen && (mayUse(principal, record.projectId) || (own === 'shared' && mayRestore(principal.projectId, record))))
    return record;
  throw new CloudError('InvalidSnapshot.NotFound', `SnapshotId: there is no snapshot ${snapshotId} in this project`, {
    details: { parameter: 'SnapshotId', snapshotId },
  });
}

export function isInZones(principal: Principal, { zone }: { readonly zone: string }): boolean {
  return principal.zones?.includes(zone) ?? true;
}

/** A snapshot that something is to be made of. Errors: 'InvalidSnapshot.NotFound', 'IncorrectState'. */
export function sourceSnapshot(draft: Draft, { principal }: ReadContext, snapshotId: string): SnapshotRecord {
  const record = snapshotOf((key) => draft.get(key), principal, snapshotId, 'shared');
  if (record.state === 'completed') return record;
  throw new CloudError('IncorrectState', `SnapshotId: ${snapshotId} is ${record.state}; it must be completed`, {
    details: { snapshotId, state: record.state },
  });
}

/** The zone that was asked for, or the first that the caller has. Errors: 'InvalidZone.NotFound'. */
export function zoneFor(draft: Draft, { cloud, principal }: ChangeContext, asked: string | undefined): string {
  if (asked === undefined) return principal.zones?.[0] ?? cloud.policy.zone;
  const known = new Set([
    cloud.policy.zone,
    ...(principal.zones ?? []),
    ...draft.replica.range<HostRecord>(PREFIX.host).map(({ value }) => value.zone),
  ]);
  if (known.has(asked) && isInZones(principal, { zone: asked })) return asked;
  const zones = [...known].filter((zone) => isInZones(principal, { zone })).join(', ');
  throw new CloudError('InvalidZone.NotFound', `AvailabilityZone: there is no zone ${asked}; there are: ${zones}`, {
    details: { parameter: 'AvailabilityZone' },
  });
}
