import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { Random } from '../../base/random.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { InstanceTemplate } from '../../domain/records.ts';
import type { InstanceVolumesRecord, LaunchVolume, VolumeRecord } from '../../domain/volume.ts';
import { deviceSlot } from '../../domain/volume.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { OPERATIONS } from '../../messages/operations/index.ts';
import type { ReadContext } from '../operations/handler.ts';
import { badParameter } from '../operations/handler.ts';
import { refuseUnlessAllowed } from '../operations/refuse-unless-allowed.ts';
import type { Draft } from '../state/draft.ts';
import { checkedTags } from '../tags/resource-tags.ts';
import { needDeviceSlot } from './attach-volume.ts';
import { putVolume, volumeSize } from './create-volume.ts';
import { volumeBackend } from './volume-lookup.ts';

const PARAMETER = 'BlockDeviceMapping';
/** So many volumes one call makes: all are named in its operation's record. */
const VOLUMES_PER_CALL = 200;

type Input = Pick<OperationParsed<'PlanInstances'>, 'BlockDeviceMapping' | 'VolumeTags' | 'MaxCount'>;

/** The volumes that each instance is to have, every reference looked up and checked; none: nothing. Errors: 'UnsupportedOperation', where there are none. */
export function launchVolumes(
  draft: Draft,
  context: ReadContext,
  { BlockDeviceMapping: asked = [], VolumeTags, MaxCount }: Input,
): Pick<InstanceTemplate, 'volumes' | 'volumeTags'> {
  if (asked.length === 0) return {};
  volumeBackend(context.cloud, PARAMETER);
  refuseUnlessAllowed(context.principal, OPERATIONS.CreateVolume.access, `${PARAMETER}: making volumes`);
  if (asked.length * MaxCount > VOLUMES_PER_CALL) {
    throw new CloudError(
      'InvalidParameterCombination',
      `${PARAMETER}: ${asked.length} volumes for each of ${MaxCount} instances are more than the ${VOLUMES_PER_CALL} that one call makes`,
      { details: { parameter: PARAMETER } },
    );
  }
  const slots = new Map<string, string>();
  const volumes = asked.map(({ Device, Size, SnapshotId, VolumeType, DeleteOnTermination }): LaunchVolume => {
    const slot = needDeviceSlot(PARAMETER, Device);
    const other = slots.get(slot);
    if (other !== undefined)
      throw badParameter(PARAMETER, `${Device} and ${other} are the same device; give one of them`);
    slots.set(slot, Device);
    const names = { size: `${PARAMETER}.Ebs.VolumeSize`, snapshot: `${PARAMETER}.Ebs.SnapshotId` };
    const sizeGib = volumeSize(draft, context, { sizeGib: Size, snapshotId: SnapshotId }, names);
    return {
      ...{ device: Device, sizeGib, volumeType: VolumeType, deleteOnTermination: DeleteOnTermination },
      ...(SnapshotId === undefined ? {} : { snapshotId: SnapshotId }),
    };
  });
  return { volumes, ...(VolumeTags === undefined ? {} : { volumeTags: checkedTags(VolumeTags) }) };
}

/** One id for each volume of an instance, drawn with its own; no volumes: nothing. */
export function freshVolumeIds({ volumes = [] }: Pick<InstanceTemplate, 'volumes'>, random: Random) {
  return volumes.length === 0 ? {} : { volumeIds: volumes.map(() => newId('volume', random)) };
}

/** Writes the intent of the instance's volumes: made for it, and attached when it runs. Their quota was claimed with the instances'. */
export function draftLaunchVolumes(
  draft: Draft,
  { volumes = [], volumeTags, operationId }: InstanceTemplate,
  instance: InstanceRecord,
  { volumeIds = [], nowMs }: { readonly volumeIds?: readonly string[] | undefined; readonly nowMs: number },
): void {
  const slots: Record<string, string> = {};
  volumes.forEach(({ device, deleteOnTermination, ...volume }, index) => {
    const id = volumeIds[index];
    const slot = deviceSlot(device);
    if (id === undefined || slot === undefined) throw new CloudError('InternalError', `no id or place for ${device}`);
    slots[slot] = id;
    const { projectId, user, zone, hostId } = instance;
    const record: VolumeRecord = {
      ...{ v: 1, id, projectId, ...(user === undefined ? {} : { user }), ...volume, zone, state: 'creating' },
      attachment: {
        ...{ instanceId: instance.id, hostId, device, state: 'attaching', deleteOnTermination },
        ...{ sinceMs: nowMs, askedAtMs: nowMs, operation: { id: operationId, for: 'attach' } },
      },
      ...{ createdAtMs: nowMs, stateChangedAtMs: nowMs, operationId },
    };
    putVolume(draft, record, volumeTags ?? {});
  });
  if (volumes.length > 0)
    draft.put(KEYS.instanceVolumes(instance.id), { v: 1, volumes: slots } satisfies InstanceVolumesRecord);
}

/** What an instance that never ran still waits for, and what of it can't be had. */
export interface LaunchWait {
  readonly waits: boolean;
  readonly problem?: string;
}

/** How far the volumes of a launch are: an instance is not started before they are made. */
export function launchWait(get: <T>(key: string) => T | undefined, instance: InstanceRecord): LaunchWait {
  if (instance.launchedAtMs !== undefined || instance.state !== 'pending') return { waits: false };
  const known = get<InstanceVolumesRecord>(KEYS.instanceVolumes(instance.id))?.volumes ?? {};
  let waits = false;
  for (const id of Object.values(known)) {
    const volume = get<VolumeRecord>(KEYS.volume(id));
    if (volume?.attachment?.state !== 'attaching') continue;
    if (volume.state === 'creating') waits = true;
    if (volume.state !== 'error') continue;
    const { device } = volume.attachment;
    return {
      waits: true,
      problem: `its volume ${id} (${device}) could not be made: ${volume.stateReason?.message ?? ''}`,
    };
  }
  return { waits };
}
