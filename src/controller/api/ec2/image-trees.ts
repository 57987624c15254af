import { isoTime } from '../../../base/clock.ts';
import type { ErrorCode } from '../../../base/error-codes.ts';
import { CloudError } from '../../../base/errors.ts';
import type { OperationOutput } from '../../../messages/operations/index.ts';
import { tagSet } from './common-params.ts';
import type { Ec2Call } from './ec2-action.ts';
import { ec2Fault } from './ec2-error.ts';
import { DEFAULT_ROOT_DEVICE } from './instance-trees.ts';
import type { XmlTree } from './xml-tree.ts';

export type ImageView = OperationOutput<'DescribeImages'>['images'][number];
type Accounts = Pick<Ec2Call, 'accountOf'>;

export function imageTree(call: Accounts, image: ImageView): XmlTree {
  const owner = call.accountOf(image.projectId);
  const isMachine = image.kind === 'machine';
  return {
    imageId: image.imageId,
    imageLocation: image.location ?? `${owner}/${image.name}`,
    imageState: image.state,
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
    deprecationTime: image.deprecatedAtMs === undefined ? undefined : isoTime(image.deprecatedAtMs),
    ...(image.stateReason === undefined ? {} : { stateReason: reasonTree(image.stateReason) }),
    ...sourceOf(image),
  };
}

/** In the words of EC2's errors, which hide what no tenant should see. */
function reasonTree({ code, message }: NonNullable<ImageView['stateReason']>): XmlTree {
  const fault = ec2Fault(CloudError.unflatten({ code: code as ErrorCode, message }), 'of the operation');
  return { code: `${fault.status >= 500 ? 'Server' : 'Client'}.${fault.code}`, message: fault.message };
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
