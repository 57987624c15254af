import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { runningChecksum, type ChecksumAlgorithm, type RunningChecksum } from '../../base/checksums.ts';
import { CloudError } from '../../base/errors.ts';
import { KIB, MIB } from '../../base/units.ts';
import type { Digests, Received, ReceiveOptions } from '../../ports/object-store.ts';
import type { NewFile, SegmentFiles } from './segment-files.ts';
import type { Segments } from './segments.ts';

/** Up to that a body is kept in the index: one sync instead of three, no file. */
export const INLINE_MAX_BYTES = 16 * KIB;
/** Small writes gather up to it. */
const WRITE_BYTES = 512 * KIB;
/** The disk is put to work while more comes, so that the sync at the end has little left to do. */
const SYNC_EACH_BYTES = 32 * MIB;

/** MD5, SHA-256 and what else was asked for, as the bytes pass. */
class Counter {
  readonly #md5: Hash = createHash('md5');
  readonly #sha256: Hash = createHash('sha256');
  readonly #others: ReadonlyMap<ChecksumAlgorithm, RunningChecksum>;
  sizeBytes = 0;

  constructor(asked: readonly ChecksumAlgorithm[]) {
    const others = asked.filter((algorithm) => algorithm !== 'SHA256');
    this.#others = new Map(others.map((algorithm) => [algorithm, runningChecksum(algorithm)]));
  }

  update(chunk: Uint8Array): void {
    this.sizeBytes += chunk.length;
    this.#md5.update(chunk);
    this.#sha256.update(chunk);
    for (const sum of this.#others.values()) sum.update(chunk);
  }

  digests(asked: readonly ChecksumAlgorithm[]): Digests {
    const sha256 = this.#sha256.digest();
    const checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
    for (const [algorithm, sum] of this.#others) checksums[algorithm] = sum.digest().toString('base64');
    if (asked.includes('SHA256')) checksums.SHA256 = sha256.toString('base64');
    return { md5: this.#md5.digest('hex'), sha256: sha256.toString('hex'), checksums };
  }
}

/** A file that is written while the next bytes come: at most one write and one sync are under way. */
class FileWriter {
  readonly #file: NewFile;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #unsyncedBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();

  constructor(file: NewFile) {
    this.#file = file;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes >= WRITE_BYTES) await this.#write();
  }

  async #write(): Promise<void> {
    await this.#writing;
    const chunks = this.#gathered;
    this.#unsyncedBytes += this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#writing = this.#file.write(chunks);
    // It is waited for below; an error must not be nobody's until then.
    this.#writing.catch(() => undefined);
    if (this.#unsyncedBytes < SYNC_EACH_BYTES) return;
    this.#unsyncedBytes = 0;
    await this.#syncing;
    this.#syncing = this.#writing.then(() => this.#file.sync());
    this.#syncing.catch(() => undefined);
  }

  async finish(): Promise<void> {
    await this.#write();
    await this.#writing;
    await this.#syncing;
    await this.#file.sync();
    await this.#file.close();
  }

  async abandon(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing]);
    await this.#file.close().catch(() => undefined);
  }
}

function tooLarge(maxBytes: number): CloudError {
  return new CloudError('EntityTooLarge', `the body is larger than the ${maxBytes} bytes that are allowed here`, {
    details: { maxBytes },
  });
}

export interface ReceiveParts {
  readonly segments: Segments;
  readonly files: SegmentFiles;
  /** Throws when nothing may be written any more. */
  readonly check: () => void;
}

/** What was received so far: in memory while it is small, then in a file. */
class Receiving {
  readonly #parts: ReceiveParts;
  #small: Uint8Array[] = [];
  #smallBytes = 0;
  #id: string | undefined;
  #writer: FileWriter | undefined;

  constructor(parts: ReceiveParts) {
    this.#parts = parts;
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (this.#writer !== undefined) return this.#writer.add(chunk);
    this.#small.push(chunk);
    this.#smallBytes += chunk.length;
    if (this.#smallBytes <= INLINE_MAX_BYTES) return;
    this.#id = this.#parts.segments.begin();
    this.#writer = new FileWriter(await this.#parts.files.create(this.#id));
    for (const small of this.#small) await this.#writer.add(small);
    this.#small = [];
  }

  /** Whole and synced; answers its id. */
  async keep(): Promise<string> {
    this.#parts.check();
    if (this.#writer === undefined || this.#id === undefined)
      return this.#parts.segments.begin(Buffer.concat(this.#small));
    await this.#writer.finish();
    this.#writer = undefined;
    this.#parts.check();
    await this.#parts.files.publish(this.#id);
    return this.#id;
  }

  async abandon(): Promise<void> {
    await this.#writer?.abandon();
    if (this.#id !== undefined) await this.#parts.segments.drop([{ id: this.#id }]);
  }
}

/** See ObjectStore.receive. Memory: a few chunks and two gathered writes. */
export async function receive(body: Readable, options: ReceiveOptions, parts: ReceiveParts): Promise<Received> {
  const { checksums = [], maxBytes, accept } = options;
  const counter = new Counter(checksums);
  const receiving = new Receiving(parts);
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (counter.sizeBytes + bytes.length > maxBytes) throw tooLarge(maxBytes);
      counter.update(bytes);
      await receiving.add(bytes);
    }
    const { sizeBytes } = counter;
    const digests = counter.digests(checksums);
    accept?.(digests, sizeBytes);
    return { segment: { id: await receiving.keep(), sizeBytes, sha256: digests.sha256 }, digests };
  } catch (error) {
    await receiving.abandon();
    throw error;
  }
}
