import { createHash, randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as sdk from '@aws-sdk/client-s3';

/** What a key may hold: what was acknowledged last, or what was asked for since. A SHA-256, or `gone`. */
interface Expected {
  readonly acked: string;
  readonly tried?: string;
}

const WRITERS = 6;
const KEYS_EACH = 4;
const PART_BYTES = 5 * 1024 * 1024;
const sha256 = (...data: Uint8Array[]): string => {
  const hash = createHash('sha256');
  for (const piece of data) hash.update(piece);
  return hash.digest('hex');
};
const anyBytes = (): Buffer => randomBytes([0, 10, 5_000, 20_000, 400_000][randomInt(5)] ?? 0);

/** Puts, copies, uploads and deletes over HTTP by several at once, and a book of what was asked for and what was acknowledged. */
export class Traffic {
  readonly #buckets: readonly string[];
  readonly #book = new Map<string, Expected>();
  #client: sdk.S3Client | undefined;
  #goesOn = false;
  #acks = 0;
  #turn = 0;
  readonly #done = new Map<string, number>();

  constructor(buckets: readonly string[]) {
    this.#buckets = buckets;
  }

  /** By kind of work. */
  get done(): ReadonlyMap<string, number> {
    return this.#done;
  }

  /** Until so much was acknowledged, and so long after that; then `cut` ends it in the middle. A request that fails before that rejects. */
  async run(
    client: sdk.S3Client,
    { acks, moreMs, cut }: { acks: number; moreMs: number; cut: () => Promise<void> },
  ): Promise<void> {
    this.#client = client;
    this.#goesOn = true;
    const before = this.#acks;
    const enough = Promise.withResolvers<void>();
    const writers = Array.from({ length: WRITERS }, (_, writer) =>
      this.#write(writer, () => void (this.#acks - before >= acks && enough.resolve())),
    );
    const all = Promise.all(writers);
    await Promise.race([enough.promise, all]);
    // Cuts are to come at any moment of the work, so that this one wait is a time and not a condition.
    await Promise.race([sleep(moreMs), all]);
    this.#goesOn = false;
    await cut();
    await all;
  }

  /** Each key holds what was acknowledged or wholly what was asked for after it; that counts as acknowledged from then on. Answers what is otherwise. */
  async audit(client: sdk.S3Client): Promise<string[]> {
    const problems: string[] = [];
    for (const [name, { acked, tried }] of this.#book) {
      const [Bucket = '', Key = ''] = name.split(' ');
      const found = await holds(client, Bucket, Key);
      if (found !== acked && found !== tried)
        problems.push(`${name} holds ${found}, and not ${acked} (asked for: ${tried ?? 'nothing more'})`);
      this.#book.set(name, { acked: found });
    }
    for (const Bucket of this.#buckets) {
      const { Contents = [] } = await client.send(new sdk.ListObjectsV2Command({ Bucket }));
      const listed = Contents.map(({ Key }) => `${Bucket} ${Key}`).join('\n');
      const there = [...this.#book].filter(([name, { acked }]) => name.startsWith(`${Bucket} `) && acked !== 'gone');
      const wanted = there.map(([name]) => name).sort();
      if (listed !== wanted.join('\n')) problems.push(`the list of ${Bucket} is ${listed}, and not ${wanted.join()}`);
    }
    return problems;
  }

  async #write(writer: number, onAck: () => void): Promise<void> {
    const works = [this.#put, this.#put, this.#remove, this.#copy, this.#upload];
    while (this.#goesOn) {
      const Bucket = this.#buckets[writer % this.#buckets.length] ?? '';
      const Key = `w${writer}/${randomInt(KEYS_EACH)}`;
      try {
        await (works[this.#turn++ % works.length] ?? this.#put).call(this, Bucket, Key);
        onAck();
      } catch (error) {
        if (this.#goesOn) throw error;
      }
    }
  }

  #send<T>(send: (client: sdk.S3Client) => Promise<T>): Promise<T> {
    if (this.#client === undefined) throw new Error('there is no client yet');
    return send(this.#client);
  }

  async #told(kind: string, name: string, holdsThen: string, work: Promise<unknown>): Promise<void> {
    this.#book.set(name, { acked: this.#book.get(name)?.acked ?? 'gone', tried: holdsThen });
    await work;
    this.#book.set(name, { acked: holdsThen });
    this.#acks += 1;
    this.#done.set(kind, (this.#done.get(kind) ?? 0) + 1);
  }

  async #put(Bucket: string, Key: string): Promise<void> {
    const Body = anyBytes();
    const put = new sdk.PutObjectCommand({ Bucket, Key, Body });
    await this.#told(
      'put',
      `${Bucket} ${Key}`,
      sha256(Body),
      this.#send((client) => client.send(put)),
    );
  }

  async #remove(Bucket: string, Key: string): Promise<void> {
    const gone = new sdk.DeleteObjectCommand({ Bucket, Key });
    await this.#told(
      'delete',
      `${Bucket} ${Key}`,
      'gone',
      this.#send((client) => client.send(gone)),
    );
  }

  /** From another key of the same writer, so that nobody changes it meanwhile. */
  async #copy(Bucket: string, Key: string): Promise<void> {
    const folder = Key.replace(/\d+$/, '');
    const sources = [...this.#book].filter(
      ([name, { acked }]) => name.startsWith(`${Bucket} ${folder}`) && acked !== 'gone' && name !== `${Bucket} ${Key}`,
    );
    const [source, known] = sources[randomInt(Math.max(1, sources.length))] ?? [];
    if (source === undefined || known === undefined) return;
    const copy = new sdk.CopyObjectCommand({ Bucket, Key, CopySource: source.replace(' ', '/') });
    await this.#told(
      'copy',
      `${Bucket} ${Key}`,
      known.acked,
      this.#send((client) => client.send(copy)),
    );
  }

  async #upload(Bucket: string, Key: string): Promise<void> {
    const { UploadId } = await this.#send((client) =>
      client.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key })),
    );
    const bodies = [randomBytes(PART_BYTES), anyBytes()];
    const Parts: sdk.CompletedPart[] = [];
    for (const [index, Body] of bodies.entries()) {
      const part = { Bucket, Key, UploadId, PartNumber: index + 1, Body };
      const { ETag } = await this.#send((client) => client.send(new sdk.UploadPartCommand(part)));
      Parts.push({ PartNumber: index + 1, ETag });
    }
    const name = { Bucket, Key, UploadId };
    if (randomInt(5) === 0) {
      await this.#send((client) => client.send(new sdk.AbortMultipartUploadCommand(name)));
      return;
    }
    const complete = new sdk.CompleteMultipartUploadCommand({ ...name, MultipartUpload: { Parts } });
    await this.#told(
      'upload',
      `${Bucket} ${Key}`,
      sha256(...bodies),
      this.#send((client) => client.send(complete)),
    );
  }
}

async function holds(client: sdk.S3Client, Bucket: string, Key: string): Promise<string> {
  try {
    // ENABLED: the SDK compares the bytes with the checksum that they were put with, too.
    const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    return sha256((await Body?.transformToByteArray()) ?? new Uint8Array());
  } catch (error) {
    if (error instanceof sdk.NoSuchKey) return 'gone';
    throw error;
  }
}
