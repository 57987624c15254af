import { createHash, type Hash } from 'node:crypto';
import { closeSync, open, read } from 'node:fs';
import { Readable } from 'node:stream';
import { READ_CHUNKS } from '../../base/chunk-pool.ts';
import { CloudError } from '../../base/errors.ts';
import type { Segment } from '../../domain/s3/records.ts';
import { INLINE_KIND, type SegmentFiles } from './segment-files.ts';
import type { Segments } from './segments.ts';

// A file handle of node:fs/promises costs twice what a descriptor does, for each small object anew.
const openFile = (path: string): Promise<number> =>
  new Promise((resolve, reject) => open(path, 'r', (error, fd) => (error === null ? resolve(fd) : reject(error))));
const readFile = (fd: number, into: Buffer, sizeBytes: number, at: number): Promise<number> =>
  new Promise((resolve, reject) =>
    read(fd, into, 0, sizeBytes, at, (error, count) => (error === null ? resolve(count) : reject(error))),
  );

/** Bytes of one segment, from `start` to `end` exclusive. */
interface Piece {
  readonly segment: Segment;
  readonly start: number;
  readonly end: number;
}

export interface ReadParts {
  readonly segments: Segments;
  readonly files: SegmentFiles;
}

/** Which bytes of which segments make up the range of all of them. */
export function piecesOf(segments: readonly Segment[], start: number, end: number): Piece[] {
  const pieces: Piece[] = [];
  let offset = 0;
  for (const segment of segments) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, segment.sizeBytes);
    if (from < to) pieces.push({ segment, start: from, end: to });
    offset += segment.sizeBytes;
    if (offset >= end) break;
  }
  return pieces;
}

function damaged({ id }: Segment, why: string): CloudError {
  return new CloudError(
    'CorruptState',
    `segment ${id} of the object store is damaged: ${why}; restore the object from a copy`,
    {
      details: { segment: id },
    },
  );
}

/** One piece that is being read, front to back. */
class OpenPiece {
  readonly #piece: Piece;
  readonly #file: number | undefined;
  readonly #body: Uint8Array | undefined;
  readonly #hash: Hash | undefined;
  #at: number;

  private constructor(piece: Piece, verify: boolean, bytes: { file?: number; body?: Uint8Array }) {
    this.#piece = piece;
    this.#file = bytes.file;
    this.#body = bytes.body;
    this.#at = piece.start;
    if (verify && piece.end - piece.start === piece.segment.sizeBytes) this.#hash = createHash('sha256');
  }

  static async open(piece: Piece, verify: boolean, { segments, files }: ReadParts): Promise<OpenPiece> {
    const { segment } = piece;
    if (segment.id.startsWith(INLINE_KIND)) return new OpenPiece(piece, verify, { body: segments.body(segment.id) });
    try {
      return new OpenPiece(piece, verify, { file: await openFile(files.path(segment.id)) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw damaged(segment, 'its file is missing');
      throw error;
    }
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const { segment, end } = this.#piece;
    if (this.#at >= end) return undefined;
    const chunk = await this.#chunk(Math.min(READ_CHUNKS.sizeBytes, end - this.#at));
    if (chunk.length === 0) throw damaged(segment, `it ends at byte ${this.#at} of ${segment.sizeBytes}`);
    this.#at += chunk.length;
    this.#hash?.update(chunk);
    if (this.#at < end || this.#hash === undefined) return chunk;
    const sha256 = this.#hash.digest('hex');
    if (sha256 !== segment.sha256) throw damaged(segment, `its SHA-256 is ${sha256} instead of ${segment.sha256}`);
    return chunk;
  }

  async #chunk(sizeBytes: number): Promise<Uint8Array> {
    if (this.#file === undefined) return this.#body?.subarray(this.#at, this.#at + sizeBytes) ?? Buffer.alloc(0);
    const buffer = READ_CHUNKS.take();
    return buffer.subarray(0, await readFile(this.#file, buffer, sizeBytes, this.#at));
  }

  /** At once: nothing was written to it, and its file stays as long as it is pinned. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

/** Reads as it is asked for: one chunk is under way at a time, and one waits to be taken. */
class SegmentReader extends Readable {
  readonly #pieces: Piece[];
  readonly #verify: boolean;
  readonly #parts: ReadParts;
  readonly #pinned: readonly string[];
  #open: OpenPiece | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(pieces: readonly Piece[], verify: boolean, parts: ReadParts) {
    super({ highWaterMark: READ_CHUNKS.sizeBytes });
    this.#pieces = [...pieces];
    this.#verify = verify;
    this.#parts = parts;
    this.#pinned = pieces.map((piece) => piece.segment.id);
    parts.segments.pin(this.#pinned);
  }

  /** Before the first byte is asked for, so that a missing file is an error and no broken stream. */
  async openFirst(): Promise<void> {
    try {
      await this.#openNext();
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  async #openNext(): Promise<void> {
    const piece = this.#pieces.shift();
    if (piece === undefined) return;
    const open = await OpenPiece.open(piece, this.#verify, this.#parts);
    // Destroyed while it was being opened.
    if (this.destroyed) open.close();
    else this.#open = open;
  }

  async #next(): Promise<Uint8Array | null> {
    while (this.#open !== undefined) {
      const chunk = await this.#open.next();
      if (chunk !== undefined) return chunk;
      this.#open.close();
      this.#open = undefined;
      await this.#openNext();
    }
    return null;
  }

  override _read(): void {
    this.#reading = this.#next().then(
      (chunk) => this.push(chunk),
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // A descriptor that is closed under a read could be another file's by then.
    const close = (): void => {
      this.#open?.close();
      this.#open = undefined;
      this.#parts.segments.unpin(this.#pinned);
    };
    this.#reading.then(close).then(
      () => done(error),
      (problem: unknown) => done(error ?? (problem as Error)),
    );
  }
}

/** See ObjectStore.read. */
export async function readSegments(
  segments: readonly Segment[],
  range: { readonly start: number; readonly end: number; readonly verify?: boolean },
  parts: ReadParts,
): Promise<Readable> {
  const { start, end, verify = false } = range;
  const reader = new SegmentReader(piecesOf(segments, start, end), verify, parts);
  await reader.openFirst();
  return reader;
}
