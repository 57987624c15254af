import { z } from 'zod';

/** Most bytes of a console that wait anywhere on their way, in each direction. */
export const CONSOLE_BUFFER_BYTES = 64 * 1024;

/**
 * A console over the bus, whose messages may be lost, doubled or late: bytes have offsets from the console's opening, so that the same message twice has one
 * effect. The controller's side asks (one call a direction at a time) and asks again when no answer came.
 */
export const OpenConsoleOnHost = z.object({
  v: z.literal(1),
  /** Drawn by who asks. An id that was closed is never opened again, however late a doubled message comes. */
  consoleId: z.string(),
  hostId: z.string(),
  instanceId: z.string(),
  domainUuid: z.string(),
  force: z.boolean(),
});
export type OpenConsoleOnHost = z.output<typeof OpenConsoleOnHost>;

/** Waits up to waitMs for output behind the offset; what lies before it has arrived and is dropped. */
export const TakeConsoleOutput = z.object({
  v: z.literal(1),
  consoleId: z.string(),
  offset: z.int().min(0),
  waitMs: z.int().min(0).max(30_000),
});
export type TakeConsoleOutput = z.output<typeof TakeConsoleOutput>;

export const CONSOLE_END_REASONS = ['guest-stopped', 'taken-over', 'host-lost', 'denied', 'closed'] as const;
export const ConsoleEnd = z.object({ reason: z.enum(CONSOLE_END_REASONS), message: z.string() });
/** Why a console ended by itself. */
export type ConsoleEnd = z.output<typeof ConsoleEnd>;

export const ConsoleOutput = z.object({
  /** Of the first byte of data. More than was asked for: what lay between came too fast and was dropped. */
  offset: z.int(),
  data: z.base64(),
  /** Nothing comes behind data. */
  ended: ConsoleEnd.optional(),
});
export type ConsoleOutput = z.output<typeof ConsoleOutput>;

export const PutConsoleInput = z.object({
  v: z.literal(1),
  consoleId: z.string(),
  offset: z.int().min(0),
  data: z.base64().max(CONSOLE_BUFFER_BYTES * 2),
});
export type PutConsoleInput = z.output<typeof PutConsoleInput>;

/** How many bytes of input were taken in all. */
export const ConsoleInputTaken = z.object({ offset: z.int() });

export const CloseConsoleOnHost = z.object({ v: z.literal(1), consoleId: z.string() });

/** What a reader of a console gets, in order; `ended` is the last. */
export type ConsoleItem =
  | { readonly kind: 'output'; readonly bytes: Uint8Array }
  /** So many bytes came faster than they were taken. They are in the console's log. */
  | { readonly kind: 'skipped'; readonly byteCount: number }
  | ({ readonly kind: 'ended' } & ConsoleEnd);

/** An open console as the edges and the client hold it. */
export interface ConsoleChannel {
  /** For one reader. */
  read(): AsyncIterable<ConsoleItem>;
  /** Resolves when the guest's host has taken the bytes; at once when the console has ended. */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives the console free. Harmless when it has ended. */
  close(): Promise<void>;
}
