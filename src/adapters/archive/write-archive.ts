import { createHash, type Hash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { KIB } from '../../base/units.ts';
import type { BlobInfo } from '../../ports/blobs.ts';
import type { ArchiveHeader } from '../../ports/state-archive.ts';
import type { Entry } from '../../ports/store.ts';
import { encodeFrame, MAGIC, PIECE_BYTES, type FrameKind } from './frames.ts';

const deflate = promisify(deflateRaw);

/** Text of records in one frame: about a millisecond's work, so that others get their turn. */
const BATCH_CHARS = 128 * KIB;

/** A small file of the state folder. */
export interface ArchivedFile {
  /** Relative to the state folder. */
  readonly path: string;
  readonly mode: number;
  readonly bytes: Buffer;
}

export interface ArchiveBody {
  readonly header: ArchiveHeader;
  readonly records: readonly Entry[];
  readonly files: readonly ArchivedFile[];
  readonly images: readonly { readonly info: BlobInfo; open(): Promise<AsyncIterable<Uint8Array>> }[];
}

export interface ArchiveEnd {
  readonly records: number;
  readonly files: number;
  readonly images: number;
  readonly sha256: string;
}

/** The bytes of an archive, in order; one frame at a time is in memory. */
export async function* archiveBytes(body: ArchiveBody): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  yield counted(hash, MAGIC);
  yield counted(hash, jsonFrame('H', body.header));
  for await (const frame of recordFrames(body.records)) yield counted(hash, frame);
  for (const { path, mode, bytes } of body.files) {
    yield counted(hash, jsonFrame('F', { path, mode, sizeBytes: bytes.length }));
    for (const piece of pieces(bytes)) yield counted(hash, encodeFrame('D', piece));
  }
  for (const { info, open } of body.images) {
    yield counted(hash, jsonFrame('B', { key: info.key, sizeBytes: info.sizeBytes, sha256: info.sha256 }));
    for await (const chunk of await open()) {
      for (const piece of pieces(chunk)) yield counted(hash, encodeFrame('D', piece));
    }
  }
  const end: ArchiveEnd = {
    records: body.records.length,
    files: body.files.length,
    images: body.images.length,
    sha256: hash.digest('hex'),
  };
  yield jsonFrame('E', end);
}

function counted(hash: Hash, bytes: Buffer): Buffer {
  hash.update(bytes);
  return bytes;
}

function jsonFrame(kind: FrameKind, value: object): Buffer {
  return encodeFrame(kind, Buffer.from(JSON.stringify(value)));
}

async function* recordFrames(records: readonly Entry[]): AsyncGenerator<Buffer> {
  for (let at = 0; at < records.length;) {
    let text = '';
    for (; at < records.length && text.length < BATCH_CHARS; at += 1) {
      const { key, value, rev } = records[at] ?? {};
      text += `${JSON.stringify({ key, value, rev })}\n`;
    }
    yield encodeFrame('R', await deflate(text));
  }
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}
