import { z } from 'zod';

/** Field schemas that several operations share. Texts name what is allowed, since they reach the user as they are. */
const id = (prefix: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}-[0-9a-f]{17}$`), `must look like ${prefix}-0123456789abcdef0 (17 hex digits)`);

export const InstanceId = id('i');
export const OperationId = id('op');

/** What people may call things: 1 to 128 letters, digits and . _ - , starting with a letter or digit. */
export const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'must be 1 to 128 letters, digits, ".", "_" or "-", starting with a letter or digit',
  );

/** What EC2 takes as the name of an image, and longer than its three characters need not be. */
export const ImageName = z
  .string()
  .regex(
    /^[A-Za-z0-9()[\]_./'@-]([A-Za-z0-9()[\]_ ./'@-]{0,126}[A-Za-z0-9()[\]_./'@-])?$/,
    "must be 1 to 128 letters, digits, spaces inside, or any of ()[]./-'@_",
  );

/** An image id or an image name. */
export const ImageIdOrName = z.string().refine((text) => ImageName.safeParse(text).success, {
  error: 'must be an image id (ami-...) or an image name',
});

/** An image's id: 17 hex digits, or 8 as EC2's older ones, which images that are given an id may have. */
export const ImageId = z
  .string()
  .regex(/^(ami|aki|ari)-([0-9a-f]{8}|[0-9a-f]{17})$/, 'must look like ami-0123456789abcdef0 (17 or 8 hex digits)');

/** Printable ASCII without a slash, and no space at either end. */
export const KeyName = z
  .string()
  .regex(
    /^[!-.0-~]([ -.0-~]{0,253}[!-.0-~])?$/,
    'must be 1 to 255 printable ASCII characters without "/", and no space at either end',
  );

export const ResourceId = z
  .string()
  .regex(/^[a-z]{1,12}-[0-9a-f]{8,17}$/, 'must be the id of a resource, like i-0123456789abcdef0');

/** Key -> value; how long and how many is checked where they are written. */
export const Tags = z.record(z.string().max(512), z.string().max(512));

export const HostName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'must be a host name: lower-case letters, digits, "-" and "."',
  )
  .max(253);

export const ClientToken = z
  .string()
  .regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 printable ASCII characters without spaces');

export const MaxResults = z.int('must be a whole number').min(1, 'must be 1 to 1000').max(1000, 'must be 1 to 1000');
export const NextToken = z.string().min(1).max(512);

/** Base64 of at most 16 KiB, as EC2 has it. */
export const UserData = z.base64('must be base64').max(21_848, 'must be at most 16384 bytes before base64');

export const Filter = z.strictObject({
  Name: z.string().min(1).max(64),
  Values: z.array(z.string().max(255)).min(1).max(200),
});

export const StateReason = z.object({ code: z.string(), message: z.string(), step: z.string().optional() });
