import { z } from 'zod';

/** An api says that a key signed a request. May be lost. */
export const KeyUse = z.object({
  v: z.literal(1),
  accessKeyId: z.string().min(1).max(128),
  /** Over what the request came. */
  edge: z.string().min(1).max(32),
  atMs: z.number(),
});
export type KeyUse = z.infer<typeof KeyUse>;
