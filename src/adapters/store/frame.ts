import { crc32 } from 'node:zlib';
import { MIB } from '../../base/units.ts';

/** Before each payload: its length and its CRC-32, big-endian. */
const HEADER_BYTES = 8;
const MAX_PAYLOAD_BYTES = 16 * MIB;
/** How every payload of ours begins; makes the search for one cheap. */
const PAYLOAD_START = Buffer.from('{"prev":');

/** One group commit as the journal holds it. A batch is one frame, so that a power cut can tear only the last one. */
export interface Batch {
  /** The revision before the first transaction. */
  readonly prev: number;
  /** Wall clock, milliseconds. */
  readonly at: number;
  readonly txns: readonly {
    readonly rev: number;
    readonly token?: string;
    /** No `v`: the key was deleted. */
    readonly ops: readonly { readonly k: string; readonly v?: unknown }[];
  }[];
}

export interface Frame {
  readonly payload: Buffer;
  /** Offset of the byte after the frame. */
  readonly end: number;
}

/** The frame of a batch whose transactions are JSON text already. */
export function encodeFrame(txns: readonly string[], prev: number, atMs: number): Buffer {
  const text = `{"prev":${prev},"at":${atMs},"txns":[${txns.join(',')}]}`;
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.write(text, HEADER_BYTES);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(crc32(frame.subarray(HEADER_BYTES)), 4);
  return frame;
}

/** The frame at the offset; undefined when what stands there is not one, whole and sound. */
export function readFrame(data: Buffer, offset: number): Frame | undefined {
  if (offset + HEADER_BYTES > data.length) return undefined;
  const length = data.readUInt32BE(offset);
  const start = offset + HEADER_BYTES;
  const end = start + length;
  if (length === 0 || length > MAX_PAYLOAD_BYTES || end > data.length) return undefined;
  const payload = data.subarray(start, end);
  return crc32(payload) === data.readUInt32BE(offset + 4) ? { payload, end } : undefined;
}

/** Where a sound frame begins at or after the offset; undefined when there is none: what is there is a torn tail. */
export function findFrame(data: Buffer, from: number): number | undefined {
  let at = data.indexOf(PAYLOAD_START, from + HEADER_BYTES);
  while (at >= 0) {
    if (readFrame(data, at - HEADER_BYTES) !== undefined) return at - HEADER_BYTES;
    at = data.indexOf(PAYLOAD_START, at + 1);
  }
  return undefined;
}
