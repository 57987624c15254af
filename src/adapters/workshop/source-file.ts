import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { CloudError, errnoOf } from '../../base/errors.ts';
import { freeBytes } from '../../base/free-bytes.ts';
import { humanBytes, MIB } from '../../base/units.ts';
import { IMAGE_HEAD_BYTES } from '../../domain/image-format.ts';
import { badImage } from '../../domain/qcow2-header.ts';
import { VMDK_TAIL_BYTES } from '../../domain/vmdk-header.ts';

/** Room that is left to others, and how often it is looked at. */
const SPARE_BYTES = 256 * MIB;
const LOOK_EVERY_BYTES = 64 * MIB;

export interface Intake {
  readonly folder: string;
  /** Announced, where it is known. */
  readonly sizeBytes: number | undefined;
  /** One byte more is refused. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly onBytes: (doneBytes: number) => void;
}

/** What may be written there. */
export async function roomIn(folder: string): Promise<number> {
  return Math.max(0, (await freeBytes(folder)) - SPARE_BYTES);
}

/** 'Unavailable' when so many more bytes would leave too little room. */
export async function requireRoom(folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder);
  if (free - bytes >= SPARE_BYTES) return;
  throw noRoom(`${humanBytes(bytes)} more are needed and ${humanBytes(free)} are free`);
}

export const noRoom = (why: string): CloudError =>
  new CloudError(
    'Unavailable',
    `no space is left to build the image (${why}): delete images or give the controller more room`,
  );

const isFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '');

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let done = 0;
  while (done < chunk.length) done += (await file.write(chunk, done, chunk.length - done)).bytesWritten;
}

/** Writes the source to a new file; answers its size. What it reads is destroyed by then. */
export async function takeIn(source: Readable, path: string, intake: Intake): Promise<number> {
  const { folder, sizeBytes, maxBytes, signal, onBytes } = intake;
  if (sizeBytes !== undefined && sizeBytes > maxBytes) throw tooLarge(sizeBytes, maxBytes);
  await requireRoom(folder, sizeBytes ?? 0);
  const file = await open(path, 'wx', 0o600);
  const onAbort = (): void => void source.destroy(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  let done = 0;
  let looked = 0;
  try {
    signal.throwIfAborted();
    for await (const chunk of source) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
      done += bytes.length;
      if (done > maxBytes) throw tooLarge(done, maxBytes);
      if (done - looked > LOOK_EVERY_BYTES) {
        await requireRoom(folder, 0);
        looked = done;
      }
      await writeAll(file, bytes);
      onBytes(done);
    }
    // A stream that is destroyed without a reason just ends.
    signal.throwIfAborted();
  } catch (error) {
    throw isFull(error) ? noRoom('the disk is full') : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    source.destroy();
    await file.close();
  }
  if (sizeBytes !== undefined && done !== sizeBytes)
    throw badImage(`the image has ${done} bytes, and ${sizeBytes} were announced (cut off?)`);
  return done;
}

const tooLarge = (sizeBytes: number, maxBytes: number): CloudError =>
  badImage(`the image is larger than the ${humanBytes(maxBytes)} that are allowed (${humanBytes(sizeBytes)} or more)`);

export interface Ends {
  readonly sizeBytes: number;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** Its first and last bytes, as many as those want who look at them. */
export async function readEnds(path: string): Promise<Ends> {
  const file = await open(path, 'r');
  try {
    const { size: sizeBytes } = await file.stat();
    const read = async (at: number, count: number): Promise<Uint8Array> => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(count), 0, count, at);
      return buffer.subarray(0, bytesRead);
    };
    const tailBytes = Math.min(VMDK_TAIL_BYTES, sizeBytes);
    return {
      sizeBytes,
      head: await read(0, Math.min(IMAGE_HEAD_BYTES, sizeBytes)),
      tail: await read(sizeBytes - tailBytes, tailBytes),
    };
  } finally {
    await file.close();
  }
}
