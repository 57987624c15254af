import { describe, expect, it } from 'vitest';
import { parseSigningTime } from '../../../../../src/base/signature/signature-v4.ts';
import { regionsOf } from '../../../../../src/controller/api/ec2/ec2-regions.ts';
import { headerOf, readS3Request, type S3Request } from '../../../../../src/controller/api/s3/s3-request.ts';
import { verifyS3Signature, type S3Signer } from '../../../../../src/controller/api/s3/s3-signature.ts';

const ID = 'AKIAIOSFODNN7EXAMPLE';
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const TIME = '20130524T000000Z';
const SCOPE = `${ID}/20130524/us-east-1/s3/aws4_request`;
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const HOST = 'examplebucket.s3.amazonaws.com';

interface Asked {
  readonly method?: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

function read({ method = 'GET', url, headers }: Asked): S3Request {
  const rawHeaders = Object.entries(headers).flat();
  return readS3Request({ method, url, rawHeaders, remoteAddress: '192.0.2.1', isSecure: false }, ['s3.amazonaws.com']);
}

function verify(asked: Asked, time = TIME, signatureV2 = true): S3Signer {
  return verifyS3Signature(read(asked), {
    regions: regionsOf([
      { name: 'us-east-1', zones: [] },
      { name: 'west', zones: [] },
    ]),
    secretOf: (id) => (id === ID ? SECRET : undefined),
    nowMs: parseSigningTime(time) ?? 0,
    signatureV2,
  });
}

const inHeader = (names: string, signature: string): Record<string, string> => ({
  authorization: `AWS4-HMAC-SHA256 Credential=${SCOPE},SignedHeaders=${names},Signature=${signature}`,
});

/** The examples of the S3 API reference, "Signature calculations for the authorization header: transferring payload in a single chunk". */
const EXAMPLES: Record<string, Asked> = {
  'GET object': {
    url: '/test.txt',
    headers: {
      host: HOST,
      range: 'bytes=0-9',
      'x-amz-content-sha256': EMPTY,
      'x-amz-date': TIME,
      ...inHeader(
        'host;range;x-amz-content-sha256;x-amz-date',
        'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
      ),
    },
  },
  'PUT object': {
    method: 'PUT',
    url: '/test$file.text',
    headers: {
      host: HOST,
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-date': TIME,
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      ...inHeader(
        'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
        '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
      ),
    },
  },
  'GET bucket lifecycle': {
    url: '/?lifecycle',
    headers: {
      host: HOST,
      'x-amz-date': TIME,
      'x-amz-content-sha256': EMPTY,
      ...inHeader(
        'host;x-amz-content-sha256;x-amz-date',
        'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
      ),
    },
  },
  'GET bucket (list objects)': {
    url: '/?max-keys=2&prefix=J',
    headers: {
      host: HOST,
      'x-amz-date': TIME,
      'x-amz-content-sha256': EMPTY,
      ...inHeader(
        'host;x-amz-content-sha256;x-amz-date',
        '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
      ),
    },
  },
};
/** "Authenticating requests: using query parameters". */
const PRESIGNED: Asked = {
  url: `/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(SCOPE)}&X-Amz-Date=${TIME}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`,
  headers: { host: HOST },
};
/** The user guide's first example of version 2. */
const V2: Asked = {
  url: '/photos/puppy.jpg',
  headers: {
    host: 'johnsmith.s3.amazonaws.com',
    date: 'Tue, 27 Mar 2007 19:36:42 +0000',
    authorization: `AWS ${ID}:bWq2s1WEIj+Ydj0vQ697zp+IXMU=`,
  },
};
const V2_TIME = '20070327T193642Z';
const example = (name: string): Asked => EXAMPLES[name] ?? PRESIGNED;
const refused = (code: string): object => expect.objectContaining({ code });

describe('signatures of S3', () => {
  it.each(Object.entries(EXAMPLES))('of version 4 are those that AWS publishes: %s', (_, asked) => {
    expect(verify(asked)).toMatchObject({ key: { accessKeyId: ID }, region: 'us-east-1' });
  });

  it('in the query hold for as long as they say', () => {
    expect(verify(PRESIGNED)).toMatchObject({ key: { accessKeyId: ID }, payload: { kind: 'unsigned' } });
    expect(verify(PRESIGNED, '20130524T235959Z').key).toBeDefined();
    expect(() => verify(PRESIGNED, '20130525T000001Z')).toThrow(refused('AccessDenied'));
  });

  it('of version 2 are taken where that is on', () => {
    expect(verify(V2, V2_TIME)).toMatchObject({ key: { accessKeyId: ID } });
    expect(() => verify(V2, V2_TIME, false)).toThrow(refused('InvalidRequest'));
    expect(() => verify(V2, '20070327T195642Z')).toThrow(refused('RequestTimeTooSkewed'));
    expect(() => verify({ ...V2, url: '/photos/puppy.jpg?acl' }, V2_TIME)).toThrow(refused('SignatureDoesNotMatch'));
  });

  it.each(['publicAccessBlock', 'ownershipControls', 'x-novactl-quota', 'encryption', 'attributes'])(
    'of version 2 do not cover %s, which would make the request another one',
    (name) => {
      expect(() => verify({ ...V2, url: `/photos/puppy.jpg?${name}` }, V2_TIME)).toThrow(refused('InvalidRequest'));
    },
  );

  it('of version 2 cover what SDKs sign beyond the guide', () => {
    for (const name of ['accelerate', 'replication', 'object-lock', 'analytics', 'metrics', 'inventory'])
      expect(() => verify({ ...V2, url: `/photos/puppy.jpg?${name}` }, V2_TIME), name).toThrow(
        refused('SignatureDoesNotMatch'),
      );
  });

  it('in the query alone make headers of the parameters beside them', () => {
    const of = (url: string, headers = {}): string | undefined =>
      headerOf(read({ url, headers: { host: HOST, ...headers } }), 'x-amz-acl');
    expect(of('/k?X-Amz-Algorithm=x&X-Amz-Acl=private')).toBe('private');
    expect(of('/k?AWSAccessKeyId=x&Signature=x&x-amz-acl=private')).toBe('private');
    expect(of('/k?X-Amz-Algorithm=x&x-amz-acl=private', { 'x-amz-acl': 'public-read' })).toBe('public-read');
    // Version 2 in the header does not sign them.
    expect(of('/k?AWSAccessKeyId=x&x-amz-acl=private', { authorization: 'AWS x:y' })).toBeUndefined();
    expect(of('/k?x-amz-acl=private')).toBeUndefined();
  });

  it.each(['Signature', 'X-Amz-Algorithm'])(
    'of version 2 in the header make none of them when %s is there too',
    (name) => {
      const url = `/photos/puppy.jpg?${name}=x&x-amz-acl=public-read`;
      expect(() => verify({ ...V2, url }, V2_TIME)).toThrow(refused('InvalidArgument'));
    },
  );

  it('are no signature when nothing of one is there', () => {
    expect(verify({ url: '/test.txt?prefix=x', headers: { host: HOST } }).key).toBeUndefined();
  });

  const strip = (asked: Asked, name: string): Asked => {
    const { [name]: _, ...headers } = asked.headers;
    return { ...asked, headers };
  };
  const get = example('GET object');
  it.each<[string, Asked, string]>([
    ['another key', { ...get, url: '/test.tx' }, 'SignatureDoesNotMatch'],
    ['a key with a slash more', { ...get, url: '//test.txt' }, 'SignatureDoesNotMatch'],
    ['another bucket', { ...get, headers: { ...get.headers, host: 'b.s3.amazonaws.com' } }, 'SignatureDoesNotMatch'],
    ['another method', { ...get, method: 'DELETE' }, 'SignatureDoesNotMatch'],
    ['a parameter more', { ...get, url: '/test.txt?acl' }, 'SignatureDoesNotMatch'],
    ['another range', { ...get, headers: { ...get.headers, range: 'bytes=0-' } }, 'SignatureDoesNotMatch'],
    [
      'a header that is not signed',
      { ...get, headers: { ...get.headers, 'x-amz-acl': 'public-read' } },
      'SignatureDoesNotMatch',
    ],
    ['a signed header less', strip(get, 'range'), 'SignatureDoesNotMatch'],
    ['no hash of the body', strip(get, 'x-amz-content-sha256'), 'InvalidRequest'],
    [
      'another hash of the body',
      { ...get, headers: { ...get.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } },
      'SignatureDoesNotMatch',
    ],
    ['a session token', { ...get, headers: { ...get.headers, 'x-amz-security-token': 'x' } }, 'InvalidClientTokenId'],
    [
      'another service',
      {
        ...get,
        headers: { ...get.headers, authorization: (get.headers['authorization'] ?? '').replace('/s3/', '/ec2/') },
      },
      'AuthorizationHeaderMalformed',
    ],
    [
      'a region that there is, and was not signed for',
      {
        ...get,
        headers: { ...get.headers, authorization: (get.headers['authorization'] ?? '').replace('us-east-1', 'west') },
      },
      'SignatureDoesNotMatch',
    ],
    ['nonsense', { ...get, headers: { ...get.headers, authorization: 'Basic YTpi' } }, 'AuthorizationHeaderMalformed'],
    ['two signatures', { ...get, url: PRESIGNED.url }, 'InvalidArgument'],
    [
      'an unknown key',
      { ...get, headers: { ...get.headers, authorization: (get.headers['authorization'] ?? '').replace(ID, 'AKIAX') } },
      'InvalidClientTokenId',
    ],
    [
      'a query without its algorithm',
      { ...PRESIGNED, url: PRESIGNED.url.replace('X-Amz-Algorithm=AWS4-HMAC-SHA256&', '') },
      'AuthorizationQueryParametersError',
    ],
    [
      'a query that lasts longer',
      { ...PRESIGNED, url: PRESIGNED.url.replace('86400', '604800') },
      'SignatureDoesNotMatch',
    ],
    [
      'a query that lasts too long',
      { ...PRESIGNED, url: PRESIGNED.url.replace('86400', '604801') },
      'AuthorizationQueryParametersError',
    ],
    [
      'a query with a parameter more',
      { ...PRESIGNED, url: `${PRESIGNED.url}&response-content-type=text/html` },
      'SignatureDoesNotMatch',
    ],
    [
      'chunks that nobody signed',
      {
        method: 'PUT',
        url: '/x',
        headers: { host: HOST, 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' },
      },
      'InvalidRequest',
    ],
  ])('do not hold for %s', (_, asked, code) => {
    expect(() => verify(asked)).toThrow(refused(code));
  });

  it('tell the right region to who signed for another', () => {
    const authorization = (get.headers['authorization'] ?? '').replace('us-east-1', 'mars');
    const asked = { ...get, headers: { ...get.headers, authorization } };
    const details = expect.objectContaining({ region: 'us-east-1' }) as unknown;
    expect(() => verify(asked)).toThrow(
      expect.objectContaining({
        code: 'AuthorizationHeaderMalformed',
        details,
        message: expect.stringMatching(/'us-east-1' or 'west'/),
      }),
    );
  });

  it('are refused five minutes and a second away', () => {
    expect(verify(get, '20130524T000500Z').key).toBeDefined();
    expect(() => verify(get, '20130524T000501Z')).toThrow(refused('RequestTimeTooSkewed'));
    expect(() => verify(get, '20130523T235459Z')).toThrow(refused('RequestTimeTooSkewed'));
  });
});
