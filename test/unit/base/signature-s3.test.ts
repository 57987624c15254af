import { describe, expect, it } from 'vitest';
import { s3SignatureV2, s3StringToSignV2 } from '../../../src/base/signature/signature-s3v2.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

interface Vector {
  readonly method?: string;
  readonly hostBucket?: string;
  readonly path: string;
  readonly headers: Record<string, readonly string[]>;
  readonly parameters?: readonly (readonly [string, string | undefined])[];
  readonly expires?: string;
  readonly signature: string;
}

/** The examples of the S3 user guide, "Signing and authenticating REST requests", with the signatures that it publishes. */
const EXAMPLES: Record<string, Vector> = {
  'object GET': {
    hostBucket: 'johnsmith',
    path: '/photos/puppy.jpg',
    headers: { date: ['Tue, 27 Mar 2007 19:36:42 +0000'] },
    signature: 'bWq2s1WEIj+Ydj0vQ697zp+IXMU=',
  },
  'object PUT': {
    method: 'PUT',
    hostBucket: 'johnsmith',
    path: '/photos/puppy.jpg',
    headers: {
      date: ['Tue, 27 Mar 2007 21:15:45 +0000'],
      'content-type': ['image/jpeg'],
      'content-length': ['94328'],
    },
    signature: 'MyyxeRY7whkBe+bq8fHCL/2kKUg=',
  },
  list: {
    hostBucket: 'johnsmith',
    path: '/',
    headers: { date: ['Tue, 27 Mar 2007 19:42:41 +0000'] },
    parameters: [
      ['prefix', 'photos'],
      ['max-keys', '50'],
      ['marker', 'puppy'],
    ],
    signature: 'htDYFYduRNen8P9ZfE/s9SuKy0U=',
  },
  fetch: {
    hostBucket: 'johnsmith',
    path: '/',
    headers: { date: ['Tue, 27 Mar 2007 19:44:46 +0000'] },
    parameters: [['acl', undefined]],
    signature: 'c2WLPFtWHVgbEmeEG93a4cG37dM=',
  },
  upload: {
    method: 'PUT',
    hostBucket: 'static.johnsmith.net',
    path: '/db-backup.dat.gz',
    headers: {
      date: ['Tue, 27 Mar 2007 21:06:08 +0000'],
      'x-amz-acl': ['public-read'],
      'content-type': ['application/x-download'],
      'content-md5': ['4gJE4saaMU4BqNR0kLY+lw=='],
      'x-amz-meta-reviewedby': ['joe@johnsmith.net', 'jane@johnsmith.net'],
      'x-amz-meta-filechecksum': ['0x02661779'],
      'x-amz-meta-checksumalgorithm': ['crc32'],
    },
    signature: 'ilyl83RwaSoYIEdixDQcA4OnAnc=',
  },
  'list all my buckets': {
    path: '/',
    headers: { date: ['Wed, 28 Mar 2007 01:29:59 +0000'] },
    signature: 'qGdzdERIC03wnaRNKh6OqZehG9s=',
  },
  'Unicode keys': {
    path: '/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re',
    headers: { date: ['Wed, 28 Mar 2007 01:49:49 +0000'] },
    signature: 'DNEZGsoieTZ92F3bUfSPQcbGmlM=',
  },
  'query string': {
    hostBucket: 'johnsmith',
    path: '/photos/puppy.jpg',
    headers: {},
    expires: '1175139620',
    signature: 'NpgCjnDzrM+WFzoENXmpNDUsSn8=',
  },
};

describe('signature version 2 of S3', () => {
  it.each(Object.entries(EXAMPLES))('is that of the user guide: %s', (_, { method = 'GET', headers, ...vector }) => {
    const { hostBucket = '', path, parameters = [], expires } = vector;
    const text = s3StringToSignV2({
      ...{ method, hostBucket, path, parameters, headers: new Map(Object.entries(headers)) },
      ...(expires === undefined ? {} : { expires }),
    });
    expect(s3SignatureV2(SECRET, text)).toBe(vector.signature);
  });

  it('covers sub-resources with their values, in order, and no other parameter', () => {
    const parameters = [
      ['uploadId', 'u/1'],
      ['prefix', 'x'],
      ['partNumber', '2'],
      ['response-content-type', 'text/x y'],
    ] as const;
    const text = s3StringToSignV2({ method: 'PUT', hostBucket: '', path: '/b/k', headers: new Map(), parameters });
    expect(text).toBe('PUT\n\n\n\n/b/k?partNumber=2&response-content-type=text/x y&uploadId=u/1');
  });

  it('takes a header of several lines as one, and no time over blanks', () => {
    const amz = (value: string): string =>
      s3StringToSignV2({
        ...{ method: 'PUT', hostBucket: '', path: '/b/k', parameters: [] },
        headers: new Map([['x-amz-meta-a', [value]]]),
      });
    expect(amz(' two \n\n \t lines\n')).toBe('PUT\n\n\n\nx-amz-meta-a:two lines\n/b/k');
    const beganMs = performance.now();
    const blanks = `a${' '.repeat(300_000)}b`;
    expect(amz(blanks)).toContain(blanks);
    expect(performance.now() - beganMs).toBeLessThan(5000);
  });
});
