import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  uriDecode,
  uriEncode,
} from '../../../src/base/signature/canonical-request.ts';
import { parseSigningTime, signatureOf, signingTime } from '../../../src/base/signature/signature-v4.ts';
import { signRequest } from '../../../src/base/signature/sign-request.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const TIME = '20150830T123600Z';

interface Vector {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Record<string, readonly string[]>;
  readonly body?: string;
  readonly signature: string;
}

/** Cases of AWS's own signature version 4 test suite, with the signatures that it publishes (us-east-1, service "service"). */
const SUITE: Record<string, Vector> = {
  'get-vanilla': { signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31' },
  'get-relative': {
    path: '/example/..',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'get-relative-relative': {
    path: '/example1/example2/../..',
    signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  },
  'get-slash': { path: '//', signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31' },
  'get-vanilla-empty-query-key': {
    query: 'Param1=value1',
    signature: 'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  },
  'get-vanilla-query-order-key-case': {
    query: 'Param2=value2&Param1=value1',
    signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  },
  'get-vanilla-utf8-query': {
    query: 'ሴ=bar',
    signature: '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
  },
  'get-unreserved': {
    path: '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  },
  'get-utf8': { path: '/ሴ', signature: '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85' },
  'get-space': {
    path: '/example space/',
    signature: '652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741',
  },
  'get-header-key-duplicate': {
    headers: { 'my-header1': ['value2', 'value2', 'value1'] },
    signature: 'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  },
  'get-header-value-order': {
    headers: { 'my-header1': ['value4', 'value1', 'value3', 'value2'] },
    signature: '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
  },
  'get-header-value-trim': {
    headers: { 'my-header1': [' value1'], 'my-header2': [' "a   b   c"'] },
    signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  },
  'post-vanilla': {
    method: 'POST',
    signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  },
  'post-vanilla-query': {
    method: 'POST',
    query: 'Param1=value1',
    signature: '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  },
  'post-header-key-sort': {
    method: 'POST',
    headers: { 'my-header1': ['value1'] },
    signature: 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  },
  'post-header-value-case': {
    method: 'POST',
    headers: { 'my-header1': ['VALUE1'] },
    signature: 'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  },
  'post-x-www-form-urlencoded': {
    method: 'POST',
    headers: { 'content-type': ['application/x-www-form-urlencoded'] },
    body: 'Param1=value1',
    signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  },
};

describe("AWS's test suite for signature version 4", () => {
  it.each(Object.entries(SUITE))('%s', (_name, vector) => {
    const headers = new Map<string, readonly string[]>([
      ['host', ['example.amazonaws.com']],
      ['x-amz-date', [TIME]],
      ...Object.entries(vector.headers ?? {}),
    ]);
    const signature = signatureOf(SECRET, {
      request: { method: vector.method ?? 'GET', path: vector.path ?? '/', query: vector.query ?? '', headers },
      scope: { date: '20150830', region: 'us-east-1', service: 'service' },
      time: TIME,
      signedHeaders: [...headers.keys()].toSorted(),
      payloadHash: sha256(vector.body ?? ''),
      pathStyle: 'encoded',
    });
    expect(signature).toBe(vector.signature);
  });

  it('gives the signature of the presigned address in the S3 reference', () => {
    const query = [
      'X-Amz-Algorithm=AWS4-HMAC-SHA256',
      'X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request',
      'X-Amz-Date=20130524T000000Z',
      'X-Amz-Expires=86400',
      'X-Amz-SignedHeaders=host',
      'X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    ].join('&');
    const signature = signatureOf('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', {
      request: {
        method: 'GET',
        path: '/test.txt',
        query,
        headers: new Map([['host', ['examplebucket.s3.amazonaws.com']]]),
      },
      scope: { date: '20130524', region: 'us-east-1', service: 's3' },
      time: '20130524T000000Z',
      signedHeaders: ['host'],
      payloadHash: 'UNSIGNED-PAYLOAD',
      pathStyle: 'plain',
      withoutParameter: 'X-Amz-Signature',
    });
    expect(signature).toBe('aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404');
  });
});

describe('what is signed', () => {
  it('is the same however the query was encoded and ordered', () => {
    const pair = fc.tuple(fc.string({ minLength: 1, unit: 'binary' }), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), (pairs) => {
        const once = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
        const eager = pairs.map(([name, value]) => `${everyByte(name)}=${everyByte(value)}`).toReversed();
        expect(canonicalQuery(eager.join('&'))).toBe(canonicalQuery(once.join('&')));
      }),
    );
  });

  it('never changes when it is written a second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const query = canonicalQuery(text);
        expect(canonicalQuery(query)).toBe(query);
        const path = canonicalPath(`/${text}`, 'plain');
        expect(canonicalPath(path, 'plain')).toBe(path);
      }),
    );
  });

  it('holds every byte: what is encoded decodes to the same', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const encoded = uriEncode(Buffer.from(bytes));
        expect(encoded).toMatch(/^([A-Za-z0-9._~-]|%[0-9A-F]{2})*$/);
        expect(uriDecode(encoded)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('never lets one part run into the next', () => {
    const header = fc.string({ unit: 'grapheme-ascii' });
    fc.assert(
      fc.property(header, (value) => {
        const text = canonicalRequest(
          { method: 'GET', path: '/', query: '', headers: new Map([['x-a', [value]]]) },
          { signedHeaders: ['x-a'], payloadHash: 'h', pathStyle: 'encoded' },
        );
        expect(text.split('\n')).toHaveLength(7);
      }),
    );
  });

  it('carries a time that can be read back', () => {
    expect(signingTime(Date.UTC(2015, 7, 30, 12, 36, 0, 999))).toBe(TIME);
    expect(parseSigningTime(TIME)).toBe(Date.UTC(2015, 7, 30, 12, 36, 0));
    for (const bad of ['', '2015-08-30', '20151330T123600Z', '20150830T123600', 'Sun, 30 Aug 2015 12:36:00 GMT']) {
      expect(parseSigningTime(bad), bad).toBeUndefined();
    }
  });

  it('never holds the secret', () => {
    const headers = signRequest(
      {
        method: 'POST',
        target: '/v1/DescribeCloud',
        headers: { host: 'h' },
        body: Buffer.from('{}'),
        region: 'nova',
        service: 'novactl',
        nowMs: 0,
      },
      { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET },
    );
    expect(JSON.stringify(headers)).not.toContain(SECRET);
    expect(headers['authorization']).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date,');
  });
});

function everyByte(text: string): string {
  return [...Buffer.from(text, 'utf8')].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
