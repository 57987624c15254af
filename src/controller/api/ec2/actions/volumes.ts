import type { VolumeType } from '../../../../domain/volume.ts';
import { VOLUME_TYPES } from '../../../../domain/volume.ts';
import { tagSpecifications } from '../common-params.ts';
import type { Ec2Actions, Ec2Call } from '../ec2-action.ts';
import { given } from '../group-trees.ts';
import type { Params } from '../params.ts';
import { attachmentTree, modificationTree, volumeStatusTree, volumeTree } from '../volume-trees.ts';
import { askedPage } from './security-groups.ts';

const askedVolumes = (call: Ec2Call) => ({
  ...given({ VolumeIds: call.params.list('VolumeId') }),
  ...askedPage(call),
});

/** Both are one kind of storage here, so what makes no difference can't be asked for. */
function volumeType(params: Params): VolumeType | undefined {
  const asked = params.text('VolumeType');
  if (params.int('Iops') !== undefined)
    throw params.bad('Iops', 'no volume of this cloud has a rate of its own; leave it out');
  if (params.int('Throughput') !== undefined)
    throw params.bad('Throughput', 'no volume of this cloud has a rate of its own; leave it out');
  if (params.bool('MultiAttachEnabled') === true)
    throw params.bad('MultiAttachEnabled', 'a volume is attached once at most; leave it out');
  if (asked === undefined) return undefined;
  const known = VOLUME_TYPES.find((type) => type === asked);
  if (known === undefined)
    throw params.bad('VolumeType', `must be ${VOLUME_TYPES.join(' or ')}, which are the same here`);
  return known;
}

const DESCRIBED_ATTRIBUTES = ['autoEnableIO', 'productCodes'];

export const volumesActions: Ec2Actions = {
  AttachVolume: async ({ params, run }) => {
    const { attachment } = await run('AttachVolume', {
      VolumeId: params.need('VolumeId'),
      InstanceId: params.need('InstanceId'),
      Device: params.need('Device'),
    });
    return attachmentTree(attachment);
  },

  CreateVolume: async ({ params, run }) => {
    const { volume } = await run('CreateVolume', {
      AvailabilityZone: params.need('AvailabilityZone'),
      ...given({
        Size: params.int('Size'),
        SnapshotId: params.text('SnapshotId') || undefined,
        VolumeType: volumeType(params),
        Encrypted: params.bool('Encrypted'),
        Tags: tagSpecifications(params)['volume'],
      }),
    });
    return volumeTree(volume);
  },

  DeleteVolume: async ({ params, run }) => {
    await run('DeleteVolume', { VolumeId: params.need('VolumeId') });
    return { return: true };
  },

  DescribeVolumeAttribute: async ({ params, run }) => {
    const VolumeId = params.need('VolumeId');
    const attribute = params.need('Attribute');
    if (!DESCRIBED_ATTRIBUTES.includes(attribute))
      throw params.bad('Attribute', `must be ${DESCRIBED_ATTRIBUTES.join(' or ')}`);
    const { volumes } = await run('DescribeVolumes', { VolumeIds: [VolumeId] });
    const value = volumes[0]?.autoEnableIo === true;
    return {
      volumeId: VolumeId,
      ...(attribute === 'autoEnableIO' ? { autoEnableIO: { value } } : { productCodes: [] }),
    };
  },

  DescribeVolumeStatus: async (call) => {
    const { volumes, nextToken } = await call.run('DescribeVolumes', askedVolumes(call));
    return { volumeStatusSet: volumes.map(volumeStatusTree), nextToken };
  },

  DescribeVolumes: async (call) => {
    const { volumes, nextToken } = await call.run('DescribeVolumes', askedVolumes(call));
    return { volumeSet: volumes.map(volumeTree), nextToken };
  },

  DescribeVolumesModifications: async (call) => {
    const { modifications, nextToken } = await call.run('DescribeVolumesModifications', askedVolumes(call));
    return { volumeModificationSet: modifications.map(modificationTree), nextToken };
  },

  DetachVolume: async ({ params, run }) => {
    const { attachment } = await run('DetachVolume', {
      VolumeId: params.need('VolumeId'),
      ...given({
        InstanceId: params.text('InstanceId') || undefined,
        Device: params.text('Device') || undefined,
        Force: params.bool('Force'),
      }),
    });
    return attachmentTree(attachment);
  },

  ModifyVolume: async ({ params, run }) => {
    const { modification } = await run('ModifyVolume', {
      VolumeId: params.need('VolumeId'),
      ...given({ Size: params.int('Size'), VolumeType: volumeType(params) }),
    });
    return { volumeModification: modificationTree(modification) };
  },

  ModifyVolumeAttribute: async ({ params, run }) => {
    const VolumeId = params.need('VolumeId');
    const AutoEnableIO = params.struct('AutoEnableIO')?.bool('Value');
    if (AutoEnableIO === undefined) throw params.bad('AutoEnableIO.Value', 'is needed: true or false');
    await run('ModifyVolumeAttribute', { VolumeId, AutoEnableIO });
    return { return: true };
  },
};
