import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { S3Exchange, S3Reply } from '../../../../src/client/cloud-client.ts';
import { S3Client } from '../../../../src/client/s3/s3-client.ts';
import { s3Path } from '../../../../src/client/s3/s3-wire.ts';

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string };

/** A client of answers that are ready, and what it asked for. */
function canned(...answers: readonly Answer[]): { readonly s3: S3Client; readonly asked: S3Exchange[] } {
  const asked: S3Exchange[] = [];
  const rest = answers.values();
  const s3 = new S3Client((request): Promise<S3Reply> => {
    asked.push(request);
    const { status = 200, headers = {}, body = '' } = rest.next().value ?? {};
    return Promise.resolve({ status, headers, body: Readable.from([body]) });
  });
  return { s3, asked };
}

const list = (keys: readonly string[], token = ''): string =>
  `<ListBucketResult>${keys
    .map(
      (key) =>
        `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e"</ETag><Size>7</Size></Contents>`,
    )
    .join('')}${token === '' ? '' : `<NextContinuationToken>${token}</NextContinuationToken>`}</ListBucketResult>`;

describe('the path of a request', () => {
  it.each([
    [{ bucket: 'b' }, '/b'],
    [{ bucket: 'b', key: 'a b/ü&?#%' }, '/b/a%20b/%C3%BC%26%3F%23%25'],
    [{ bucket: 'b', key: "it's(*)!" }, '/b/it%27s%28%2A%29%21'],
    [{ bucket: 'b', key: '/x//y/' }, '/b//x//y/'],
    [
      { bucket: 'b', query: { uploads: '', prefix: 'a/b', 'max-keys': 2, none: undefined } },
      '/b?uploads&prefix=a%2Fb&max-keys=2',
    ],
  ])('%j is %s', (asked, path) => {
    expect(s3Path(asked)).toBe(path);
  });
});

describe('errors of S3', () => {
  const error = (code: string, text: string): string => `<Error><Code>${code}</Code><Message>${text}</Message></Error>`;

  it.each<[Answer, string, RegExp]>([
    [{ status: 404, body: error('NoSuchBucket', 'there is none') }, 'NoSuchBucket', /^there is none$/],
    [{ status: 503, body: error('ServiceUnavailable', 'later') }, 'Unavailable', /^later$/],
    [{ status: 404, body: error('NoSuchVersion', 'no such') }, 'NoSuchObjectVersion', /^no such$/],
    [{ status: 403, body: error('SomethingNew', 'no') }, 'AccessDenied', /^no$/],
    [{ status: 502, body: '<html>bad gateway' }, 'InternalError', /box: refused with status 502/],
    [{ status: 403 }, 'AccessDenied', /box: refused with status 403/],
  ])('%j', async (answer, code, text) => {
    const { s3 } = canned(answer);
    await expect(s3.region('box')).rejects.toMatchObject({ code, message: expect.stringMatching(text) as string });
  });

  it('what is not there is told from a bucket that is not there, though HEAD says neither', async () => {
    const noKey = canned({ status: 404 }, { body: '<LocationConstraint>nova</LocationConstraint>' });
    await expect(noKey.s3.head('box', { key: 'k' })).rejects.toMatchObject({ code: 'NoSuchKey' });
    const noBucket = canned({ status: 404 }, { status: 404, body: error('NoSuchBucket', 'no bucket') });
    await expect(noBucket.s3.head('box', { key: 'k' })).rejects.toMatchObject({ code: 'NoSuchBucket' });
  });

  it('an answer that is no document of S3 is a fault, and names itself so', async () => {
    const { s3 } = canned({ body: 'hello' });
    await expect(s3.buckets()).rejects.toMatchObject({
      code: 'InternalError',
      message: expect.stringMatching(/no document of S3/) as string,
    });
  });
});

describe('lists', () => {
  it('come page by page, with keys as they are', async () => {
    const { s3, asked } = canned({ body: list(['a%20b', '%3Cx%3E'], 'T&amp;1') }, { body: list(['z']) });
    const keys: string[] = [];
    for await (const page of s3.pages({ bucket: 'box', prefix: 'p', delimiter: '', versions: false }))
      keys.push(...page.objects.map(({ key }) => key));
    expect(keys).toEqual(['a b', '<x>', 'z']);
    expect(asked.map(({ path }) => path)).toEqual([
      '/box?list-type=2&encoding-type=url&prefix=p',
      '/box?list-type=2&encoding-type=url&prefix=p&continuation-token=T%261',
    ]);
  });

  it('an entry without what every entry has is refused', async () => {
    const { s3 } = canned({ body: '<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>' });
    const pages = s3.pages({ bucket: 'box', prefix: '', delimiter: '', versions: false });
    await expect(pages.next()).rejects.toMatchObject({ message: expect.stringMatching(/no Size/) as string });
  });
});

describe('several at once', () => {
  it('one that could not be deleted is told by its name', async () => {
    const body =
      '<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>';
    const { s3, asked } = canned({ body });
    const deletion = s3.deleteObjects('box', [{ key: 'a<' }, { key: 'b', versionId: 'v' }]);
    await expect(deletion).rejects.toMatchObject({ code: 'AccessDenied', message: 'b was not deleted: no' });
    expect(asked[0]?.body).toContain('<Object><Key>a&lt;</Key></Object><Object><Key>b</Key><VersionId>v</VersionId>');
  });
});

describe('a body', () => {
  it('goes with what it is counted to be', async () => {
    const { s3, asked } = canned({ headers: { etag: '"00ff"' } });
    const digests = { sizeBytes: 2, md5: '00ff', crc32: 'AAAAAA==' };
    expect(await s3.put('box', 'k', Readable.from(['hi']), digests)).toBe('00ff');
    expect(asked[0]?.headers).toEqual({
      'content-length': '2',
      'content-md5': 'AP8=',
      'x-amz-checksum-crc32': 'AAAAAA==',
    });
  });
});
