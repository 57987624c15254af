import { CloudError } from '../../base/errors.ts';
import { GIB } from '../../base/units.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord, InstanceTemplate, InstanceTypeRecord, KeyPairRecord } from '../../domain/records.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { findImage } from '../images/find-image.ts';
import type { Principal } from '../operations/handler.ts';
import { badParameter } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import { quotaOwner } from '../users/quota.ts';

type LaunchInput = Omit<OperationParsed<'RunInstances'>, 'ClientToken'>;

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
  const image = machineImage(draft, principal, input.ImageId);
  const type = typeFor(draft, image, input.InstanceType);
  const key = keyPair(draft, principal, input.KeyName);
  const rootDiskBytes = type.diskGib === 0 ? image.virtualSizeBytes : type.diskGib * GIB;
  return {
    image,
    template: {
      ...quotaOwner(principal),
      ...(input.Name === undefined ? {} : { name: input.Name }),
      imageId: image.id,
      ...(image.kernelId === undefined ? {} : { kernelId: image.kernelId }),
      ...(image.ramdiskId === undefined ? {} : { ramdiskId: image.ramdiskId }),
      typeName: type.name,
      vcpus: type.vcpus,
      memoryMib: type.memoryMib,
      rootDiskBytes,
      diskGib: Math.ceil(rootDiskBytes / GIB),
      ...(key === undefined ? {} : { keyName: key.name, publicKey: key.publicKey }),
      ...(input.UserData === undefined ? {} : { userData: input.UserData }),
    },
  };
}

function machineImage(draft: Draft, principal: Principal, idOrName: string): ImageRecord {
  const image = findImage(draft, principal, idOrName, 'ImageId');
  if (image.kind !== 'machine') {
    throw badParameter('ImageId', `${idOrName} is a ${image.kind}; an instance needs a machine image (ami-...)`);
  }
  for (const id of [image.id, image.kernelId, image.ramdiskId]) {
    if (id === undefined || draft.get(KEYS.image(id)) !== undefined) continue;
    throw new CloudError('InvalidAMIID.Unavailable', `ImageId: ${id}, which ${idOrName} needs, is gone`, {
      details: { parameter: 'ImageId' },
    });
  }
  return image;
}

function typeFor(draft: Draft, image: ImageRecord, name: string): InstanceTypeRecord {
  const type = draft.get<InstanceTypeRecord>(KEYS.type(name));
  if (type === undefined) {
    throw new CloudError(
      'InvalidInstanceType.NotFound',
      `InstanceType: there is no type ${name}; see "novactl type list"`,
      { details: { parameter: 'InstanceType' } },
    );
  }
  if (type.diskGib > 0 && image.virtualSizeBytes > type.diskGib * GIB) {
    throw badParameter(
      'InstanceType',
      `${type.name} has a disk of ${type.diskGib} GiB, the image ${image.name} needs ${Math.ceil(image.virtualSizeBytes / GIB)} GiB`,
    );
  }
  return type;
}

function keyPair(draft: Draft, principal: Principal, name: string | undefined): KeyPairRecord | undefined {
  if (name === undefined) return undefined;
  const key = draft.get<KeyPairRecord>(KEYS.keyPair(principal.projectId, name));
  if (key !== undefined) return key;
  throw new CloudError('InvalidKeyPair.NotFound', `KeyName: there is no key pair ${name}; see "novactl keypair list"`, {
    details: { parameter: 'KeyName' },
  });
}
