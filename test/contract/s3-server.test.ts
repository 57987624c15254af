import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checksumOf } from '../../src/base/checksums.ts';
import { S3Cloud, type S3Ask, type S3Reply } from '../support/s3-cloud.ts';
import { rawHead, RawS3Client, signedChunks } from '../support/s3-raw.ts';
import { until } from '../support/until.ts';

let cloud: S3Cloud;
beforeAll(async () => {
  const limits = { headersMs: 300, idleMs: 3000, checkEveryMs: 50, drainMs: 2000 };
  const domains = ['s3.example.org', 'example.org'];
  cloud = await S3Cloud.start({ domains, limits, pace: { windowMs: 300, minBytes: 100 } });
  expect(await cloud.ask({ method: 'PUT', target: '/first' })).toMatchObject({ status: 200 });
});
afterAll(() => cloud.close());

const refusal = ({ status, code, message }: S3Reply): string => `${status} ${code}: ${message}`;
const lines = rawHead;
class RawClient extends RawS3Client {
  constructor(text: string) {
    super(cloud, text);
  }
}

const rawPut = (target: string, headers: Record<string, string>, asked: Partial<S3Ask> = {}): string =>
  lines(`PUT ${target}`, { ...cloud.signed({ method: 'PUT', target, ...asked }), ...headers });

async function isThere(key: string): Promise<boolean> {
  return (await cloud.ask({ method: 'HEAD', target: `/first/${key}` })).status === 200;
}

describe('objects over HTTP [sim]', () => {
  it.each(['a', 'a/b', '..', '../../x', 'a//b', '//a', 'a/', './a', 'a b+c%25', 'größe/漢字', 'A', '?x=1&y', '.'])(
    'come back under the key they were put: %s',
    async (key) => {
      const target = `/first/${key.split('/').map(encodeURIComponent).join('/')}`;
      const body = `bytes of ${key}`;
      const put = await cloud.ask({ method: 'PUT', target, body });
      expect([put.status, put.text]).toEqual([200, '']);
      const got = await cloud.ask({ target });
      expect([got.status, got.text]).toEqual([200, body]);
      const head = await cloud.ask({ method: 'HEAD', target });
      const length = String(Buffer.byteLength(body));
      expect([head.status, head.headers['content-length'], head.text]).toEqual([200, length, '']);
    },
  );

  it('are found by the name of the bucket in the host', async () => {
    await cloud.ask({ method: 'PUT', target: '/first/hosted/x', body: 'by host' });
    for (const host of ['first.s3.example.org', 'first.example.org:8080']) {
      expect((await cloud.ask({ target: '/hosted/x', headers: { host } })).text).toBe('by host');
    }
    const list = await cloud.ask({ target: '/?list-type=2&prefix=hosted', headers: { host: 'first.s3.example.org' } });
    expect(list.text).toContain('<Key>hosted/x</Key>');
  });

  it('keep what clients say of them, in whatever letters', async () => {
    const meta = Buffer.from('größe 漢', 'utf8').toString('latin1');
    const headers = { 'content-type': 'text/x', 'content-encoding': 'aws-chunked,gzip' };
    const put = { method: 'PUT', target: '/first/meta', headers, body: 'x' };
    expect((await cloud.ask({ ...put, unsigned: {} })).status).toBe(200);
    const got = await cloud.ask({ target: '/first/meta' });
    expect(got.headers).toMatchObject({ 'content-type': 'text/x', 'content-encoding': 'gzip' });
    // As bytes on the wire they are UTF-8, which is what was signed.
    const signed = cloud.signed({ method: 'PUT', target: '/first/meta2', headers: { 'x-amz-meta-m': 'größe 漢' } });
    await cloud.send({ method: 'PUT', target: '/first/meta2', headers: { ...signed, 'x-amz-meta-m': meta } });
    expect((await cloud.ask({ target: '/first/meta2' })).headers['x-amz-meta-m']).toBe(meta);
  });

  it('have an id for every answer, also the refused ones', async () => {
    const reply = await cloud.ask({ target: '/first/none' });
    expect(reply.headers['x-amz-request-id']).toMatch(/^[0-9A-F]{16}$/);
    expect(reply.text).toContain(`<RequestId>${String(reply.headers['x-amz-request-id'])}</RequestId>`);
    expect(refusal(reply)).toMatch(/^404 NoSuchKey: ./);
  });
});

describe('bodies [sim]', () => {
  it('are not asked for before the request is allowed', async () => {
    const signed = rawPut('/first/never', { 'content-length': '5', expect: '100-continue' }, { body: 'hello' });
    const refused = new RawClient(signed.replace(/Signature=.{8}/, 'Signature=00000000'));
    expect(refusal(await refused.reply())).toMatch(/^403 SignatureDoesNotMatch/);
    expect(refused.came).not.toContain('100 Continue');
    const noBucket = new RawClient(
      rawPut('/nowhere/x', { 'content-length': '5', expect: '100-continue' }, { body: 'hello' }),
    );
    expect(refusal(await noBucket.reply())).toMatch(/^404 NoSuchBucket/);
    expect(noBucket.came).not.toContain('100 Continue');
    const taken = new RawClient(signed);
    await until(() => taken.came.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), { what: 'the body is asked for' });
    taken.socket.write('hello');
    await until(() => taken.came.includes('HTTP/1.1 200 OK'), { what: 'it is taken' });
    taken.socket.destroy();
    expect(await isThere('never')).toBe(true);
  });

  it('that are refused while they come leave room for the answer', async () => {
    const reply = await cloud.ask({ method: 'PUT', target: '/nowhere/x', body: randomBytes(6 * 1024 * 1024) });
    expect([refusal(reply), reply.headers['connection']]).toEqual([
      expect.stringMatching(/^404 NoSuchBucket/),
      'close',
    ]);
  });

  it.each<[string, Record<string, string>, string, RegExp]>([
    ['another content', {}, 'jello', /^400 XAmzContentSHA256Mismatch/],
    ['another MD5', { 'content-md5': createHash('md5').update('x').digest('base64') }, 'hello', /^400 BadDigest/],
    ['an MD5 that is none', { 'content-md5': 'abc' }, 'hello', /^400 InvalidDigest/],
    ['another checksum', { 'x-amz-checksum-crc32': checksumOf('CRC32', Buffer.from('x')) }, 'hello', /^400 BadDigest/],
    ['a checksum that is none', { 'x-amz-checksum-crc32c': 'x' }, 'hello', /^400 InvalidRequest/],
    [
      'two checksums',
      {
        'x-amz-checksum-crc32': checksumOf('CRC32', Buffer.from('hello')),
        'x-amz-checksum-sha1': checksumOf('SHA1', Buffer.from('hello')),
      },
      'hello',
      /^400 InvalidRequest/,
    ],
  ])('with %s are refused, and nothing stays', async (what, headers, sent, expected) => {
    const target = `/first/bad-${encodeURIComponent(what)}`;
    const signed = cloud.signed({ method: 'PUT', target, headers, body: 'hello' });
    const reply = await cloud.send({ method: 'PUT', target, headers: signed, body: sent });
    expect(refusal(reply)).toMatch(expected);
    expect((await cloud.ask({ method: 'HEAD', target })).status).toBe(404);
  });

  it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'have their %s checked and kept',
    async (name) => {
      const header = `x-amz-checksum-${name.toLowerCase()}`;
      const value = checksumOf(name, Buffer.from('hello'));
      const target = `/first/sum-${name}`;
      expect((await cloud.ask({ method: 'PUT', target, headers: { [header]: value }, body: 'hello' })).status).toBe(
        200,
      );
      const head = await cloud.ask({ method: 'HEAD', target, headers: { 'x-amz-checksum-mode': 'ENABLED' } });
      expect(head.headers[header]).toBe(value);
    },
  );

  it('that end early are refused, and nothing stays', async () => {
    const client = new RawClient(rawPut('/first/cut', { 'content-length': '50' }, { body: 'x'.repeat(50) }));
    await wait(50);
    client.socket.end('only this');
    expect(refusal(await client.reply())).toMatch(/^400 IncompleteBody/);
    expect(await isThere('cut')).toBe(false);
  });

  it('that stop coming are not waited for', async () => {
    const client = new RawClient(rawPut('/first/slow', { 'content-length': '50' }, { body: 'x'.repeat(50) }));
    const timer = setInterval(() => client.socket.write('x'), 100);
    const reply = await client.reply();
    clearInterval(timer);
    expect(refusal(reply)).toMatch(/^400 RequestTimeout: the body came slower than/);
    expect(await isThere('slow')).toBe(false);
  });

  it('of headers that never end are not waited for', async () => {
    const client = new RawClient('GET / HTTP/1.1\r\nHost: x\r\n');
    const timer = setInterval(() => client.socket.write('X-A: b\r\n'), 50);
    const reply = await client.reply();
    clearInterval(timer);
    expect(refusal(reply)).toMatch(/^400 RequestTimeout/);
  });
});

function chunked(target: string, parts: readonly Buffer[], more: { trailer?: readonly [string, string] } = {}) {
  const { headers, chunks, tail } = signedChunks(cloud, target, parts, more.trailer);
  return { headers, body: Buffer.concat([...chunks, Buffer.from(tail)]) };
}

describe('bodies in chunks [sim]', () => {
  const parts = [randomBytes(70_000), randomBytes(8192), randomBytes(1)];
  const whole = Buffer.concat(parts);

  it('are taken when every chunk is signed after the one before it', async () => {
    const target = '/first/chunks';
    const { headers, body } = chunked(target, parts);
    expect(refusal(await cloud.send({ method: 'PUT', target, headers, body }))).toBe('200 : ');
    expect((await cloud.ask({ target })).bytes.equals(whole)).toBe(true);
  });

  it('are refused when one byte of one chunk is another, and nothing stays', async () => {
    const target = '/first/chunks-changed';
    const { headers, body } = chunked(target, parts);
    body[40_000] = (body[40_000] ?? 0) ^ 1;
    expect(refusal(await cloud.send({ method: 'PUT', target, headers, body }))).toMatch(/^403 SignatureDoesNotMatch/);
    expect(await isThere('chunks-changed')).toBe(false);
  });

  it('bring a checksum behind them, signed or not, which is checked', async () => {
    const target = '/first/chunks-trailer';
    const good = chunked(target, parts, { trailer: ['x-amz-checksum-crc32c', checksumOf('CRC32C', whole)] });
    expect(refusal(await cloud.send({ method: 'PUT', target, ...good }))).toBe('200 : ');
    const bad = chunked(target, parts, { trailer: ['x-amz-checksum-crc32c', checksumOf('CRC32C', parts[0] ?? whole)] });
    expect(refusal(await cloud.send({ method: 'PUT', target, ...bad }))).toMatch(/^400 BadDigest/);
    const unsigned = (value: string): Promise<S3Reply> => {
      const headers = {
        'content-encoding': 'aws-chunked',
        'x-amz-decoded-content-length': '5',
        'x-amz-trailer': 'x-amz-checksum-crc32',
        'x-amz-sdk-checksum-algorithm': 'CRC32',
      };
      const contentSha256 = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
      const signed = cloud.signed({ method: 'PUT', target, headers, contentSha256 });
      const body = `5\r\nhello\r\n0\r\nx-amz-checksum-crc32:${value}\r\n\r\n`;
      return cloud.send({ method: 'PUT', target, headers: signed, body });
    };
    expect(refusal(await unsigned(checksumOf('CRC32', Buffer.from('jello'))))).toMatch(/^400 BadDigest/);
    expect(refusal(await unsigned(checksumOf('CRC32', Buffer.from('hello'))))).toBe('200 : ');
    expect((await cloud.ask({ target })).text).toBe('hello');
  });

  it('must say how long their content is', async () => {
    const headers = { 'content-encoding': 'aws-chunked' };
    const asked = { method: 'PUT', target: '/first/x', headers, contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' };
    expect(refusal(await cloud.ask({ ...asked, body: '0\r\n\r\n' }))).toMatch(/^411 MissingContentLength/);
  });
});

describe('answers [sim]', () => {
  it('stop when the client goes, and hold nothing', async () => {
    const body = randomBytes(24 * 1024 * 1024);
    expect((await cloud.ask({ method: 'PUT', target: '/first/large', body })).status).toBe(200);
    const before = process.getActiveResourcesInfo().length;
    const clients = Array.from(
      { length: 5 },
      () => new RawClient(lines('GET /first/large', cloud.signed({ target: '/first/large' }))),
    );
    await until(() => clients.every((one) => one.came.length > 100_000), { what: 'they have begun' });
    for (const one of clients) one.socket.destroy();
    await until(() => process.getActiveResourcesInfo().length <= before, { what: 'all is let go' });
    expect((await cloud.ask({ target: '/first/large' })).bytes.equals(body)).toBe(true);
  });

  it('can not be made to hold a line break', async () => {
    const target = `/first/a?response-content-type=${encodeURIComponent('a\r\nx: y')}`;
    expect(refusal(await cloud.ask({ target }))).toMatch(/^400 Invalid/);
  });
});

describe('who asks [sim]', () => {
  it('is nobody without a signature, who sees what is public alone', async () => {
    await cloud.ask({ method: 'PUT', target: '/first/secret', body: 's' });
    expect(refusal(await cloud.send({ target: '/first/secret' }))).toMatch(/^403 AccessDenied: a request without/);
    expect(refusal(await cloud.send({ target: '/' }))).toMatch(/^403 AccessDenied/);
    await cloud.store.updateBucket('first', (bucket) => ({
      ...bucket,
      policy: JSON.stringify({
        Statement: [
          { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::first/public/*' },
          { Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource: 'arn:aws:s3:::first/frozen' },
        ],
      }),
    }));
    await cloud.ask({ method: 'PUT', target: '/first/public/x', body: 'p' });
    expect((await cloud.send({ target: '/first/public/x' })).text).toBe('p');
    // A version is another permission.
    expect((await cloud.send({ target: '/first/public/x?versionId=null' })).status).toBe(403);
    expect(refusal(await cloud.send({ target: '/first/public/../secret' }))).toMatch(/^404 NoSuchKey/);
    expect(refusal(await cloud.ask({ method: 'PUT', target: '/first/frozen', body: 'p' }))).toMatch(
      /^403 AccessDenied/,
    );
  });

  it('sees buckets of other projects only where that is granted', async () => {
    const key = await cloud.otherKey();
    expect(refusal(await cloud.ask({ target: '/first/secret' }, { key }))).toMatch(/^403 AccessDenied/);
    expect(refusal(await cloud.ask({ target: '/first?list-type=2' }, { key }))).toMatch(/^403 AccessDenied/);
    expect((await cloud.ask({ target: '/' }, { key })).text).not.toContain('<Name>first</Name>');
    const both = { ...key, accessKeyId: `${cloud.key.accessKeyId}:other` };
    expect(refusal(await cloud.ask({ target: '/' }, { key: both }))).toMatch(/^403 SignatureDoesNotMatch/);
    const inOther = { ...cloud.key, accessKeyId: `${cloud.key.accessKeyId}:other` };
    expect((await cloud.ask({ target: '/' }, { key: inOther })).status).toBe(200);
  });
});

describe('pages of other origins [sim]', () => {
  it('may what a rule of the bucket says', async () => {
    const rule = {
      allowedOrigins: ['https://*.example.org'],
      allowedMethods: ['GET' as const],
      allowedHeaders: ['x-*'],
    };
    await cloud.store.updateBucket('first', (bucket) => ({ ...bucket, cors: [{ ...rule, exposeHeaders: ['etag'] }] }));
    const preflight = (origin: string, method: string, words = ''): Promise<S3Reply> =>
      cloud.send({
        method: 'OPTIONS',
        target: '/first/a',
        headers: {
          origin,
          'access-control-request-method': method,
          ...(words === '' ? {} : { 'access-control-request-headers': words }),
        },
      });
    const yes = await preflight('https://www.example.org', 'GET', 'X-Amz-Date, x-custom');
    expect([yes.status, yes.headers]).toEqual([
      200,
      expect.objectContaining({
        'access-control-allow-origin': 'https://www.example.org',
        'access-control-allow-headers': 'x-amz-date, x-custom',
      }),
    ]);
    expect((await preflight('https://www.example.com', 'GET')).status).toBe(403);
    expect((await preflight('https://www.example.org', 'PUT')).status).toBe(403);
    expect((await preflight('https://www.example.org', 'GET', 'authorization')).status).toBe(403);
    const got = await cloud.ask({ target: '/first/a', unsigned: { origin: 'https://www.example.org' } });
    expect(got.headers).toMatchObject({
      'access-control-allow-origin': 'https://www.example.org',
      'access-control-expose-headers': 'etag',
    });
  });
});

describe('what is not S3 [sim]', () => {
  it.each<[string, S3Ask, RegExp]>([
    ['a subresource that nobody knows here', { target: '/first?torrent' }, /^501 NotImplemented/],
    ['another method', { method: 'PATCH', target: '/first/a' }, /^405 MethodNotAllowed/],
    ['a parameter twice', { target: '/first?prefix=a&prefix=b' }, /^400 InvalidRequest/],
    ['a key that is not UTF-8', { target: '/first/%ff' }, /^400 InvalidURI/],
    ['half an escape', { target: '/first/%4' }, /^400 InvalidURI/],
    ['a key that is too long', { target: `/first/${'x'.repeat(1025)}` }, /^400 KeyTooLongError/],
    ['no bucket', { target: '//x' }, /^400 InvalidBucketName/],
  ])('is refused in words: %s', async (_, asked, expected) => {
    expect(refusal(await cloud.ask(asked))).toMatch(expected);
  });
});

describe('a server that closes [sim]', () => {
  it('lets what is under way come to its end', async () => {
    const own = await S3Cloud.start({ limits: { drainMs: 5000 } });
    try {
      await own.ask({ method: 'PUT', target: '/last' });
      const signed = own.signed({ method: 'PUT', target: '/last/x', body: 'hello' });
      const socket = connect(own.port, '127.0.0.1');
      let came = '';
      socket.on('data', (data) => (came += data.toString('latin1')));
      socket.write(lines('PUT /last/x', { ...signed, 'content-length': '5', expect: '100-continue' }));
      await until(() => came.includes('100 Continue'), { what: 'the body is asked for' });
      const closed = own.closeServer();
      socket.write('hello');
      await until(() => came.includes('HTTP/1.1 200 OK'), { what: 'it is taken' });
      await closed;
      expect(came.toLowerCase()).toContain('connection: close');
    } finally {
      await own.close();
    }
  });
});
