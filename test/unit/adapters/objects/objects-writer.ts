import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { openObjectStore } from '../../../../src/adapters/objects/object-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';
import { complete, plain, put, putPart, uploadSample } from '../../../support/object-samples.ts';

const WRITERS = 5;
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const say = (...words: string[]): void => void process.stdout.write(`${words.join(' ')}\n`);
const anyBytes = (): Buffer => randomBytes([0, 10, 5_000, 20_000, 90_000][randomInt(5)] ?? 0);

/** Says what the key is to hold, does it, and says when it was acknowledged. Pipes are written at once, so that no line comes too late. */
async function told(bucket: string, key: string, holds: string, work: () => Promise<unknown>): Promise<void> {
  say('try', bucket, key, holds);
  await work();
  say('ack', bucket, key, holds);
}

type Work = (store: ObjectStore, bucket: string, writer: number, round: number) => Promise<void>;

const anyKey = (writer: number): string => `w${writer}/${randomInt(4)}`;

const putWork: Work = async (store, bucket, writer) => {
  const data = anyBytes();
  const key = anyKey(writer);
  await told(bucket, key, sha256(data), () => put(store, bucket, key, data));
};

const removeWork: Work = async (store, bucket, writer) => {
  const key = anyKey(writer);
  await told(bucket, key, 'gone', () => store.removeObject(bucket, key));
};

const copyWork: Work = async (store, bucket, writer) => {
  const page = await store.list(bucket, { prefix: `w${writer}/`, delimiter: '', after: '', max: 1 });
  const name = page.rows[0]?.key;
  if (name === undefined) return;
  const source = await store.object(bucket, name);
  if (source.kind === 'marker') return;
  const key = anyKey(writer);
  await told(bucket, key, source.tags['sha256'] ?? sourceSha(source.segments), () =>
    store.copyObject(source, { ...plain(bucket, key), tags: source.tags }),
  );
};

/** Of an object of one segment; those of more carry it as a tag. */
const sourceSha = (segments: readonly { sha256: string }[]): string => segments[0]?.sha256 ?? sha256(Buffer.alloc(0));

const uploadWork: Work = async (store, bucket, writer, round) => {
  const key = anyKey(writer);
  const data = Array.from({ length: 1 + randomInt(3) }, anyBytes);
  const whole = sha256(Buffer.concat(data));
  const upload = { ...uploadSample(bucket, key, `u-${process.pid}-${writer}-${round}`), tags: { sha256: whole } };
  await store.createUpload(upload);
  for (const [index, part] of data.entries()) await putPart(store, upload, index + 1, part);
  await putPart(store, upload, 100, anyBytes());
  if (randomInt(5) === 0) return store.abortUpload(bucket, key, upload.uploadId);
  await told(bucket, key, whole, () =>
    complete(
      store,
      upload,
      data.map((_, index) => index + 1),
    ),
  );
};

const WORKS: readonly Work[] = [putWork, putWork, removeWork, copyWork, uploadWork];

async function write(store: ObjectStore, writer: number): Promise<void> {
  for (let round = 0; ; round += 1) {
    await (WORKS[randomInt(WORKS.length)] ?? putWork)(store, writer % 2 === 0 ? 'plain' : 'versions', writer, round);
  }
}

// Started ahead of time, since that takes longer than the work: the folder is another's until then.
await once(process.stdin, 'data');
const store = await openObjectStore({
  dir: process.argv[2] ?? '',
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  lingerMs: 10,
});
say('opened');
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(store, writer)));
