import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checksumOf } from '../../src/base/checksums.ts';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';
import { scopeText, signatureOf, signingTime } from '../../src/base/signature/signature-v4.ts';
import { S3Cloud, type S3Ask, type S3Reply } from '../support/s3-cloud.ts';
import { until } from '../support/until.ts';
import { presigned, rawHead, RawS3Client, signedChunks, type SignedChunks } from '../support/s3-raw.ts';

let cloud: S3Cloud;
/** Of another project, which owns the bucket `theirs`. */
let other: AccessKey;
const SECRET = 'bytes-that-only-their-owner-may-have';

beforeAll(async () => {
  cloud = await S3Cloud.start({ domains: ['s3.example.org'], limits: { headersMs: 1000, checkEveryMs: 50 } });
  other = await cloud.otherKey();
  for (const target of ['/first', '/second']) expect((await cloud.ask({ method: 'PUT', target })).status).toBe(200);
  expect((await cloud.ask({ method: 'PUT', target: '/theirs' }, { key: other })).status).toBe(200);
  const put = { method: 'PUT', target: '/theirs/secret', body: SECRET };
  expect((await cloud.ask(put, { key: other })).status).toBe(200);
});
afterAll(() => cloud.close());

const refusal = ({ status, code }: S3Reply): string => `${status} ${code}`;
const isThere = async (key: string): Promise<boolean> =>
  (await cloud.ask({ method: 'HEAD', target: `/first/${key}` })).status === 200;

/** As they stand in the request line, and what they are. */
const KEYS: readonly (readonly [string, string])[] = [
  ['../../../../etc/passwd', '../../../../etc/passwd'],
  ['%2e%2e/%2e%2e/x', '../../x'],
  ['..%2f..%2fx%2f..', '../../x/..'],
  ['%2fetc%2fpasswd', '/etc/passwd'],
  ['a%5c..%5c..%5cb', 'a\\..\\..\\b'],
  ['a', 'a'],
  ['A', 'A'],
  ['a/', 'a/'],
  ['a//', 'a//'],
  ['a/./b', 'a/./b'],
  ['a/b', 'a/b'],
  ['%C3%A9', '\u00e9'],
  ['e%CC%81', 'e\u0301'],
  ['%EF%BC%8E%EF%BC%8E/x', '\uff0e\uff0e/x'],
  ['line%0D%0Abreak%09', 'line\r\nbreak\t'],
  ['%2541', '%41'],
  ['index.db', 'index.db'],
  ['tmp/f00', 'tmp/f00'],
  ['%F0%9F%98%80', '\u{1f600}'],
  ['%C3%A9'.repeat(512), '\u00e9'.repeat(512)],
];

describe('keys that look like something else [sim]', () => {
  it('are stored and read back as themselves, and nothing lies outside of the folder', async () => {
    const bodyOf = (key: string): Buffer => Buffer.concat([Buffer.from(`${key}\n`), randomBytes(17_000)]);
    const bodies = KEYS.map(([, key]) => bodyOf(key));
    for (const [at, [target]] of KEYS.entries()) {
      const body = bodies[at] ?? '';
      expect((await cloud.ask({ method: 'PUT', target: `/second/${target}`, body })).status, target).toBe(200);
    }
    for (const [at, [target]] of KEYS.entries()) {
      const { status, bytes } = await cloud.ask({ target: `/second/${target}` });
      expect([status, bytes.equals(bodies[at] ?? Buffer.alloc(0))], target).toEqual([200, true]);
    }
    const { rows } = await cloud.store.list('second', { prefix: '', delimiter: '', after: '', max: 1000 });
    expect(rows.map(({ key }) => key).toSorted()).toEqual(KEYS.map(([, key]) => key).toSorted());
    const files = readdirSync(cloud.dir, { recursive: true, encoding: 'utf8' });
    const ours = /^(index\.db(-wal|-shm)?|tmp|data|data\/[0-9a-f]{2}|data\/[0-9a-f]{2}\/f[0-9a-f]{32})$/;
    expect(files.filter((file) => !ours.test(file))).toEqual([]);
    expect(files.filter((file) => file.length > 30)).toHaveLength(KEYS.length);
    for (const [target] of KEYS) await cloud.ask({ method: 'DELETE', target: `/second/${target}` });
  });

  it.each([
    ['a zero byte', 'a%00b', '400 InvalidURI'],
    ['1,025 bytes', 'x'.repeat(1025), '400 KeyTooLongError'],
    ['1,025 bytes of 513 letters', `x${'%C3%A9'.repeat(512)}`, '400 KeyTooLongError'],
    ['a dot of two bytes', '%c0%ae%c0%ae/x', '400 InvalidURI'],
    ['half a surrogate', '%ed%a0%80', '400 InvalidURI'],
  ])('are refused: %s', async (_, key, expected) => {
    expect(refusal(await cloud.ask({ method: 'PUT', target: `/first/${key}`, body: 'x' }))).toBe(expected);
  });
});

describe('one bucket for another [sim]', () => {
  it('is never taken, by path or by host', async () => {
    await cloud.ask({ method: 'PUT', target: '/first/second/x', body: 'of first' });
    await cloud.ask({ method: 'PUT', target: '/second/x', body: 'of second' });
    expect((await cloud.ask({ target: '/second/x', headers: { host: 'first.s3.example.org' } })).text).toBe('of first');
    expect((await cloud.ask({ target: '/x', headers: { host: 'second.s3.example.org' } })).text).toBe('of second');
    expect((await cloud.ask({ target: '/first/../second/x' })).status).toBe(404);
    const signed = cloud.signed({ target: '/x', headers: { host: 'second.s3.example.org' } });
    const elsewhere = { ...signed, host: 'first.s3.example.org' };
    expect(refusal(await cloud.send({ target: '/x', headers: elsewhere }))).toBe('403 SignatureDoesNotMatch');
    expect(refusal(await cloud.send({ target: '/second/x', headers: signed }))).toBe('403 SignatureDoesNotMatch');
  });

  const copy = { 'x-amz-copy-source': '/theirs/secret' };
  const deletion = '<Delete><Object><Key>secret</Key></Object></Delete>';
  it.each<S3Ask>([
    ...['', '?acl', '?tagging', '?versionId=null', '?partNumber=1'].map((query) => ({
      method: 'GET',
      target: `/theirs/secret${query}`,
    })),
    { method: 'GET', target: '/theirs/secret?attributes', headers: { 'x-amz-object-attributes': 'ETag,ObjectSize' } },
    { method: 'GET', target: '/theirs/secret', headers: { range: 'bytes=0-4' } },
    ...['', '?list-type=2', '?versions', '?uploads', '?acl', '?policy', '?lifecycle'].map((query) => ({
      method: 'GET',
      target: `/theirs${query}`,
    })),
    { method: 'PUT', target: '/theirs/secret', body: 'mine now' },
    { method: 'PUT', target: '/theirs/secret?acl', headers: { 'x-amz-acl': 'public-read' } },
    { method: 'PUT', target: '/theirs?acl', headers: { 'x-amz-acl': 'public-read' } },
    { method: 'PUT', target: '/first/copied', headers: copy },
    { method: 'PUT', target: '/first/copied', headers: { 'x-amz-copy-source': '/first/../theirs/secret' } },
    { method: 'POST', target: '/theirs/secret?uploads' },
    { method: 'DELETE', target: '/theirs/secret' },
    { method: 'DELETE', target: '/theirs' },
  ])('is never given to who has another project: $method $target', async (asked) => {
    const reply = await cloud.ask(asked);
    expect([403, 404]).toContain(reply.status);
    expect(reply.text).not.toContain(SECRET);
    expect((await cloud.ask({ target: '/theirs/secret' }, { key: other })).text).toBe(SECRET);
    expect(await isThere('copied')).toBe(false);
  });

  it('is not emptied by a list of keys either', async () => {
    const headers = { 'content-md5': createHash('md5').update(deletion).digest('base64') };
    const { text } = await cloud.ask({ method: 'POST', target: '/theirs?delete', body: deletion, headers });
    expect(text).toContain('<Code>AccessDenied</Code>');
    expect((await cloud.ask({ target: '/theirs/secret' }, { key: other })).text).toBe(SECRET);
  });
});

describe('signatures that somebody worked on [sim]', () => {
  const target = '/first/signed';

  it('in the query hold for no other method, key, host or time, and not in parts', async () => {
    await cloud.ask({ method: 'PUT', target, body: 'signed' });
    const good = presigned(cloud, { target });
    expect((await cloud.send({ target: good })).text).toBe('signed');
    for (const method of ['PUT', 'DELETE', 'HEAD', 'POST']) {
      const { status } = await cloud.send({ method, target: good });
      expect(status, method).toBe(403);
    }
    const [path = '', query = ''] = good.split('?');
    const parameters = query.split('&');
    for (const missing of parameters) {
      const rest = parameters.filter((one) => one !== missing).join('&');
      expect([400, 403], missing).toContain((await cloud.send({ target: `${path}?${rest}` })).status);
    }
    const changed = [
      good.replace('/first/signed', '/first/other'),
      good.replace('X-Amz-Expires=60', 'X-Amz-Expires=604800'),
      good.replace('SignedHeaders=host', 'SignedHeaders='),
      `${good}&versionId=null`,
      `${good}&response-content-type=text%2Fhtml`,
      `${good}&X-Amz-Expires=60`,
      good.replace(/Signature=.*/, 'Signature='),
    ];
    for (const one of changed) expect([400, 403], one).toContain((await cloud.send({ target: one })).status);
    expect((await cloud.send({ target: good, headers: { host: 'first.s3.example.org' } })).status).toBe(403);
    const both = await cloud.send({ target: good, headers: cloud.signed({ target }) });
    expect(refusal(both)).toBe('400 InvalidArgument');
    expect((await cloud.ask({ target })).text).toBe('signed');
  });

  it('in the header hold for nothing less, more or later', async () => {
    const put = { method: 'PUT', target, headers: { 'x-amz-meta-a': 'b' }, body: 'hello' };
    const signed = cloud.signed(put);
    const send = (headers: Record<string, string>): Promise<S3Reply> => cloud.send({ ...put, headers });
    for (const name of Object.keys(signed).filter((one) => one !== 'host')) {
      const { [name]: _, ...less } = signed;
      expect([400, 403], name).toContain((await send(less)).status);
    }
    expect((await send({ ...signed, 'x-amz-meta-a': 'c' })).status).toBe(403);
    expect((await send({ ...signed, 'x-amz-acl': 'public-read' })).status).toBe(403);
    expect((await send({ ...signed, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })).status).toBe(403);
    const nowMs = cloud.sim.clock.nowMs();
    for (const away of [-301_000, 301_000]) {
      const late = cloud.signed(put, { nowMs: nowMs + away });
      expect(refusal(await send(late))).toBe('403 RequestTimeTooSkewed');
    }
    expect((await cloud.ask({ target })).text).toBe('signed');
  });
});

describe('signatures by the header Date alone [sim]', () => {
  const target = '/first/dated';
  function dated(signedHeaders: readonly string[]): Record<string, string> {
    const nowMs = Math.floor(cloud.sim.clock.nowMs() / 1000) * 1000;
    const time = signingTime(nowMs);
    const scope = { date: time.slice(0, 8), region: 'nova', service: 's3' };
    const payloadHash = 'UNSIGNED-PAYLOAD';
    const date = new Date(nowMs).toUTCString();
    const headers = { date, host: cloud.authority, 'x-amz-content-sha256': payloadHash };
    const request = {
      ...{ method: 'GET', path: target, query: '' },
      headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
    };
    const signature = signatureOf(cloud.key.secretAccessKey, {
      ...{ request, scope, time, signedHeaders, payloadHash, pathStyle: 'plain' },
    });
    const claim = `Credential=${cloud.key.accessKeyId}/${scopeText(scope)}, SignedHeaders=${signedHeaders.join(';')}`;
    return { ...headers, authorization: `AWS4-HMAC-SHA256 ${claim}, Signature=${signature}` };
  }

  it('are taken where Date is signed, and is the time of it', async () => {
    await cloud.ask({ method: 'PUT', target, body: 'dated' });
    const good = dated(['date', 'host', 'x-amz-content-sha256']);
    expect((await cloud.send({ target, headers: good })).text).toBe('dated');
    const later = new Date(Date.parse(good['date'] ?? '') + 1000).toUTCString();
    expect(refusal(await cloud.send({ target, headers: { ...good, date: later } }))).toBe('403 SignatureDoesNotMatch');
    const { date: _, ...without } = good;
    expect(refusal(await cloud.send({ target, headers: without }))).toBe('400 AuthorizationHeaderMalformed');
    const unsigned = dated(['host', 'x-amz-content-sha256']);
    expect(refusal(await cloud.send({ target, headers: unsigned }))).toBe('400 AuthorizationHeaderMalformed');
  });
});

describe('signed chunks that somebody worked on [sim]', () => {
  const parts = [Buffer.alloc(8192, 'a'), Buffer.alloc(8192, 'b'), Buffer.alloc(8192, 'c')];
  const target = '/first/chunks';
  const trailer = ['x-amz-checksum-crc32', checksumOf('CRC32', Buffer.concat(parts))] as const;
  type Change = (sent: SignedChunks) => { chunks?: readonly Buffer[]; tail?: string };

  it.each<[string, Change]>([
    [
      'one changed',
      ({ chunks: [a = '', ...rest] }) => ({
        chunks: [Buffer.from(a.toString('latin1').replace('aaaa', 'aaab')), ...rest],
      }),
    ],
    ['two swapped', ({ chunks: [a, b, ...rest] }) => ({ chunks: [b, a, ...rest].filter((one) => one !== undefined) })],
    ['one dropped', ({ chunks: [, ...rest] }) => ({ chunks: rest })],
    ['one doubled', ({ chunks: [a, ...rest] }) => ({ chunks: [a, a, ...rest].filter((one) => one !== undefined) })],
    [
      'one in the place of another',
      ({ chunks: [a, , ...rest] }) => ({ chunks: [a, a, ...rest].filter((one) => one !== undefined) }),
    ],
    ['the last one dropped', ({ chunks }) => ({ chunks: chunks.slice(0, -1), tail: '' })],
    ['the trailer changed', ({ tail }) => ({ tail: tail.replace(trailer[1], 'AAAAAA==') })],
    ['the trailer stripped', () => ({ tail: '\r\n' })],
    ["the trailer's signature stripped", ({ tail }) => ({ tail: tail.replace(/x-amz-trailer-signature:\w+\r\n/, '') })],
    ['a trailer added', ({ tail }) => ({ tail: `x-amz-meta-b:c\r\n${tail}` })],
  ])('are refused: %s', async (_, change) => {
    const sent = signedChunks(cloud, target, parts, trailer);
    const { chunks = sent.chunks, tail = sent.tail } = change(sent);
    const body = Buffer.concat([...chunks, Buffer.from(tail)]);
    const reply = await cloud.send({ method: 'PUT', target, headers: sent.headers, body });
    expect(refusal(reply)).toMatch(/^(403 SignatureDoesNotMatch|400 (IncompleteBody|InvalidRequest))$/);
    expect(await isThere('chunks')).toBe(false);
  });

  it('are taken when nobody did', async () => {
    const { headers, chunks, tail } = signedChunks(cloud, '/first/whole', parts, trailer);
    const body = Buffer.concat([...chunks, Buffer.from(tail)]);
    expect((await cloud.send({ method: 'PUT', target: '/first/whole', headers, body })).status).toBe(200);
  });
});

describe('requests within requests [sim]', () => {
  const hidden = (): string =>
    rawHead('PUT /first/smuggled', { ...cloud.signed({ method: 'PUT', target: '/first/smuggled' }) });
  const head = (more: string): string =>
    rawHead(
      'PUT /first/outer',
      cloud.signed({ method: 'PUT', target: '/first/outer', contentSha256: 'UNSIGNED-PAYLOAD' }),
      more,
    );

  it.each<[string, (inner: string) => string]>([
    ['two lengths', (inner) => head(`Content-Length: 5\r\nContent-Length: ${5 + inner.length}\r\n`) + `hello${inner}`],
    ['the same length twice', (inner) => head('Content-Length: 5\r\nContent-Length: 5\r\n') + `hello${inner}`],
    ['a list of lengths', (inner) => head(`Content-Length: 5, ${5 + inner.length}\r\n`) + `hello${inner}`],
    [
      'a length and chunks',
      (inner) => head('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n') + `0\r\n\r\n${inner}`,
    ],
    ['chunks, and something else', (inner) => head('Transfer-Encoding: chunked, identity\r\n') + `0\r\n\r\n${inner}`],
    [
      'chunks by another name',
      (inner) => head('Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n') + `0\r\n\r\n${inner}`,
    ],
    [
      'chunks behind a folded line',
      (inner) => head('Content-Length: 5\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n') + `hello${inner}`,
    ],
    ['a blank before the colon', (inner) => head('Content-Length : 5\r\n') + `hello${inner}`],
    ['a length with a sign', (inner) => head('Content-Length: +5\r\n') + `hello${inner}`],
    [
      'a size of a chunk that is none',
      (inner) => head('Transfer-Encoding: chunked\r\n') + `0x5\r\nhello\r\n0\r\n\r\n${inner}`,
    ],
    ['lines that end with a feed alone', (inner) => head('Content-Length: 5\nX-A: b\r\n') + `hello${inner}`],
    ['a zero byte in a header', (inner) => head('Content-Length: 5\r\nX-A: \0b\r\n') + `hello${inner}`],
  ])('are not found: %s', async (_, text) => {
    const reply = await new RawS3Client(cloud, text(hidden())).reply();
    expect(reply.status).toBe(400);
    expect([reply.code, reply.message]).not.toContain('');
    expect(await isThere('smuggled')).toBe(false);
    expect(await isThere('outer')).toBe(false);
  });

  it('are two when they are what they say', async () => {
    await cloud.ask({ method: 'PUT', target: '/first/before', body: 'before' });
    const outer = `${head('Content-Length: 5\r\n')}hello`;
    const last = rawHead('GET /first/before', cloud.signed({ target: '/first/before' }), 'Connection: close\r\n');
    const client = new RawS3Client(cloud, outer + last);
    await until(() => client.isOver, { what: 'both are answered' });
    client.socket.destroy();
    expect(client.came.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(client.came.endsWith('before')).toBe(true);
  });

  it.each([
    ['of too many bytes', `X-A: ${'x'.repeat(40_000)}\r\n`],
    ['of too many bytes in lines of their own', 'X-A: 0123456789abcdef0123456789abcdef\r\n'.repeat(1000)],
  ])('have no headers %s', async (_, more) => {
    const { status, code } = await new RawS3Client(cloud, head(more)).reply();
    expect([status, code]).toEqual([400, 'MaxMessageLengthExceeded']);
  });
});
