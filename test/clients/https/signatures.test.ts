import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../src/base/ids.ts';
import { EMPTY_HASH, HttpsCloud } from '../../support/https-cloud.ts';

let cloud: HttpsCloud;
beforeAll(async () => {
  cloud = await HttpsCloud.start();
});
afterAll(() => cloud.close());

const PATH = '/v1/DescribeCloud';
type Headers = Record<string, string | readonly string[]>;

/** A signed request, spoilt; what it is answered with. */
interface Bad {
  readonly what: string;
  readonly spoil: (headers: Record<string, string>) => Headers;
  readonly code: string;
  readonly status: number;
  readonly path?: string;
  readonly body?: string;
}

const edit = (pattern: RegExp, by: string) => (headers: Record<string, string>) => ({
  ...headers,
  authorization: (headers['authorization'] ?? '').replace(pattern, by),
});
const without = (name: string) => (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
const same = (headers: Record<string, string>): Headers => headers;
const flip = (hex: string): string => (hex.startsWith('0') ? `1${hex.slice(1)}` : `0${hex.slice(1)}`);

const BAD: readonly Bad[] = [
  { what: 'no signature', spoil: without('authorization'), code: 'MissingAuthenticationToken', status: 403 },
  {
    what: 'HTTP basic',
    spoil: (h) => ({ ...h, authorization: 'Basic YTpi' }),
    code: 'IncompleteSignature',
    status: 400,
  },
  {
    what: 'version 2 words',
    spoil: (h) => ({ ...h, authorization: 'AWS AKIA:abc=' }),
    code: 'IncompleteSignature',
    status: 400,
  },
  { what: 'no Signature', spoil: edit(/, Signature=.*/, ''), code: 'IncompleteSignature', status: 400 },
  { what: 'a cut signature', spoil: edit(/.{8}$/, ''), code: 'IncompleteSignature', status: 400 },
  { what: 'Signature twice', spoil: edit(/$/, ', Signature=00'), code: 'IncompleteSignature', status: 400 },
  {
    what: 'another signature',
    spoil: (h) => ({ ...h, authorization: h['authorization']?.replace(/[0-9a-f]{64}$/, flip) ?? '' }),
    code: 'SignatureDoesNotMatch',
    status: 403,
  },
  {
    what: 'an unknown key',
    spoil: edit(/AKIA[A-Z2-7]{16}/, 'AKIAIOSFODNN7EXAMPLE'),
    code: 'InvalidClientTokenId',
    status: 403,
  },
  { what: 'a scope without its end', spoil: edit(/\/aws4_request/, ''), code: 'IncompleteSignature', status: 400 },
  { what: 'another region', spoil: edit(/\/nova\//, '/us-east-1/'), code: 'SignatureDoesNotMatch', status: 403 },
  { what: 'another service', spoil: edit(/\/novactl\//, '/ec2/'), code: 'SignatureDoesNotMatch', status: 403 },
  {
    what: 'another day in the scope',
    spoil: edit(/\/\d{8}\//, '/20200101/'),
    code: 'SignatureDoesNotMatch',
    status: 403,
  },
  { what: 'the host unsigned', spoil: edit(/;host/, ''), code: 'SignatureDoesNotMatch', status: 403 },
  {
    what: 'header names out of order',
    spoil: edit(/SignedHeaders=[^,]*/, 'SignedHeaders=x-amz-date;host'),
    code: 'IncompleteSignature',
    status: 400,
  },
  { what: 'no time', spoil: without('x-amz-date'), code: 'IncompleteSignature', status: 400 },
  {
    what: 'a time that is none',
    spoil: (h) => ({ ...h, 'x-amz-date': 'today' }),
    code: 'IncompleteSignature',
    status: 400,
  },
  {
    what: 'another time of the day',
    spoil: (h) => ({ ...h, 'x-amz-date': shifted(h['x-amz-date'] ?? '', 60) }),
    code: 'SignatureDoesNotMatch',
    status: 403,
  },
  { what: 'no hash of the body', spoil: without('x-amz-content-sha256'), code: 'IncompleteSignature', status: 400 },
  {
    what: 'another hash of the body',
    spoil: (h) => ({ ...h, 'x-amz-content-sha256': EMPTY_HASH }),
    code: 'SignatureDoesNotMatch',
    status: 403,
  },
  { what: 'another body', spoil: same, body: '{"x":1}', code: 'SignatureDoesNotMatch', status: 403 },
  { what: 'another path', spoil: same, path: '/v1/DescribeHosts', code: 'SignatureDoesNotMatch', status: 403 },
  { what: 'a query that was not signed', spoil: same, path: `${PATH}?x=1`, code: 'SignatureDoesNotMatch', status: 403 },
  { what: 'another host', spoil: (h) => ({ ...h, host: 'elsewhere' }), code: 'SignatureDoesNotMatch', status: 403 },
  {
    what: 'a reason that was not signed',
    spoil: (h) => ({ ...h, 'x-novactl-reason': 'none' }),
    code: 'SignatureDoesNotMatch',
    status: 403,
  },
  {
    what: 'a dry run that was not signed',
    spoil: (h) => ({ ...h, 'x-novactl-dry-run': '1' }),
    code: 'SignatureDoesNotMatch',
    status: 403,
  },
  {
    what: 'a doubled date',
    spoil: (h) => ({ ...h, 'x-amz-date': [h['x-amz-date'] ?? '', '20200101T000000Z'] }),
    code: 'IncompleteSignature',
    status: 400,
  },
  { what: 'a presigned address', spoil: without('authorization'), path: presigned(), code: 'AuthFailure', status: 401 },
];

/** The same day, some seconds on or back. */
function shifted(time: string, seconds: number): string {
  const minute = Number(time.slice(11, 13));
  const other = minute >= 30 ? minute - seconds / 60 : minute + seconds / 60;
  return `${time.slice(0, 11)}${String(other).padStart(2, '0')}${time.slice(13)}`;
}

function presigned(): string {
  const credential = 'AKIAIOSFODNN7EXAMPLE%2F20260101%2Fnova%2Fnovactl%2Faws4_request';
  const rest = `X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=${'0'.repeat(64)}`;
  return `${PATH}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&${rest}`;
}

describe('signatures over TLS [real]', () => {
  it.each(BAD)('refuses $what', async ({ spoil, code, status, path = PATH, body = '{}' }) => {
    const headers = spoil(cloud.sign(PATH, '{}'));
    const answer = await cloud.send(path, headers as Record<string, string | string[]>, body);
    expect(answer.body.error?.code).toBe(code);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer)).not.toContain(cloud.key.secretAccessKey);
  });

  it('takes the same request twice: what makes a change happen once is its ClientToken', async () => {
    const headers = cloud.sign(PATH, '{}');
    expect((await cloud.send(PATH, headers, '{}')).status).toBe(200);
    expect((await cloud.send(PATH, headers, '{}')).status).toBe(200);
  });

  it.each([
    ['4 minutes behind', -240_000, 200],
    ['4 minutes ahead', 240_000, 200],
    ['6 minutes behind', -360_000, 400],
    ['6 minutes ahead', 360_000, 400],
  ])('a clock that is %s', async (_what, offsetMs, status) => {
    const nowMs = cloud.sim.clock.nowMs() + offsetMs;
    const answer = await cloud.send(PATH, cloud.sign(PATH, '{}', { nowMs }), '{}');
    expect(answer.status).toBe(status);
    if (status === 200) return;
    expect(answer.body.error?.code).toBe('RequestExpired');
    expect(answer.body.error?.message).toContain(new Date(nowMs).toISOString().slice(0, 16));
    expect(answer.body.error?.message).toMatch(/6 minutes apart/);
  });

  it('refuses JSON whose hash is not signed, and takes an upload without', async () => {
    const json = await cloud.send(PATH, cloud.sign(PATH, undefined), '{}');
    expect(json.body.error?.code).toBe('SignatureDoesNotMatch');
    const bare = await cloud.send(PATH, cloud.sign(PATH, undefined));
    expect(bare.body.error?.code).toBe('SignatureDoesNotMatch');
    const octets = { host: cloud.authority, 'content-type': 'application/octet-stream' };
    const headers = cloud.sign('/v1/blobs', undefined, { method: 'PUT', headers: octets });
    const blob = await cloud.send('/v1/blobs', headers, 'bytes', 'PUT');
    expect(blob).toMatchObject({ status: 200, body: { sizeBytes: 5, sha256: sha256Hex('bytes') } });
  });

  it('refuses an upload whose signed hash is another, and keeps nothing of it', async () => {
    const before = await cloud.uploads();
    const octets = { host: cloud.authority, 'content-type': 'application/octet-stream' };
    const headers = cloud.sign('/v1/blobs', 'bytes', { method: 'PUT', headers: octets });
    const answer = await cloud.send('/v1/blobs', headers, 'other', 'PUT');
    expect(answer.status).toBe(400);
    expect(await cloud.uploads()).toBe(before);
  });

  it('refuses a key from the moment it is deleted', async () => {
    const made = await cloud.sim.call('CreateAccessKey', {});
    const { key } = cloud;
    const other = { accessKeyId: made.accessKey.accessKeyId, secretAccessKey: made.secretAccessKey };
    Object.assign(cloud, { key: other });
    try {
      expect((await cloud.post('DescribeCloud', {})).status).toBe(200);
      expect((await cloud.post('DeleteAccessKey', { AccessKeyId: other.accessKeyId })).status).toBe(200);
      expect((await cloud.post('DescribeCloud', {})).body.error?.code).toBe('InvalidClientTokenId');
    } finally {
      Object.assign(cloud, { key });
    }
  });

  it('says in the operation record who it was, by which key and from where', async () => {
    await cloud.post('CreateKeyPair', { KeyName: 'recorded' });
    const { operations } = await cloud.sim.call('DescribeOperations', {});
    expect(operations[0]).toMatchObject({
      name: 'CreateKeyPair',
      principal: `admin/${cloud.key.accessKeyId}`,
      from: 'https 127.0.0.1',
    });
  });
});
