import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canary } from '../support/canaries.ts';
import type { EndpointBucket } from '../support/endpoint-bucket.ts';
import { askReadiness } from '../../src/client/ask-readiness.ts';
import { STATUS_SOCKET } from '../../src/messages/readiness.ts';
import { TestCloud } from '../support/test-cloud.ts';
import { until } from '../support/until.ts';

/** What a cloud does whose images are at an S3 endpoint elsewhere; run over each kind of server. */
export function cloudOnEndpoint(name: string, endpoint: () => EndpointBucket): void {
  let there: EndpointBucket;
  let cloud: TestCloud;
  let dir: string;
  beforeAll(() => {
    there = endpoint();
    dir = mkdtempSync(join(tmpdir(), 'novactl-on-endpoint-'));
    cloud = new TestCloud({
      NOVACTL_METADATA_LISTEN: 'none',
      ...there.settings(join(dir, 'secret')),
      NOVACTL_EC2_LISTEN: '127.0.0.1:0',
      NOVACTL_EC2_PROTOCOL: 'http',
    });
  });
  afterAll(async () => {
    await cloud.destroy();
    rmSync(dir, { recursive: true, force: true });
  });

  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  function disk(name: string, sizeBytes: number): { path: string; bytes: Buffer } {
    const bytes = randomBytes(sizeBytes);
    bytes.writeUInt16LE(0xaa55, 510);
    const path = join(dir, name);
    writeFileSync(path, bytes);
    return { path, bytes };
  }

  /** Keys at the endpoint that begin so. */
  async function keysThere(prefix: string): Promise<string[]> {
    const command = new ListObjectsV2Command({ Bucket: there.bucket, Prefix: prefix });
    return ((await there.client().send(command)).Contents ?? []).map(({ Key = '' }) => Key);
  }

  describe(`a cloud whose object store is ${name} [real]`, () => {
    it('is checked before it starts: the endpoint answers and the bucket is there', async () => {
      expect(await cloud.cli('config', 'check')).toMatchObject({ code: 0 });
      const otherSecret = join(dir, 'other-secret');
      writeFileSync(otherSecret, canary('secret of nobody'), { mode: 0o600 });
      for (const [name, value, setting] of [
        ['BUCKET', 'not-there', 'objectstore.bucket'],
        ['ACCESS_KEY_ID', 'AKIAUNKNOWN000000000', 'objectstore.accessKeyId'],
        ['SECRET_KEY_FILE', otherSecret, 'objectstore.secretKeyFile'],
      ] as const) {
        const wrong = await cloud.with({ [`NOVACTL_OBJECTSTORE_${name}`]: value }).cli('config', 'check');
        expect([wrong.code, wrong.stderr]).toEqual([7, expect.stringContaining(setting)]);
      }
      const both = await cloud.with({ NOVACTL_OBJECTSTORE_LISTEN: '127.0.0.1' }).cli('config', 'check');
      expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('a cloud has one object store')]);
    });

    it('with no daemon and with one keeps the bytes of images there, reads, verifies and deletes them', async () => {
      const small = disk('small.raw', 1_024_000);
      await cloud.ok('image', 'import', small.path, '--name', 'small');
      expect(await keysThere('novactl/names/upload/')).toHaveLength(1);
      const [key = ''] = await keysThere('novactl/data/');
      const { Body } = await there.client().send(new GetObjectCommand({ Bucket: there.bucket, Key: key }));
      expect(sha256((await Body?.transformToByteArray()) ?? new Uint8Array())).toBe(sha256(small.bytes));
      expect(existsSync(join(cloud.dir, 'state', 'blobs'))).toBe(false);

      await cloud.start();
      const large = disk('large.raw', 20 * 1024 * 1024);
      await cloud.ok('image', 'import', large.path, '--name', 'large');
      expect(await keysThere('novactl/data/')).toHaveLength(2);
      const { images } = await cloud.json<{ images: { name: string }[] }>('image', 'list');
      expect(images.map(({ name }) => name).sort()).toEqual(['large', 'small']);
      expect(await cloud.cli('maintain', 'verify')).toMatchObject({ code: 0 });
      await cloud.ok('maintain', 'backup');
      await cloud.ok('image', 'delete', 'large', '--yes');
      expect(await keysThere('novactl/data/')).toEqual([key]);
      expect(existsSync(join(cloud.dir, 'state', 'blobs'))).toBe(false);
      expect(cloud.log).not.toContain(there.secretAccessKey);
    });

    it('makes images of objects there', async () => {
      const { bytes } = disk('object.raw', 614_400);
      await there.client().send(new PutObjectCommand({ Bucket: there.bucket, Key: 'disks/object.raw', Body: bytes }));
      await cloud.ok('image', 'import', `s3://${there.bucket}/disks/object.raw`, '--name', 'object');
      expect(await keysThere('novactl/data/')).toHaveLength(2);
    });

    it('gives credentials that name the endpoint, and says where objects are', async () => {
      const out = join(dir, 'credentials');
      await cloud.ok('project', 'credentials', '--out', out, '--ec2-url', 'http://127.0.0.1:8773');
      expect(readFileSync(join(out, 'novarc'), 'utf8')).toContain(`S3_URL=${there.url}`);
    });

    it('says which endpoint is down, and goes on when it is back', async () => {
      await there.kill9();
      const { path } = disk('down.raw', 102_400);
      const refused = await cloud.cli('image', 'import', path, '--name', 'down');
      expect([refused.code, refused.stderr]).toEqual([7, expect.stringContaining(there.url)]);
      expect(await cloud.cli('image', 'list')).toMatchObject({ code: 0 });
      const isTold = async () =>
        (await cloud.cli('status')).stdout.includes(`the object store at ${there.url} can't be asked`);
      await until(isTold, { what: 'status says that the endpoint is down', timeoutMs: 40_000, everyMs: 500 });
      const { code, stdout } = await cloud.cli('status');
      expect([code, stdout]).toEqual([0, expect.stringMatching(/objects: .* \(since \d{4}-.*Z\)/)]);
      expect(await askReadiness(join(cloud.dir, 'state', STATUS_SOCKET))).toMatchObject({
        ...{ ready: true, reasons: [] },
        troubles: [expect.stringContaining(there.url)],
      });
      await there.startAgain();
      await cloud.ok('image', 'import', path, '--name', 'down');
    });
  });
}
