import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { CloudError } from '../../base/errors.ts';
import { KIB } from '../../base/units.ts';
import type { Segment } from '../../domain/s3/records.ts';
import { INLINE_KIND, type SegmentFiles } from './segment-files.ts';
import type { Segments } from './segments.ts';

/** One read of the disk, and one chunk of the stream; the next one is read while it is taken. */
const READ_BYTES = 512 * KIB;

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
  readonly #file: FileHandle | undefined;
  readonly #body: Uint8Array | undefined;
  readonly #hash: Hash | undefined;
  #at: number;

  private constructor(piece: Piece, verify: boolean, bytes: { file?: FileHandle; body?: Uint8Array }) {
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
      return new OpenPiece(piece, verify, { file: await open(files.path(segment.id), 'r') });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw damaged(segment, 'its file is missing');
      throw error;
    }
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const { segment, end } = this.#piece;
    if (this.#at >= end) return undefined;
    const chunk = await this.#chunk(Math.min(READ_BYTES, end - this.#at));
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
    const buffer = Buffer.allocUnsafeSlow(sizeBytes);
    const { bytesRead } = await this.#file.read(buffer, 0, sizeBytes, this.#at);
    return bytesRead === sizeBytes ? buffer : buffer.subarray(0, bytesRead);
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

/** Reads as it is asked for: one chunk is under way at a time. */
class SegmentReader extends Readable {
  readonly #pieces: Piece[];
  readonly #verify: boolean;
  readonly #parts: ReadParts;
  readonly #pinned: readonly string[];
  #open: OpenPiece | undefined;

  constructor(pieces: readonly Piece[], verify: boolean, parts: ReadParts) {
    super({ highWaterMark: 2 * READ_BYTES });
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
    if (this.destroyed) await open.close();
    else this.#open = open;
  }

  async #next(): Promise<Uint8Array | null> {
    while (this.#open !== undefined) {
      const chunk = await this.#open.next();
      if (chunk !== undefined) return chunk;
      await this.#open.close();
      this.#open = undefined;
      await this.#openNext();
    }
    return null;
  }

  override _read(): void {
    this.#next().then(
      (chunk) => this.push(chunk),
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#parts.segments.unpin(this.#pinned);
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return done(error);
    open.close().then(
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
