import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { InstanceId } from './fields.ts';

export const OpenConsole = defineOperation({
  name: 'OpenConsole',
  summary: "connect to an instance's serial console",
  kind: 'duplex',
  changes: false,
  access: 'use',
  input: z.strictObject({
    InstanceId,
    /** Take it from the session that has it now. */
    Force: z.boolean().default(false),
  }),
  /** What crosses is bytes: see src/messages/console-frames.ts. */
  output: z.never(),
});

/** The most that WatchConsole begins before the end. */
const TAIL_MAX_BYTES = 64 * 1024 * 1024;

export const WatchConsole = defineOperation({
  name: 'WatchConsole',
  summary: "read an instance's serial console log, and go on as it grows",
  kind: 'stream',
  changes: false,
  access: 'member',
  input: z.strictObject({
    InstanceId,
    /** Where an earlier stream ended; without it TailBytes says where to begin. */
    Cursor: z.string().max(100).optional(),
    /** So many bytes before the end, older files of the log included. */
    TailBytes: z
      .int()
      .min(0)
      .max(TAIL_MAX_BYTES)
      .default(64 * 1024),
    /** False: ends when all that is there was sent. */
    Follow: z.boolean().default(true),
  }),
  output: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('output'),
      /** Base64. */
      output: z.string(),
      /** Behind these bytes. */
      cursor: z.string(),
      /** What lay before these bytes is gone from the host: its files of the log were used up. */
      skipped: z.boolean().optional(),
    }),
    /** All that was there when the stream was opened has been sent. */
    z.object({ kind: z.literal('caught-up'), cursor: z.string() }),
    z.object({ kind: z.literal('ended'), reason: z.string() }),
  ]),
});
