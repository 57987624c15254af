import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { ImageIdOrName, Name } from './fields.ts';

export const IMAGE_KINDS = ['machine', 'kernel', 'ramdisk'] as const;
export const ARCHITECTURES = ['x86_64', 'arm64'] as const;

export const ImageView = z.object({
  imageId: z.string(),
  name: z.string(),
  kind: z.enum(IMAGE_KINDS),
  state: z.enum(['available', 'deregistered']),
  architecture: z.enum(ARCHITECTURES),
  format: z.enum(['raw', 'qcow2', 'kernel', 'ramdisk']),
  sizeBytes: z.number(),
  virtualSizeBytes: z.number(),
  sha256: z.string(),
  kernelId: z.string().optional(),
  ramdiskId: z.string().optional(),
  projectId: z.string(),
  public: z.boolean(),
  createdAtMs: z.number(),
});

/**
 * The bytes were uploaded before (PUT /v1/blobs answers BlobKey). The controller inspects the content itself.
 * A kernel gets an aki- id, a ramdisk ari-, a machine image ami-.
 */
export const RegisterImage = defineOperation({
  name: 'RegisterImage',
  summary: 'register an uploaded image',
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({
    Name,
    Kind: z.enum(IMAGE_KINDS, 'must be machine, kernel or ramdisk'),
    BlobKey: z.string().regex(/^upload\/blob-[0-9a-f]{17}$/, 'must be a key that an upload answered'),
    Architecture: z.enum(ARCHITECTURES, 'must be x86_64 or arm64').optional(),
    KernelId: ImageIdOrName.optional(),
    RamdiskId: ImageIdOrName.optional(),
    KernelArgs: z
      .string()
      .max(1024)
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')
      .optional(),
  }),
  output: z.object({ image: ImageView, operationId: z.string() }),
});

export const DescribeImages = defineOperation({
  name: 'DescribeImages',
  summary: 'list images',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ ImageIds: z.array(ImageIdOrName).max(1000).optional() }),
  output: z.object({ images: z.array(ImageView), rev: z.int() }),
});

export const DeregisterImage = defineOperation({
  name: 'DeregisterImage',
  summary: 'remove an image; refused while an instance or image needs it',
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({ ImageId: ImageIdOrName }),
  output: z.object({ imageId: z.string(), operationId: z.string() }),
});
