import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HTTPS_LIMITS } from '../../../src/controller/api/admin/admin-https-server.ts';
import { HttpsCloud } from '../../support/https-cloud.ts';
import { until } from '../../support/until.ts';

let cloud: HttpsCloud;
beforeAll(async () => {
  cloud = await HttpsCloud.start({ headersMs: 1500, checkEveryMs: 100 });
});
afterAll(() => cloud.close());

async function open(): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: cloud.port, ca: cloud.ca, servername: 'localhost' });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  // The end of a connection that nobody reads would not be seen.
  socket.resume();
  return socket;
}

/** What came back when the other side has ended the connection. */
async function untilClosed(socket: TLSSocket, timeoutMs = 20_000): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await until(() => socket.closed, { what: 'the connection is closed', timeoutMs });
  return text;
}

const head = (headers: Record<string, string>, line = 'POST /v1/DescribeCloud HTTP/1.1'): string =>
  `${[line, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n`;

describe('what strangers can do [real]', () => {
  it('100 idle connections leave the server to the others', async () => {
    const idle = await Promise.all(Array.from({ length: 100 }, open));
    try {
      expect((await cloud.post('DescribeCloud', {})).status).toBe(200);
      // None of them is kept: a connection without a request ends soon.
      await until(() => idle.every((socket) => socket.closed), { what: 'all are closed' });
    } finally {
      for (const socket of idle) socket.destroy();
    }
    expect(HTTPS_LIMITS.headersMs).toBeLessThanOrEqual(10_000);
  });

  it('headers over 16 KiB are refused', async () => {
    const socket = await open();
    const closed = untilClosed(socket);
    socket.write(head({ host: 'x', 'x-flood': 'y'.repeat(HTTPS_LIMITS.headerBytes + 1) }));
    expect(await closed).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('ten thousand small headers are refused', async () => {
    const socket = await open();
    const closed = untilClosed(socket);
    socket.write(head(Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`x-${at}`, 'y']))));
    expect(await closed).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('headers that come byte by byte end with the connection', async () => {
    const socket = await open();
    const closed = untilClosed(socket);
    socket.write('POST /v1/DescribeCloud HTTP/1.1\r\nx-slow: ');
    const dripping = () => {
      if (!socket.closed) socket.write('y');
      return socket.closed;
    };
    await until(dripping, { what: 'the connection is closed', everyMs: 100 });
    expect(await closed).toMatch(/^$|^HTTP\/1\.1 408 /);
  });

  it('a large body without a signature is not taken', async () => {
    const before = await cloud.uploads();
    const socket = await open();
    const closed = untilClosed(socket);
    const size = 1024 * 1024 * 1024;
    const headers = { host: 'x', 'content-type': 'application/octet-stream', 'content-length': String(size) };
    socket.write(head(headers, 'PUT /v1/blobs HTTP/1.1'));
    const chunk = Buffer.alloc(1024 * 1024);
    while (!socket.closed && socket.bytesWritten < size) {
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    }
    expect(await closed).toMatch(/^HTTP\/1\.1 403 [^]*MissingAuthenticationToken/);
    expect(socket.bytesWritten).toBeLessThan(64 * 1024 * 1024);
    expect(await cloud.uploads()).toBe(before);
  });

  it('JSON over 1 MiB is refused, signed or not', async () => {
    const body = JSON.stringify({ KeyName: 'x'.repeat(1024 * 1024) });
    const path = '/v1/CreateKeyPair';
    const answer = await cloud.send(path, cloud.sign(path, body), body);
    expect(answer.body.error?.code).toBe('RequestTooLarge');
  });

  it('an upload that is cut off leaves nothing', async () => {
    const before = await cloud.uploads();
    const octets = { host: cloud.authority, 'content-type': 'application/octet-stream' };
    const headers = cloud.sign('/v1/blobs', undefined, { method: 'PUT', headers: octets });
    const socket = await open();
    socket.write(head({ ...headers, 'content-length': '1000000' }, 'PUT /v1/blobs HTTP/1.1'));
    socket.write(Buffer.alloc(400_000));
    await until(() => socket.writableLength === 0, { what: 'it is sent' });
    socket.destroy();
    const tail = await cloud.post('DescribeCloud', {});
    expect(tail.status).toBe(200);
    expect(await cloud.uploads()).toBe(before);
  });

  it('plain HTTP gets no answer', async () => {
    const { createConnection } = await import('node:net');
    const socket = createConnection({ host: '127.0.0.1', port: cloud.port });
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('error', () => undefined);
    socket.write(head({ host: 'x' }));
    await once(socket, 'close');
    expect(text).not.toContain('HTTP/');
  });

  it('TLS 1.1 is refused', async () => {
    const socket = connect({
      ...{ host: '127.0.0.1', port: cloud.port, ca: cloud.ca, servername: 'localhost' },
      ...{ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    });
    const failed = once(socket, 'secureConnect').then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(await failed).toBeInstanceOf(Error);
    socket.destroy();
  });

  it('a console is not opened without a signature', async () => {
    const socket = await open();
    const closed = untilClosed(socket);
    const input = encodeURIComponent(JSON.stringify({ InstanceId: 'i-0123456789abcdef0' }));
    const upgrade = { host: 'x', connection: 'Upgrade', upgrade: 'novactl-console', 'content-length': '0' };
    socket.write(head(upgrade, `POST /v1/OpenConsole?input=${input} HTTP/1.1`));
    expect(await closed).toMatch(/^HTTP\/1\.1 403 [^]*MissingAuthenticationToken/);
  });

  it.each(['/v1/DescribeCloud', '/', '/v1/../etc/passwd', '/v1/blobs'])(
    'GET %s says nothing to strangers',
    async (path) => {
      const answer = await cloud.send(path, { host: 'x' }, '', 'GET');
      expect(answer.body.error?.code).toBe('MissingAuthenticationToken');
    },
  );
});
