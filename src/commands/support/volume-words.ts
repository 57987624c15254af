import { CloudError } from '../../base/errors.ts';
import type { OperationInput } from '../../messages/operations/index.ts';

type Volume = NonNullable<OperationInput<'RunInstances'>['BlockDeviceMapping']>[number];

export const VOLUME_WORDS = 'size=GIB,device=NAME[,snapshot=ID][,type=TYPE][,keep]';

const FIELDS: Readonly<Record<string, (value: string) => Partial<Volume>>> = {
  device: (Device) => ({ Device }),
  keep: () => ({ DeleteOnTermination: false }),
  size: (value) => ({ Size: Number(value) }),
  snapshot: (SnapshotId) => ({ SnapshotId }),
  // Any word: the cloud says which there are.
  type: (VolumeType) => ({ VolumeType: VolumeType as NonNullable<Volume['VolumeType']> }),
};

/** `size=10,device=/dev/sdf`: a volume that is made for an instance. What it says of sizes, devices and types the cloud checks. */
export function parseVolumeWords(text: string): Volume {
  const said = new Map<string, string>();
  for (const word of text.split(',')) {
    const [name = '', value] = word.split('=', 2);
    const isKnown = Object.hasOwn(FIELDS, name) && (name === 'keep') === (value === undefined) && value !== '';
    if (!isKnown || said.has(name) || (name === 'size' && !/^\d{1,9}$/.test(value ?? ''))) throw wrong(text);
    said.set(name, value ?? '');
  }
  const Device = said.get('device');
  if (Device === undefined) throw wrong(text);
  return Object.assign({ Device }, ...[...said].map(([name, value]) => FIELDS[name]?.(value) ?? {})) as Volume;
}

function wrong(text: string): CloudError {
  return new CloudError('InvalidParameterValue', `--volume must be ${VOLUME_WORDS}, not "${text}"`);
}
