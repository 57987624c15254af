import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonLogger } from '../../src/base/logger.ts';
import { randomBelow, SeededRandom, type Random } from '../../src/base/random.ts';
import { MIB } from '../../src/base/units.ts';
import type { S3Answer } from '../../src/controller/api/s3/s3-action.ts';
import { S3Cloud, s3ReplyOf, type S3Ask, type S3Reply } from '../support/s3-cloud.ts';

const REQUESTS = Number(process.env['NOVACTL_S3_MUTATIONS'] ?? '5000');
const SEED = Number(process.env['NOVACTL_S3_SEED'] ?? '20261123');

const errors: string[] = [];
const logger = jsonLogger({ level: 'error', nowMs: () => 0, write: (line) => void errors.push(line) });

/** What another project has; nobody that signs as ours may ever see it. */
const THEIRS = 'bytes-that-only-their-owner-may-have';
/** Requests until the process has what it needs; what it has more at the end than then is a leak. */
const WARM_UP = Math.floor(REQUESTS / 2);

let cloud: S3Cloud;
beforeAll(async () => {
  cloud = await S3Cloud.start({ logger, signatureV2: true, domains: ['s3.example.org'] });
  const key = await cloud.otherKey();
  await cloud.ask({ method: 'PUT', target: '/other' }, { key });
  const { status } = await cloud.ask({ method: 'PUT', target: '/other/a', body: THEIRS }, { key });
  expect(status).toBe(200);
  for (const target of ['/one', '/two']) await cloud.ask({ method: 'PUT', target });
  for (const key of ['a', 'b/c', 'b/d']) await cloud.ask({ method: 'PUT', target: `/one/${key}`, body: key });
});
afterAll(() => cloud.close());

const XML = { 'content-type': 'application/xml' };
const DELETION = '<Delete><Object><Key>zz</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>';
const complete =
  '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>';
/** Requests that clients make; what comes of them is made of pieces of these. */
const BASE: readonly S3Ask[] = [
  { target: '/' },
  { target: '/one?list-type=2&prefix=b%2F&delimiter=%2F&max-keys=2&encoding-type=url&start-after=a' },
  { target: '/one?versions&key-marker=a&version-id-marker=null&max-keys=1' },
  { target: '/one?uploads&prefix=x' },
  { target: '/one?location' },
  { target: '/one/a', headers: { range: 'bytes=0-3', 'if-none-match': '"x"' } },
  { target: '/one/a?versionId=null&response-content-type=text%2Fplain&partNumber=1' },
  { target: '/one/a?tagging' },
  { target: '/one/a?acl' },
  { target: '/one/a?attributes', headers: { 'x-amz-object-attributes': 'ETag,ObjectSize,Checksum,ObjectParts' } },
  { method: 'HEAD', target: '/one/b/c', headers: { 'if-modified-since': 'Tue, 27 Mar 2007 19:36:42 GMT' } },
  {
    method: 'PUT',
    target: '/one/n',
    headers: { 'x-amz-meta-a': 'b', 'x-amz-tagging': 'a=b', 'if-none-match': '*' },
    body: 'n',
  },
  {
    method: 'PUT',
    target: '/one/m',
    headers: { 'x-amz-copy-source': '/one/a', 'x-amz-metadata-directive': 'REPLACE' },
  },
  {
    method: 'PUT',
    target: '/one/a?tagging',
    headers: XML,
    body: '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>',
  },
  {
    method: 'PUT',
    target: '/two?versioning',
    headers: XML,
    body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
  },
  {
    method: 'PUT',
    target: '/two?lifecycle',
    headers: XML,
    body: '<LifecycleConfiguration><Rule><ID>x</ID><Filter><Prefix>a</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>',
  },
  {
    method: 'PUT',
    target: '/two?cors',
    headers: XML,
    body: '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>',
  },
  {
    method: 'PUT',
    target: '/two?policy',
    body: '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::two/*"}]}',
  },
  { method: 'PUT', target: '/two?acl', headers: { 'x-amz-acl': 'private', 'x-amz-grant-read': 'id="admin"' } },
  {
    method: 'POST',
    target: '/one?delete',
    // Without its digest no list is looked at.
    headers: { ...XML, 'content-md5': createHash('md5').update(DELETION).digest('base64') },
    body: DELETION,
  },
  { method: 'POST', target: '/one/up?uploads', headers: { 'x-amz-checksum-algorithm': 'CRC32' } },
  { method: 'PUT', target: '/one/up?partNumber=1&uploadId=abc', body: 'part' },
  { method: 'POST', target: '/one/up?uploadId=abc', headers: XML, body: complete },
  { method: 'DELETE', target: '/one/up?uploadId=abc' },
  { method: 'DELETE', target: '/one/zz?versionId=null' },
  { method: 'OPTIONS', target: '/two/a', headers: { origin: 'http://x', 'access-control-request-method': 'GET' } },
  {
    method: 'POST',
    target: '/one',
    headers: { 'content-type': 'multipart/form-data; boundary=xx' },
    body: '--xx\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--xx\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhi\r\n--xx--\r\n',
  },
  {
    method: 'PUT',
    target: '/one/chunks',
    headers: {
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '5',
      'x-amz-trailer': 'x-amz-checksum-crc32',
    },
    contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    body: '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n',
  },
];
const PIECES = [
  ...['%00', '%ff', '%', '+', '&', '=', '?', '/', '..', '//', '\u00ff', '-1', '0', '99999999999999999999', 'null', 'é'],
  ...[
    '<',
    '>',
    '&lt;',
    '<!DOCTYPE a>',
    '<a/>',
    '"',
    "'",
    '\r\n',
    '\t',
    'x'.repeat(1100),
    '*',
    'arn:aws:s3:::one',
    '{}',
    '/other/a',
    'other',
  ],
  ...['uploadId', 'versionId=', 'acl', 'partNumber=10001', 'list-type=3', 'max-keys=x', 'bytes=5-1', 'Infinity', 'NaN'],
];

const pick = <T>(random: Random, all: readonly T[]): T => {
  const one = all[randomBelow(random, all.length)];
  if (one === undefined) throw new Error('nothing to pick from');
  return one;
};

/** A piece more, a piece less, or something else in the place of some. */
function mutate(random: Random, text: string): string {
  const at = randomBelow(random, text.length + 1);
  const to = Math.min(text.length, at + randomBelow(random, 12));
  return text.slice(0, at) + (randomBelow(random, 4) === 0 ? '' : pick(random, PIECES)) + text.slice(to);
}

function mutant(random: Random): S3Ask {
  let asked: S3Ask = pick(random, BASE);
  for (let times = 1 + randomBelow(random, 3); times > 0; times -= 1) {
    const other = pick(random, BASE);
    const headers = Object.entries({ ...asked.headers });
    const changes: readonly (() => S3Ask)[] = [
      () => ({ ...asked, target: `/${mutate(random, asked.target.slice(1))}` }),
      () => ({ ...asked, body: mutate(random, String(asked.body ?? '')) }),
      () => ({ ...asked, method: other.method ?? 'GET' }),
      () => ({ ...asked, headers: { ...asked.headers, ...other.headers } }),
      () => ({ ...asked, body: other.body ?? '' }),
      () => ({
        ...asked,
        target: asked.target.split('?')[0] + (other.target.includes('?') ? `?${other.target.split('?')[1] ?? ''}` : ''),
      }),
      () => ({
        ...asked,
        headers: Object.fromEntries(
          headers.map(([name, value]) => [name, mutate(random, value).replaceAll(/[\r\n]/g, '')]),
        ),
      }),
    ];
    asked = pick(random, changes)();
  }
  return asked;
}

async function bytesOf(body: S3Answer['body']): Promise<Buffer> {
  return body === undefined || typeof body === 'string' ? Buffer.from(body ?? '') : buffer(body);
}

/** Without sockets, which would let less through. */
async function answerTo(asked: S3Ask, headers: Record<string, string>): Promise<S3Reply> {
  const body = Buffer.from(asked.body ?? '');
  const rawHeaders = Object.entries({ ...headers, 'content-length': String(body.length) }).flat();
  const { answer, sent } = await cloud.edge.answer({
    ...{ method: asked.method ?? 'GET', url: asked.target, rawHeaders, remoteAddress: '192.0.2.1', isSecure: false },
    body: { stream: Readable.from(body.length === 0 ? [] : [body]), begin: () => undefined },
  });
  const bytes = asked.method === 'HEAD' ? Buffer.alloc(0) : await bytesOf(answer.body);
  sent(bytes.length, true);
  return s3ReplyOf(answer.status, answer.headers, bytes);
}

/** What a leak would be seen by. */
function held(): { files: number; temporary: number; timers: number; rssBytes: number } {
  return {
    files: readdirSync('/proc/self/fd').length,
    temporary: readdirSync(join(cloud.dir, 'tmp')).length,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    rssBytes: process.memoryUsage().rss,
  };
}

describe('requests that were changed at random [sim]', () => {
  it(
    `are answered or refused in words, ${REQUESTS} of them: never an error of ours`,
    { timeout: 15 * REQUESTS + 60_000 },
    async () => {
      const random = new SeededRandom(SEED);
      const seen = new Map<string, number>();
      let before = held();
      for (let n = 0; n < REQUESTS; n += 1) {
        if (n === WARM_UP) before = held();
        const asked = mutant(random);
        const signed = cloud.signed(asked);
        // Some are changed after they were signed.
        const spoilt = randomBelow(random, 5) === 0;
        const { authorization = '' } = signed;
        const headers = spoilt ? { ...signed, authorization: mutate(random, authorization) } : signed;
        const reply = await answerTo(asked, headers);
        const shown = `seed ${SEED}, request ${n}: ${JSON.stringify({ asked, status: reply.status, text: reply.text.slice(0, 300) })}`;
        expect(reply.status === 501 || reply.status < 500, `${shown}\n${errors.join('')}`).toBe(true);
        expect(reply.text.includes(THEIRS), shown).toBe(false);
        if (reply.status >= 400 && asked.method !== 'HEAD') {
          expect(reply.code, shown).not.toBe('');
          expect(reply.message, shown).not.toBe('');
        }
        const key = reply.code || String(reply.status);
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      expect(errors).toEqual([]);
      const after = held();
      expect(after.temporary).toBe(0);
      expect(after.files).toBeLessThanOrEqual(before.files + 2);
      expect(after.timers).toBeLessThanOrEqual(before.timers + 2);
      expect((after.rssBytes - before.rssBytes) / MIB).toBeLessThan(100);
      // They reached what lies behind the first look at a request.
      expect([...seen.keys()]).toEqual(
        expect.arrayContaining(['200', 'NoSuchKey', 'InvalidArgument', 'MalformedXML', 'NoSuchUpload']),
      );
      // And what was there before is there.
      expect((await cloud.ask({ target: '/' })).status).toBe(200);
    },
  );
});
