import { createHash, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { checksumOf } from '../../../../../src/base/checksums.ts';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { md5 } from '../../../../support/object-samples.ts';
import { askS3, performS3, textsOf, type S3Request, type Told } from '../../../../support/s3-call.ts';
import { openS3Store } from './open-store.ts';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

const code = (name: string): object => expect.objectContaining({ code: name });
const MIB_5 = 5 * 1024 * 1024;
const BIG = randomBytes(MIB_5 + 17);

let store: ObjectStore;
let id: string;
beforeEach(async () => {
  store = await openS3Store();
  id = await begin();
});

const on = (method: S3Request['method'], request: Omit<S3Request, 'method'> = {}): Promise<Told> =>
  askS3(store, { bucket: 'b', key: 'k', ...request, ...(method === undefined ? {} : { method }) });

async function begin(headers: Record<string, string> = {}): Promise<string> {
  const told = await on('POST', { query: 'uploads', headers });
  return textsOf(told.text, 'UploadId')[0] ?? '';
}

const part = (n: number, body: string | Uint8Array, request: Partial<S3Request> = {}): Promise<Told> =>
  on('PUT', { query: `partNumber=${n}&uploadId=${id}`, body, ...request });

type Named = readonly [number, string, string?];
const document = (parts: readonly Named[]): string =>
  `<CompleteMultipartUpload>${parts.map(([n, etag, more = '']) => `<Part><PartNumber>${n}</PartNumber><ETag>${etag}</ETag>${more}</Part>`).join('')}</CompleteMultipartUpload>`;
const complete = (parts: readonly Named[], headers: Record<string, string> = {}): Promise<Told> =>
  on('POST', { query: `uploadId=${id}`, body: document(parts), headers });

async function bytesOf(request: S3Request): Promise<Buffer> {
  return buffer((await performS3(store, request)).body as Readable);
}

describe('an upload in parts', () => {
  it('becomes one object of its parts, with the headers that it began with', async () => {
    id = await begin({ 'content-type': 'text/x', 'x-amz-meta-a': 'b', 'x-amz-tagging': 't=1' });
    const etags = [(await part(2, BIG)).headers['etag'] ?? '', (await part(9, 'end')).headers['etag'] ?? ''];
    expect(etags).toEqual([`"${md5(BIG)}"`, `"${md5('end')}"`]);
    const told = await complete([
      [2, etags[0] ?? ''],
      [9, md5('end')],
    ]);
    const digest = createHash('md5').update(md5(BIG), 'hex').update(md5('end'), 'hex').digest('hex');
    expectGolden('s3/complete-upload.xml', told.text.replace(digest, 'MD5-OF-MD5S'));
    const head = await on('HEAD');
    expect(head.headers).toMatchObject({
      etag: `"${digest}-2"`,
      'content-length': String(MIB_5 + 20),
      'content-type': 'text/x',
      'x-amz-meta-a': 'b',
      'x-amz-tagging-count': '1',
    });
    const whole = Buffer.concat([BIG, Buffer.from('end')]);
    expect((await bytesOf({ bucket: 'b', key: 'k' })).equals(whole)).toBe(true);
    expect(await on('GET', { query: 'partNumber=9' })).toMatchObject({
      status: 206,
      text: 'end',
      headers: { 'x-amz-mp-parts-count': '2', 'content-range': `bytes ${MIB_5 + 17}-${MIB_5 + 19}/${MIB_5 + 20}` },
    });
    await expect(on('GET', { query: 'partNumber=3' })).rejects.toEqual(code('InvalidRange'));
    await expect(on('GET', { query: `uploadId=${id}` })).rejects.toEqual(code('NoSuchUpload'));
    expect((await store.usage('b')).uploads).toBe(1);
  });

  it('is refused with the reason, and goes on to be there', async () => {
    await part(1, 'small');
    await part(2, 'end');
    const good: Named[] = [
      [1, md5('small')],
      [2, md5('end')],
    ];
    const refusals: [string, Named[], Record<string, string>?][] = [
      ['InvalidPartOrder', [good[1] as Named, good[0] as Named]],
      ['InvalidPartOrder', [good[1] as Named, good[1] as Named]],
      ['InvalidPart', [[1, md5('other')]]],
      ['InvalidPart', [[3, md5('small')]]],
      ['InvalidArgument', [[0, 'x']]],
      ['InvalidArgument', [[10_001, 'x']]],
      ['EntityTooSmall', good],
      ['MalformedXML', []],
      ['InvalidRequest', [good[1] as Named], { 'x-amz-mp-object-size': '4' }],
      ['NoSuchKey', [good[1] as Named], { 'if-match': '"x"' }],
      ['NotImplemented', [good[1] as Named], { 'if-none-match': '"x"' }],
    ];
    for (const [name, parts, headers] of refusals)
      await expect(complete(parts, headers), name).rejects.toEqual(code(name));
    await on('PUT', { body: 'there' });
    await expect(complete([good[1] as Named], { 'if-none-match': '*' })).rejects.toEqual(code('PreconditionFailed'));
    expect(textsOf((await on('GET', { query: `uploadId=${id}` })).text, 'PartNumber')).toEqual(['1', '2']);
    await complete([good[1] as Named], { 'x-amz-mp-object-size': '3' });
    expect((await on('GET')).text).toBe('end');
  });

  it('is completed once more by a client that lost the answer, as long as its object is there', async () => {
    await part(1, 'x');
    const named: Named[] = [[1, md5('x')]];
    const first = await complete(named);
    expect((await complete(named, { 'if-none-match': '*' })).text).toBe(first.text);
    await expect(complete([[1, md5('y')]])).rejects.toEqual(code('NoSuchUpload'));
    await expect(complete([[1, 'xyz']])).rejects.toEqual(code('NoSuchUpload'));
    await on('PUT', { body: 'x' });
    await expect(complete(named)).rejects.toEqual(code('NoSuchUpload'));
  });

  it('is given up', async () => {
    await part(1, 'x');
    expect((await on('DELETE', { query: `uploadId=${id}` })).status).toBe(204);
    await expect(on('DELETE', { query: `uploadId=${id}` })).rejects.toEqual(code('NoSuchUpload'));
    await expect(part(2, 'x')).rejects.toEqual(code('NoSuchUpload'));
    expect(await store.usage('b')).toMatchObject({ bytes: 0, uploads: 0 });
  });

  it('refuses parts that are none', async () => {
    for (const number of ['0', '10001', 'x', '']) {
      const query = `partNumber=${number}&uploadId=${id}`;
      await expect(on('PUT', { query, body: 'x' }), number).rejects.toEqual(code('InvalidArgument'));
    }
    await expect(on('PUT', { query: 'partNumber=1', body: 'x' })).rejects.toEqual(code('InvalidArgument'));
    await expect(on('PUT', { query: 'partNumber=1&uploadId=0', body: 'x' })).rejects.toEqual(code('NoSuchUpload'));
    await expect(part(1, 'x', { key: 'other' })).rejects.toEqual(code('NoSuchUpload'));
    await expect(
      on('POST', { query: 'uploads', headers: { 'x-amz-acl': 'public-read' }, denied: ['s3:PutObjectAcl'] }),
    ).rejects.toEqual(code('AccessDenied'));
  });

  it('lists its parts in pages, and uploads by key', async () => {
    for (const n of [1, 2, 5]) await part(n, `part ${n}`);
    expectGolden('s3/list-parts.xml', (await on('GET', { query: `uploadId=${id}&max-parts=2` })).text);
    const rest = (await on('GET', { query: `uploadId=${id}&max-parts=2&part-number-marker=2` })).text;
    expect([textsOf(rest, 'PartNumber'), textsOf(rest, 'IsTruncated')]).toEqual([['5'], ['false']]);
    await on('POST', { key: 'a/1', query: 'uploads', headers: { 'x-amz-checksum-algorithm': 'CRC32' } });
    expectGolden('s3/list-uploads.xml', (await on('GET', { key: '', query: 'uploads&delimiter=/' })).text);
  });
});

describe('checksums of uploads', () => {
  it.each([
    ['CRC32', 'COMPOSITE', {}],
    ['CRC32C', 'FULL_OBJECT', { 'x-amz-checksum-type': 'FULL_OBJECT' }],
    ['CRC64NVME', 'FULL_OBJECT', {}],
    ['SHA1', 'COMPOSITE', {}],
    ['SHA256', 'COMPOSITE', {}],
  ] as const)('%s are of the whole as %s', async (algorithm, type, headers) => {
    const header = `x-amz-checksum-${algorithm.toLowerCase()}`;
    id = await begin({ 'x-amz-checksum-algorithm': algorithm, ...headers });
    const sums = [BIG, Buffer.from('end')].map((bytes) => checksumOf(algorithm, bytes));
    for (const [index, bytes] of [BIG, Buffer.from('end')].entries())
      expect((await part(index + 1, bytes)).headers[header]).toBe(sums[index]);
    const whole =
      type === 'FULL_OBJECT'
        ? checksumOf(algorithm, BIG, Buffer.from('end'))
        : `${checksumOf(algorithm, ...sums.map((sum) => Buffer.from(sum, 'base64')))}-2`;
    const parts: Named[] = [
      [1, md5(BIG), `<Checksum${algorithm}>${sums[0]}</Checksum${algorithm}>`],
      [2, md5('end')],
    ];
    const wrong: Named[] = [[1, md5(BIG), `<Checksum${algorithm}>${sums[1]}</Checksum${algorithm}>`]];
    await expect(complete(wrong)).rejects.toEqual(code('InvalidPart'));
    await expect(complete(parts, { [header]: sums[1] ?? '' })).rejects.toEqual(code('BadDigest'));
    const other = type === 'COMPOSITE' ? 'FULL_OBJECT' : 'COMPOSITE';
    await expect(complete(parts, { 'x-amz-checksum-type': other })).rejects.toEqual(code('InvalidRequest'));
    const told = await complete(parts, { [header]: whole, 'x-amz-checksum-type': type });
    expect(textsOf(told.text, `Checksum${algorithm}`)).toEqual([whole]);
    expect(textsOf(told.text, 'ChecksumType')).toEqual([type]);
    const head = await on('HEAD', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    expect(head.headers).toMatchObject({ [header]: whole, 'x-amz-checksum-type': type });
  });

  it('refuse what is not known, and parts of another kind', async () => {
    const refused: Record<string, string>[] = [
      { 'x-amz-checksum-algorithm': 'MD4' },
      { 'x-amz-checksum-algorithm': 'SHA1', 'x-amz-checksum-type': 'FULL_OBJECT' },
      { 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' },
      { 'x-amz-checksum-type': 'FULL_OBJECT' },
    ];
    for (const headers of refused) await expect(begin(headers)).rejects.toEqual(code('InvalidRequest'));
    id = await begin({ 'x-amz-checksum-algorithm': 'CRC32' });
    await expect(part(1, 'x', { headers: { 'x-amz-checksum-sha1': 'x' } })).rejects.toEqual(code('InvalidRequest'));
  });

  it('that nobody can compare are refused', async () => {
    id = await begin({ 'x-amz-checksum-algorithm': 'CRC32' });
    await part(1, 'x');
    const sha1 = checksumOf('SHA1', Buffer.from('x'));
    const named: Named[] = [[1, md5('x'), `<ChecksumSHA1>${sha1}</ChecksumSHA1>`]];
    await expect(complete(named)).rejects.toEqual(code('InvalidPart'));
    const headers = { 'x-amz-checksum-sha1': sha1 };
    await expect(complete([[1, md5('x')]], headers)).rejects.toEqual(code('InvalidRequest'));
    id = await begin();
    await part(1, 'x');
    await expect(complete([[1, md5('x')]], headers)).rejects.toEqual(code('InvalidRequest'));
    expect((await complete([[1, md5('x')]])).status).toBe(200);
  });

  it('are told of parts by GetObjectAttributes', async () => {
    id = await begin({ 'x-amz-checksum-algorithm': 'CRC32' });
    await part(1, Buffer.alloc(MIB_5, 1));
    await part(2, 'end');
    await complete([
      [1, md5(Buffer.alloc(MIB_5, 1))],
      [2, md5('end')],
    ]);
    const asked = { 'x-amz-object-attributes': 'ETag,Checksum,ObjectParts,StorageClass,ObjectSize' };
    const told = await on('GET', { query: 'attributes', headers: { ...asked, 'x-amz-max-parts': '1' } });
    expectGolden('s3/get-object-attributes.xml', told.text);
    const rest = await on('GET', { query: 'attributes', headers: { ...asked, 'x-amz-part-number-marker': '1' } });
    expect(textsOf(rest.text, 'PartNumber')).toEqual(['2']);
    await expect(on('GET', { query: 'attributes' })).rejects.toEqual(code('InvalidArgument'));
  });
});
