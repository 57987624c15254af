import { Readable } from 'node:stream';
import { CloudError, errorText } from '../../base/errors.ts';
import { KeyedLock } from '../../base/keyed-lock.ts';
import type { Logger } from '../../base/logger.ts';
import { randomHex, type Random } from '../../base/random.ts';
import type { BlobInfo, Blobs } from '../../ports/blobs.ts';
import { type ByteRange, checkKey, rangeWithin } from './blob-key.ts';
import { S3Endpoint, type S3Settings } from './s3-endpoint.ts';
import { S3Names, type NameEntry } from './s3-names.ts';
import { isFault } from './s3-problems.ts';
import { sweepAbandoned } from './s3-sweep.ts';
import { uploadStream } from './s3-upload.ts';

/** At each list that comes so long after the last one that did. */
const SWEEP_EVERY_MS = 86_400_000;
/** A blob that is replaced under each look of a reader: somebody else's loop. */
const LOOKS = 10;

export interface S3BlobsParts extends S3Settings {
  readonly random: Random;
  readonly logger: Logger;
  /** What the keys of all objects begin with. */
  readonly prefix: string;
  /** Marks what is put, and `list` tells no other cloud's. Default: unmarked, and all are told. */
  readonly cloudId?: string | undefined;
  /** For who only looks: nothing is changed or cleaned up. */
  readonly readOnly?: boolean;
}

const infoOf = ({ key, sizeBytes, sha256 }: NameEntry): BlobInfo => ({ key, sizeBytes, sha256 });

/**
 * Blobs in a bucket of an S3 endpoint, for any number of processes. Bytes are objects of random names and never change; what a blob is called and its SHA-256 are in a
 * small object that names them. Errors besides the port's: 'RequestTooLarge', 'Unavailable' with the endpoint, the reason and the setting that mends it; 'CorruptState'.
 * `list` also removes, once a day, what killed processes left.
 */
class S3Blobs {
  readonly #endpoint: S3Endpoint;
  readonly #names: S3Names;
  readonly #parts: S3BlobsParts;
  readonly #locks = new KeyedLock();
  #sweptAtMs = -Infinity;

  constructor(parts: S3BlobsParts) {
    this.#parts = parts;
    this.#endpoint = new S3Endpoint(parts);
    this.#names = new S3Names(this.#endpoint, parts.prefix);
  }

  async put(
    key: string,
    body: Readable,
    options: { expectSha256?: string; maxBytes?: number } = {},
  ): Promise<BlobInfo> {
    // A source may fail before anybody reads it; the reading then says so, this only keeps it from ending the process.
    body.on('error', () => undefined);
    try {
      this.#mayWrite();
      checkKey(key);
      const data = `data/${randomHex(this.#parts.random, 32)}`;
      const order = { label: key, objectKey: `${this.#parts.prefix}${data}`, ...options };
      const stored = await uploadStream(this.#endpoint, body, order);
      const { cloudId } = this.#parts;
      const entry: NameEntry = { v: 1, key, ...stored, data, ...(cloudId === undefined ? {} : { cloudId }) };
      await this.#locks.run(key, () => this.#name(entry));
      return infoOf(entry);
    } finally {
      body.destroy();
    }
  }

  async #name(entry: NameEntry): Promise<void> {
    const replaced = await this.#names.get(entry.key);
    // When the answer is lost the name may be there: so its bytes stay, and if nothing names them the sweep takes them.
    await this.#names.put(entry);
    if (replaced !== undefined) await this.#drop(replaced);
  }

  async #drop({ data }: NameEntry): Promise<void> {
    // Should this fail, the sweep removes it: nothing points to it any more.
    await this.#names.delete(data).catch(() => undefined);
  }

  async get(key: string): Promise<NameEntry> {
    checkKey(key);
    const entry = await this.#names.get(key);
    if (entry === undefined) throw new CloudError('NotFound', `no blob ${key}`, { details: { key } });
    return entry;
  }

  async read(key: string, range: ByteRange = {}): Promise<Readable> {
    let last: string | undefined;
    for (let look = 0; look < LOOKS; look += 1) {
      const entry = await this.get(key);
      const { start, end } = rangeWithin(range, entry.sizeBytes);
      if (start >= end) return Readable.from([]);
      try {
        return await this.#endpoint.read({ key: `${this.#parts.prefix}${entry.data}` }, { start, end });
      } catch (error) {
        if (!isFault(error, 'object')) throw error;
        // Replaced or deleted since the name was read; unless the name still says so.
        if (entry.data === last) throw this.#lost(entry);
        last = entry.data;
      }
    }
    throw new CloudError('Unavailable', `${key} is replaced all the time`, { details: { key } });
  }

  #lost({ key, data }: NameEntry): CloudError {
    const { endpoint, bucket, prefix } = this.#parts;
    const path = `${bucket}/${prefix}${data}`;
    const text = `the bytes of ${key} are gone: there is no ${path} at ${endpoint}`;
    return new CloudError('CorruptState', text, { details: { key, path } });
  }

  async delete(key: string): Promise<void> {
    this.#mayWrite();
    checkKey(key);
    await this.#locks.run(key, async () => {
      const entry = await this.#names.get(key);
      if (entry === undefined) return;
      await this.#names.remove(key);
      await this.#drop(entry);
    });
  }

  async list(prefix: string): Promise<BlobInfo[]> {
    await this.#sweep();
    const { cloudId } = this.#parts;
    const isOurs = (entry: NameEntry): boolean =>
      cloudId === undefined || entry.cloudId === undefined || entry.cloudId === cloudId;
    const entries = (await this.#names.list(prefix)).filter(isOurs);
    return entries.map(({ storedAtMs, ...entry }) => ({
      ...infoOf(entry),
      ...(storedAtMs === undefined ? {} : { storedAtMs }),
    }));
  }

  async presign(key: string, expiresS: number): Promise<string> {
    const { data } = await this.get(key);
    return this.#endpoint.presign(`${this.#parts.prefix}${data}`, expiresS);
  }

  async #sweep(): Promise<void> {
    const { clock, logger, prefix, readOnly } = this.#parts;
    if (readOnly === true || clock.monotonicMs() - this.#sweptAtMs < SWEEP_EVERY_MS) return;
    this.#sweptAtMs = clock.monotonicMs();
    try {
      const removed = await sweepAbandoned(this.#endpoint, this.#names, prefix);
      if (removed > 0) logger.info('left-over image bytes were removed from the object store', { removed });
    } catch (error) {
      // What is left over costs room and nothing else; a key that may not list uploads is no reason to fail.
      logger.warn('the object store could not be searched for left-over image bytes', { error: errorText(error) });
    }
  }

  #mayWrite(): void {
    if (this.#parts.readOnly === true) throw new CloudError('InternalError', 'these blobs may only be read');
  }
}

/** See S3Blobs. Nothing is dialled yet. */
export function createS3Blobs(parts: S3BlobsParts): Blobs & Required<Pick<Blobs, 'presign'>> {
  const blobs = new S3Blobs(parts);
  return {
    put: (key, body, options) => blobs.put(key, body, options),
    head: async (key) => infoOf(await blobs.get(key)),
    read: (key, range) => blobs.read(key, range),
    delete: (key) => blobs.delete(key),
    list: (prefix) => blobs.list(prefix),
    presign: (key, expiresS) => blobs.presign(key, expiresS),
  };
}
