import { z } from 'zod';

/**
 * A controller asks for the image of an instance's disk, and goes on asking: the first question starts the work, each is answered with how far it is. Work that
 * nobody asks for in a minute is given up and leaves nothing.
 */
export const ImageCapture = z.object({
  v: z.literal(1),
  hostId: z.string(),
  epoch: z.int(),
  imageId: z.string(),
  instanceId: z.string(),
  domainUuid: z.string(),
  /** Where the bytes go, should this question be the one that starts the work. Names who asks: another one joins work under way, and begins ended work anew. */
  blobKey: z.string(),
  /** The one who asks wants it no more; the work ends when nobody else does. */
  cancel: z.boolean().default(false),
});
export type ImageCapture = z.output<typeof ImageCapture>;

export const ImageCaptured = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('running'),
    /** For people: waiting, copying, flattening, sending. */
    step: z.string(),
    doneBytes: z.number(),
    totalBytes: z.number().optional(),
  }),
  z.object({
    state: z.literal('done'),
    blob: z.object({ key: z.string(), sizeBytes: z.number(), sha256: z.string() }),
    virtualSizeBytes: z.number(),
    format: z.literal('qcow2'),
    /** The guest stood still for so long; absent: it was off, or paused by somebody else. */
    pausedMs: z.number().optional(),
  }),
  z.object({ state: z.literal('failed'), code: z.string(), message: z.string() }),
]);
export type ImageCaptured = z.output<typeof ImageCaptured>;
