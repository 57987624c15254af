import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { ImageIdOrName } from './fields.ts';

const Hosts = z.array(z.string().min(1).max(253)).min(1).max(1000);

const CachedImageView = z.object({
  hostId: z.string(),
  hostName: z.string(),
  sha256: z.string(),
  sizeBytes: z.number(),
  kind: z.enum(['machine', 'kernel', 'ramdisk']),
  /** Images of those bytes; empty: no image has them any more. */
  images: z.array(
    z.object({
      imageId: z.string(),
      name: z.string(),
      /** It goes with the last instance that stands on it. */
      deregistered: z.boolean().optional(),
    }),
  ),
  /** By the host's clock. */
  lastUsedMs: z.number(),
  /** Disks on the host that stand on it, and instances that the records know of. */
  usedBy: z.array(z.string()),
});

const HostProblem = z.object({ hostId: z.string(), hostName: z.string(), code: z.string(), message: z.string() });

/** What hosts say now, not records. */
export const DescribeImageCache = defineOperation({
  name: 'DescribeImageCache',
  summary: 'list the image files that hosts keep',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({
    /** Default: all. */
    Hosts: Hosts.optional(),
  }),
  output: z.object({
    images: z.array(CachedImageView),
    /** On their way to a host. */
    transfers: z.array(
      z.object({
        hostId: z.string(),
        hostName: z.string(),
        sha256: z.string(),
        doneBytes: z.number(),
        totalBytes: z.number(),
      }),
    ),
    /** What did not come to a host, the last time that it was to. */
    failures: z.array(HostProblem.extend({ sha256: z.string() })),
    /** Hosts that could not be asked. */
    problems: z.array(HostProblem),
  }),
});

/** Begins the transfers and answers; DescribeImageCache says how they go. */
export const WarmImageCache = defineOperation({
  name: 'WarmImageCache',
  summary: 'bring an image to hosts before instances are started there',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    ImageId: ImageIdOrName,
    /** Default: all. */
    Hosts: Hosts.optional(),
  }),
  output: z.object({
    /** With its kernel and ramdisk. */
    sha256: z.array(z.string()),
    hosts: z.array(z.object({ hostId: z.string(), hostName: z.string() })),
    problems: z.array(HostProblem),
    operationId: z.string(),
  }),
});

/** What is in use stays: one that is named is then refused, of all it is left out. */
export const EvictImageCache = defineOperation({
  name: 'EvictImageCache',
  summary: 'remove image files that nothing uses from hosts',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z
    .strictObject({
      ImageId: ImageIdOrName.optional(),
      /** All that are not in use. */
      All: z.boolean().optional(),
      /** Default: all. */
      Hosts: Hosts.optional(),
    })
    .refine(({ ImageId, All }) => (ImageId === undefined) === (All === true), {
      path: ['ImageId'],
      message: 'or All is needed, and not both',
    }),
  output: z.object({
    removed: z.array(
      z.object({ hostId: z.string(), hostName: z.string(), sha256: z.array(z.string()), removedBytes: z.number() }),
    ),
    problems: z.array(HostProblem),
    operationId: z.string(),
  }),
});
