import { z } from 'zod';
import { DIRECTORY_NAME_RULE } from '../../domain/directory-names.ts';
import { defineOperation } from './definition.ts';
import { Filter, ImageId, ImageIdOrName, ImageName, InstanceId, MaxResults, NextToken, Tags } from './fields.ts';

export const IMAGE_KINDS = ['machine', 'kernel', 'ramdisk'] as const;
export const ARCHITECTURES = ['x86_64', 'arm64'] as const;
export const VIRTUALIZATION_TYPES = ['hvm', 'paravirtual'] as const;

export const ImageView = z.object({
  imageId: z.string(),
  name: z.string(),
  kind: z.enum(IMAGE_KINDS),
  state: z.enum(['pending', 'available', 'failed', 'deregistered']),
  /** Why it failed. */
  stateReason: z.object({ code: z.string(), message: z.string() }).optional(),
  /** Of what makes it, while it is pending. */
  progress: z
    .object({
      step: z.string(),
      doneBytes: z.number(),
      totalBytes: z.number().optional(),
      bytesPerSecond: z.number().optional(),
      attempts: z.number(),
      startedAtMs: z.number(),
      updatedAtMs: z.number(),
    })
    .optional(),
  architecture: z.enum(ARCHITECTURES),
  format: z.enum(['raw', 'qcow2', 'kernel', 'ramdisk']),
  sizeBytes: z.number(),
  virtualSizeBytes: z.number(),
  sha256: z.string(),
  kernelId: z.string().optional(),
  ramdiskId: z.string().optional(),
  projectId: z.string(),
  public: z.boolean(),
  description: z.string().optional(),
  platform: z.string().optional(),
  rootDeviceName: z.string().optional(),
  virtualizationType: z.enum(VIRTUALIZATION_TYPES).optional(),
  /** Other projects that may start it; told to its owner alone. */
  launchProjects: z.array(z.string()).optional(),
  sourceId: z.string().optional(),
  /** Where it was registered from: `bucket/key`. */
  location: z.string().optional(),
  /** From then on it is listed only to its owner and to who asks for it. */
  deprecatedAtMs: z.number().optional(),
  notes: z.array(z.string()).optional(),
  tags: Tags.optional(),
  createdAtMs: z.number(),
});

const Description = z.string().max(255, 'must be at most 255 characters');

const SnapshotId = z
  .string()
  .regex(/^snap-([0-9a-f]{8}|[0-9a-f]{17})$/, 'must look like snap-0123456789abcdef0 (17 hex digits)');

/** An object's bucket and key. One whose key ends with `.manifest.xml` is an EC2 bundle. */
const Location = z
  .string()
  .max(1100, 'must be at most 1100 characters')
  .regex(
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/./su,
    'must be bucket/key: the name of a bucket (3 to 63 of a-z 0-9 . -), a slash and the key of an object in it',
  )
  .refine((text) => Buffer.byteLength(text.slice(text.indexOf('/') + 1)) <= 1024, 'has a key of more than 1024 bytes');

/**
 * Of bytes that were uploaded before (PUT /v1/blobs answers BlobKey), or of an object. The controller inspects the content itself. What has to be read or converted
 * first is pending when this is answered. A kernel gets an aki- id, a ramdisk ari-, a machine image ami-.
 */
export const RegisterImage = defineOperation({
  name: 'RegisterImage',
  summary: 'register an image of uploaded bytes, an object or a bundle',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    Name: ImageName,
    /** The id that it is to have, in place of a new one; only a cloudadmin may say it. */
    ImageId: ImageId.optional(),
    Kind: z.enum(IMAGE_KINDS, 'must be machine, kernel or ramdisk'),
    /** One of BlobKey, Location and SnapshotId says what it is made of. */
    BlobKey: z
      .string()
      .regex(/^upload\/blob-[0-9a-f]{17}$/, 'must be a key that an upload answered')
      .optional(),
    Location: Location.optional(),
    SnapshotId: SnapshotId.optional(),
    Architecture: z.enum(ARCHITECTURES, 'must be x86_64 or arm64').optional(),
    KernelId: ImageIdOrName.optional(),
    RamdiskId: ImageIdOrName.optional(),
    KernelArgs: z
      .string()
      .max(1024)
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')
      .optional(),
    Description: Description.optional(),
    Platform: z.enum(['windows'], 'must be windows, or left out').optional(),
    RootDeviceName: z
      .string()
      .regex(/^(\/dev\/)?[a-z0-9]{1,32}$/, 'must be the name of a device, like /dev/vda')
      .optional(),
    VirtualizationType: z.enum(VIRTUALIZATION_TYPES, 'must be hvm or paravirtual').optional(),
    Tags: Tags.optional(),
  }),
  output: z.object({ image: ImageView, operationId: z.string() }),
});

export const DescribeImages = defineOperation({
  name: 'DescribeImages',
  summary: 'list images',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    ImageIds: z.array(ImageIdOrName).max(1000).optional(),
    /** Only those of these projects. */
    Owners: z.array(z.string()).max(100).optional(),
    /** Only those that one of these projects may start by permission; `all`: those that everybody may. */
    ExecutableBy: z.array(z.string()).max(100).optional(),
    Filters: z.array(Filter).max(20).optional(),
    /** Also deprecated ones of other projects. */
    IncludeDeprecated: z.boolean().optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
  }),
  output: z.object({ images: z.array(ImageView), nextToken: z.string().optional(), rev: z.int() }),
});

/** A project as its resources name it: with its region, unless that is the first one (src/domain/project-region.ts). */
const ProjectInRegion = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9-]{1,63})?$/, `must be names of projects, ${DIRECTORY_NAME_RULE}`);

/** What is absent stays. */
export const ModifyImageAttribute = defineOperation({
  name: 'ModifyImageAttribute',
  summary: 'change what an image says of itself and who may start it',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    ImageId: ImageIdOrName,
    Description: Description.optional(),
    /** Everybody may start it. */
    Public: z.boolean().optional(),
    AddProjects: z.array(ProjectInRegion).max(100).optional(),
    RemoveProjects: z.array(z.string()).max(100).optional(),
    /** Nobody but its project may start it, before the others are added. */
    ResetPermissions: z.boolean().optional(),
  }),
  output: z.object({ image: ImageView, operationId: z.string() }),
});

/** From then on it is listed only to its owner and to who asks for it; it can be started still. */
export const EnableImageDeprecation = defineOperation({
  name: 'EnableImageDeprecation',
  summary: 'say from when an image is deprecated',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    ImageId: ImageIdOrName,
    DeprecateAt: z.iso.datetime({ offset: true, error: 'must be a time like 2030-01-31T12:00:00Z' }),
  }),
  output: z.object({ image: ImageView, operationId: z.string() }),
});

export const DisableImageDeprecation = defineOperation({
  name: 'DisableImageDeprecation',
  summary: 'take back that an image is or will be deprecated',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({ ImageId: ImageIdOrName }),
  output: z.object({ image: ImageView, operationId: z.string() }),
});

/** Where the hosts can read an instance's disk. */
export const CreateImage = defineOperation({
  name: 'CreateImage',
  summary: "make an image of an instance's disk",
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    InstanceId,
    Name: ImageName,
    Description: Description.optional(),
    Tags: Tags.optional(),
  }),
  output: z.object({ image: ImageView, operationId: z.string() }),
});

export const CopyImage = defineOperation({
  name: 'CopyImage',
  summary: 'make an image of the same bytes as another',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    SourceImageId: ImageIdOrName,
    Name: ImageName,
    Description: Description.optional(),
    CopyImageTags: z.boolean().optional(),
    Tags: Tags.optional(),
  }),
  output: z.object({ image: ImageView, operationId: z.string() }),
});

export const DeregisterImage = defineOperation({
  name: 'DeregisterImage',
  summary: 'remove an image; its bytes stay as long as an instance stands on them',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({ ImageId: ImageIdOrName }),
  /** `usedBy`: nobody finds it any more, and it goes with the last that uses it. */
  output: z.object({ imageId: z.string(), operationId: z.string(), usedBy: z.string().optional() }),
});
