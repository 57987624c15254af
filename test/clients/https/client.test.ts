import { once } from 'node:events';
import { createConnection, createServer as createPlain, type AddressInfo, type Server } from 'node:net';
import { Readable } from 'node:stream';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { sha256Hex } from '../../../src/base/ids.ts';
import type { AccessKey } from '../../../src/base/signature/sign-request.ts';
import { checkFingerprint, fetchAuthority } from '../../../src/client/fetch-authority.ts';
import { HttpsClient, type HttpsClientOptions } from '../../../src/client/https-client.ts';
import { fingerprintOf } from '../../../src/base/x509/issue-certificate.ts';
import { cloudClientContract } from '../../contract/cloud-client.ts';
import { FakeCloud } from '../../support/fake-cloud.ts';
import { HttpsCloud, issuePair } from '../../support/https-cloud.ts';

const DAY_MS = 86_400_000;
const KEY: AccessKey = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const clock = new SystemClock();

class ShiftedClock extends SystemClock {
  readonly #byMs: number;
  constructor(byMs: number) {
    super();
    this.#byMs = byMs;
  }
  override nowMs(): number {
    return super.nowMs() + this.#byMs;
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server that shows the certificate, and hands what comes to a UNIX socket. */
async function tlsServer(
  pair: ReturnType<typeof issuePair>,
  socketPath?: string,
): Promise<{ port: number; close(): void }> {
  const { certificate: cert, privateKey: key } = pair.server;
  const server = createServer({ cert: cert + pair.ca, key }, (socket) => {
    socket.on('error', () => undefined);
    if (socketPath === undefined) return void socket.destroy();
    const inner = createConnection(socketPath);
    inner.on('error', () => socket.destroy());
    inner.on('close', () => socket.destroy());
    socket.on('close', () => inner.destroy());
    socket.pipe(inner).pipe(socket);
  });
  server.on('tlsClientError', () => undefined);
  return { port: await listen(server), close: () => void server.close() };
}

cloudClientContract('https [real]', async (backend) => {
  const cloud = await FakeCloud.start(backend);
  const pair = issuePair(['localhost']);
  const server = await tlsServer(pair, cloud.socketPath);
  const url = `https://localhost:${server.port}`;
  const client = new HttpsClient({ url, ca: pair.ca, key: KEY, region: 'nova', clock });
  return {
    client,
    async close() {
      server.close();
      await cloud.close();
    },
  };
});

describe('what the user is told [real]', () => {
  let cloud: HttpsCloud;
  beforeAll(async () => {
    cloud = await HttpsCloud.start();
  });
  afterAll(() => cloud.close());

  const client = (other: Partial<HttpsClientOptions> = {}) =>
    new HttpsClient({ url: cloud.url, ca: cloud.ca, key: cloud.key, region: 'nova', clock, ...other });
  const refused = (other: Partial<HttpsClientOptions>) =>
    client(other)
      .call('DescribeCloud', {})
      .then(
        () => Promise.reject(new Error('it was taken')),
        (error: unknown) => error as { code: string; message: string },
      );

  it('of an unknown key, a wrong secret, another region', async () => {
    expect(await refused({ key: KEY })).toMatchObject({ code: 'InvalidClientTokenId' });
    const key = { ...cloud.key, secretAccessKey: KEY.secretAccessKey };
    expect(await refused({ key })).toMatchObject({ code: 'SignatureDoesNotMatch' });
    const other = await refused({ region: 'mars' });
    expect(other.message).toMatch(/"mars".*"nova"/);
  });

  it('of clocks that differ: both times', async () => {
    const error = await refused({ clock: new ShiftedClock(-3_600_000) });
    expect(error.code).toBe('RequestExpired');
    expect(error.message.match(/\d{4}-\d\d-\d\dT\d\d:\d\d/g)).toHaveLength(2);
    expect(error.message).toMatch(/60 minutes apart/);
  });

  it("of another cloud's authority", async () => {
    const error = await refused({ ca: issuePair(['localhost']).ca });
    expect(error).toMatchObject({ code: 'AuthFailure' });
    expect(error.message).toMatch(/authority/);
  });

  it('of a certificate that is over, or not yet good', async () => {
    for (const nowMs of [clock.nowMs() - 5 * DAY_MS, clock.nowMs() + 5 * DAY_MS]) {
      const pair = issuePair(['localhost'], { nowMs, lifeMs: DAY_MS });
      const server = await tlsServer(pair);
      const error = await refused({ url: `https://localhost:${server.port}`, ca: pair.ca });
      server.close();
      expect(error).toMatchObject({ code: 'AuthFailure' });
      expect(error.message).toMatch(/not good at this time/);
    }
  });

  it('of a name that the certificate is not for', async () => {
    const pair = issuePair(['cloud.example']);
    const server = await tlsServer(pair);
    const error = await refused({ url: `https://localhost:${server.port}`, ca: pair.ca });
    server.close();
    expect(error).toMatchObject({ code: 'AuthFailure' });
    expect(error.message).toMatch(/localhost.*api\.names/);
  });

  it('of nothing that listens, of a name without an address, of what speaks no TLS', async () => {
    expect(await refused({ url: 'https://127.0.0.1:1' })).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/nothing listens/) as unknown,
    });
    expect(await refused({ url: 'https://no-such-name.invalid' })).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/no-such-name/) as unknown,
    });
    const plain = createPlain((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const port = await listen(plain);
    expect(await refused({ url: `https://127.0.0.1:${port}` })).toMatchObject({ code: 'Unavailable' });
    plain.close();
  });

  it('of what takes the connection and says nothing', async () => {
    const silent = createPlain((socket) => socket.on('error', () => undefined));
    const port = await listen(silent);
    const error = await refused({ url: `https://127.0.0.1:${port}`, connectMs: 300 });
    silent.close();
    expect(error).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/did not answer within/) as unknown,
    });
  });

  it('nothing bad of an answer that takes longer than a connection may', async () => {
    const slow = client({ connectMs: 200 }).stream('WatchCloud', {});
    await slow.next();
    await new Promise((resolve) => clock.after(500, () => resolve(undefined)));
    await cloud.post('CreateKeyPair', { KeyName: 'late' });
    expect((await slow.next()).done).toBe(false);
    await slow.return(undefined);
  });

  it('nothing that looks at proxies of the environment', async () => {
    const before = { ...process.env };
    Object.assign(process.env, {
      HTTPS_PROXY: 'http://127.0.0.1:1',
      https_proxy: 'http://127.0.0.1:1',
      NODE_USE_ENV_PROXY: '1',
    });
    try {
      expect(await client().call('DescribeCloud', {})).toMatchObject({ version: '0.0.0-test' });
    } finally {
      process.env = before;
    }
  });

  it('by streams and uploads too', async () => {
    const blob = await client().upload(Readable.from([Buffer.alloc(3_000_000, 7)]));
    expect(blob).toMatchObject({ sizeBytes: 3_000_000, sha256: sha256Hex(Buffer.alloc(3_000_000, 7)) });
    const gone = new AbortController();
    for await (const item of client().stream('WatchCloud', {}, { signal: gone.signal })) {
      expect(item).toBeTypeOf('object');
      break;
    }
    const bad = client({ key: KEY }).upload(Readable.from([Buffer.alloc(20_000_000)]));
    await expect(bad).rejects.toMatchObject({ code: 'InvalidClientTokenId' });
    await expect(client({ key: KEY }).stream('WatchCloud', {}).next()).rejects.toMatchObject({
      code: 'InvalidClientTokenId',
    });
  });

  it('by consoles too: the upgrade is signed like any request', async () => {
    const { instances } = await cloud.sim.run();
    const InstanceId = instances[0]?.instanceId ?? '';
    await cloud.sim.settled('running', [InstanceId]);
    const channel = await client().duplex('OpenConsole', { InstanceId });
    await channel.write(Buffer.from('\n'));
    await channel.close();
    const stranger = client({ key: KEY }).duplex('OpenConsole', { InstanceId });
    await expect(stranger).rejects.toMatchObject({ code: 'InvalidClientTokenId' });
  });

  it('an authority is fetched, and believed by its fingerprint alone', async () => {
    const ca = await fetchAuthority(cloud.url);
    expect(ca).toBe(cloud.ca);
    expect(() => checkFingerprint(ca, fingerprintOf(ca).toLowerCase().replaceAll(':', ''))).not.toThrow();
    expect(() => checkFingerprint(ca, fingerprintOf(issuePair(['x']).ca))).toThrow(/--fingerprint/);
  });
});
