import { VOLUME_TYPES, type VolumeType } from '../../../domain/volume.ts';
import type { OperationInput } from '../../../messages/operations/index.ts';
import { given } from './group-trees.ts';
import { noneOf, onlyDefaults } from './only-defaults.ts';
import type { Params } from './params.ts';

type Input = OperationInput<'RunInstances'>;
type Volume = NonNullable<Input['BlockDeviceMapping']>[number];

const ROOT = /^(\/dev\/)?(sd|xvd|vd|hd)a1?$/;

/** BlockDeviceMapping of RunInstances: the size of the root disk, which is no volume, and the volumes to be made. A mapping that takes another device away takes nothing away. */
export function blockDevices(params: Params): Pick<Input, 'RootDiskGib' | 'BlockDeviceMapping'> {
  let root: number | undefined;
  const volumes: Volume[] = [];
  for (const mapping of params.structs('BlockDeviceMapping')) {
    const device = mapping.need('DeviceName');
    if (mapping.has('NoDevice')) {
      mapping.text('NoDevice');
      if (ROOT.test(device)) throw mapping.bad('NoDevice', 'an instance has a root disk');
      continue;
    }
    noneOf(mapping, { VirtualName: 'disks of that kind' });
    const ebs = mapping.struct('Ebs');
    if (ROOT.test(device)) root = (ebs && rootDiskGib(ebs)) ?? root;
    else volumes.push(volume(mapping, device, ebs));
  }
  return given({ RootDiskGib: root, BlockDeviceMapping: volumes.length === 0 ? undefined : volumes });
}

const NO_RATES = { Iops: 'guaranteed rates', Throughput: 'guaranteed rates', KmsKeyId: 'encrypted disks' } as const;

function rootDiskGib(ebs: Params): number | undefined {
  onlyDefaults(ebs, { DeleteOnTermination: ['true'], Encrypted: ['false'], VolumeType: VOLUME_TYPES });
  noneOf(ebs, { SnapshotId: 'root disks of snapshots', ...NO_RATES });
  return ebs.int('VolumeSize');
}

function volume(mapping: Params, Device: string, ebs: Params | undefined): Volume {
  if (ebs === undefined) throw mapping.bad('Ebs', `is needed for ${Device}, with VolumeSize or SnapshotId`);
  onlyDefaults(ebs, { Encrypted: ['false'], VolumeType: VOLUME_TYPES });
  noneOf(ebs, NO_RATES);
  const type = ebs.text('VolumeType')?.toLowerCase();
  return {
    Device,
    ...given({
      Size: ebs.int('VolumeSize'),
      SnapshotId: ebs.text('SnapshotId'),
      VolumeType: VOLUME_TYPES.find((one): one is VolumeType => one === type),
      DeleteOnTermination: ebs.bool('DeleteOnTermination'),
    }),
  };
}
