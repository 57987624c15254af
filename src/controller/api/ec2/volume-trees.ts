import { isoTime } from '../../../base/clock.ts';
import type { OperationOutput } from '../../../messages/operations/index.ts';
import { tagSet } from './common-params.ts';
import type { Ec2Call } from './ec2-action.ts';
import type { XmlTree } from './xml-tree.ts';

type Volume = OperationOutput<'DescribeVolumes'>['volumes'][number];
type Snapshot = OperationOutput<'DescribeSnapshots'>['snapshots'][number];
type Tree = Readonly<Record<string, XmlTree>>;

export function attachmentTree(attachment: OperationOutput<'AttachVolume'>['attachment']): Tree {
  const { volumeId, instanceId, device, state, attachTimeMs, deleteOnTermination } = attachment;
  return {
    ...{ volumeId, instanceId, device },
    status: state,
    attachTime: isoTime(attachTimeMs),
    deleteOnTermination,
  };
}

/** `size` as the volume has it; a size that it is to get is in its modification. */
export function volumeTree(volume: Volume): Tree {
  const { volumeId, sizeGib, snapshotId, availabilityZone, state, createTimeMs, attachment, volumeType, tags } = volume;
  return {
    volumeId,
    size: sizeGib,
    snapshotId: snapshotId ?? '',
    availabilityZone,
    status: state,
    createTime: isoTime(createTimeMs),
    attachmentSet: attachment === undefined ? [] : [attachmentTree(attachment)],
    tagSet: tagSet(tags),
    volumeType,
    encrypted: false,
    multiAttachEnabled: false,
  };
}

/** What EC2 says of a volume's health: input and output are enabled as soon as it is made. */
export function volumeStatusTree({ volumeId, availabilityZone, status }: Volume): Tree {
  const isOk = status === 'ok';
  const details = [
    { name: 'io-enabled', status: isOk ? 'passed' : 'failed' },
    { name: 'io-performance', status: 'not-applicable' },
  ];
  return { volumeId, availabilityZone, volumeStatus: { status, details }, eventsSet: [], actionsSet: [] };
}

export function modificationTree(modification: OperationOutput<'ModifyVolume'>['modification']): Tree {
  const { volumeId, state, originalSizeGib, targetSizeGib, originalVolumeType, volumeType, message } = modification;
  const { startTimeMs, endTimeMs } = modification;
  return {
    volumeId,
    modificationState: state,
    statusMessage: message,
    targetSize: targetSizeGib,
    targetVolumeType: volumeType,
    originalSize: originalSizeGib,
    originalVolumeType,
    progress: state === 'completed' ? 100 : 0,
    startTime: isoTime(startTimeMs),
    endTime: endTimeMs === undefined ? undefined : isoTime(endTimeMs),
  };
}

export function snapshotTree(call: Ec2Call, snapshot: Snapshot): Tree {
  const { snapshotId, volumeId, state, stateReason, startTimeMs, progress, projectId, volumeSizeGib } = snapshot;
  return {
    snapshotId,
    volumeId,
    status: state,
    statusMessage: stateReason?.message,
    startTime: isoTime(startTimeMs),
    progress: `${progress}%`,
    ownerId: call.accountOf(projectId),
    volumeSize: volumeSizeGib,
    description: snapshot.description,
    tagSet: tagSet(snapshot.tags),
    encrypted: false,
    storageTier: 'standard',
  };
}
