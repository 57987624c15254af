import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { blobsContract } from '../contract/blobs.ts';
import { cloudOnEndpoint } from '../contract/cloud-on-endpoint.ts';
import { LaterClock, s3EndpointContract } from '../contract/s3-endpoint.ts';
import { cephMissing, PrivateCeph } from '../support/private-ceph.ts';
import { TestCloud } from '../support/test-cloud.ts';
import { until } from '../support/until.ts';

const missing = cephMissing();
let ceph: PrivateCeph;
beforeAll(async () => {
  if (missing === undefined) ceph = await PrivateCeph.start();
});
afterAll(() => ceph?.destroy());
beforeEach((context) => context.skip(missing !== undefined, missing));

/** More than a page of a list holds. */
const MANY = 1010;
const AT_ONCE = 16;
const body = (text: string): Readable => Readable.from([Buffer.from(text)]);

async function atOnce(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function uploadsBehind(prefix: string): Promise<number> {
  const list = new ListMultipartUploadsCommand({ Bucket: ceph.bucket, Prefix: prefix });
  return ((await ceph.client().send(list)).Uploads ?? []).length;
}

describe('the S3 server of Ceph alone [real]', () => {
  it('says of which version it is', async () => {
    const version = await ceph.version();
    console.log(`Ceph ${version}`);
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it('takes signatures for any region, as docs/OPERATIONS.md says', async () => {
    const { sizeBytes } = await ceph.blobs({ region: 'elsewhere' }).put('a', body('x'));
    expect(sizeBytes).toBe(1);
  });

  it('lists more than a page of blobs, and of uploads that nobody ended', async () => {
    const prefix = 'many/';
    const blobs = ceph.blobs({ prefix });
    await atOnce(MANY, (at) => blobs.put(`upload/${at}`, body(`${at}`)));
    const s3 = ceph.client();
    const keyOf = (at: number): string => `${prefix}data/${at.toString(16).padStart(32, '0')}`;
    const begin = (at: number) => new CreateMultipartUploadCommand({ Bucket: ceph.bucket, Key: keyOf(at) });
    await atOnce(MANY, (at) => s3.send(begin(at)));
    expect(await blobs.list('upload/')).toHaveLength(MANY);
    expect(await uploadsBehind(prefix)).toBe(1000);
    expect(await ceph.blobs({ prefix, clock: new LaterClock() }).list('upload/')).toHaveLength(MANY);
    expect(await uploadsBehind(prefix)).toBe(0);
  }, 300_000);

  it('refuses a user without rights, one that is suspended, and one whose quota is full: which it is, is said', async () => {
    const said = (text: RegExp) => ({ code: 'Unavailable', message: expect.stringMatching(text) as string });
    const stranger = await ceph.addUser('stranger');
    await expect(ceph.blobs(stranger).put('a', body('x'))).rejects.toMatchObject(said(/what the key may do there/));
    await ceph.admin('user', 'suspend', '--uid=stranger');
    await expect(ceph.blobs(stranger).put('a', body('x'))).rejects.toMatchObject(said(/UserSuspended.*accessKeyId/));
    const small = await ceph.addUser('small');
    const bucket = 'of-small';
    await ceph.client(small).send(new CreateBucketCommand({ Bucket: bucket }));
    await ceph.admin('quota', 'set', '--quota-scope=user', '--uid=small', '--max-size=65536');
    await ceph.admin('quota', 'enable', '--quota-scope=user', '--uid=small');
    const blobs = ceph.blobs({ ...small, bucket });
    await blobs.put('a', body('x'));
    await expect(blobs.put('b', body('x'.repeat(100_000)))).rejects.toMatchObject(said(/no room left/));
    expect((await blobs.list('')).map(({ key }) => key)).toEqual(['a']);
  });
});

describe('a cloud of simulated hosts on the S3 server of Ceph [real]', () => {
  const prefix = 'simulated/';
  let cloud: TestCloud | undefined;
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'novactl-on-ceph-'));
    if (missing !== undefined) return;
    cloud = new TestCloud({
      ...{ NOVACTL_DRIVERS: 'simulated', NOVACTL_METADATA_LISTEN: 'none', NOVACTL_OBJECTSTORE_PREFIX: prefix },
      ...ceph.settings(join(dir, 'secret')),
    });
    await cloud.start();
    await cloud.ok('host', 'add', 'sim1', '--simulated');
  });
  afterAll(async () => {
    await cloud?.destroy();
    rmSync(dir, { recursive: true });
  });

  function started(): TestCloud {
    if (cloud === undefined) throw new Error('the cloud did not start');
    return cloud;
  }
  async function objects(): Promise<number> {
    const list = new ListObjectsV2Command({ Bucket: ceph.bucket, Prefix: prefix });
    return (await ceph.client().send(list)).KeyCount ?? NaN;
  }
  function disk(name: string, mib: number): string {
    const bytes = Buffer.alloc(mib * 1024 * 1024, name);
    bytes.writeUInt16LE(0xaa55, 510);
    writeFileSync(join(dir, name), bytes);
    return join(dir, name);
  }
  async function states(): Promise<string[]> {
    return (await started().instances()).map(({ state }) => state).filter((state) => state !== 'terminated');
  }

  /** An image that is deleted goes with the last instance of it. */
  async function terminateAll(): Promise<void> {
    const live = (await started().instances()).filter(({ state }) => state !== 'terminated');
    const ids = live.map(({ instanceId }) => instanceId);
    await started().ok('instance', 'terminate', '--yes', '--wait', ...ids);
    await until(async () => (await objects()) === 0, { what: 'the bytes of the deleted image are gone' });
  }

  it('imports an image, runs an instance of it, deletes it, and leaves nothing in the bucket', async () => {
    const running = started();
    await running.ok('image', 'import', disk('web', 20), '--name', 'web');
    const { images } = await running.json<{ images: { name: string; state: string }[] }>('image', 'list');
    expect(images).toMatchObject([{ name: 'web', state: 'available' }]);
    expect(await objects()).toBe(2);
    await running.ok('instance', 'run', '--image', 'web', '--type', 'm1.nano', '--wait');
    expect(await states()).toEqual(['running']);
    await running.ok('image', 'delete', 'web', '--yes');
    expect(await objects()).toBe(2);
    await terminateAll();
    expect(await uploadsBehind(prefix)).toBe(0);
  });

  it('outlives the death of the gateway in an import, which is said to have failed', async () => {
    const path = disk('large', 512);
    const underWay = started().cli('image', 'import', path, '--name', 'large');
    await until(async () => (await uploadsBehind(prefix)) > 0, { what: 'the import uploads' });
    await ceph.kill9();
    const { code, stderr } = await underWay;
    expect([code, stderr]).toEqual([7, expect.stringContaining(ceph.url)]);
    await ceph.startAgain();
    await started().ok('image', 'import', path, '--name', 'large-2');
    await started().ok('instance', 'run', '--image', 'large-2', '--type', 'm1.nano', '--wait');
    expect(await states()).toEqual(['running']);
    await started().ok('image', 'delete', 'large-2', '--yes');
    await terminateAll();
  });
});

if (missing === undefined) {
  const close = (): Promise<void> => Promise.resolve();
  blobsContract('a bucket of Ceph, by TLS [real]', () => Promise.resolve({ blobs: ceph.blobs(), close }));
  blobsContract('a bucket of Ceph, without TLS [real]', () =>
    Promise.resolve({ blobs: ceph.blobs({ endpoint: ceph.plainUrl }), close }),
  );
  s3EndpointContract('the S3 server of Ceph', () => ceph, { checksRegion: false });
  cloudOnEndpoint('the S3 server of Ceph', () => ceph);
}
