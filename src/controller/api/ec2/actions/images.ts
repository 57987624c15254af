import { isoTime } from '../../../../base/clock.ts';
import { CloudError } from '../../../../base/errors.ts';
import { projectInRegion } from '../../../../domain/project-region.ts';
import type { OperationInput } from '../../../../messages/operations/index.ts';
import type { Ec2Action, Ec2Actions, Ec2Call } from '../ec2-action.ts';
import { given, projectOrAsSaid } from '../group-trees.ts';
import { idIf, idList, needId, refusePage } from '../id-params.ts';
import { type ImageView, imageTree, launchPermission } from '../image-trees.ts';
import { noneOf, onlyDefaults, tagsOfOnly, unsupported } from '../only-defaults.ts';
import type { Params } from '../params.ts';
import { nonEmpty } from '../run-parameters.ts';
import type { XmlTree } from '../xml-tree.ts';
import { askedPage } from './security-groups.ts';

const tagsOf = (params: Params) => given({ Tags: tagsOfOnly(params, 'image') });

const ARCHITECTURES = ['x86_64', 'arm64'] as const;
const VIRTUALIZATION_TYPES = ['hvm', 'paravirtual'] as const;

function oneOf<const T extends readonly string[]>(params: Params, name: string, values: T): T[number] | undefined {
  const text = nonEmpty(params, name);
  if (text === undefined || values.includes(text)) return text;
  throw params.bad(name, `must be ${values.join(' or ')}, not ${JSON.stringify(text.slice(0, 64))}`);
}

const BLOB = /^upload\/blob-[0-9a-f]{17}$/;
/** What a bundle's manifest is named; without a name for the image, as old clients send it, the image is named for its manifest. */
const MANIFEST = /\.manifest\.xml$/;

/** `bucket/key`, also with a slash before it or as a URL of S3; `upload/blob-…` is what an upload to the cloud answered. */
function location(params: Params): { readonly BlobKey: string } | { readonly Location: string } {
  const text = params
    .need('ImageLocation')
    .replace(/^s3:\/\//, '')
    .replace(/^\/+/, '');
  return BLOB.test(text) ? { BlobKey: text } : { Location: text };
}

function nameOf(params: Params, at: ReturnType<typeof location>): string {
  const isNamed = params.has('Name') || !('Location' in at) || !MANIFEST.test(at.Location);
  return isNamed ? params.need('Name') : at.Location.replace(MANIFEST, '');
}

const registerImage: Ec2Action = async (call) => {
  const { params } = call;
  onlyDefaults(params, { EnaSupport: ['false'], BootMode: ['legacy-bios'] });
  noneOf(params, { BlockDeviceMapping: 'images of snapshots', SriovNetSupport: 'such network devices' });
  const at = location(params);
  const asked = {
    Name: nameOf(params, at),
    Kind: 'machine' as const,
    ...at,
    ...given({
      Architecture: oneOf(params, 'Architecture', ARCHITECTURES),
      Description: nonEmpty(params, 'Description'),
      KernelId: idIf(params, 'image', 'KernelId'),
      RamdiskId: idIf(params, 'image', 'RamdiskId'),
      RootDeviceName: nonEmpty(params, 'RootDeviceName'),
      VirtualizationType: oneOf(params, 'VirtualizationType', VIRTUALIZATION_TYPES),
    }),
    ...tagsOf(params),
  };
  const { image } = await call.run('RegisterImage', asked);
  return { imageId: image.imageId };
};

const deregisterImage: Ec2Action = async (call) => {
  onlyDefaults(call.params, { DeleteAssociatedSnapshots: ['false'] });
  await call.run('DeregisterImage', { ImageId: needId(call.params, 'image', 'ImageId') });
  return { return: true };
};

const createImage: Ec2Action = async (call) => {
  const { params } = call;
  // Where a disk can be read it is read while the guest runs.
  params.bool('NoReboot');
  noneOf(params, { BlockDeviceMapping: 'volumes in images' });
  const { image } = await call.run('CreateImage', {
    InstanceId: needId(params, 'instance', 'InstanceId'),
    Name: params.need('Name'),
    ...given({ Description: nonEmpty(params, 'Description') }),
    ...tagsOf(params),
  });
  return { imageId: image.imageId };
};

const copyImage: Ec2Action = async (call) => {
  const { params, region } = call;
  onlyDefaults(params, { Encrypted: ['false'] });
  const from = params.need('SourceRegion');
  if (from !== region) throw unsupported('SourceRegion', `images are copied within their region, ${region}`);
  const { image } = await call.run('CopyImage', {
    SourceImageId: needId(params, 'image', 'SourceImageId'),
    Name: params.need('Name'),
    ...given({ Description: nonEmpty(params, 'Description'), CopyImageTags: params.bool('CopyImageTags') }),
    ...tagsOf(params),
  });
  return { imageId: image.imageId };
};

/** An account as the project that is meant; what is no account of anybody matches nothing. */
function owner(call: Ec2Call, said: string): string {
  return said === 'self' ? call.projectId : projectOrAsSaid(call, said);
}

const describeImages: Ec2Action = async (call) => {
  const { params } = call;
  // There are no disabled ones.
  params.bool('IncludeDisabled');
  const page = askedPage(call);
  refusePage(page, 1, 1000);
  const asked = given({
    ImageIds: idList(params, 'image', 'ImageId'),
    IncludeDeprecated: params.bool('IncludeDeprecated'),
    Owners: params.list('Owner')?.map((one) => owner(call, one)),
    ExecutableBy: params.list('ExecutableBy')?.map((one) => (one === 'all' ? one : owner(call, one))),
  });
  const { images, nextToken } = await call.run('DescribeImages', { ...asked, ...page });
  return { imagesSet: images.map((image) => imageTree(call, image)), nextToken };
};

type Attribute = (call: Ec2Call, image: ImageView) => Readonly<Record<string, XmlTree>>;

const value = (text: string | undefined): XmlTree => (text === undefined ? {} : { value: text });

const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  blockDeviceMapping: () => ({ blockDeviceMapping: [] }),
  bootMode: () => ({ bootMode: value('legacy-bios') }),
  description: (_call, image) => ({ description: value(image.description) }),
  kernel: (_call, image) => ({ kernel: value(image.kernelId) }),
  launchPermission: (call, image) => ({ launchPermission: launchPermission(call, image) }),
  productCodes: () => ({ productCodes: [] }),
  ramdisk: (_call, image) => ({ ramdisk: value(image.ramdiskId) }),
  sriovNetSupport: () => ({ sriovNetSupport: {} }),
};

/** What only its owner is told. Errors: 'AuthFailure', as EC2 has it for others. */
const describeImageAttribute: Ec2Action = async (call) => {
  const { params } = call;
  const ImageId = needId(params, 'image', 'ImageId');
  const name = params.need('Attribute');
  const attribute = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : undefined;
  if (attribute === undefined) {
    throw params.bad(
      'Attribute',
      `there is no attribute ${JSON.stringify(name.slice(0, 64))}; there are: ${Object.keys(ATTRIBUTES).join(', ')}`,
    );
  }
  const { images } = await call.run('DescribeImages', { ImageIds: [ImageId] });
  const [image] = images;
  if (image === undefined || image.projectId !== call.projectId) {
    throw new CloudError('UnauthorizedOperation', `ImageId: the attributes of ${ImageId} are told to its owner alone`);
  }
  return { imageId: ImageId, ...attribute(call, image) };
};

type Change = Omit<OperationInput<'ModifyImageAttribute'>, 'ImageId'>;

/** The project of an account, in the region that is spoken to. Errors: 'InvalidAMIAttributeItemValue'. */
function projectNamed(call: Ec2Call, account: string): string {
  const project = call.projectOf(account);
  if (project !== undefined) return projectInRegion(project, call.region, call.regions[0]?.name ?? call.region);
  throw new CloudError(
    'InvalidAMIAttributeItemValue',
    `UserId: there is no account ${JSON.stringify(account.slice(0, 64))}`,
  );
}

function permissions(call: Ec2Call, isAdding: boolean, groups: readonly string[], users: readonly string[]): Change {
  const other = groups.find((group) => group !== 'all');
  if (other !== undefined) {
    throw new CloudError(
      'InvalidAMIAttributeItemValue',
      `Group: must be all, not ${JSON.stringify(other.slice(0, 64))}`,
    );
  }
  const projects = users.map((account) => projectNamed(call, account));
  return {
    ...(groups.length === 0 ? {} : { Public: isAdding }),
    ...(projects.length === 0 ? {} : { [isAdding ? 'AddProjects' : 'RemoveProjects']: projects }),
  };
}

function listedPermissions(call: Ec2Call, params: Params, name: 'Add' | 'Remove'): Change {
  const rows = params.structs(name);
  noneOf(params, { [name === 'Add' ? 'AddOrganization' : 'RemoveOrganization']: 'organizations' });
  return permissions(
    call,
    name === 'Add',
    rows.flatMap((row) => nonEmpty(row, 'Group') ?? []),
    rows.flatMap((row) => nonEmpty(row, 'UserId') ?? []),
  );
}

/** `LaunchPermission.Add.N.UserId`, and the older `OperationType` with `UserId.N` and `UserGroup.N`. */
function permissionChange(call: Ec2Call): Change {
  const { params } = call;
  const nested = params.struct('LaunchPermission');
  if (nested !== undefined) {
    return { ...listedPermissions(call, nested, 'Add'), ...listedPermissions(call, nested, 'Remove') };
  }
  const type = oneOf(params, 'OperationType', ['add', 'remove']);
  if (type === undefined) return {};
  return permissions(call, type === 'add', params.list('UserGroup') ?? [], params.list('UserId') ?? []);
}

const modifyImageAttribute: Ec2Action = async (call) => {
  const { params } = call;
  const ImageId = needId(params, 'image', 'ImageId');
  const attribute = oneOf(params, 'Attribute', ['launchPermission', 'description']);
  const isPlain = params.has('Description') && attribute !== 'description';
  const description = attribute === 'description' ? params.text('Value') : isPlain ? described(params) : undefined;
  const change = { ...permissionChange(call), ...given({ Description: description }) };
  if (Object.keys(change).length === 0) {
    throw new CloudError('MissingParameter', 'LaunchPermission: it or Description is needed', {
      details: { parameter: 'LaunchPermission' },
    });
  }
  await call.run('ModifyImageAttribute', { ImageId, ...change });
  return { return: true };
};

/** `Description.Value`. */
const described = (params: Params): string | undefined => params.struct('Description')?.text('Value');

const resetImageAttribute: Ec2Action = async (call) => {
  const ImageId = needId(call.params, 'image', 'ImageId');
  call.params.need('Attribute');
  oneOf(call.params, 'Attribute', ['launchPermission']);
  await call.run('ModifyImageAttribute', { ImageId, ResetPermissions: true });
  return { return: true };
};

/** ISO 8601, as clients send it. */
function timeOf(params: Params, name: string): string {
  const text = params.need(name);
  const ms = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/.test(text)
    ? Date.parse(text)
    : NaN;
  if (Number.isFinite(ms)) return isoTime(ms);
  throw params.bad(name, `must be a time like 2030-01-31T12:00:00Z, not ${JSON.stringify(text.slice(0, 64))}`);
}

const enableImageDeprecation: Ec2Action = async (call) => {
  const ImageId = needId(call.params, 'image', 'ImageId');
  const { params } = call;
  await call.run('EnableImageDeprecation', { ImageId, DeprecateAt: timeOf(params, 'DeprecateAt') });
  return { return: true };
};

const disableImageDeprecation: Ec2Action = async (call) => {
  await call.run('DisableImageDeprecation', { ImageId: needId(call.params, 'image', 'ImageId') });
  return { return: true };
};

export const imagesActions: Ec2Actions = {
  CopyImage: copyImage,
  CreateImage: createImage,
  DeregisterImage: deregisterImage,
  DescribeImageAttribute: describeImageAttribute,
  DescribeImages: describeImages,
  DisableImageDeprecation: disableImageDeprecation,
  EnableImageDeprecation: enableImageDeprecation,
  ModifyImageAttribute: modifyImageAttribute,
  RegisterImage: registerImage,
  ResetImageAttribute: resetImageAttribute,
};
