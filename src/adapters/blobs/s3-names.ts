import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { CloudError } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import type { BlobInfo } from '../../ports/blobs.ts';
import type { S3Endpoint } from './s3-endpoint.ts';
import { isFault } from './s3-problems.ts';

/** What the object of a name holds. `data` is the key, behind the prefix, of the bytes. */
export interface NameEntry {
  readonly v: 1;
  readonly key: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly data: string;
  /** Whose it is: another cloud's in the same bucket is not told in lists, so that it is never taken for garbage. */
  readonly cloudId?: string;
}

export interface Listed {
  readonly key: string;
  readonly storedAtMs: number;
}

const NAMES = 'names/';
/** Names of keys that are no plain paths: some endpoints refuse or change `.` and empty segments. */
const HASHED = 'names-hashed/';
const PLAIN = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;
const PLAIN_MAX = 512;
/** Asked at once in a list. */
const PARALLEL = 8;

const objectOf = (key: string): string =>
  PLAIN.test(key) && key.length <= PLAIN_MAX ? `${NAMES}${key}.json` : `${HASHED}${sha256Hex(key)}.json`;

function parseName(text: string, at: string): NameEntry {
  try {
    const entry = JSON.parse(text) as Partial<NameEntry>;
    const { key, sha256, sizeBytes, data, cloudId } = entry;
    const whole = typeof key === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number';
    if (whole && entry.v === 1 && typeof data === 'string' && /^data\/[0-9a-f]{32}$/.test(data)) {
      return { v: 1, key, sha256, sizeBytes, data, ...(typeof cloudId === 'string' ? { cloudId } : {}) };
    }
  } catch {
    // Told below, in the same words as a text that parses and is no entry.
  }
  throw new CloudError('CorruptState', `${at} is damaged: restore it, or delete it to lose that blob alone`, {
    details: { path: at },
  });
}

/** The names of blobs: one small object each, which says where the bytes are. So a put becomes visible by one PUT, whatever its size. */
export class S3Names {
  readonly #endpoint: S3Endpoint;
  readonly #prefix: string;

  constructor(endpoint: S3Endpoint, prefix: string) {
    this.#endpoint = endpoint;
    this.#prefix = prefix;
  }

  async get(key: string): Promise<NameEntry | undefined> {
    const entry = await this.#read(objectOf(key));
    return entry?.key === key ? entry : undefined;
  }

  /** Once: if the answer is lost, nobody knows whether it is there, and an older name may not come back later. */
  async put(entry: NameEntry): Promise<void> {
    const command = new PutObjectCommand({
      ...this.#at(objectOf(entry.key)),
      Body: Buffer.from(JSON.stringify(entry)),
      ContentType: 'application/json',
    });
    await this.#endpoint.ask((client, options) => client.send(command, options), { once: true });
  }

  async remove(key: string): Promise<void> {
    await this.delete(objectOf(key));
  }

  /** Any object behind the prefix. */
  async delete(name: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#at(name));
    await this.#endpoint.ask((client, options) => client.send(command, options));
  }

  /** Blobs whose keys begin so, by key. */
  async list(prefix: string): Promise<(NameEntry & Pick<BlobInfo, 'storedAtMs'>)[]> {
    const listed = [...(await this.objects(`${NAMES}${prefix}`)), ...(await this.objects(HASHED))];
    const found: (NameEntry & Pick<BlobInfo, 'storedAtMs'>)[] = [];
    const waiting = listed.filter(({ key }) => key.endsWith('.json'));
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const entry = await this.#read(next.key);
        if (entry?.key.startsWith(prefix) === true) found.push({ ...entry, storedAtMs: next.storedAtMs });
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** All objects behind the prefix that begin so; keys without the prefix. */
  async objects(prefix: string): Promise<Listed[]> {
    const listed: Listed[] = [];
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        ...{ Bucket: this.#endpoint.bucket, Prefix: `${this.#prefix}${prefix}` },
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#endpoint.ask((client, options) => client.send(command, options));
      for (const { Key, LastModified } of page.Contents ?? []) {
        if (Key === undefined) continue;
        listed.push({ key: Key.slice(this.#prefix.length), storedAtMs: LastModified?.getTime() ?? Infinity });
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return listed;
  }

  #at(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#endpoint.bucket, Key: `${this.#prefix}${name}` };
  }

  async #read(name: string): Promise<NameEntry | undefined> {
    const at = this.#at(name);
    try {
      const text = await this.#endpoint.ask(async (client, options) => {
        const { Body } = await client.send(new GetObjectCommand(at), options);
        return (await Body?.transformToString('utf8')) ?? '';
      });
      return parseName(text, `${at.Bucket}/${at.Key}`);
    } catch (error) {
      if (isFault(error, 'object')) return undefined;
      throw error;
    }
  }
}
