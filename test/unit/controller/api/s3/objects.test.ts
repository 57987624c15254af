import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { md5 } from '../../../../support/object-samples.ts';
import { askS3, textsOf, type S3Request, type Told } from '../../../../support/s3-call.ts';
import { openS3Store, SetClock } from './open-store.ts';

const code = (name: string, headers?: object): object =>
  expect.objectContaining({
    code: name,
    ...(headers === undefined
      ? {}
      : { details: expect.objectContaining({ headers: expect.objectContaining(headers) }) }),
  });

/** Asks of the object b/k. */
const on =
  (store: ObjectStore) =>
  (method: S3Request['method'], request: Omit<S3Request, 'method'> = {}): Promise<Told> =>
    askS3(store, { bucket: 'b', key: 'k', ...request, ...(method === undefined ? {} : { method }) });

describe('PutObject', () => {
  it('keeps bytes, headers, metadata and tags, and gives them back', async () => {
    const ask = on(await openS3Store());
    const headers = {
      'content-type': 'text/plain',
      'cache-control': 'no-cache',
      'content-encoding': 'aws-chunked,gzip',
      'x-amz-meta-colour': 'blue',
      'x-amz-meta-__proto__': 'x',
      'x-amz-tagging': 'a=1&b+c=%C3%A4',
      'x-amz-checksum-crc32': 'given',
    };
    const put = await ask('PUT', { headers, body: 'hello' });
    expect(put).toMatchObject({
      status: 200,
      headers: { etag: `"${md5('hello')}"`, 'x-amz-checksum-crc32': 'NhCmhg==' },
    });
    expect(put.headers).not.toHaveProperty('x-amz-version-id');
    const got = await ask('GET');
    expect(got).toMatchObject({ status: 200, text: 'hello' });
    expect(got.headers).toEqual({
      'accept-ranges': 'bytes',
      'cache-control': 'no-cache',
      'content-encoding': 'gzip',
      'content-length': '5',
      'content-type': 'text/plain',
      etag: `"${md5('hello')}"`,
      'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
      'x-amz-meta-__proto__': 'x',
      'x-amz-meta-colour': 'blue',
      'x-amz-tagging-count': '2',
    });
    expect((await ask('HEAD')).headers).toEqual(got.headers);
    const checked = await ask('GET', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    expect(checked.headers).toMatchObject({ 'x-amz-checksum-crc32': 'NhCmhg==', 'x-amz-checksum-type': 'FULL_OBJECT' });
  });

  it('refuses what there is not, what is too large and what is malformed, and keeps nothing', async () => {
    const store = await openS3Store();
    const ask = on(store);
    const refusals: [string, Omit<S3Request, 'method'>][] = [
      ['KeyTooLongError', { key: 'ä'.repeat(513) }],
      ['MetadataTooLarge', { headers: { 'x-amz-meta-a': 'x'.repeat(2048) } }],
      ['InvalidTag', { headers: { 'x-amz-tagging': 'a=1&a=2' } }],
      ['InvalidTag', { headers: { 'x-amz-tagging': 'aws:x=1' } }],
      ['InvalidTag', { headers: { 'x-amz-tagging': Array.from({ length: 11 }, (_, n) => `k${n}=`).join('&') } }],
      ['InvalidArgument', { headers: { 'x-amz-tagging': 'a=%zz' } }],
      ['InvalidStorageClass', { headers: { 'x-amz-storage-class': 'GLACIER' } }],
      ['NotImplemented', { headers: { 'x-amz-server-side-encryption': 'AES256' } }],
      ['NotImplemented', { headers: { 'if-none-match': '"abc"' } }],
      ['NoSuchKey', { headers: { 'if-match': '"abc"' } }],
      ['InvalidArgument', { headers: { 'x-amz-acl': 'nobody' } }],
      ['InvalidArgument', { headers: { 'x-amz-grant-read': 'id="p-9"' } }],
      ['AccessDenied', { headers: { 'x-amz-acl': 'public-read' }, denied: ['s3:PutObjectAcl'] }],
      ['AccessDenied', { headers: { 'x-amz-tagging': 'a=1' }, denied: ['s3:PutObjectTagging'] }],
      ['AccessDenied', { headers: { 'x-amz-expected-bucket-owner': '222222222222' } }],
    ];
    for (const [name, request] of refusals) {
      await expect(ask('PUT', { body: 'x', ...request }), name).rejects.toEqual(code(name));
    }
    expect(await store.usage('b')).toMatchObject({ versions: 0, bytes: 0 });
    await ask('PUT', {
      headers: { 'x-amz-expected-bucket-owner': '111111111111', 'x-amz-acl': 'private' },
      denied: ['s3:PutObjectAcl'],
    });
  });

  it('writes under conditions', async () => {
    const ask = on(await openS3Store());
    await ask('PUT', { body: 'one', headers: { 'if-none-match': '*' } });
    await expect(ask('PUT', { body: 'two', headers: { 'if-none-match': '*' } })).rejects.toEqual(
      code('PreconditionFailed'),
    );
    await expect(ask('PUT', { body: 'two', headers: { 'if-match': `"${md5('x')}"` } })).rejects.toEqual(
      code('PreconditionFailed'),
    );
    await ask('PUT', { body: 'two', headers: { 'if-match': `"${md5('one')}"` } });
    expect((await ask('GET')).text).toBe('two');
  });
});

describe('GetObject', () => {
  it('gives ranges as RFC 9110 has them', async () => {
    const ask = on(await openS3Store());
    await ask('PUT', { body: '0123456789' });
    const ranges: [string, number, string][] = [
      ['bytes=0-3', 206, '0123'],
      ['bytes=7-', 206, '789'],
      ['bytes=7-100', 206, '789'],
      ['bytes=-3', 206, '789'],
      ['bytes=-100', 206, '0123456789'],
      ['bytes=3-2', 200, '0123456789'],
      ['bytes=0-1,3-4', 200, '0123456789'],
      ['lines=0-1', 200, '0123456789'],
    ];
    for (const [range, status, text] of ranges)
      expect(await ask('GET', { headers: { range } }), range).toMatchObject({ status, text });
    expect((await ask('GET', { headers: { range: 'bytes=2-3' } })).headers).toMatchObject({
      'content-range': 'bytes 2-3/10',
      'content-length': '2',
    });
    for (const range of ['bytes=10-', 'bytes=-0'])
      await expect(ask('GET', { headers: { range } })).rejects.toEqual(
        code('InvalidRange', { 'content-range': 'bytes */10' }),
      );
    expect((await ask('GET', { headers: { range: 'bytes=2-3', 'if-range': '"old"' } })).status).toBe(200);
    expect((await ask('GET', { query: 'partNumber=1' })).status).toBe(206);
    await expect(ask('GET', { query: 'partNumber=2' })).rejects.toEqual(code('InvalidRange'));
    await ask('PUT', { body: '' });
    expect(await ask('GET')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } });
    await expect(ask('GET', { headers: { range: 'bytes=0-' } })).rejects.toEqual(code('InvalidRange'));
  });

  it('asks conditions in the order of RFC 9110', async () => {
    const ask = on(await openS3Store());
    await ask('PUT', { body: 'x' });
    const etag = `"${md5('x')}"`;
    const [before, at, later] = ['03:04:04', '03:04:05', '03:04:06'].map((time) => `Fri, 02 Jan 2026 ${time} GMT`);
    const answers: [Record<string, string | undefined>, number][] = [
      [{ 'if-match': etag }, 200],
      [{ 'if-match': '*' }, 200],
      [{ 'if-match': `"a", ${etag}` }, 200],
      [{ 'if-match': '"a"' }, 412],
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': `W/${etag}` }, 304],
      [{ 'if-none-match': '"a"' }, 200],
      [{ 'if-modified-since': before }, 200],
      [{ 'if-modified-since': at }, 304],
      [{ 'if-unmodified-since': before }, 412],
      [{ 'if-unmodified-since': at }, 200],
      [{ 'if-match': etag, 'if-unmodified-since': before }, 200],
      [{ 'if-none-match': '"a"', 'if-modified-since': later }, 200],
      [{ 'if-none-match': etag, 'if-modified-since': before }, 304],
      [{ 'if-modified-since': 'soon' }, 200],
    ];
    for (const [asked, status] of answers) {
      const headers = asked as Record<string, string>;
      const said = await ask('GET', { headers }).then(
        ({ status: got }) => got,
        (error: { status: number }) => error.status,
      );
      expect(said, JSON.stringify(headers)).toBe(status);
    }
    const { headers, text } = await ask('GET', { headers: { 'if-none-match': etag } });
    expect({ headers, text }).toEqual({ headers: { etag, 'last-modified': at }, text: '' });
  });

  it('overrides headers by the query, and no line of them begins another', async () => {
    const ask = on(await openS3Store());
    await ask('PUT', { body: 'x', headers: { 'content-type': 'text/plain' } });
    const query = 'response-content-type=text/html&response-content-disposition=attachment%3B%20filename=a';
    expect((await ask('GET', { query })).headers).toMatchObject({
      'content-type': 'text/html',
      'content-disposition': 'attachment; filename=a',
    });
    await expect(ask('GET', { query: 'response-expires=a%0d%0aset-cookie:x' })).rejects.toEqual(
      code('InvalidArgument'),
    );
    await expect(ask('GET', { query, anonymous: true })).rejects.toEqual(code('InvalidRequest'));
  });
});

describe('versions of an object', () => {
  it('are told, given, hidden by a marker and deleted', async () => {
    const clock = new SetClock();
    const store = await openS3Store(clock);
    await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'enabled' }));
    const ask = on(store);
    const version = async (told: Promise<Told>): Promise<string> => (await told).headers['x-amz-version-id'] ?? '';
    const first = await version(ask('PUT', { body: 'one' }));
    const second = await version(ask('PUT', { body: 'two' }));
    expect(first).not.toBe(second);
    expect((await ask('GET')).headers).toMatchObject({ 'x-amz-version-id': second });
    expect((await ask('GET', { query: `versionId=${first}` })).text).toBe('one');
    const removed = await ask('DELETE');
    expect(removed).toMatchObject({ status: 204, headers: { 'x-amz-delete-marker': 'true' } });
    const marker = removed.headers['x-amz-version-id'] ?? '';
    const gone = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker };
    await expect(ask('GET')).rejects.toEqual(code('NoSuchKey', gone));
    await expect(ask('HEAD', { query: `versionId=${marker}` })).rejects.toEqual(code('MethodNotAllowed', gone));
    await expect(ask('GET', { query: 'versionId=' })).rejects.toEqual(code('InvalidArgument'));
    await expect(ask('GET', { query: 'versionId=abc' })).rejects.toEqual(code('NoSuchObjectVersion'));
    await expect(ask('GET', { query: `versionId=${first}`, denied: ['s3:GetObjectVersion'] })).rejects.toEqual(
      code('AccessDenied'),
    );
    await expect(ask('DELETE', { query: `versionId=${first}`, denied: ['s3:DeleteObjectVersion'] })).rejects.toEqual(
      code('AccessDenied'),
    );
    expect((await ask('DELETE', { query: `versionId=${marker}` })).headers).toEqual(gone);
    expect((await ask('GET')).text).toBe('two');
    expect((await ask('DELETE', { query: `versionId=${first}` })).headers).toEqual({ 'x-amz-version-id': first });
  });
});

describe('DeleteObjects', () => {
  const body = (keys: string[], more = ''): string =>
    `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${more}${keys.map((key) => `<Object>${key}</Object>`).join('')}</Delete>`;

  /** With its digest, as S3 asks for one. */
  const list = (text: string): Omit<S3Request, 'method'> => ({
    ...{ key: '', query: 'delete', body: text },
    headers: { 'content-md5': Buffer.from(md5(text), 'hex').toString('base64') },
  });

  it('answers for each by itself', async () => {
    const store = await openS3Store();
    const ask = on(store);
    for (const key of ['a', ' b ', 'c']) await ask('PUT', { key, body: key });
    const keys = [
      '<Key>a</Key>',
      '<Key> b </Key>',
      '<Key>c</Key><ETag>"x"</ETag>',
      '<Key>none</Key>',
      '<Key>a&amp;b</Key>',
    ];
    const told = await ask('POST', list(body(keys)));
    expectGolden('s3/delete-objects.xml', told.text);
    expect(
      (await store.list('b', { prefix: '', delimiter: '', after: '', max: 9 })).rows.map(({ key }) => key),
    ).toEqual(['c']);
    const quiet = await ask('POST', list(body(['<Key>c</Key>'], '<Quiet>true</Quiet>')));
    expect(textsOf(quiet.text, 'Key')).toEqual([]);
    const denied = await ask('POST', { ...list(body(['<Key>c</Key>'])), denied: ['s3:DeleteObject'] });
    expect(textsOf(denied.text, 'Code')).toEqual(['AccessDenied']);
  });

  it('refuses what is no such document', async () => {
    const ask = on(await openS3Store());
    const many = body(Array.from({ length: 1001 }, () => '<Key>a</Key>'));
    for (const text of [
      '',
      '<a/>',
      '<Delete/>',
      body(['<Key>a</Key><Key>b</Key>']),
      body(['<Name>a</Name>']),
      many,
      '<!DOCTYPE a><Delete/>',
    ])
      await expect(ask('POST', list(text)), text.slice(0, 60)).rejects.toEqual(code('MalformedXML'));
    const bare = { key: '', query: 'delete', body: body(['<Key>a</Key>']) };
    await expect(ask('POST', bare)).rejects.toEqual(code('InvalidRequest'));
  });
});
