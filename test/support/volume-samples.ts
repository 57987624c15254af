import type { Attachment, AttachmentState, VolumeRecord, VolumeState } from '../../src/domain/volume.ts';

/** A volume in a state, with what goes with it. */
export function sampleVolume(state: VolumeState, patch: Partial<VolumeRecord> = {}): VolumeRecord {
  return {
    v: 1,
    id: 'vol-0123456789abcdef0',
    projectId: 'lab',
    sizeGib: 10,
    volumeType: 'standard',
    zone: 'nova',
    state,
    createdAtMs: 1,
    stateChangedAtMs: 1,
    operationId: 'op-made',
    ...(state === 'in-use' ? { attachment: sampleAttachment('attached') } : {}),
    ...patch,
  };
}

export function sampleAttachment(state: AttachmentState, patch: Partial<Attachment> = {}): Attachment {
  return {
    instanceId: 'i-0123456789abcdef0',
    device: '/dev/sdf',
    hostId: 'h-0123456789abcdef0',
    state,
    sinceMs: 1,
    askedAtMs: 1,
    deleteOnTermination: false,
    ...patch,
  };
}
