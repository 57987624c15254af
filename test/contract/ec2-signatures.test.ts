import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/base/ids.ts';
import { signatureOf, signingTime } from '../../src/base/signature/signature-v4.ts';
import { signatureV2Of, type SignatureV2Method } from '../../src/base/signature/signature-v2.ts';
import { Ec2Cloud, formOf, quote, type Ec2Reply } from '../support/ec2-cloud.ts';

const MINUTE_MS = 60_000;
const REGIONS = { Action: 'DescribeRegions', Version: '2014-10-01' };
const BODY = formOf(REGIONS);

let cloud: Ec2Cloud;
beforeAll(async () => {
  cloud = await Ec2Cloud.start({ ec2: { signatureV2: 'on' } });
});
afterAll(() => cloud.close());

const refusal = ({ status, code, message }: Ec2Reply): string => `${status} ${code}: ${message}`;

interface V2 {
  readonly verb?: 'GET' | 'POST';
  readonly path?: string;
  readonly host?: string;
  readonly by?: SignatureV2Method;
  readonly set?: Readonly<Record<string, string>>;
  readonly without?: string;
  readonly change?: (query: string) => string;
}

/** As boto signed by version 2: every parameter in the query, or in the body. */
function sendV2({ verb = 'POST', path = '/services/Cloud/', host = cloud.authority, by = 'HmacSHA256', ...more }: V2) {
  const time = new Date(cloud.sim.clock.nowMs()).toISOString().replace(/\.\d+/, '');
  const all: Record<string, string> = {
    ...{
      ...REGIONS,
      AWSAccessKeyId: cloud.key.accessKeyId,
      SignatureVersion: '2',
      SignatureMethod: by,
      Timestamp: time,
    },
    ...more.set,
  };
  const parameters = Object.entries(all).filter(([name]) => name !== more.without);
  const signature = signatureV2Of(cloud.key.secretAccessKey, by, { method: verb, host, path, parameters });
  const text = `${formOf(Object.fromEntries(parameters))}&Signature=${quote(signature)}`;
  const query = more.change?.(text) ?? text;
  return verb === 'GET'
    ? cloud.send({ method: 'GET', target: `${path}?${query}` })
    : cloud.send({ target: path, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: query });
}

describe('signature version 2 [sim]', () => {
  it.each<[string, V2]>([
    ['by POST', {}],
    ['by GET', { verb: 'GET' }],
    ['by GET at the root', { verb: 'GET', path: '/' }],
    ['without the last slash', { path: '/services/Cloud' }],
    ['by SHA-1', { by: 'HmacSHA1' }],
    ['over the host without its port', { host: '127.0.0.1' }],
    ['with a time in no zone, as boto 1.9 wrote it', { set: { Timestamp: '' } }],
    ['with Expires', { without: 'Timestamp', set: { Expires: 'soon' } }],
    ['with KEY:project', { set: { AWSAccessKeyId: 'KEY:admin' } }],
  ])('is taken %s', async (_, asked) => {
    const nowMs = cloud.sim.clock.nowMs();
    const set = { ...asked.set };
    if (set.Timestamp === '') set.Timestamp = new Date(nowMs).toISOString().slice(0, 19);
    if (set.Expires === 'soon') set.Expires = new Date(nowMs + MINUTE_MS).toISOString();
    if (set.AWSAccessKeyId !== undefined) set.AWSAccessKeyId = `${cloud.key.accessKeyId}:admin`;
    const reply = await sendV2({ ...asked, set });
    expect(refusal(reply)).toBe('200 : ');
    expect(reply.xml.name).toBe('DescribeRegionsResponse');
  });

  it.each<[string, V2, RegExp]>([
    ['version 1', { set: { SignatureVersion: '1' } }, /^401 AuthFailure: signature version 1 is not taken/],
    ['version 0', { set: { SignatureVersion: '0' } }, /^401 AuthFailure: signature version 0 is not taken/],
    ['another version', { set: { SignatureVersion: '7' } }, /^400 IncompleteSignature: SignatureVersion must be 2/],
    ['another hash', { set: { SignatureMethod: 'HmacMD5' } }, /^400 IncompleteSignature: SignatureMethod/],
    ['no key', { without: 'AWSAccessKeyId' }, /^400 IncompleteSignature: AWSAccessKeyId/],
    [
      'a key that nobody has',
      { set: { AWSAccessKeyId: 'AKIANOBODY' } },
      /^401 AuthFailure: there is no active access key/,
    ],
    ['no time', { without: 'Timestamp' }, /^400 IncompleteSignature: .*either Timestamp or Expires/],
    ['both times', { set: { Expires: '2040-01-01T00:00:00Z' } }, /either Timestamp or Expires/],
    ['a time that is none', { set: { Timestamp: 'yesterday' } }, /^400 IncompleteSignature: Timestamp must be/],
    ['an old time', { set: { Timestamp: '2020-01-01T00:00:00Z' } }, /^400 RequestExpired: .*5 minutes/],
    ['a time to come', { set: { Timestamp: '2090-01-01T00:00:00Z' } }, /^400 RequestExpired: /],
    ['a past Expires', { without: 'Timestamp', set: { Expires: '2020-01-01T00:00:00Z' } }, /^400 RequestExpired: /],
    ['an endless Expires', { without: 'Timestamp', set: { Expires: '2090-01-01T00:00:00Z' } }, /at most a week/],
    ['a session token', { set: { SecurityToken: 'x' } }, /^401 AuthFailure: .*session token/],
    ['another host', { host: 'elsewhere:1' }, /^401 AuthFailure: the signature is not/],
    ['a changed parameter', { change: (text) => text.replace('2014-10-01', '2014-06-15') }, /the signature is not/],
    ['an added parameter', { change: (text) => `${text}&DryRun=true` }, /the signature is not/],
    [
      'a dropped parameter',
      { set: { DryRun: 'true' }, change: (text) => text.replace('&DryRun=true', '') },
      /the signature is not/,
    ],
    [
      'a doubled parameter',
      { change: (text) => `${text}&Action=DescribeRegions` },
      /^400 MalformedQueryString: .*"Action" is there twice/,
    ],
    ['a doubled parameter in other writing', { change: (text) => `${text}&%41ction=DescribeRegions` }, /there twice/],
    ['a cut signature', { change: (text) => text.slice(0, -6) }, /^400 IncompleteSignature: Signature must be base64/],
    [
      'no signature',
      { change: (text) => text.replace(/&Signature=.*/, '') },
      /^400 IncompleteSignature: Signature must be/,
    ],
  ])('is refused with %s', async (_, asked, expected) => {
    expect(refusal(await sendV2(asked))).toMatch(expected);
  });

  it('is refused where it is off', async () => {
    const other = await Ec2Cloud.start();
    try {
      const target = `/?${BODY}&AWSAccessKeyId=${other.key.accessKeyId}&SignatureVersion=2&SignatureMethod=HmacSHA256&Signature=x`;
      expect(refusal(await other.send({ method: 'GET', target }))).toMatch(/^401 AuthFailure: .*ec2\.signatureV2/);
    } finally {
      await other.close();
    }
  });
});

interface Presigned {
  readonly expires?: number;
  readonly atMs?: number;
  readonly key?: string;
  readonly more?: string;
}

/** A GET that is signed in its query. */
function presigned({ expires = 60, atMs = cloud.sim.clock.nowMs(), key, more = '' }: Presigned = {}): string {
  const time = signingTime(atMs);
  const scope = { date: time.slice(0, 8), region: 'nova', service: 'ec2' };
  const credential = `${key ?? cloud.key.accessKeyId}/${scope.date}/nova/ec2/aws4_request`;
  const query = `${BODY}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${quote(credential)}&X-Amz-Date=${time}&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=host${more}`;
  const signature = signatureOf(cloud.key.secretAccessKey, {
    request: { method: 'GET', path: '/', query, headers: new Map([['host', [cloud.authority]]]) },
    ...{ scope, time, signedHeaders: ['host'], payloadHash: sha256Hex(''), pathStyle: 'encoded' },
  });
  return `/?${query}&X-Amz-Signature=${signature}`;
}

const get = (target: string): Promise<Ec2Reply> => cloud.send({ method: 'GET', target });

describe('signature version 4 [sim]', () => {
  it('is taken in the query, also as KEY:project', async () => {
    expect(refusal(await get(presigned()))).toBe('200 : ');
    expect(refusal(await get(presigned({ key: `${cloud.key.accessKeyId}:admin` })))).toBe('200 : ');
    expect(refusal(await get(presigned({ key: `${cloud.key.accessKeyId}:nowhere` })))).toMatch(/^401 AuthFailure: /);
  });

  it('is refused in the query when its time is over, or it was changed', async () => {
    const nowMs = cloud.sim.clock.nowMs();
    expect(refusal(await get(presigned({ atMs: nowMs - 2 * MINUTE_MS })))).toMatch(/^400 RequestExpired: /);
    expect(refusal(await get(presigned({ atMs: nowMs + 6 * MINUTE_MS })))).toMatch(/^400 RequestExpired: /);
    expect(refusal(await get(presigned().replace('2014-10-01', '2013-10-01')))).toMatch(/^401 AuthFailure: /);
    expect(refusal(await get(`${presigned()}&DryRun=true`))).toMatch(/^401 AuthFailure: /);
    expect(refusal(await get(presigned().slice(0, -3)))).toMatch(/^400 IncompleteSignature: Signature must be 64/);
  });

  it('means a plus in a query as it was signed, however the name of the algorithm is written', async () => {
    const signedPlus = presigned({ more: '&RegionName=a%2Bb' });
    const written = signedPlus.replace('a%2Bb', 'a+b');
    // The same bytes are signed in each of them, so each must be read alike.
    for (const target of [signedPlus, written, written.replace('X-Amz-Algorithm', '%58-Amz-Algorithm')]) {
      expect(refusal(await get(target))).toMatch(/^400 InvalidParameterValue: .*"a\+b"/);
    }
  });

  it('is taken in the header of GET and POST, at both paths, whatever stands in Host behind the colon', async () => {
    const empty = { body: Buffer.alloc(0), method: 'GET' };
    for (const path of ['/', '/services/Cloud', '/services/Cloud/']) {
      const headers = cloud.signed(BODY, { target: path });
      expect(refusal(await cloud.send({ target: path, headers, body: BODY }))).toBe('200 : ');
      const target = `${path}?${BODY}`;
      const bare = { host: '127.0.0.1' };
      for (const host of [{ host: cloud.authority }, bare]) {
        const signed = cloud.signed('', { ...empty, target, headers: host });
        expect(
          refusal(await cloud.send({ method: 'GET', target, headers: { ...signed, host: cloud.authority } })),
        ).toBe('200 : ');
      }
    }
  });

  it.each<[string, (headers: Record<string, string>) => Record<string, string>, string, RegExp]>([
    ['changed', (headers) => headers, BODY.replace('2014', '2013'), /^401 AuthFailure: x-amz-content-sha256/],
    ['cut', (headers) => headers, BODY.slice(0, -4), /^401 AuthFailure: /],
    [
      'changed together with the hash that it claims',
      (headers) => ({ ...headers, 'x-amz-content-sha256': sha256Hex(`${BODY}&DryRun=true`) }),
      `${BODY}&DryRun=true`,
      /^401 AuthFailure: the signature is not/,
    ],
    [
      'unsigned',
      ({ host }) => ({ host: host ?? '', 'content-type': 'application/x-www-form-urlencoded' }),
      BODY,
      /^403 MissingAuthenticationToken: ./,
    ],
    [
      'signed by nobody',
      (headers) => ({ ...headers, authorization: 'Basic YTpi' }),
      BODY,
      /^400 IncompleteSignature: /,
    ],
    ['one with a session token', (headers) => ({ ...headers, 'x-amz-security-token': 'x' }), BODY, /session token/],
  ])('refuses a body that is %s', async (_, change, body, expected) => {
    expect(refusal(await cloud.send({ headers: change(cloud.signed(BODY)), body }))).toMatch(expected);
  });

  it('refuses a request outside the window, for another region, for another service', async () => {
    const nowMs = cloud.sim.clock.nowMs();
    const sent = async (more: object): Promise<string> =>
      refusal(await cloud.send({ headers: cloud.signed(BODY, more), body: BODY }));
    expect(await sent({ nowMs: nowMs - 6 * MINUTE_MS })).toMatch(/^400 RequestExpired: /);
    expect(await sent({ nowMs: nowMs + 6 * MINUTE_MS })).toMatch(/^400 RequestExpired: /);
    expect(await sent({ nowMs: nowMs - 4 * MINUTE_MS })).toBe('200 : ');
    expect(await sent({ region: 'mars' })).toMatch(/^401 AuthFailure: .*"mars"; this endpoint serves nova/);
    expect(await sent({ service: 'novactl' })).toMatch(/^401 AuthFailure: .*service "novactl"/);
  });

  it('takes what boto 2 makes of a host name for the first region', async () => {
    const headers = cloud.signed(BODY, { service: '127', region: '0' });
    expect(refusal(await cloud.send({ headers, body: BODY }))).toBe('200 : ');
  });

  it('refuses a wrong secret and a key that nobody has, and a key as soon as it is deleted', async () => {
    const { accessKeyId } = cloud.key;
    const wrong = await cloud.ask('DescribeRegions', {}, { accessKeyId, secretAccessKey: 'x'.repeat(40) });
    expect(refusal(wrong)).toMatch(/^401 AuthFailure: the signature is not/);
    const { accessKey, secretAccessKey } = await cloud.sim.call('CreateAccessKey', {});
    const key = { accessKeyId: accessKey.accessKeyId, secretAccessKey };
    expect((await cloud.ask('DescribeRegions', {}, key)).status).toBe(200);
    await cloud.sim.call('DeleteAccessKey', { AccessKeyId: key.accessKeyId });
    expect(refusal(await cloud.ask('DescribeRegions', {}, key))).toMatch(/^401 AuthFailure: there is no active/);
  });
});
