import { createHash, randomBytes } from 'node:crypto';
import dns from 'node:dns';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createS3ImageObjects } from '../../src/adapters/blobs/s3-image-objects.ts';
import type { S3BlobsParts } from '../../src/adapters/blobs/s3-blobs.ts';
import { createLocalShell } from '../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { createImageStore } from '../../src/workers/drivers/qemu-img/image-store.ts';
import { canary } from '../support/canaries.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import type { EndpointBucket } from '../support/endpoint-bucket.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
const body = (...chunks: (string | Buffer)[]): Readable => Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** In place of the DNS entries that the host names of buckets need. */
function resolveExample(): void {
  const real = dns.lookup;
  type Answer = (error: null, addresses: { address: string; family: number }[]) => void;
  vi.spyOn(dns, 'lookup').mockImplementation(((name: string, options: dns.LookupAllOptions, answer: Answer) => {
    const at = name.endsWith('s3.example.org') ? '127.0.0.1' : name;
    real(at, { ...options, all: true }, answer as never);
  }) as never);
}

function statusOf(url: string, ca: Buffer): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { ca }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', reject);
  });
}

/** The wall clock of two days from now; time passes as it does. */
export class LaterClock extends SystemClock {
  override nowMs(): number {
    return super.nowMs() + 2 * DAY_MS;
  }
}

type Wrong = readonly [what: string, settings: () => Partial<S3BlobsParts>, text: RegExp];
const ANOTHER_REGION: Wrong = ['another region', () => ({ region: 'elsewhere' }), /objectstore\.region/];

/** What the adapters need of an S3 server besides the blobs' own contract; run over each kind of server. `checksRegion`: it refuses signatures for another region. */
export function s3EndpointContract(
  name: string,
  there: () => EndpointBucket,
  { checksRegion }: { readonly checksRegion: boolean },
): void {
  let endpoint: EndpointBucket;
  beforeAll(() => void (endpoint = there()));
  afterEach(() => vi.restoreAllMocks());

  /** What is in the bucket: keys, and keys of uploads that were not ended. */
  async function inBucket(prefix: string): Promise<{ objects: string[]; uploads: string[] }> {
    const asked = { Bucket: endpoint.bucket, Prefix: prefix };
    const { Contents = [] } = await endpoint.client().send(new ListObjectsV2Command(asked));
    const { Uploads = [] } = await endpoint.client().send(new ListMultipartUploadsCommand(asked));
    return { objects: Contents.map(({ Key = '' }) => Key), uploads: Uploads.map(({ Key = '' }) => Key) };
  }

  describe(`blobs at ${name} [real]`, () => {
    it('are one small object for the name and one for the bytes, and nothing is left of what failed', async () => {
      const prefix = 'layout/';
      const blobs = endpoint.blobs({ prefix });
      await blobs.put('upload/blob-1', body(randomBytes(20 * MIB)));
      await blobs.put('upload/blob-1', body('again'));
      const refused = blobs.put('upload/blob-2', body(randomBytes(20 * MIB)), { expectSha256: '0'.repeat(64) });
      await expect(refused).rejects.toMatchObject({ code: 'InvalidParameterValue' });
      const large = blobs.put('upload/blob-2', body(randomBytes(20 * MIB), 'x'), { maxBytes: 20 * MIB });
      await expect(large).rejects.toMatchObject({ code: 'RequestTooLarge' });
      const { objects, uploads } = await inBucket(prefix);
      expect(uploads).toEqual([]);
      expect(objects).toEqual([
        expect.stringMatching(/^layout\/data\/[0-9a-f]{32}$/),
        'layout/names/upload/blob-1.json',
      ]);
      await blobs.delete('upload/blob-1');
      expect(await inBucket(prefix)).toEqual({ objects: [], uploads: [] });
    });

    it('stream: memory does not grow with the size', async () => {
      const chunk = randomBytes(MIB);
      const count = 96;
      const blobs = endpoint.blobs();
      const before = process.memoryUsage().rss;
      let peak = before;
      const look = (): void => void (peak = Math.max(peak, process.memoryUsage().rss));
      const source = Readable.from(
        (function* (): Generator<Buffer> {
          for (let i = 0; i < count; i += 1) {
            look();
            yield chunk;
          }
        })(),
      );
      expect((await blobs.put('large', source)).sizeBytes).toBe(count * MIB);
      const hash = createHash('sha256');
      for await (const part of await blobs.read('large')) {
        look();
        hash.update(part as Buffer);
      }
      expect(hash.digest('hex')).toBe((await blobs.head('large')).sha256);
      expect((peak - before) / MIB).toBeLessThan(64);
    });

    it.each<[string, () => Partial<S3BlobsParts>]>([
      ['path', () => ({})],
      ['host name', () => ({ endpoint: `https://${endpoint.domain}:${endpoint.port}`, addressing: 'virtual' })],
    ])('have a URL by which anybody can fetch them, with the bucket in its %s', async (_, changed) => {
      resolveExample();
      const blobs = endpoint.blobs(changed());
      const bytes = randomBytes(100_000);
      await blobs.put('upload/blob-3', body(bytes));
      const url = await blobs.presign('upload/blob-3', 60);
      expect(url).not.toContain(endpoint.secretAccessKey);
      const fetched = await new Promise<{ status: number | undefined; bytes: Buffer }>((resolve, reject) => {
        get(url, { ca: endpoint.ca }, (answer) => {
          buffer(answer).then((all) => resolve({ status: answer.statusCode, bytes: all }), reject);
        }).on('error', reject);
      });
      expect([fetched.status, sha256(fetched.bytes)]).toEqual([200, sha256(bytes)]);
      await expect(blobs.presign('absent', 60)).rejects.toMatchObject({ code: 'NotFound' });
    });

    it('are fetched by a host itself, by its curl', async () => {
      const blobs = endpoint.blobs();
      const bytes = randomBytes(3 * MIB);
      const { sizeBytes, sha256: digest } = await blobs.put('upload/blob-1', body(bytes));
      const baseDir = mkdtempSync(join(tmpdir(), 'novactl-host-'));
      const clock = new SystemClock();
      const shell = createLocalShell({ clock, random: new SystemRandom() });
      const source = (): Promise<Readable> => Promise.reject(new Error('the bytes were to be sent'));
      const { presign } = blobs;
      const store = createImageStore({ shell, clock, baseDir, source, presign, presignCa: endpoint.ca.toString() });
      const image = { blobKey: 'upload/blob-1', sha256: digest, sizeBytes, format: 'raw', kind: 'machine' } as const;
      try {
        expect(readFileSync(await store.ensureImage(image)).equals(bytes)).toBe(true);
      } finally {
        await shell.close();
        rmSync(baseDir, { recursive: true });
      }
    });

    it('of two clouds in one bucket are not taken for each other', async () => {
      const [one, other] = ['cloud-1', 'cloud-2'].map((cloudId) => endpoint.blobs({ prefix: 'both/', cloudId }));
      await one?.put('upload/blob-1', body('x'));
      expect(await other?.list('upload/')).toEqual([]);
      expect((await one?.list('upload/'))?.map(({ key }) => key)).toEqual(['upload/blob-1']);
    });

    it('leave what is on its way alone, and remove what is a day old and belongs to nothing', async () => {
      const prefix = 'sweep/';
      const s3 = endpoint.client();
      const at = (name: string) => ({ Bucket: endpoint.bucket, Key: `${prefix}${name}` });
      await endpoint.blobs({ prefix }).put('kept', body('x'));
      const kept = (await inBucket(prefix)).objects;
      const orphan = `data/${'e'.repeat(32)}`;
      const cutOff = `data/${'f'.repeat(32)}`;
      for (const name of [orphan, 'data/notes.txt']) await s3.send(new PutObjectCommand({ ...at(name), Body: 'left' }));
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at(cutOff)));
      await s3.send(new UploadPartCommand({ ...at(cutOff), UploadId, PartNumber: 1, Body: 'half' }));
      expect(await endpoint.blobs({ prefix }).list('')).toHaveLength(1);
      const young = await inBucket(prefix);
      expect([young.objects.length, young.uploads.length]).toEqual([kept.length + 2, 1]);
      // Of who only looks nothing is removed, also when it is old.
      await endpoint.blobs({ prefix, clock: new LaterClock(), readOnly: true }).list('');
      expect(await inBucket(prefix)).toEqual(young);
      expect(await endpoint.blobs({ prefix, clock: new LaterClock() }).list('')).toHaveLength(1);
      const left = await inBucket(prefix);
      expect(left).toEqual({ objects: [...kept, `${prefix}data/notes.txt`].sort(), uploads: [] });
    });
  });

  describe(`${name}, not as it should be [real]`, () => {
    it.each<Wrong>([
      ['a wrong secret', () => ({ secretAccessKey: canary('wrong secret') }), /objectstore\.secretKeyFile/],
      ['an unknown key', () => ({ accessKeyId: 'AKIAUNKNOWN000000000' }), /objectstore\.accessKeyId/],
      ['no such bucket', () => ({ bucket: 'not-there' }), /has no bucket not-there.*objectstore\.bucket/],
      ...(checksRegion ? [ANOTHER_REGION] : []),
      ['a certificate of nobody known', () => ({ ca: undefined }), /not trusted.*objectstore\.caFile/],
      ['nobody there', () => ({ endpoint: 'https://127.0.0.1:1' }), /https:\/\/127\.0\.0\.1:1 .*nobody listens/],
    ])('%s: says so, and which setting mends it', async (_, changed, text) => {
      const blobs = endpoint.blobs(changed());
      const expected = { code: 'Unavailable', message: expect.stringMatching(text) as string };
      await expect(blobs.put('a', body('x'))).rejects.toMatchObject(expected);
      await expect(blobs.head('a')).rejects.toMatchObject(expected);
      await expect(blobs.list('')).rejects.toMatchObject(expected);
    });

    it('that has another time: what is sent and signed for hosts goes by its clock', async () => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
      try {
        const blobs = endpoint.blobs();
        await blobs.put('upload/blob-1', body('x'));
        const url = await blobs.presign('upload/blob-1', 60);
        expect(await statusOf(url, endpoint.ca)).toBe(200);
        const fresh = endpoint.blobs();
        await fresh.delete('upload/blob-1');
        await expect(fresh.head('upload/blob-1')).rejects.toMatchObject({ code: 'NotFound' });
      } finally {
        vi.useRealTimers();
      }
    });

    it('killed and started again: nothing that was stored is gone, and what was on its way is not there', async () => {
      const prefix = 'killed/';
      const blobs = endpoint.blobs({ prefix });
      const info = await blobs.put('upload/blob-1', body(randomBytes(3 * MIB)));
      let sent = 0;
      const endless = new Readable({
        read() {
          sent += 1;
          this.push(randomBytes(MIB));
        },
      });
      const put = blobs.put('upload/blob-2', endless).catch((error: unknown) => error);
      while (sent < 30) await sleep(5);
      await endpoint.kill9();
      expect(await put).toMatchObject({
        code: 'Unavailable',
        message: expect.stringContaining(endpoint.url) as string,
      });
      expect(endless.destroyed).toBe(true);
      await expect(blobs.head('upload/blob-1')).rejects.toMatchObject({ code: 'Unavailable' });
      await endpoint.startAgain();
      expect(await blobs.head('upload/blob-1')).toEqual(info);
      expect(sha256(await buffer(await blobs.read('upload/blob-1')))).toBe(info.sha256);
      await expect(blobs.head('upload/blob-2')).rejects.toMatchObject({ code: 'NotFound' });
      expect((await inBucket(prefix)).uploads).toHaveLength(1);
      await endpoint.blobs({ prefix, clock: new LaterClock() }).list('');
      expect((await inBucket(prefix)).uploads).toEqual([]);
    });
  });

  describe(`${name} behind a bad network [real]`, () => {
    let proxy: CuttingProxy;
    beforeEach(async () => (proxy = await CuttingProxy.start(endpoint.port)));
    afterEach(() => proxy.close());
    const behind = (changed: Partial<S3BlobsParts> = {}): ReturnType<EndpointBucket['blobs']> =>
      endpoint.blobs({ endpoint: `https://127.0.0.1:${proxy.port}`, ...changed });

    it('that says nothing any more is not waited for longer than is configured', async () => {
      const blobs = behind({ timeoutMs: 1000, prefix: 'silent/' });
      await endpoint.blobs({ prefix: 'silent/' }).put('a', body(randomBytes(24 * MIB)));
      const reading = await blobs.read('a');
      const first = reading[Symbol.asyncIterator]();
      await first.next();
      proxy.hold();
      const late = { code: 'Unavailable', message: expect.stringContaining('did not answer within') as string };
      const rest = async (): Promise<void> => {
        while ((await first.next()).done !== true);
      };
      const waiting = [blobs.head('a'), blobs.put('b', body('x')), rest()];
      await Promise.all(waiting.map((one) => expect(one).rejects.toMatchObject(late)));
    });

    it('may be slower to be read than it may be to answer', async () => {
      const blobs = behind({ timeoutMs: 2000, prefix: 'slow/' });
      const { sha256: digest } = await endpoint.blobs({ prefix: 'slow/' }).put('a', body(randomBytes(8 * MIB)));
      const hash = createHash('sha256');
      let pauses = 0;
      for await (const part of await blobs.read('a')) {
        if (pauses === 0) await sleep(2500);
        pauses += 1;
        hash.update(part as Buffer);
      }
      expect(hash.digest('hex')).toBe(digest);
    });

    it('that is cut in the middle of an answer is no shorter blob', async () => {
      const blobs = behind();
      await blobs.put('a', body(randomBytes(8 * MIB)));
      const reading = await blobs.read('a');
      proxy.cut();
      const cut = { code: 'Unavailable', message: expect.stringContaining('was cut') as string };
      await expect(buffer(reading)).rejects.toMatchObject(cut);
    });
  });

  describe(`objects at ${name} that images are made of [real]`, () => {
    const ROOT = { name: 'root', projectId: 'admin', roles: ['cloudadmin'] };
    const EVE = { name: 'eve', projectId: 'lab', roles: ['member'] };

    it('are for a cloudadmin, and for others where the configuration names the bucket', async () => {
      const { bucket } = endpoint;
      const bytes = randomBytes(300_000);
      for (const Key of ['images/disk.raw', 'own/data/x'])
        await endpoint.client().send(new PutObjectCommand({ Bucket: bucket, Key, Body: bytes }));
      const open = (importBuckets: string[]) =>
        createS3ImageObjects({ ...endpoint.parts({ prefix: 'own/' }), importBuckets });
      const named = { bucket, key: 'images/disk.raw' };
      const denied = (text: string) => ({ code: 'AccessDenied', message: expect.stringContaining(text) as string });
      await expect(open([]).open(EVE, named)).rejects.toMatchObject(denied('objectstore.importBuckets'));
      await expect(open([bucket]).open(EVE, { bucket, key: 'own/data/x' })).rejects.toMatchObject(
        denied('objectstore.prefix'),
      );
      for (const [objects, asker] of [
        [open([]), ROOT],
        [open([bucket]), EVE],
      ] as const) {
        const object = await objects.open(asker, named);
        expect([object.sizeBytes, object.etag]).toEqual([300_000, createHash('md5').update(bytes).digest('hex')]);
        expect(sha256(await buffer(await object.read()))).toBe(sha256(bytes));
        expect(await buffer(await object.read({ start: 10, end: 20 }))).toEqual(bytes.subarray(10, 20));
        expect(await buffer(await object.read({ start: 300_000 }))).toEqual(Buffer.alloc(0));
      }
    });

    it('say what is missing, and are of one version to the end', async () => {
      const { bucket } = endpoint;
      const objects = createS3ImageObjects({ ...endpoint.parts(), importBuckets: [] });
      const absent = (named: Parameters<typeof objects.open>[1]) => objects.open(ROOT, named);
      await expect(absent({ bucket, key: 'absent' })).rejects.toMatchObject({ code: 'NoSuchKey' });
      await expect(absent({ bucket: 'not-there', key: 'x' })).rejects.toMatchObject({ code: 'NoSuchBucket' });
      const put = (Body: string) =>
        endpoint.client().send(new PutObjectCommand({ Bucket: bucket, Key: 'images/changes', Body }));
      await put('first');
      const object = await objects.open(ROOT, { bucket, key: 'images/changes' });
      await put('other');
      await expect(object.read()).rejects.toMatchObject({
        code: 'Unavailable',
        message: expect.stringContaining('was replaced') as string,
      });
    });
  });
}
