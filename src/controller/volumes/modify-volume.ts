import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import type { Modification, VolumeRecord } from '../../domain/volume.ts';
import { withoutFields } from '../../domain/volume.ts';
import type { ChangeHandler } from '../operations/handler.ts';
import { badParameter } from '../operations/handler.ts';
import { tagsOf } from '../tags/resource-tags.ts';
import { claimQuota } from '../users/quota.ts';
import { refuseUnlessIdle } from './create-volume.ts';
import { volumeBackend, volumeOf } from './volume-lookup.ts';
import { modificationView, volumeView } from './volume-view.ts';

export const modifyVolume: ChangeHandler<'ModifyVolume'> = {
  decide(draft, input, context) {
    const { VolumeId: id, Size, VolumeType } = input;
    const { cloud, principal, nowMs, operationId } = context;
    volumeBackend(cloud, 'ModifyVolume', 'grow');
    const volume = volumeOf((key) => draft.get(key), principal, id);
    if (volume.attachment !== undefined) volumeBackend(cloud, 'ModifyVolume of an attached volume', 'grow-attached');
    if (Size === undefined && VolumeType === undefined) {
      throw new CloudError('MissingParameter', 'Size: is needed, or VolumeType', { details: { parameter: 'Size' } });
    }
    if (volume.modification?.state === 'modifying') {
      throw new CloudError('IncorrectState', `VolumeId: the size of ${id} is being changed; wait for that`);
    }
    refuseUnlessIdle(volume, ['available', 'in-use'], 'modified');
    const toGib = Size ?? volume.sizeGib;
    if (toGib < volume.sizeGib) {
      throw badParameter('Size', `${toGib} GiB is less than the ${volume.sizeGib} GiB of ${id}; volumes only grow`);
    }
    claimQuota(draft, volume, { gigabytes: toGib - volume.sizeGib });
    const isDone = toGib === volume.sizeGib;
    const modification: Modification = {
      ...{
        state: isDone ? 'completed' : 'modifying',
        fromGib: volume.sizeGib,
        fromType: volume.volumeType,
        toGib,
        startedAtMs: nowMs,
      },
      ...(isDone ? { endedAtMs: nowMs } : {}),
      operationId,
    };
    const next: VolumeRecord = {
      ...withoutFields(volume, 'retry'),
      ...{ sizeGib: toGib, volumeType: VolumeType ?? volume.volumeType, modification },
    };
    draft.put(KEYS.volume(id), next);
    const output = { modification: modificationView(next, modification), operationId };
    return { output, targets: [id], pending: isDone ? [] : [id] };
  },
};

export const modifyVolumeAttribute: ChangeHandler<'ModifyVolumeAttribute'> = {
  decide(draft, { VolumeId: id, AutoEnableIO }, context) {
    volumeBackend(context.cloud, 'ModifyVolumeAttribute');
    const volume = volumeOf((key) => draft.get(key), context.principal, id);
    const next: VolumeRecord = { ...volume, autoEnableIo: AutoEnableIO };
    draft.put(KEYS.volume(id), next);
    const { operationId } = context;
    const view = volumeView(next, tagsOf(draft.replica, id), draft.replica.rev);
    return { output: { volume: view, operationId }, targets: [id] };
  },
};
