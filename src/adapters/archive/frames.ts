import { crc32 } from 'node:zlib';
import { CloudError } from '../../base/errors.ts';
import { KIB, MIB } from '../../base/units.ts';

/** How every archive begins. */
export const MAGIC = Buffer.from('novactl-state-1\n');
/** Before each payload: its kind (one letter), its length and a CRC-32 of kind, length and payload, big-endian. */
export const HEADER_BYTES = 9;
const LENGTH_AT = 1;
const CRC_AT = 5;
const MAX_PAYLOAD_BYTES = 16 * MIB;
/** Bytes of files and images come in pieces of this size. */
export const PIECE_BYTES = 256 * KIB;

/**
 * H: header (JSON). R: records, NDJSON in raw deflate. F, B: a file or an image begins (JSON). D: bytes of it. E: the end (JSON): counts, and the
 * SHA-256 of all that stands before it. One H first, one E last, and nothing behind it.
 */
export type FrameKind = 'H' | 'R' | 'F' | 'B' | 'D' | 'E';
const KINDS = 'HRFBDE';

export interface ArchiveFrame {
  readonly kind: FrameKind;
  /** What stands before the payload. */
  readonly head: Buffer;
  readonly payload: Buffer;
  /** Of its first byte in the file. */
  readonly offset: number;
}

export function encodeFrame(kind: FrameKind, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.write(kind, 0, 'latin1');
  frame.writeUInt32BE(payload.length, LENGTH_AT);
  frame.set(payload, HEADER_BYTES);
  frame.writeUInt32BE(crcOf(frame), CRC_AT);
  return frame;
}

function crcOf(frame: Buffer): number {
  return crc32(frame.subarray(HEADER_BYTES), crc32(frame.subarray(0, CRC_AT)));
}

export function damagedArchive(file: string, offset: number, what: string): CloudError {
  return new CloudError('CorruptState', `${file} is damaged at byte ${offset}: ${what}`, { details: { file, offset } });
}

/** What is read in order from an open archive. */
export interface ByteSource {
  readonly file: string;
  /** Exactly so many bytes, or those that are left. */
  read(bytes: number): Promise<Buffer>;
  /** How many are left. */
  left(): number;
}

/** The next frame, whole and sound; undefined at the end of the file. */
export async function readFrame(source: ByteSource, offset: number): Promise<ArchiveFrame | undefined> {
  const { file } = source;
  if (source.left() === 0) return undefined;
  const head = await source.read(HEADER_BYTES);
  if (head.length < HEADER_BYTES) throw damagedArchive(file, offset, 'the file ends in the middle of a frame');
  const kind = KINDS[KINDS.indexOf(head.toString('latin1', 0, 1))] as FrameKind | undefined;
  const length = head.readUInt32BE(LENGTH_AT);
  if (kind === undefined || length > MAX_PAYLOAD_BYTES || length > source.left()) {
    throw damagedArchive(file, offset, 'no frame begins there, or the file was cut off');
  }
  const payload = await source.read(length);
  const crc = crc32(payload, crc32(head.subarray(0, CRC_AT)));
  if (crc !== head.readUInt32BE(CRC_AT)) {
    throw damagedArchive(file, offset, `the checksum of the frame (${kind}, ${length} bytes) does not match`);
  }
  return { kind, head, payload, offset };
}
