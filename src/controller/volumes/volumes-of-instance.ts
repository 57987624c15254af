import { KEYS } from '../../domain/keys.ts';
import type { Attachment, InstanceVolumesRecord, VolumeRecord } from '../../domain/volume.ts';
import type { Replica } from '../../ports/store.ts';

/** A volume as its instance has it. */
export interface InstanceVolume extends Pick<Attachment, 'device' | 'state' | 'askedAtMs' | 'deleteOnTermination'> {
  readonly volumeId: string;
}

/** The volumes of an instance, by device name; none: empty. */
export function volumesOfInstance(replica: Pick<Replica, 'get'>, instanceId: string): InstanceVolume[] {
  const known = replica.get<InstanceVolumesRecord>(KEYS.instanceVolumes(instanceId))?.value.volumes ?? {};
  return Object.values(known).flatMap((volumeId) => {
    const attachment = replica.get<VolumeRecord>(KEYS.volume(volumeId))?.value.attachment;
    if (attachment?.instanceId !== instanceId) return [];
    const { device, state, askedAtMs, deleteOnTermination } = attachment;
    return [{ volumeId, device, state, askedAtMs, deleteOnTermination }];
  });
}
