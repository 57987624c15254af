import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';
import { S3Cloud, type S3Reply } from '../support/s3-cloud.ts';
import { presigned, rawHead, RawS3Client } from '../support/s3-raw.ts';
import { until } from '../support/until.ts';

let cloud: S3Cloud;
/** Of another project. */
let other: AccessKey;

beforeAll(async () => {
  cloud = await S3Cloud.start();
  other = await cloud.otherKey();
  expect((await cloud.ask({ method: 'PUT', target: '/shared' })).status).toBe(200);
});
afterAll(() => cloud.close());

const refusal = ({ status, code }: S3Reply): string => `${status} ${code}`;
const md5Of = (body: string): string => createHash('md5').update(body).digest('base64');

describe('pages of other origins [sim]', () => {
  it('can not put into an answer what no header can hold', async () => {
    const rule = (origin: string): string =>
      `<CORSRule><AllowedOrigin>${origin}</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule>`;
    const body = `<CORSConfiguration>${rule('https://*.example.org')}</CORSConfiguration>`;
    const headers = { 'content-md5': md5Of(body) };
    expect((await cloud.ask({ method: 'PUT', target: '/shared?cors', body, headers })).status).toBe(200);
    const asked = {
      origin: 'https://a.example.org',
      'access-control-request-method': 'GET',
      'access-control-request-headers': Buffer.from('x-€').toString('latin1'),
    };
    const preflight = await cloud.send({ method: 'OPTIONS', target: '/shared/k', headers: asked });
    expect(preflight.status).toBe(200);
    const origin = Buffer.from('https://€.example.org').toString('latin1');
    const read = await cloud.send({ target: '/shared/k', headers: { origin } });
    expect(refusal(read)).toBe('403 AccessDenied');
    expect(read.headers['access-control-allow-origin']).toContain('.example.org');
  });
});

describe('a bucket that another project makes anew [sim]', () => {
  /** A request of the first owner whose body comes when the name has got another owner. */
  async function overtaken(
    method: string,
    target: string,
    body: string,
    more: Record<string, string> = {},
  ): Promise<void> {
    const [bucket = ''] = target.slice(1).split(/[/?]/);
    expect((await cloud.ask({ method: 'PUT', target: `/${bucket}` })).status).toBe(200);
    const headers = cloud.signed({ method, target, body, headers: more });
    const head = rawHead(
      `${method} ${target}`,
      headers,
      `Content-Length: ${body.length}\r\nExpect: 100-continue\r\nConnection: close\r\n`,
    );
    const client = new RawS3Client(cloud, head);
    await until(() => client.came.includes('100 Continue'), { what: 'the body is asked for' });
    expect((await cloud.ask({ method: 'DELETE', target: `/${bucket}` })).status).toBe(204);
    expect((await cloud.ask({ method: 'PUT', target: `/${bucket}` }, { key: other })).status).toBe(200);
    await cloud.ask({ method: 'PUT', target: `/${bucket}/kept`, body: 'kept' }, { key: other });
    client.socket.write(body);
    await until(() => client.isOver, { what: 'it is answered' });
    client.socket.destroy();
    expect(client.came).toContain('<Code>NoSuchBucket</Code>');
  }
  const list = async (bucket: string): Promise<string[]> =>
    (await cloud.store.list(bucket, { prefix: '', delimiter: '', after: '', max: 10 })).rows.map(({ key }) => key);

  it('gets no object of who had it before', async () => {
    await overtaken('PUT', '/swap-put/planted', 'planted');
    expect(await list('swap-put')).toEqual(['kept']);
  });

  it('gets no policy of who had it before', async () => {
    const Statement = { Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::swap-policy/*' };
    await overtaken('PUT', '/swap-policy?policy', JSON.stringify({ Statement }));
    expect((await cloud.store.bucket('swap-policy')).policy).toBeUndefined();
  });

  it('loses no object to who had it before', async () => {
    const body = '<Delete><Object><Key>kept</Key></Object></Delete>';
    await overtaken('POST', '/swap-delete?delete', body, { 'content-md5': md5Of(body) });
    expect(await list('swap-delete')).toEqual(['kept']);
  });
});

describe('what is asked for and not known here [sim]', () => {
  it('is refused, and nothing is deleted for it', async () => {
    await cloud.ask({ method: 'PUT', target: '/shared/precious', body: 'precious' });
    const size = { 'x-amz-if-match-size': '3' };
    for (const headers of [
      size,
      { 'x-amz-if-match-last-modified-time': 'Mon, 01 Jan 2024 00:00:00 GMT' },
      { 'if-none-match': '*' },
    ]) {
      const reply = await cloud.ask({ method: 'DELETE', target: '/shared/precious', headers });
      expect(refusal(reply), JSON.stringify(headers)).toBe('501 NotImplemented');
    }
    for (const method of ['PUT', 'DELETE', 'GET']) {
      const reply = await cloud.ask({ method, target: '/shared/precious?annotation&annotationName=a' });
      expect(refusal(reply), method).toBe('501 NotImplemented');
    }
    expect((await cloud.ask({ target: '/shared/precious' })).text).toBe('precious');
  });

  it('is no deletion either when a list names an empty version', async () => {
    await cloud.ask({ method: 'PUT', target: '/shared/listed', body: 'listed' });
    const body = '<Delete><Object><Key>listed</Key><VersionId></VersionId></Object></Delete>';
    const headers = { 'content-md5': md5Of(body) };
    const { text } = await cloud.ask({ method: 'POST', target: '/shared?delete', body, headers });
    expect(text).not.toContain('<Deleted>');
    expect(text).toContain('<Code>InvalidArgument</Code>');
    expect((await cloud.ask({ target: '/shared/listed' })).text).toBe('listed');
  });
});

describe('a checksum behind the body [sim]', () => {
  it('is compared, or the body is refused', async () => {
    const put = { method: 'PUT', target: '/shared/trailed', contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' };
    const headers = { 'x-amz-decoded-content-length': '5' };
    const body = '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
    const send = (more: Record<string, string>): Promise<S3Reply> =>
      cloud.ask({ ...put, body, headers: { ...headers, ...more } });
    expect(refusal(await send({}))).toBe('400 InvalidRequest');
    expect(refusal(await send({ 'x-amz-trailer': 'x-amz-checksum-crc32' }))).toBe('400 BadDigest');
    expect((await cloud.ask({ target: '/shared/trailed' })).status).toBe(404);
  });
});

describe('headers that a presigned address carries in its query [sim]', () => {
  it('are obeyed as headers are', async () => {
    const target = presigned(cloud, {
      method: 'PUT',
      target:
        '/shared/presigned?x-amz-meta-who=me&x-amz-acl=public-read&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32',
    });
    expect((await cloud.send({ method: 'PUT', target, body: 'hello' })).status).toBe(200);
    const read = await cloud.send({ target: '/shared/presigned' });
    expect([read.status, read.text, read.headers['x-amz-meta-who']]).toEqual([200, 'hello', 'me']);
    const encrypted = presigned(cloud, { method: 'PUT', target: '/shared/e?x-amz-server-side-encryption=AES256' });
    expect(refusal(await cloud.send({ method: 'PUT', target: encrypted, body: 'hello' }))).toBe('501 NotImplemented');
    const copied = presigned(cloud, { method: 'PUT', target: '/shared/copied?x-amz-copy-source=shared%2Fpresigned' });
    expect((await cloud.send({ method: 'PUT', target: copied })).text).toContain('<CopyObjectResult');
  });
});

describe('a request that costs its sender nothing [sim]', () => {
  /** As long as others wait: the cloud has one thread. */
  async function tookMs(send: () => Promise<S3Reply>): Promise<[string, number]> {
    const beganMs = performance.now();
    return [refusal(await send()), performance.now() - beganMs];
  }

  it('does not hold the others up: a header of blanks', async () => {
    const headers = { 'x-amz-grant-read': `id=${' '.repeat(3000)}x"y` };
    const [code, ms] = await tookMs(() => cloud.ask({ method: 'PUT', target: '/shared/blanks', headers }));
    expect(code).toBe('400 InvalidArgument');
    expect(ms).toBeLessThan(5000);
  });

  it('does not hold the others up: megabytes of tags', async () => {
    const body = `<Delete>${'<a/>'.repeat(2_000_000)}</Delete>`;
    const headers = { 'content-md5': md5Of(body), 'content-length': String(body.length) };
    const [code, ms] = await tookMs(() => cloud.send({ method: 'POST', target: '/shared?delete', body, headers }));
    expect(code).toBe('400 MalformedXML');
    expect(ms).toBeLessThan(5000);
  });

  it('takes nothing from who signs: lists of strangers that never end', async () => {
    const head = rawHead('POST /shared?delete', {
      ...{ host: cloud.authority, 'content-md5': md5Of(''), 'content-length': String(8 * 1024 * 1024) },
    });
    const clients = Array.from({ length: 10 }, () => new RawS3Client(cloud, `${head}<Delete>`));
    try {
      await until(() => clients.some(({ came }) => came.includes('SlowDown')), { what: 'strangers have had enough' });
      const body = '<Delete><Object><Key>none</Key></Object></Delete>';
      const headers = { 'content-md5': md5Of(body) };
      expect((await cloud.ask({ method: 'POST', target: '/shared?delete', body, headers })).status).toBe(200);
    } finally {
      for (const { socket } of clients) socket.destroy();
    }
  });
});
