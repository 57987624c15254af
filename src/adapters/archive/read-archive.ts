import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { unreachable } from '../../base/assert.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import { MIB } from '../../base/units.ts';
import type { BlobInfo } from '../../ports/blobs.ts';
import type { ArchiveFacts, ArchiveHeader } from '../../ports/state-archive.ts';
import type { Entry } from '../../ports/store.ts';
import { damagedArchive, MAGIC, readFrame, type ArchiveFrame, type ByteSource } from './frames.ts';
import type { ArchiveEnd } from './write-archive.ts';

const inflate = promisify(inflateRaw);

const MAX_BATCH_BYTES = 64 * MIB;

/** Who reads an archive; each is told in the file's order, and the bytes of a file or image come right behind its beginning. */
export interface ArchiveReader {
  header?(header: ArchiveHeader): void | Promise<void>;
  record?(entry: Entry): void;
  file?(file: { readonly path: string; readonly mode: number; readonly bytes: Buffer }): void | Promise<void>;
  image?(info: BlobInfo, bytes: AsyncIterable<Buffer>): Promise<void>;
}

/**
 * Reads a whole archive and checks every byte of it. What a reader was told before an error is not to be trusted: read once without a reader
 * first. CloudError 'CorruptState' names file and offset, 'NotFound' when there is no such file.
 */
export async function readArchive(path: string, reader: ArchiveReader = {}): Promise<ArchiveFacts> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new CloudError('NotFound', `there is no file ${path}`, { cause: error });
    throw new CloudError('Unavailable', `${path} can not be read: ${errorText(error)}`, { cause: error });
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new CloudError('InvalidParameterValue', `${path} must be a backup, and is no file`);
    const { size } = stat;
    let at = 0;
    const source: ByteSource = {
      file: path,
      left: () => size - at,
      read: async (bytes) => {
        const wanted = Math.min(bytes, size - at);
        const buffer = Buffer.allocUnsafe(wanted);
        const { bytesRead } = await file.read(buffer, 0, wanted, at);
        at += bytesRead;
        return buffer.subarray(0, bytesRead);
      },
    };
    return await new Reading(path, size, source, reader).run();
  } finally {
    await file.close();
  }
}

class Reading {
  readonly #path: string;
  readonly #size: number;
  readonly #source: ByteSource;
  readonly #reader: ArchiveReader;
  readonly #hash: Hash = createHash('sha256');
  #offset = 0;
  #lastKey = '';
  #records = 0;
  #files = 0;
  #images = 0;
  #header: ArchiveHeader | undefined;
  #end: ArchiveEnd | undefined;
  /** A frame that was read and belongs to what comes next. */
  #held: ArchiveFrame | undefined;

  constructor(path: string, size: number, source: ByteSource, reader: ArchiveReader) {
    this.#path = path;
    this.#size = size;
    this.#source = source;
    this.#reader = reader;
  }

  async run(): Promise<ArchiveFacts> {
    const magic = await this.#source.read(MAGIC.length);
    if (!magic.equals(MAGIC)) throw damagedArchive(this.#path, 0, 'it does not begin as a state archive of novactl');
    this.#hash.update(magic);
    this.#offset = magic.length;
    for (let frame = await this.#next(); frame !== undefined; frame = await this.#next()) await this.#take(frame);
    const [header, end] = [this.#header, this.#end];
    if (header === undefined || end === undefined) {
      throw damagedArchive(this.#path, this.#offset, `its end is missing${this.#place()}`);
    }
    const { records, files, images, sha256 } = end;
    if (records !== this.#records || files !== this.#files || images !== this.#images) {
      throw damagedArchive(this.#path, this.#offset, 'it does not hold as many things as its end says');
    }
    return { path: this.#path, header, records, files, images, sha256, sizeBytes: this.#size };
  }

  #place(): string {
    return this.#lastKey === '' ? '' : ` (the last sound record is ${this.#lastKey})`;
  }

  async #next(): Promise<ArchiveFrame | undefined> {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) return held;
    const frame = await readFrame(this.#source, this.#offset).catch((error: unknown) => {
      if (!(error instanceof CloudError) || error.code !== 'CorruptState') throw error;
      throw new CloudError('CorruptState', `${error.message}${this.#place()}`, { details: error.details ?? {} });
    });
    if (frame === undefined) return undefined;
    if (this.#end !== undefined) throw damagedArchive(this.#path, this.#offset, 'something follows the end');
    if (frame.kind === 'E') this.#checkEnd(frame);
    else this.#hash.update(frame.head).update(frame.payload);
    this.#offset += frame.head.length + frame.payload.length;
    return frame;
  }

  async #take(frame: ArchiveFrame): Promise<void> {
    const { kind, payload, offset } = frame;
    if ((kind === 'H') !== (this.#header === undefined)) {
      throw damagedArchive(this.#path, offset, 'the header is not where it should be');
    }
    switch (kind) {
      case 'H':
        return this.#takeHeader(payload, offset);
      case 'R':
        return this.#takeRecords(payload, offset);
      case 'F':
        return this.#takeFile(payload, offset);
      case 'B':
        return this.#takeImage(payload, offset);
      case 'D':
        throw damagedArchive(this.#path, offset, 'bytes that belong to nothing');
      case 'E':
        return undefined;
      default:
        return unreachable(kind);
    }
  }

  #json<T>(payload: Buffer, offset: number): T {
    try {
      return JSON.parse(payload.toString('utf8')) as T;
    } catch {
      throw damagedArchive(this.#path, offset, 'a frame is sound but is not JSON: novactl wrote it wrong');
    }
  }

  async #takeHeader(payload: Buffer, offset: number): Promise<void> {
    const header = this.#json<ArchiveHeader>(payload, offset);
    if ((header.v as number) !== 1) {
      throw new CloudError(
        'CorruptState',
        `${this.#path} is of format ${String(header.v)}, this novactl reads format 1: use the version that wrote it`,
      );
    }
    this.#header = header;
    await this.#reader.header?.(header);
  }

  async #takeRecords(payload: Buffer, offset: number): Promise<void> {
    const text = await inflate(payload, { maxOutputLength: MAX_BATCH_BYTES }).catch((error: unknown) => {
      throw damagedArchive(this.#path, offset, `records can not be unpacked: ${errorText(error)}`);
    });
    for (const line of text.toString('utf8').trimEnd().split('\n')) {
      const entry = this.#json<Entry>(Buffer.from(line), offset);
      if (entry.key <= this.#lastKey) throw damagedArchive(this.#path, offset, `${entry.key} is out of order`);
      this.#lastKey = entry.key;
      this.#records += 1;
      this.#reader.record?.(entry);
    }
  }

  async #takeFile(payload: Buffer, offset: number): Promise<void> {
    const { path, mode, sizeBytes } = this.#json<{ path: string; mode: number; sizeBytes: number }>(payload, offset);
    const parts: Buffer[] = [];
    for await (const part of this.#bytes(sizeBytes, offset)) parts.push(part);
    this.#files += 1;
    await this.#reader.file?.({ path, mode, bytes: Buffer.concat(parts) });
  }

  async #takeImage(payload: Buffer, offset: number): Promise<void> {
    const info = this.#json<BlobInfo>(payload, offset);
    const bytes = this.#bytes(info.sizeBytes, offset);
    const hash = createHash('sha256');
    const checked = (async function* () {
      for await (const part of bytes) {
        hash.update(part);
        yield part;
      }
    })();
    await this.#reader.image?.(info, checked);
    // What the reader left, and all of it where there is none.
    for await (const _ of checked);
    if (hash.digest('hex') !== info.sha256) {
      throw damagedArchive(this.#path, offset, `the image ${info.key} was damaged before it was archived`);
    }
    this.#images += 1;
  }

  async *#bytes(sizeBytes: number, offset: number): AsyncGenerator<Buffer> {
    let got = 0;
    for (;;) {
      const frame = await this.#next();
      if (frame?.kind !== 'D') {
        this.#held = frame;
        break;
      }
      got += frame.payload.length;
      yield frame.payload;
    }
    if (got !== sizeBytes) throw damagedArchive(this.#path, offset, `${got} of ${sizeBytes} bytes of it are there`);
  }

  #checkEnd(frame: ArchiveFrame): void {
    const end = this.#json<ArchiveEnd>(frame.payload, frame.offset);
    if (end.sha256 !== this.#hash.digest('hex')) {
      throw damagedArchive(this.#path, frame.offset, 'the SHA-256 of what stands before the end does not match');
    }
    this.#end = end;
  }
}
