import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { assert } from '../../base/assert.ts';
import { runningChecksum, type ChecksumAlgorithm, type RunningChecksum } from '../../base/checksums.ts';
import { CloudError } from '../../base/errors.ts';
import { KIB, MIB } from '../../base/units.ts';
import type { Digests, Received, ReceiveOptions } from '../../ports/object-store.ts';
import { BLOCK_BYTES, type Md5Lane, type Md5Thread } from './md5-thread.ts';
import type { NewFile, SegmentFiles } from './segment-files.ts';
import type { Segments } from './segments.ts';

/** Up to that a body is kept in the index: one sync instead of three, no file. */
export const INLINE_MAX_BYTES = 16 * KIB;
/** Small writes gather up to it. */
const WRITE_BYTES = 512 * KIB;
/** The disk is put to work while more comes, so that the sync at the end has little left to do. */
const SYNC_EACH_BYTES = 32 * MIB;

/** From there on the MD5 of a body is counted in a thread of its own. */
const THREAD_MIN_BYTES = MIB;

/** SHA-256 and what else was asked for but MD5, as the bytes pass. */
class Counter {
  readonly #sha256: Hash = createHash('sha256');
  readonly #others: ReadonlyMap<ChecksumAlgorithm, RunningChecksum>;
  sizeBytes = 0;

  constructor(asked: readonly ChecksumAlgorithm[]) {
    const others = asked.filter((algorithm) => algorithm !== 'SHA256');
    this.#others = new Map(others.map((algorithm) => [algorithm, runningChecksum(algorithm)]));
  }

  update(chunk: Uint8Array): void {
    this.sizeBytes += chunk.length;
    this.#sha256.update(chunk);
    for (const sum of this.#others.values()) sum.update(chunk);
  }

  digests(asked: readonly ChecksumAlgorithm[]): Omit<Digests, 'md5'> {
    const sha256 = this.#sha256.digest();
    const checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
    for (const [algorithm, sum] of this.#others) checksums[algorithm] = sum.digest().toString('base64');
    if (asked.includes('SHA256')) checksums.SHA256 = sha256.toString('base64');
    return { sha256: sha256.toString('hex'), checksums };
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
  readonly md5: Pick<Md5Thread, 'lane'>;
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

/** The way of the bytes to `receiving`, and their MD5. */
interface Intake {
  add(chunk: Uint8Array): Promise<void>;
  /** Takes no more; the MD5 in hex. */
  end(): Promise<string>;
}

/** As they come. */
class PlainIntake implements Intake {
  readonly #md5: Hash = createHash('md5');
  readonly #receiving: Receiving;

  constructor(receiving: Receiving) {
    this.#receiving = receiving;
  }

  add(chunk: Uint8Array): Promise<void> {
    this.#md5.update(chunk);
    return this.#receiving.add(chunk);
  }

  end(): Promise<string> {
    return Promise.resolve(this.#md5.digest('hex'));
  }
}

/** Not left to the collector, which goes through the whole heap each time that some 18 MiB of chunks have come. Memory that the chunk is only a part of is. */
function free(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && chunk.byteLength === buffer.byteLength) buffer.transfer(0);
}

/** Gathered in blocks that the thread sees too: each is counted there while it is written and the next one is filled. */
class SharedIntake implements Intake {
  readonly #receiving: Receiving;
  readonly #lane: Md5Lane;
  readonly #isGivenAway: boolean;
  /** Which block is filled, and how far. */
  #turn = 0;
  #filledBytes = 0;
  /** By block: the thread is through with it. */
  readonly #counted: Promise<unknown>[] = [];

  constructor(receiving: Receiving, lane: Md5Lane, isGivenAway: boolean) {
    this.#receiving = receiving;
    this.#lane = lane;
    this.#isGivenAway = isGivenAway;
  }

  #block(): Uint8Array {
    const block = this.#lane.blocks[this.#turn];
    assert(block !== undefined, 'blocks are used in turn');
    return block;
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + BLOCK_BYTES - this.#filledBytes);
      this.#block().set(piece, this.#filledBytes);
      at += piece.length;
      this.#filledBytes += piece.length;
      if (this.#filledBytes === BLOCK_BYTES) await this.#pass();
    }
    if (this.#isGivenAway) free(chunk);
  }

  async #pass(): Promise<void> {
    const bytes = this.#block().subarray(0, this.#filledBytes);
    this.#counted[this.#turn] = this.#lane.update(this.#turn, bytes.length);
    // When this is taken the one before is written: a block that comes round again needs to be waited for on behalf of the thread alone.
    await this.#receiving.add(bytes);
    this.#turn = (this.#turn + 1) % this.#lane.blocks.length;
    this.#filledBytes = 0;
    await this.#counted[this.#turn];
  }

  async end(): Promise<string> {
    if (this.#filledBytes > 0) await this.#pass();
    return this.#lane.digest();
  }
}

/** See ObjectStore.receive. Memory: a few chunks and two gathered writes, or the blocks of a lane. */
export async function receive(body: Readable, options: ReceiveOptions, parts: ReceiveParts): Promise<Received> {
  const { checksums = [], maxBytes, accept, expectedBytes = 0, isGivenAway = false } = options;
  const counter = new Counter(checksums);
  const receiving = new Receiving(parts);
  const lane = expectedBytes >= THREAD_MIN_BYTES ? parts.md5.lane() : undefined;
  const intake = lane === undefined ? new PlainIntake(receiving) : new SharedIntake(receiving, lane, isGivenAway);
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (counter.sizeBytes + bytes.length > maxBytes) throw tooLarge(maxBytes);
      counter.update(bytes);
      await intake.add(bytes);
    }
    const { sizeBytes } = counter;
    const digests = { ...counter.digests(checksums), md5: await intake.end() };
    accept?.(digests, sizeBytes);
    return { segment: { id: await receiving.keep(), sizeBytes, sha256: digests.sha256 }, digests };
  } catch (error) {
    await receiving.abandon();
    throw error;
  } finally {
    // Nothing is written out of its blocks any more.
    lane?.release();
  }
}
