import { beforeEach, describe, expect, it } from 'vitest';
import { checksumOf } from '../../../../../src/base/checksums.ts';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { parseCopySource } from '../../../../../src/controller/api/s3/actions/copy-source.ts';
import { bucketSample, md5 } from '../../../../support/object-samples.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { askS3, textsOf, type Told } from '../../../../support/s3-call.ts';
import { openS3Store } from './open-store.ts';

const code = (name: string): object => expect.objectContaining({ code: name });
let store: ObjectStore;

beforeEach(async () => {
  store = await openS3Store();
  await store.createBucket(bucketSample('src', { projectId: 'p-2' }));
  const headers = {
    'content-type': 'text/x',
    'x-amz-meta-a': 'b',
    'x-amz-tagging': 't=1',
    'x-amz-checksum-crc32': 'given',
  };
  await askS3(store, { method: 'PUT', bucket: 'src', key: 'ä/1', body: '0123456789', headers });
});

const copy = (headers: Record<string, string> = {}, denied: string[] = [], key = 'k'): Promise<Told> =>
  askS3(store, {
    ...{ method: 'PUT', bucket: 'b', key, denied },
    headers: { 'x-amz-copy-source': '/src/%C3%A4/1', ...headers },
  });
const head = (key = 'k'): Promise<Told> =>
  askS3(store, { method: 'HEAD', bucket: 'b', key, headers: { 'x-amz-checksum-mode': 'ENABLED' } });

describe('CopyObject', () => {
  it('takes bytes, metadata, tags and checksum along', async () => {
    expectGolden('s3/copy-object.xml', (await copy()).text);
    const { headers } = await head();
    expect(headers).toMatchObject({
      'content-type': 'text/x',
      'content-length': '10',
      'x-amz-meta-a': 'b',
      'x-amz-tagging-count': '1',
      'x-amz-checksum-crc32': checksumOf('CRC32', Buffer.from('0123456789')),
    });
    await store.removeObject('src', 'ä/1');
    expect((await askS3(store, { bucket: 'b', key: 'k' })).text).toBe('0123456789');
  });

  it('replaces what is asked for', async () => {
    const replace = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-tagging-directive': 'replace' };
    await copy({ ...replace, 'content-type': 'text/y', 'x-amz-checksum-algorithm': 'SHA1' }, ['s3:GetObjectTagging']);
    const { headers } = await head();
    expect(headers).toMatchObject({
      'content-type': 'text/y',
      'x-amz-checksum-sha1': checksumOf('SHA1', Buffer.from('0123456789')),
    });
    expect(headers).not.toHaveProperty('x-amz-meta-a');
    expect(headers).not.toHaveProperty('x-amz-tagging-count');
  });

  it('brings an older version back', async () => {
    await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'enabled' }));
    const put = (body: string): Promise<Told> => askS3(store, { method: 'PUT', bucket: 'b', key: 'k', body });
    const old = (await put('old')).headers['x-amz-version-id'] ?? '';
    await put('new');
    const told = await copy({ 'x-amz-copy-source': `b/k?versionId=${old}` });
    expect(told.headers).toMatchObject({ 'x-amz-copy-source-version-id': old });
    expect((await askS3(store, { bucket: 'b', key: 'k' })).text).toBe('old');
    const denied = copy({ 'x-amz-copy-source': `b/k?versionId=${old}` }, ['s3:GetObjectVersion']);
    await expect(denied).rejects.toEqual(code('AccessDenied'));
  });

  it('is refused without rights on the source, without a change and under conditions', async () => {
    const etag = `"${md5('0123456789')}"`;
    const refusals: [string, Record<string, string>, string[]?, string?][] = [
      ['AccessDenied', {}, ['s3:GetObject']],
      ['AccessDenied', {}, ['s3:GetObjectTagging']],
      ['AccessDenied', { 'x-amz-source-expected-bucket-owner': 'p-1' }],
      ['NoSuchBucket', { 'x-amz-copy-source': 'none/x' }],
      ['NoSuchKey', { 'x-amz-copy-source': 'src/x' }],
      ['InvalidArgument', { 'x-amz-copy-source': 'src' }],
      ['InvalidArgument', { 'x-amz-copy-source': 'src/%zz' }],
      ['InvalidArgument', { 'x-amz-metadata-directive': 'MERGE' }],
      ['PreconditionFailed', { 'x-amz-copy-source-if-match': '"x"' }],
      ['PreconditionFailed', { 'x-amz-copy-source-if-none-match': etag }],
      ['PreconditionFailed', { 'x-amz-copy-source-if-modified-since': 'Fri, 02 Jan 2026 03:04:05 GMT' }],
      ['PreconditionFailed', { 'x-amz-copy-source-if-unmodified-since': 'Fri, 02 Jan 2026 03:04:04 GMT' }],
      ['NoSuchKey', { 'if-match': etag }],
    ];
    for (const [name, headers, denied] of refusals)
      await expect(copy(headers, denied), `${name} ${JSON.stringify(headers)}`).rejects.toEqual(code(name));
    await copy();
    await expect(copy({ 'x-amz-copy-source': 'b/k' })).rejects.toEqual(code('InvalidRequest'));
    await expect(copy({ 'if-none-match': '*' })).rejects.toEqual(code('PreconditionFailed'));
    await copy({ 'x-amz-copy-source': 'b/k', 'x-amz-metadata-directive': 'REPLACE' });
    await copy({
      'x-amz-copy-source-if-match': etag,
      'x-amz-copy-source-if-unmodified-since': 'Fri, 02 Jan 2026 03:04:04 GMT',
    });
  });
});

describe('UploadPartCopy', () => {
  it('makes a part of a range, and refuses one that is beyond the source', async () => {
    const begun = await askS3(store, {
      method: 'POST',
      bucket: 'b',
      key: 'k',
      query: 'uploads',
      headers: { 'x-amz-checksum-algorithm': 'SHA256' },
    });
    const id = textsOf(begun.text, 'UploadId')[0] ?? '';
    const part = (range: string | undefined): Promise<Told> =>
      askS3(store, {
        ...{ method: 'PUT', bucket: 'b', key: 'k', query: `partNumber=1&uploadId=${id}` },
        headers: {
          'x-amz-copy-source': 'src/%C3%A4/1',
          ...(range === undefined ? {} : { 'x-amz-copy-source-range': range }),
        },
      });
    expect(textsOf((await part(undefined)).text, 'ETag')).toEqual([`&quot;${md5('0123456789')}&quot;`]);
    const told = await part('bytes=2-4');
    expect(textsOf(told.text, 'ChecksumSHA256')).toEqual([checksumOf('SHA256', Buffer.from('234'))]);
    await expect(part('bytes=5-10')).rejects.toEqual(code('InvalidRange'));
    for (const range of ['bytes=5-', 'bytes=5-4', '5-6'])
      await expect(part(range)).rejects.toEqual(code('InvalidArgument'));
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${md5('234')}</ETag></Part></CompleteMultipartUpload>`;
    await askS3(store, { method: 'POST', bucket: 'b', key: 'k', query: `uploadId=${id}`, body });
    expect((await askS3(store, { bucket: 'b', key: 'k' })).text).toBe('234');
  });
});

describe('the name of a source', () => {
  it('is read with its version, and as it was encoded', () => {
    expect(parseCopySource('/b/a%3FversionId=1?versionId=2')).toEqual({
      bucket: 'b',
      key: 'a?versionId=1',
      versionId: '2',
    });
    expect(parseCopySource('b/%2Fa+b')).toEqual({ bucket: 'b', key: '/a+b', versionId: undefined });
  });
});
