import { isoTime } from '../../../base/clock.ts';
import type { OperationOutput } from '../../../messages/operations/index.ts';
import { tagSet } from './common-params.ts';
import type { Ec2Call } from './ec2-action.ts';
import { DEFAULT_ROOT_DEVICE } from './instance-trees.ts';
import type { XmlTree } from './xml-tree.ts';

export type ImageView = OperationOutput<'DescribeImages'>['images'][number];
type Accounts = Pick<Ec2Call, 'accountOf'>;

export function imageTree(call: Accounts, image: ImageView): XmlTree {
  const owner = call.accountOf(image.projectId);
  const isMachine = image.kind === 'machine';
  return {
    imageId: image.imageId,
    imageLocation: `${owner}/${image.name}`,
    imageState: 'available',
    imageOwnerId: owner,
    isPublic: image.public,
    productCodes: [],
    architecture: image.architecture,
    imageType: image.kind,
    kernelId: image.kernelId,
    ramdiskId: image.ramdiskId,
    platform: image.platform,
    platformDetails: image.platform === 'windows' ? 'Windows' : 'Linux/UNIX',
    usageOperation: 'RunInstances',
    name: image.name,
    description: image.description,
    rootDeviceType: 'instance-store',
    ...(isMachine ? { rootDeviceName: image.rootDeviceName ?? DEFAULT_ROOT_DEVICE } : {}),
    blockDeviceMapping: [],
    ...(isMachine ? { virtualizationType: image.virtualizationType ?? 'hvm' } : {}),
    tagSet: tagSet(image.tags ?? {}),
    enaSupport: false,
    creationDate: isoTime(image.createdAtMs),
    ...sourceOf(image),
  };
}

function sourceOf({ sourceId }: ImageView): Readonly<Record<string, XmlTree>> {
  if (sourceId === undefined) return {};
  return sourceId.startsWith('i-') ? { sourceInstanceId: sourceId } : { sourceImageId: sourceId };
}

/** Who may start it: everybody, and each project by its account. */
export function launchPermission(call: Accounts, image: ImageView): XmlTree {
  const accounts = (image.launchProjects ?? []).map((id) => ({ userId: call.accountOf(id) }));
  return [...(image.public ? [{ group: 'all' }] : []), ...accounts];
}
