import { beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { put } from '../../../../support/object-samples.ts';
import { askS3, textsOf, type Told } from '../../../../support/s3-call.ts';
import { askBucket, openS3Store, type AskedOfBucket } from './open-store.ts';

const code = (name: string): object => expect.objectContaining({ code: name });
let store: ObjectStore;
beforeEach(async () => {
  store = await openS3Store();
});

const on = (...asked: AskedOfBucket): Promise<Told> => askBucket(store, ...asked);
const publicRead = { headers: { 'x-amz-acl': 'public-read' } };

describe('the block of public access', () => {
  const block = (...on: string[]): string =>
    `<PublicAccessBlockConfiguration>${on.map((name) => `<${name}>TRUE</${name}>`).join('')}</PublicAccessBlockConfiguration>`;

  it('is kept, told and taken away', async () => {
    const query = 'publicAccessBlock';
    await expect(on('GET', query)).rejects.toEqual(code('NoSuchPublicAccessBlockConfiguration'));
    await on('PUT', query, { body: block('IgnorePublicAcls', 'RestrictPublicBuckets') });
    const told = (await on('GET', query)).text;
    expect(textsOf(told, 'IgnorePublicAcls')).toEqual(['true']);
    expect(textsOf(told, 'RestrictPublicBuckets')).toEqual(['true']);
    expect(textsOf(told, 'BlockPublicAcls')).toEqual(['false']);
    expect(textsOf(told, 'BlockPublicPolicy')).toEqual(['false']);
    await expect(on('PUT', query, { body: block('Other') })).rejects.toEqual(code('MalformedXML'));
    expect((await on('DELETE', query)).status).toBe(204);
    expect(await store.bucket('b')).not.toHaveProperty('publicAccess');
  });

  it('has public grants and policies refused, and others taken', async () => {
    await put(store, 'b', 'k', 'x');
    await on('PUT', 'publicAccessBlock', { body: block('BlockPublicAcls', 'BlockPublicPolicy') });
    await expect(on('PUT', 'acl', publicRead)).rejects.toEqual(code('AccessDenied'));
    await expect(on('PUT', 'acl', { key: 'k', ...publicRead })).rejects.toEqual(code('AccessDenied'));
    await expect(on('PUT', '', { key: 'new', body: 'x', ...publicRead })).rejects.toEqual(code('AccessDenied'));
    await on('PUT', 'acl', { headers: { 'x-amz-grant-read': 'id=p-2' } });
    const policy = (Principal: unknown): string =>
      JSON.stringify({
        Statement: { Effect: 'Allow', Principal, Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' },
      });
    await expect(on('PUT', 'policy', { body: policy('*') })).rejects.toEqual(code('AccessDenied'));
    expect((await on('PUT', 'policy', { body: policy({ AWS: 'p-2' }) })).status).toBe(204);
  });
});

describe('who owns what is in a bucket', () => {
  const owner = (name: string): string =>
    `<OwnershipControls><Rule><ObjectOwnership>${name}</ObjectOwnership></Rule></OwnershipControls>`;
  const told = async (): Promise<string[]> => textsOf((await on('GET', 'ownershipControls')).text, 'ObjectOwnership');

  it('is the bucket’s owner, with grants or without', async () => {
    expect(await told()).toEqual(['BucketOwnerPreferred']);
    await on('PUT', 'acl', publicRead);
    const enforced = { body: owner('BucketOwnerEnforced') };
    await expect(on('PUT', 'ownershipControls', enforced)).rejects.toEqual(code('InvalidBucketAclWithObjectOwnership'));
    await on('PUT', 'acl', { headers: { 'x-amz-acl': 'private' } });
    await on('PUT', 'ownershipControls', enforced);
    expect(await told()).toEqual(['BucketOwnerEnforced']);
    await expect(on('PUT', 'acl', publicRead)).rejects.toEqual(code('AccessControlListNotSupported'));
    await expect(on('PUT', '', { key: 'k', body: 'x', ...publicRead })).rejects.toEqual(
      code('AccessControlListNotSupported'),
    );
    const full = { headers: { 'x-amz-acl': 'bucket-owner-full-control' } };
    expect((await on('PUT', '', { key: 'k', body: 'x', ...full })).status).toBe(200);
    expect((await on('DELETE', 'ownershipControls')).status).toBe(204);
    expect(await told()).toEqual(['BucketOwnerPreferred']);
    for (const name of ['ObjectWriter', 'x'])
      await expect(on('PUT', 'ownershipControls', { body: owner(name) })).rejects.toEqual(code('NotImplemented'));
    await expect(on('PUT', 'ownershipControls', { body: '<OwnershipControls/>' })).rejects.toEqual(
      code('MalformedXML'),
    );
  });

  it('is said when the bucket is made', async () => {
    const headers = { 'x-amz-object-ownership': 'BucketOwnerEnforced' };
    await askS3(store, { method: 'PUT', bucket: 'new', headers });
    expect(await store.bucket('new')).toMatchObject({ ownership: 'BucketOwnerEnforced', grants: [] });
    const shared = { ...headers, 'x-amz-acl': 'public-read' };
    await expect(askS3(store, { method: 'PUT', bucket: 'other', headers: shared })).rejects.toEqual(
      code('InvalidBucketAclWithObjectOwnership'),
    );
  });
});
