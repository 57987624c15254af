import { CloudError } from '../../base/errors.ts';
import { GIB } from '../../base/units.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord, InstanceTemplate, InstanceTypeRecord, KeyPairRecord } from '../../domain/records.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { findImage, needAvailable } from '../images/find-image.ts';
import type { Principal } from '../operations/handler.ts';
import { badParameter } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import { checkedTags } from '../tags/resource-tags.ts';
import { quotaOwner } from '../users/quota.ts';

type LaunchInput = OperationParsed<'PlanInstances'> & Pick<OperationParsed<'RunInstances'>, 'ClientToken'>;

export interface Launch {
  readonly template: Omit<InstanceTemplate, 'reservationId' | 'operationId'>;
  readonly image: ImageRecord;
}

/**
 * What the instances of a RunInstances call have in common, every reference looked up and checked. Guards what must not
 * vanish meanwhile: image, kernel, ramdisk, type, key.
 */
export function launchTemplate(draft: Draft, principal: Principal, input: LaunchInput): Launch {
  if (input.MaxCount < input.MinCount) {
    throw new CloudError(
      'InvalidParameterCombination',
      `MinCount: ${input.MinCount} is more than MaxCount ${input.MaxCount}`,
      { details: { parameter: 'MinCount' } },
    );
  }
  if (input.PrivateIpAddress !== undefined && input.MaxCount > 1) {
    throw new CloudError(
      'InvalidParameterCombination',
      `PrivateIpAddress: one address can't be that of ${input.MaxCount} instances; ask for one`,
      { details: { parameter: 'PrivateIpAddress' } },
    );
  }
  const image = machineImage(draft, principal, input.ImageId);
  const type = typeFor(draft, image, input);
  const key = keyPair(draft, principal, input.KeyName);
  const kernelId = bootPart(draft, principal, input.KernelId, 'kernel') ?? image.kernelId;
  const ramdiskId = bootPart(draft, principal, input.RamdiskId, 'ramdisk') ?? image.ramdiskId;
  const { diskGib } = type;
  const rootDiskBytes = diskGib === 0 ? image.virtualSizeBytes : diskGib * GIB;
  return {
    image,
    template: {
      ...quotaOwner(principal),
      imageId: image.id,
      ...(kernelId === undefined ? {} : { kernelId }),
      ...(ramdiskId === undefined ? {} : { ramdiskId }),
      ...imageFacts(image),
      typeName: type.name,
      vcpus: type.vcpus,
      memoryMib: type.memoryMib,
      rootDiskBytes,
      diskGib: Math.ceil(rootDiskBytes / GIB),
      ...(key === undefined ? {} : { keyName: key.name, publicKey: key.publicKey }),
      ...asked(input),
    },
  };
}

/** What is kept as it was asked for. */
function asked(
  input: LaunchInput,
): Pick<
  InstanceTemplate,
  | 'userData'
  | 'clientToken'
  | 'privateIpAddress'
  | 'disableApiTermination'
  | 'disableApiStop'
  | 'shutdownBehavior'
  | 'tags'
> {
  const { UserData, ClientToken, PrivateIpAddress, InstanceInitiatedShutdownBehavior: behavior } = input;
  const tags = { ...input.Tags, ...(input.Name === undefined ? {} : { Name: input.Name }) };
  return {
    ...(UserData === undefined ? {} : { userData: UserData }),
    ...(ClientToken === undefined ? {} : { clientToken: ClientToken }),
    ...(PrivateIpAddress === undefined ? {} : { privateIpAddress: PrivateIpAddress }),
    ...(input.DisableApiTermination === true ? { disableApiTermination: true } : {}),
    ...(input.DisableApiStop === true ? { disableApiStop: true } : {}),
    ...(behavior === undefined ? {} : { shutdownBehavior: behavior }),
    ...(Object.keys(tags).length === 0 ? {} : { tags: checkedTags(tags) }),
  };
}

/** What of the image is told of its instances, also when it is gone. */
function imageFacts(
  image: ImageRecord,
): Pick<InstanceTemplate, 'architecture' | 'platform' | 'rootDeviceName' | 'virtualizationType'> {
  const { architecture, platform, rootDeviceName, virtualizationType } = image;
  return {
    architecture,
    ...(platform === undefined ? {} : { platform }),
    ...(rootDeviceName === undefined ? {} : { rootDeviceName }),
    ...(virtualizationType === undefined ? {} : { virtualizationType }),
  };
}

const PART_PARAMETER = { kernel: 'KernelId', ramdisk: 'RamdiskId' } as const;

/** A kernel or ramdisk that was asked for in place of the image's own. */
export function bootPart(
  draft: Draft,
  principal: Principal,
  idOrName: string | undefined,
  kind: 'kernel' | 'ramdisk',
): string | undefined {
  if (idOrName === undefined) return undefined;
  const parameter = PART_PARAMETER[kind];
  const found = findImage(draft, principal, idOrName, parameter);
  if (found.kind !== kind) throw badParameter(parameter, `${idOrName} is a ${found.kind}, not a ${kind}`);
  needAvailable(draft.get<ImageRecord>(KEYS.image(found.id)) ?? found, parameter);
  return found.id;
}

function machineImage(draft: Draft, principal: Principal, idOrName: string): ImageRecord {
  const image = findImage(draft, principal, idOrName, 'ImageId');
  if (image.kind !== 'machine') {
    throw badParameter('ImageId', `${idOrName} is a ${image.kind}; an instance needs a machine image (ami-...)`);
  }
  for (const id of [image.id, image.kernelId, image.ramdiskId]) {
    const part = id === undefined ? undefined : draft.get<ImageRecord>(KEYS.image(id));
    if (part !== undefined) needAvailable(part, 'ImageId');
    if (id === undefined || part !== undefined) continue;
    throw new CloudError('InvalidAMIID.Unavailable', `ImageId: ${id}, which ${idOrName} needs, is gone`, {
      details: { parameter: 'ImageId' },
    });
  }
  return image;
}

export function instanceType(draft: Draft, name: string): InstanceTypeRecord {
  const type = draft.get<InstanceTypeRecord>(KEYS.type(name));
  if (type !== undefined) return type;
  throw new CloudError(
    'InvalidInstanceType.NotFound',
    `InstanceType: there is no type ${name}; see "novactl type list"`,
    { details: { parameter: 'InstanceType' } },
  );
}

/** The type, with the disk that was asked for in place of its own. */
function typeFor(draft: Draft, image: ImageRecord, input: LaunchInput): InstanceTypeRecord {
  const type = instanceType(draft, input.InstanceType);
  const diskGib = input.RootDiskGib ?? type.diskGib;
  if (diskGib > 0 && image.virtualSizeBytes > diskGib * GIB) {
    const [parameter, whose] =
      input.RootDiskGib === undefined ? ['InstanceType', type.name] : ['RootDiskGib', 'the instance'];
    const needed = Math.ceil(image.virtualSizeBytes / GIB);
    throw badParameter(parameter, `${whose} has a disk of ${diskGib} GiB, the image ${image.name} needs ${needed} GiB`);
  }
  return { ...type, diskGib };
}

function keyPair(draft: Draft, principal: Principal, name: string | undefined): KeyPairRecord | undefined {
  if (name === undefined) return undefined;
  const key = draft.get<KeyPairRecord>(KEYS.keyPair(principal.projectId, name));
  if (key !== undefined) return key;
  throw new CloudError('InvalidKeyPair.NotFound', `KeyName: there is no key pair ${name}; see "novactl keypair list"`, {
    details: { parameter: 'KeyName' },
  });
}
