import { once } from 'node:events';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { silentLogger } from '../../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../../src/base/random.ts';
import {
  createMetadataServer,
  METADATA_LIMITS,
  type MetadataServer,
} from '../../../../../src/controller/api/metadata/metadata-server.ts';
import { until } from '../../../../support/until.ts';
import { bare, full } from './sample.ts';

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Loopback addresses stand for guests: 127.0.0.2 and .3 are instances, 127.0.0.9 breaks the lookup. */
describe('metadata server over the wire', () => {
  let server: MetadataServer;
  let port = 0;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    const instances = new Map([full, bare].map((view) => [view.localIpv4, view]));
    server = createMetadataServer({
      lookup: (address) => {
        if (address === '127.0.0.9') throw new Error('lookup broke');
        return instances.get(address);
      },
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: silentLogger,
      host: '127.0.0.1',
      port: 0,
    });
    ({ port } = await server.start());
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
  });

  const send = (
    from: string,
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: Buffer } = {},
  ): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      const outgoing = request({ host: '127.0.0.1', port, localAddress: from, path, method, headers, agent: false });
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) }),
        );
      });
      outgoing.end(body);
    });
  const dial = async (from: string): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: from });
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };

  it('knows instances by the address that they speak from', async () => {
    expect((await send('127.0.0.2', '/latest/meta-data/instance-id')).body.toString()).toBe(full.instanceId);
    expect((await send('127.0.0.3', '/latest/meta-data/instance-id')).status).toBe(401);
    expect((await send('127.0.0.4', '/latest/meta-data/instance-id')).status).toBe(404);
    const spoofed = { headers: { 'x-forwarded-for': '127.0.0.2', host: full.localIpv4 } };
    expect((await send('127.0.0.4', '/latest/meta-data/instance-id', spoofed)).status).toBe(404);
  });

  it('speaks version 2: a token, then everything with it', async () => {
    const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };
    const issued = await send('127.0.0.3', '/latest/api/token', { method: 'PUT', headers: ttl });
    expect(issued.status).toBe(200);
    const headers = { 'X-aws-ec2-metadata-token': issued.body.toString() };
    expect((await send('127.0.0.3', '/latest/meta-data/instance-id', { headers })).body.toString()).toBe(
      bare.instanceId,
    );
    expect((await send('127.0.0.2', '/latest/meta-data/instance-id', { headers })).status).toBe(401);
  });

  it('gives user data byte for byte, and a HEAD the headers alone', async () => {
    const got = await send('127.0.0.2', '/latest/user-data');
    expect(got.body).toEqual(full.userData);
    expect(got.headers['content-type']).toBe('application/octet-stream');
    const head = await send('127.0.0.2', '/latest/user-data', { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '6', 0]);
  });

  it('sends headers and body together', async () => {
    const socket = await dial('127.0.0.2');
    const chunks: string[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    socket.write('GET /latest/meta-data/mac HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => chunks.join('').endsWith(full.mac), { what: 'the answer is here' });
    expect(chunks.length).toBe(1);
  });

  it('answers requests that come at once on one connection, in order', async () => {
    const socket = await dial('127.0.0.2');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    socket.write(get('/latest/meta-data/mac') + get('/latest/nothing') + get('/latest/meta-data/hostname'));
    await until(() => text.endsWith(full.hostname), { what: 'all answers are here' });
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
  });

  it('says 500 and goes on when the lookup breaks', async () => {
    expect((await send('127.0.0.9', '/')).status).toBe(500);
    expect((await send('127.0.0.2', '/')).status).toBe(200);
  });

  it('bounds bodies and headers', async () => {
    const body = Buffer.alloc(METADATA_LIMITS.bodyBytes + 1);
    expect((await send('127.0.0.2', '/latest/api/token', { method: 'PUT', body })).status).toBe(413);
    const small = Buffer.alloc(METADATA_LIMITS.bodyBytes);
    expect((await send('127.0.0.2', '/', { method: 'POST', body: small })).status).toBe(405);
    const headers = { 'x-long': 'a'.repeat(METADATA_LIMITS.headerBytes) };
    expect((await send('127.0.0.2', '/', { headers })).status).toBe(431);
    expect((await send('127.0.0.2', '/')).status).toBe(200);
  });

  it('gives one source so many connections and no more, and others theirs', async () => {
    const held = await Promise.all(
      Array.from({ length: METADATA_LIMITS.connectionsPerSource }, () => dial('127.0.0.2')),
    );
    await expect(send('127.0.0.2', '/')).rejects.toThrow();
    expect((await send('127.0.0.4', '/')).status).toBe(404);
    held[0]!.destroy();
    await until(async () => (await send('127.0.0.2', '/').catch(() => undefined))?.status === 200, {
      what: 'a freed place is given again',
    });
  });

  it('ends a client that does not finish its request', { timeout: 15_000 }, async () => {
    const socket = await dial('127.0.0.2');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write('GET /latest/meta-data/mac HTTP/1.1\r\nHost: ');
    await until(() => socket.closed, { what: 'the server ends the connection', timeoutMs: 12_000 });
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('closes with connections open, and says so when its port is taken', async () => {
    await dial('127.0.0.2');
    const parts = {
      lookup: () => undefined,
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: silentLogger,
    };
    const second = createMetadataServer({ ...parts, host: '127.0.0.1', port });
    await expect(second.start()).rejects.toMatchObject({ code: 'Unavailable' });
    await second.close();
    await server.close();
    await expect(send('127.0.0.2', '/')).rejects.toThrow();
  });
});
