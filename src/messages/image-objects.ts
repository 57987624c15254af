import { z } from 'zod';

/** Between controllers that make images and the process that has the objects. */

const asker = z.object({
  name: z.string(),
  userName: z.string().exactOptional(),
  projectId: z.string(),
  roles: z.array(z.string()),
});
const object = z.object({ bucket: z.string(), key: z.string(), versionId: z.string().exactOptional() });

/** What is there, as the asker may read it. */
export const ImageObjectHead = z.object({ v: z.literal(1), asker, object });
export type ImageObjectHead = z.output<typeof ImageObjectHead>;

export const ImageObjectFound = z.object({ sizeBytes: z.number(), etag: z.string(), versionId: z.string() });
export type ImageObjectFound = z.output<typeof ImageObjectFound>;

/**
 * Has the object's bytes copied to where all processes read them, and goes on asking: the first question starts the copy, each is answered with how far it is.
 * A copy that nobody asks for in a minute is given up and leaves nothing.
 */
export const ImageObjectStage = z.object({
  v: z.literal(1),
  asker,
  object,
  /** What was found: another one is not copied. */
  found: ImageObjectFound,
  /** Names the copy, too. */
  blobKey: z.string().regex(/^upload\/blob-[0-9a-f]+$/),
  /** The one who asks wants it no more. */
  cancel: z.boolean().default(false),
});
export type ImageObjectStage = z.output<typeof ImageObjectStage>;

export const ImageObjectStaged = z.discriminatedUnion('state', [
  z.object({ state: z.literal('running'), doneBytes: z.number() }),
  z.object({ state: z.literal('done') }),
  z.object({ state: z.literal('failed'), code: z.string(), message: z.string() }),
]);
export type ImageObjectStaged = z.output<typeof ImageObjectStaged>;

/** Which buckets a project has, for who deletes it at once: where there are none, none is made for a while. */
export const ProjectBuckets = z.object({ v: z.literal(1), projectId: z.string(), accountId: z.string() });
export const ProjectBucketsFound = z.object({ names: z.array(z.string()) });
