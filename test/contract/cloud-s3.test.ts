import { randomBytes, createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { CloudClient, S3Exchange, S3Reply } from '../../src/client/cloud-client.ts';
import { HttpsClient } from '../../src/client/https-client.ts';
import { SocketClient } from '../../src/client/socket-client.ts';
import { AdminServer, socketPrincipal } from '../../src/controller/api/admin/admin-server.ts';
import { InProcessClient } from '../../src/launch/in-process-client.ts';
import { HttpsCloud } from '../support/https-cloud.ts';
import { startSimCloud } from '../support/sim-cloud.ts';
import { simS3Door } from '../support/sim-s3-door.ts';

interface Subject {
  readonly client: CloudClient;
  /** Whether the caller is the administrator of the machine. */
  readonly isRoot: boolean;
  close(): Promise<void>;
}

const clock = new SystemClock();

async function overSocket(): Promise<Subject> {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-cloud-s3-'));
  const sim = await startSimCloud({ stateDir: dir, hosts: [] });
  const { gateway, blobs, context } = sim.cloud;
  const socketPath = join(dir, 'run', 'novactl.sock');
  const server = new AdminServer({
    ...{ gateway, blobs, clock, random: new SystemRandom(), logger: silentLogger, socketPath },
    ...{ directory: context.directory, s3: simS3Door(sim, dir) },
  });
  await server.start();
  const close = async (): Promise<void> => {
    await server.close();
    await sim.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return { client: new SocketClient({ socketPath, clock }), isRoot: true, close };
}

async function inProcess(): Promise<Subject> {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-cloud-s3-'));
  const sim = await startSimCloud({ stateDir: dir, hosts: [] });
  const { gateway, blobs } = sim.cloud;
  const client = new InProcessClient({
    ...{ gateway, blobs, random: new SystemRandom(), s3: simS3Door(sim, dir) },
    principal: socketPrincipal(undefined),
  });
  const close = async (): Promise<void> => {
    await sim.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return { client, isRoot: true, close };
}

async function overHttps(): Promise<Subject> {
  const cloud = await HttpsCloud.start();
  const { url, ca, key } = cloud;
  const client = new HttpsClient({ url, ca, key, region: 'nova', clock: cloud.sim.clock });
  return { client, isRoot: false, close: () => cloud.close() };
}

/** What text a reply has, and that it ended well. */
async function told(reply: S3Reply): Promise<string> {
  return text(reply.body);
}

/** Bytes that are made as they are wanted. */
function bytesOf(size: number): { readonly stream: Readable; readonly sha256: () => string } {
  const block = randomBytes(64 * 1024);
  const hash = createHash('sha256');
  let left = size;
  const stream = new Readable({
    read() {
      const chunk = block.subarray(0, Math.min(left, block.length));
      left -= chunk.length;
      if (chunk.length > 0) hash.update(chunk);
      this.push(chunk.length === 0 ? null : Buffer.from(chunk));
    },
  });
  return { stream, sha256: () => hash.digest('hex') };
}

async function sha256Of(body: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

describe.each([
  ['over the socket', overSocket],
  ['over HTTPS', overHttps],
  ['in process', inProcess],
] as const)('S3 by a CloudClient %s [sim]', (_name, open) => {
  let subject: Subject;
  const ask = (request: S3Exchange): Promise<S3Reply> => subject.client.s3(request);
  const statusOf = async (request: S3Exchange): Promise<number> => {
    const reply = await ask(request);
    reply.body.destroy();
    return reply.status;
  };
  beforeAll(async () => {
    subject = await open();
    expect(await statusOf({ method: 'PUT', path: '/contract' })).toBe(200);
  });
  afterAll(async () => {
    await subject.client.close();
    await subject.close();
  });

  it('puts a text and reads it back with its metadata, whatever letters they have', async () => {
    const path = `/contract/${encodeURIComponent('Regal 3/ä#?&%+')}`;
    const headers = { 'content-type': 'text/plain', 'x-amz-meta-where': 'im Regal – ganz oben' };
    const put = await ask({ method: 'PUT', path, headers, body: 'Äpfel' });
    expect({ status: put.status, told: await told(put) }).toEqual({ status: 200, told: '' });
    const got = await ask({ method: 'GET', path });
    expect(got).toMatchObject({ status: 200, headers: { ...headers, 'content-length': '6' } });
    expect(await told(got)).toBe('Äpfel');
    const head = await ask({ method: 'HEAD', path });
    expect(head).toMatchObject({ status: 200, headers: { ...headers, 'content-length': '6' } });
    expect(await told(head)).toBe('');
    expect(await statusOf({ method: 'DELETE', path })).toBe(204);
    expect(await statusOf({ method: 'HEAD', path })).toBe(404);
  });

  it('lists by a query', async () => {
    for (const key of ['a/1', 'a/2', 'b']) await statusOf({ method: 'PUT', path: `/contract/list/${key}`, body: key });
    const reply = await ask({ method: 'GET', path: '/contract?list-type=2&prefix=list%2F&delimiter=%2F' });
    const xml = await told(reply);
    expect(xml).toContain('<CommonPrefixes><Prefix>list/a/</Prefix></CommonPrefixes>');
    expect(xml).toContain('<Key>list/b</Key>');
  });

  it.each([
    ['whose length is known', true],
    ['whose length nobody knows', false],
  ])('carries a large body both ways %s', async (_what, isKnown) => {
    const size = 24 * 1024 * 1024 + 17;
    const { stream, sha256 } = bytesOf(size);
    const headers = isKnown ? { 'content-length': String(size) } : {};
    const put = await ask({ method: 'PUT', path: '/contract/large', headers, body: stream });
    expect({ status: put.status, told: await told(put) }).toEqual({ status: 200, told: '' });
    const got = await ask({ method: 'GET', path: '/contract/large' });
    expect(got.headers['content-length']).toBe(String(size));
    expect(await sha256Of(got.body)).toBe(sha256());
    const part = await ask({ method: 'GET', path: '/contract/large', headers: { range: 'bytes=10-19' } });
    expect({ status: part.status, length: (await told(part)).length > 0 }).toEqual({ status: 206, length: true });
  });

  it('a reply that nobody reads to its end leaves the client well', async () => {
    const size = 8 * 1024 * 1024;
    const { stream } = bytesOf(size);
    await statusOf({
      method: 'PUT',
      path: '/contract/left',
      headers: { 'content-length': String(size) },
      body: stream,
    });
    const got = await ask({ method: 'GET', path: '/contract/left' });
    got.body.destroy();
    expect(await statusOf({ method: 'HEAD', path: '/contract/left' })).toBe(200);
  });

  it('answers what S3 refuses as S3 does, and takes no more of the body', async () => {
    const missing = await ask({ method: 'GET', path: '/contract/none' });
    expect(missing).toMatchObject({ status: 404, headers: { 'content-type': 'application/xml' } });
    expect(await told(missing)).toContain('<Code>NoSuchKey</Code>');
    const size = 64 * 1024 * 1024;
    const { stream } = bytesOf(size);
    const headers = { 'content-length': String(size) };
    const refused = await ask({ method: 'PUT', path: '/no-such-bucket/key', headers, body: stream });
    expect(refused.status).toBe(404);
    expect(await told(refused)).toContain('<Code>NoSuchBucket</Code>');
    expect(stream.destroyed).toBe(true);
  });

  it('a body that fails is not stored, and its error is not lost', async () => {
    const stream = new Readable({ read: () => undefined });
    stream.push(Buffer.alloc(100_000));
    const reply = ask({ method: 'PUT', path: '/contract/cut', headers: { 'content-length': '200000' }, body: stream });
    clock.after(50, () => void stream.destroy(new Error('the disk is gone')));
    const failed = await reply.then(
      async (it) => it.status >= 400 && (await told(it)).includes('IncompleteBody'),
      () => true,
    );
    expect(failed).toBe(true);
    expect(await statusOf({ method: 'HEAD', path: '/contract/cut' })).toBe(404);
  });

  it('an aborted signal ends it with its reason', async () => {
    const reason = new Error('stop');
    await expect(ask({ method: 'GET', path: '/contract', signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const abort = new AbortController();
    const body = new Readable({ read: () => undefined });
    body.push(Buffer.alloc(10));
    const reply = ask({ method: 'PUT', path: '/contract/aborted', body, signal: abort.signal });
    clock.after(50, () => abort.abort(reason));
    await expect(reply).rejects.toBe(reason);
    expect(await statusOf({ method: 'HEAD', path: '/contract/aborted' })).toBe(404);
  });

  it('lets the administrator of the machine, and nobody else, past a policy that denies', async () => {
    await statusOf({ method: 'PUT', path: '/closed' });
    const Statement = [{ Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource: 'arn:aws:s3:::closed/*' }];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    expect(await statusOf({ method: 'PUT', path: '/closed?policy', body: policy })).toBe(204);
    const status = await statusOf({ method: 'PUT', path: '/closed/key', body: 'x' });
    expect(status).toBe(subject.isRoot ? 200 : 403);
  });
});
