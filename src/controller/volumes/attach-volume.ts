import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { Attachment, InstanceVolumesRecord, VolumeRecord } from '../../domain/volume.ts';
import {
  attachmentTransition,
  deviceSlot,
  VOLUMES_PER_INSTANCE,
  volumeTransition,
  withoutFields,
} from '../../domain/volume.ts';
import type { ChangeContext, ChangeHandler } from '../operations/handler.ts';
import { badParameter } from '../operations/handler.ts';
import { instanceOf } from '../operations/instance-lookup.ts';
import { finishTarget } from '../operations/operation-record.ts';
import type { Draft } from '../state/draft.ts';
import { refuseUnlessIdle } from './create-volume.ts';
import { volumeBackend, volumeOf } from './volume-lookup.ts';
import { attachmentView } from './volume-view.ts';

export const attachVolume: ChangeHandler<'AttachVolume'> = {
  decide(draft, input, context) {
    volumeBackend(context.cloud, 'AttachVolume');
    const { VolumeId: id, InstanceId, Device, DeleteOnTermination } = input;
    const volume = volumeOf((key) => draft.get(key), context.principal, id);
    const instance = instanceOf((key) => draft.get<InstanceRecord>(key), context.principal, InstanceId);
    if (volume.attachment !== undefined) {
      const { state, instanceId, device } = volume.attachment;
      throw new CloudError('VolumeInUse', `VolumeId: ${id} is ${state} to ${instanceId} as ${device} already`, {
        details: { volumeId: id, instanceId },
      });
    }
    refuseUnlessIdle(volume, ['available'], 'attached');
    refuseMismatch(volume, instance);
    takeSlot(draft, volume, instance, Device);
    const { nowMs, operationId } = context;
    const attachment: Attachment = {
      ...{ instanceId: instance.id, hostId: instance.hostId, device: Device, state: 'attaching' },
      ...{ sinceMs: nowMs, askedAtMs: nowMs, deleteOnTermination: DeleteOnTermination === true },
      operation: { id: operationId, for: 'attach' },
    };
    draft.put(KEYS.volume(id), volumeTransition(withoutFields(volume, 'retry'), 'in-use', nowMs, { attachment }));
    return { output: { attachment: attachmentView(id, attachment), operationId }, targets: [id], pending: [id] };
  },
};

/** Same project (also for an administrator), same zone, and an instance that stays. */
function refuseMismatch(volume: VolumeRecord, instance: InstanceRecord): void {
  if (volume.projectId !== instance.projectId) {
    throw badParameter('InstanceId', `${instance.id} is of project ${instance.projectId}, ${volume.id} of another`);
  }
  if (volume.zone !== instance.zone) {
    throw new CloudError(
      'InvalidVolume.ZoneMismatch',
      `VolumeId: ${volume.id} is in zone ${volume.zone}, ${instance.id} in ${instance.zone}; make a snapshot, and a volume of it there`,
      { details: { volumeId: volume.id, instanceId: instance.id } },
    );
  }
  if (instance.state === 'running' || instance.state === 'stopped') return;
  throw new CloudError(
    'IncorrectState',
    `InstanceId: ${instance.id} is ${instance.state}; it must be running or stopped`,
    { details: { instanceId: instance.id, state: instance.state } },
  );
}

/** The device of the instance is the volume's from now on. */
function takeSlot(draft: Draft, { id }: VolumeRecord, instance: InstanceRecord, device: string): void {
  const slot = needDeviceSlot('Device', device);
  const key = KEYS.instanceVolumes(instance.id);
  const known = draft.get<InstanceVolumesRecord>(key)?.volumes ?? {};
  const holder = known[slot];
  if (holder !== undefined) {
    throw badParameter('Device', `${device} of ${instance.id} is in use by ${holder}; choose another`);
  }
  if (Object.keys(known).length >= VOLUMES_PER_INSTANCE) {
    throw new CloudError(
      'AttachmentLimitExceeded',
      `${instance.id} has ${VOLUMES_PER_INSTANCE} volumes, the most there may be`,
    );
  }
  draft.put(key, { v: 1, volumes: { ...known, [slot]: id } } satisfies InstanceVolumesRecord);
}

/** Errors: 'InvalidParameterValue', for what is no device of a volume. */
export function needDeviceSlot(parameter: string, device: string): string {
  const slot = deviceSlot(device);
  if (slot !== undefined) return slot;
  throw badParameter(
    parameter,
    `${device} is no device that a volume may have; give one like /dev/sdf (sd, xvd or vd and a letter from c on)`,
  );
}

export const detachVolume: ChangeHandler<'DetachVolume'> = {
  decide(draft, input, context) {
    volumeBackend(context.cloud, 'DetachVolume');
    const { VolumeId: id } = input;
    const volume = volumeOf((key) => draft.get(key), context.principal, id);
    const { operationId } = context;
    const attachment = attachmentToEnd(volume, input);
    // It is on its way already; whoever asked first waits for that.
    if (attachment.state === 'detaching' && attachment.force === true) {
      return { output: { attachment: attachmentView(id, attachment), operationId }, targets: [id] };
    }
    const next = detaching(draft, volume, attachment, context, input.Force === true);
    draft.put(KEYS.volume(id), { ...withoutFields(volume, 'retry'), attachment: next });
    return { output: { attachment: attachmentView(id, next), operationId }, targets: [id], pending: [id] };
  },
};

/** Errors: 'IncorrectState' (not attached, or not yet), 'InvalidAttachment.NotFound' (elsewhere). */
function attachmentToEnd(
  volume: VolumeRecord,
  ask: { InstanceId?: string | undefined; Device?: string | undefined; Force?: boolean | undefined },
): Attachment {
  const { id, state, attachment } = volume;
  if (attachment === undefined) {
    throw new CloudError('IncorrectState', `VolumeId: ${id} is ${state}, and attached nowhere`, {
      details: { volumeId: id, state },
    });
  }
  const { instanceId, device } = attachment;
  const isOther =
    (ask.InstanceId ?? instanceId) !== instanceId || deviceSlot(ask.Device ?? device) !== deviceSlot(device);
  if (isOther) {
    throw new CloudError('InvalidAttachment.NotFound', `VolumeId: ${id} is attached to ${instanceId} as ${device}`, {
      details: { volumeId: id, instanceId },
    });
  }
  if (attachment.state !== 'attached' && ask.Force !== true) {
    throw new CloudError('IncorrectState', `VolumeId: ${id} is ${attachment.state}; wait, or set Force`, {
      details: { volumeId: id, state: attachment.state },
    });
  }
  return attachment;
}

/** The attachment as it ends from now on; the operation that waited for it before is told. */
function detaching(
  draft: Draft,
  volume: VolumeRecord,
  attachment: Attachment,
  { operationId, nowMs }: ChangeContext,
  force: boolean,
): Attachment {
  const { operation } = attachment;
  if (operation !== undefined) {
    finishTarget(draft, operation.id, volume.id, nowMs, {
      error: { code: 'IncorrectState', message: `superseded by ${operationId}` },
    });
  }
  return attachmentTransition(attachment, 'detaching', nowMs, {
    operation: { id: operationId, for: 'detach' },
    ...(force ? { force } : {}),
  });
}

/** Whether the volume goes with its instance, by device name. Errors: 'InvalidParameterValue', where the instance has no volume there. */
export function setDeleteOnTermination(draft: Draft, instanceId: string, device: string, value: boolean): void {
  const known = draft.get<InstanceVolumesRecord>(KEYS.instanceVolumes(instanceId))?.volumes ?? {};
  const id = known[deviceSlot(device) ?? ''];
  const volume = id === undefined ? undefined : draft.get<VolumeRecord>(KEYS.volume(id));
  if (volume?.attachment?.instanceId !== instanceId) {
    throw badParameter('BlockDeviceMapping', `${instanceId} has no volume at ${device}`);
  }
  const attachment = { ...volume.attachment, deleteOnTermination: value };
  draft.put(KEYS.volume(volume.id), { ...volume, attachment } satisfies VolumeRecord);
}
