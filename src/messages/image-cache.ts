import { z } from 'zod';
import { ImageRef } from './worker.ts';

const onHost = { v: z.literal(1), hostId: z.string(), epoch: z.int() };

/** What images a host has, and which are on their way there. */
export const ListImageCache = z.object({ ...onHost });
export const ListedImageCache = z.object({
  images: z.array(
    z.object({
      sha256: z.string(),
      sizeBytes: z.number(),
      kind: z.enum(['machine', 'kernel', 'ramdisk']),
      format: z.string(),
      lastUsedMs: z.number(),
      usedBy: z.array(z.string()),
    }),
  ),
  transfers: z.array(z.object({ sha256: z.string(), doneBytes: z.number(), totalBytes: z.number() })),
  /** Images that did not come, the last time that they were asked for. */
  failures: z.array(z.object({ sha256: z.string(), code: z.string(), message: z.string() })),
});
export type ListedImageCache = z.output<typeof ListedImageCache>;

/** Brings images to a host; answered at once, `image-cache-list` says how it goes. */
export const WarmImageCache = z.object({
  ...onHost,
  images: z.array(ImageRef.extend({ kind: z.enum(['machine', 'kernel', 'ramdisk']) })),
});
export type WarmImageCache = z.output<typeof WarmImageCache>;

export const EvictImageCache = z.object({
  ...onHost,
  /** Absent: all that are not in use. */
  sha256: z.string().optional(),
  inUse: z.array(z.object({ sha256: z.string(), by: z.string() })),
  /** Every instance that has a record here. */
  instanceIds: z.array(z.string()),
});
export const EvictedImageCache = z.object({ removed: z.array(z.string()), removedBytes: z.number() });
export type EvictedImageCache = z.output<typeof EvictedImageCache>;
