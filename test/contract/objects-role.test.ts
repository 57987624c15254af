import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createFileBlobs } from '../../src/adapters/blobs/file-blobs.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { etcdMissing } from '../support/etcd-node.ts';
import { freePorts } from '../support/free-ports.ts';
import { PrivateRabbit, rabbitMissing } from '../support/private-rabbit.ts';
import { NOVACTL, run, type CliResult } from '../support/test-cloud.ts';
import { until } from '../support/until.ts';
import { ClusterProcess } from '../system/support/cluster-process.ts';

const missing = etcdMissing() ?? rabbitMissing();
/** A key that another process made, or took back, is known within a second; a machine that is busy with other tests may need more of them for the same. */
const FOLLOWS_MS = 10_000;

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** One process that decides and has hosts, and one that has objects: over etcd and RabbitMQ. */
class TwoProcesses {
  readonly dir = mkdtempSync(join(tmpdir(), 'novactl-objects-role-'));
  readonly control: ClusterProcess;
  readonly objects: ClusterProcess;
  readonly #etcd: EtcdCluster;
  readonly #rabbit: PrivateRabbit;
  readonly #s3Port: number;
  readonly #secondPort: number;

  private constructor(
    etcd: EtcdCluster,
    rabbit: PrivateRabbit,
    [s3Port = 0, controlPort = 0, objectsPort = 0, secondPort = 0]: number[],
  ) {
    this.#etcd = etcd;
    this.#rabbit = rabbit;
    this.#s3Port = s3Port;
    this.#secondPort = secondPort;
    const passwordFile = join(this.dir, 'password');
    writeFileSync(passwordFile, rabbit.password, { mode: 0o600 });
    for (const name of ['secrets', 'blobs']) mkdirSync(join(this.dir, name), { mode: 0o700 });
    const env = {
      ...process.env,
      HOME: this.dir,
      NO_COLOR: '1',
      NOVACTL_DRIVERS: 'simulated',
      NOVACTL_METADATA_LISTEN: 'none',
      NOVACTL_SECRETS_DIR: join(this.dir, 'secrets'),
      NOVACTL_BLOBS_DIR: this.blobsDir,
      NOVACTL_STORE_ENGINE: 'etcd',
      NOVACTL_STORE_ETCD_ENDPOINTS: etcd.endpoints.join(','),
      NOVACTL_BUS_ENGINE: 'rabbitmq',
      NOVACTL_BUS_RABBITMQ_ENDPOINTS: rabbit.url,
      NOVACTL_BUS_RABBITMQ_PASSWORD_FILE: passwordFile,
    };
    const s3 = { NOVACTL_OBJECTSTORE_LISTEN: `127.0.0.1:${s3Port}`, NOVACTL_OBJECTSTORE_PROTOCOL: 'http' };
    const of = { dir: this.dir };
    const roles = 'api,controller,worker';
    this.control = new ClusterProcess({ ...of, name: 'control', roles, metricsPort: controlPort, env });
    this.objects = new ClusterProcess({
      ...{ ...of, name: 'shelf', roles: 'objectstore', metricsPort: objectsPort },
      env: { ...env, ...s3 },
    });
  }

  static async start(): Promise<TwoProcesses> {
    const [etcd, rabbit, ports] = await Promise.all([
      EtcdCluster.start({ nodes: 1 }),
      PrivateRabbit.start(),
      freePorts(4),
    ]);
    const made = new TwoProcesses(etcd, rabbit, ports);
    // The objects wait for whoever makes the cloud.
    for (const each of [made.objects, made.control]) each.spawn();
    await Promise.all([made.objects.ready(), made.control.ready()]);
    await until(async () => (await made.cli('service', 'list')).stdout.includes('shelf'), {
      what: 'the objects were heard of',
      everyMs: 200,
    });
    return made;
  }

  /** One more that is to have objects. */
  second(): ClusterProcess {
    return new ClusterProcess({
      ...{ dir: this.dir, name: 'second', roles: 'objectstore', metricsPort: this.#secondPort },
      env: this.control.env,
    });
  }

  get blobsDir(): string {
    return join(this.dir, 'blobs');
  }

  cli(...words: string[]): Promise<CliResult> {
    return run(NOVACTL, words, this.control.env);
  }

  async json<T>(...words: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.cli(...words, '--json');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    return JSON.parse(stdout) as T;
  }

  s3(credentials: Key): S3Client {
    return new S3Client({
      ...{ endpoint: `http://127.0.0.1:${this.#s3Port}`, region: 'nova', forcePathStyle: true, credentials },
      maxAttempts: 1,
    });
  }

  async destroy(): Promise<void> {
    await Promise.all([this.control.kill(), this.objects.kill()]);
    await Promise.all([this.#etcd.destroy(), this.#rabbit.destroy()]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

let there: TwoProcesses | undefined;
beforeAll(async () => {
  if (missing === undefined) there = await TwoProcesses.start();
}, 150_000);
afterAll(() => there?.destroy());
beforeEach((context) => context.skip(missing !== undefined, missing));

function cloud(): TwoProcesses {
  if (there === undefined) throw new Error('the processes did not start');
  return there;
}

describe('a process that has the objects and nothing else, over etcd and RabbitMQ [real]', () => {
  const bytes = randomBytes(3_072_000);
  bytes.writeUInt16LE(0xaa55, 510);
  let key: Key;
  let s3: S3Client;

  it('takes an access key that was made elsewhere, without being told', async () => {
    key = await cloud().json<Key>('key', 'create');
    s3 = cloud().s3(key);
    const create = () =>
      s3.send(new CreateBucketCommand({ Bucket: 'disks' })).then(
        () => true,
        () => false,
      );
    await until(create, { what: 'the key is known', timeoutMs: FOLLOWS_MS, everyMs: 50 });
    await s3.send(new PutObjectCommand({ Bucket: 'disks', Key: 'a.raw', Body: bytes }));
  });

  it('is named where somebody asks a process without objects', async () => {
    const { code, stderr } = await cloud().cli('bucket', 'list');
    expect([code, stderr]).toEqual([7, expect.stringContaining('control has not the role objectstore')]);
    expect(stderr).toContain('shelf (on ');
  });

  it('answers at a socket of its own: its objects are looked at, and what is to change goes to a controller', async () => {
    const shelf = (...words: string[]) => run(NOVACTL, [...words, '--json'], cloud().objects.env);
    const shown = await shelf('objectstore', 'show');
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    expect(JSON.parse(shown.stdout)).toMatchObject({ buckets: 1, bytes: bytes.length });
    const scrubbed = await shelf('objectstore', 'scrub');
    expect([scrubbed.code, JSON.parse(scrubbed.stdout)]).toEqual([0, expect.objectContaining({ damagedCount: 0 })]);
    expect(await shelf('objectstore', 'collect')).toMatchObject({ code: 0 });
    const made = await shelf('project', 'create', 'by-shelf');
    expect([made.code, made.stderr]).toEqual([0, expect.any(String)]);
    expect((await cloud().cli('project', 'list')).stdout).toContain('by-shelf');
    const status = await shelf('status');
    expect([status.code, status.stdout]).toEqual([0, expect.stringContaining('shelf')]);
    const up = await shelf('up');
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining('the process shelf (objectstore) is up already')]);
  });

  it('gives a controller the bytes of images, and leaves no copy of them', async () => {
    const { code, stderr } = await cloud().cli('image', 'import', 's3://disks/a.raw', '--name', 'of-object');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const { images } = await cloud().json<{ images: { name: string; state: string }[] }>('image', 'list');
    expect(images).toEqual([expect.objectContaining({ name: 'of-object', state: 'available' })]);
    const blobs = createFileBlobs({ dir: cloud().blobsDir, random: new SystemRandom(), shared: true, readOnly: true });
    const kept = async () => (await blobs.list('upload/')).map(({ sizeBytes }) => sizeBytes);
    // The copy goes when its stream is closed, for which nobody waits.
    await until(async () => (await kept()).length === 1, { what: 'the copy is gone' });
    expect(await kept()).toEqual([bytes.length]);
    const absent = await cloud().cli('image', 'import', 's3://disks/b.raw', '--name', 'absent');
    expect([absent.code !== 0, absent.stderr]).toEqual([true, expect.stringContaining('no object disks/b.raw')]);
  });

  it('has all that was answered after kill -9, under the same name', async () => {
    await cloud().objects.restart();
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'disks', Key: 'a.raw' }));
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
    const { code, stderr } = await cloud().cli('image', 'import', 's3://disks/a.raw', '--name', 'once-more');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
  });

  it('is the only one: a second process with the role ends at its start, and says who has the objects', async () => {
    const second = cloud().second();
    second.spawn();
    await until(() => !second.alive, { what: 'the second process has ended', timeoutMs: 30_000, everyMs: 50 });
    expect(await second.stop()).toBe(9);
    expect(second.log).toMatch(/shelf has the objects of this cloud .*take the role objectstore from/);
    expect(second.log).not.toContain('S3 listens');
    expect(await cloud().objects.ask('/readyz')).toMatchObject({ status: 200 });
  });

  it('is asked for the buckets of a project that is to be deleted', async () => {
    await cloud().cli('project', 'create', 'lab');
    const inLab = cloud().s3({ ...key, accessKeyId: `${key.accessKeyId}:lab` });
    await inLab.send(new CreateBucketCommand({ Bucket: 'of-lab' }));
    const refused = await cloud().cli('project', 'delete', 'lab', '--yes', '--purge');
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('buckets of-lab')]);
    await inLab.send(new DeleteBucketCommand({ Bucket: 'of-lab' }));
    const { code, stderr } = await cloud().cli('project', 'delete', 'lab', '--yes');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
  });

  it('refuses a key soon after it was disabled elsewhere', async () => {
    await cloud().cli('key', 'disable', key.accessKeyId, '--yes');
    const get = () =>
      s3.send(new GetObjectCommand({ Bucket: 'disks', Key: 'a.raw' })).then(
        () => undefined,
        (error: unknown) => (error as Error).name,
      );
    expect(await until(get, { what: 'the key is refused', timeoutMs: FOLLOWS_MS, everyMs: 50 })).toBe(
      'InvalidAccessKeyId',
    );
  });
});
