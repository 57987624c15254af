import { beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { keys, md5 } from '../../../../support/object-samples.ts';
import { askS3, type S3Request, type Told } from '../../../../support/s3-call.ts';
import { openS3Store } from './open-store.ts';

const code = (name: string): object => expect.objectContaining({ code: name });
let store: ObjectStore;
beforeEach(async () => {
  store = await openS3Store();
});

type Fields = Record<string, string>;

function post(fields: Fields, content = 'bytes', request: Partial<S3Request> = {}, name = 'up.txt'): Promise<Told> {
  const parts = Object.entries(fields).map(
    ([field, value]) => `--XX\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
  );
  const file = `--XX\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n${content}\r\n--XX--\r\n`;
  const headers = { 'content-type': 'multipart/form-data; boundary=XX' };
  return askS3(store, { bucket: 'b', method: 'POST', headers, body: parts.join('') + file, ...request });
}

const policy = (...conditions: unknown[]): Fields => ({
  policy: Buffer.from(
    JSON.stringify({
      expiration: '2026-01-01T00:00:00Z',
      conditions: [{ bucket: 'b' }, ['starts-with', '$key', ''], ...conditions],
    }),
  ).toString('base64'),
  'x-amz-signature': 'given',
});

describe('an upload by a form', () => {
  it('makes an object of its file and its fields', async () => {
    const fields = {
      ...{ key: 'in/${filename}', 'Content-Type': 'text/plain', 'x-amz-meta-a': 'ä', acl: 'public-read' },
      tagging: '<Tagging><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tagging>',
      'content-md5': Buffer.from(md5('bytes'), 'hex').toString('base64'),
    };
    const told = await post(fields);
    expect(told).toMatchObject({
      status: 204,
      text: '',
      headers: { etag: `"${md5('bytes')}"`, location: 'http://127.0.0.1:3333/b/in/up.txt' },
    });
    const got = await askS3(store, { bucket: 'b', key: 'in/up.txt' });
    expect(got).toMatchObject({ text: 'bytes', headers: { 'content-type': 'text/plain', 'x-amz-tagging-count': '1' } });
    expect(Buffer.from(got.headers['x-amz-meta-a'] ?? '', 'latin1').toString()).toBe('ä');
    expect(await store.object('b', 'in/up.txt')).toMatchObject({
      grants: [{ grantee: { kind: 'everyone' }, permission: 'READ' }],
    });
  });

  it.each(['cost$$.txt', 'a$&b', "$`$'"])('takes the name of a file as it is: %s', async (name) => {
    await post({ key: 'in/${filename}.${filename}' }, 'bytes', {}, name);
    expect(await keys(store, 'b')).toEqual([`in/${name}.${name}`]);
  });

  it('answers as it is asked to', async () => {
    expect((await post({ key: 'k', success_action_status: '200' })).status).toBe(200);
    const created = await post({ key: 'k', success_action_status: '201' });
    expect(created.status).toBe(201);
    expectGolden('s3/post-object.xml', created.text);
    const redirected = await post({ key: 'k', success_action_redirect: 'https://example.com/done?x=1' });
    expect(redirected.status).toBe(303);
    expect(redirected.headers['location']).toBe(
      `https://example.com/done?x=1&bucket=b&key=k&etag=%22${md5('bytes')}%22`,
    );
    expect((await post({ key: 'k', redirect: 'javascript:alert(1)' })).status).toBe(204);
  });

  it('does what its signed policy lets it do, and keeps nothing else', async () => {
    const sized = policy(['content-length-range', 2, 4]);
    const refusals: [string, Fields, string?, Partial<S3Request>?][] = [
      ['EntityTooLarge', { key: 'k', ...sized }],
      ['EntityTooSmall', { key: 'k', ...sized }, 'x'],
      ['AccessDenied', { key: 'k', acl: 'public-read', ...policy() }],
      ['AccessDenied', { key: 'k', ...policy() }, 'x', { nowMs: Date.parse('2026-01-01T00:00:00Z') }],
      ['InvalidArgument', { key: 'k', policy: 'x' }],
      ['InvalidArgument', { key: 'k', 'x-amz-signature': 'x' }],
      ['InvalidPolicyDocument', { key: 'k', policy: 'x', signature: 'x' }],
      ['InvalidArgument', {}],
      ['InvalidArgument', { key: 'k', 'x-amz-meta-a': 'a\r\nset-cookie: b' }],
      ['InvalidArgument', { key: 'k', 'x-amz-meta-a b': 'a' }],
      ['KeyTooLongError', { key: 'k'.repeat(1025) }],
      ['InvalidArgument', { key: 'a\0b' }],
      ['BadDigest', { key: 'k', 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }],
      ['BadDigest', { key: 'k', 'x-amz-checksum-crc32': 'AAAAAA==' }],
      ['AccessDenied', { key: 'k' }, 'x', { denied: ['s3:PutObject'] }],
      ['AccessDenied', { key: 'k', acl: 'public-read' }, 'x', { denied: ['s3:PutObjectAcl'] }],
      ['MalformedXML', { key: 'k', tagging: 'a=1' }],
    ];
    for (const [name, fields, content, request] of refusals)
      await expect(post(fields, content, request), `${name} ${JSON.stringify(fields)}`).rejects.toEqual(code(name));
    expect(await keys(store, 'b')).toEqual([]);
    expect(await store.collect()).toBe(0);
    await post({ key: 'k', ...policy(['content-length-range', 1, 5]) });
    expect(await keys(store, 'b')).toEqual(['k']);
  });
});
