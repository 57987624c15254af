import { beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { bucketSample, put } from '../../../../support/object-samples.ts';
import { askS3, textsOf, type S3Request, type Told } from '../../../../support/s3-call.ts';
import { askBucket, openS3Store, type AskedOfBucket } from './open-store.ts';

const code = (name: string): object => expect.objectContaining({ code: name });
let store: ObjectStore;
beforeEach(async () => {
  store = await openS3Store();
});

const on = (...asked: AskedOfBucket): Promise<Told> => askBucket(store, ...asked);

describe('buckets', () => {
  const create = (bucket: string, request: Omit<S3Request, 'method'> = {}): Promise<Told> =>
    askS3(store, { method: 'PUT', bucket, ...request });
  const location = (name: string): string =>
    `<CreateBucketConfiguration><LocationConstraint>${name}</LocationConstraint></CreateBucketConfiguration>`;

  it('are made, looked at and deleted', async () => {
    expect(
      await create('new', { body: location('nova'), headers: { 'x-amz-acl': 'public-read' }, nowMs: 7_000 }),
    ).toMatchObject({
      status: 200,
      headers: { location: '/new' },
    });
    expect(await store.bucket('new')).toEqual(
      bucketSample('new', { createdMs: 7_000, grants: [{ grantee: { kind: 'everyone' }, permission: 'READ' }] }),
    );
    expect((await askS3(store, { method: 'HEAD', bucket: 'new' })).headers).toEqual({ 'x-amz-bucket-region': 'nova' });
    expect(textsOf((await on('GET', 'location')).text.replace(/ xmlns="[^"]*"/, ''), 'LocationConstraint')).toEqual([
      'nova',
    ]);
    await put(store, 'new', 'k', 'x');
    await expect(askS3(store, { method: 'DELETE', bucket: 'new' })).rejects.toEqual(code('BucketNotEmpty'));
    await store.removeObject('new', 'k');
    expect((await askS3(store, { method: 'DELETE', bucket: 'new' })).status).toBe(204);
    await expect(askS3(store, { method: 'HEAD', bucket: 'new' })).rejects.toEqual(code('NoSuchBucket'));
  });

  it('are refused with the reason', async () => {
    await store.createBucket(bucketSample('mine'));
    await store.createBucket(bucketSample('theirs', { projectId: 'p-2' }));
    const refusals: [string, string, Omit<S3Request, 'method'>?][] = [
      ['InvalidBucketName', 'No'],
      ['BucketAlreadyOwnedByYou', 'mine'],
      ['BucketAlreadyExists', 'theirs'],
      ['IllegalLocationConstraintException', 'new', { body: location('eu-west-1') }],
      ['MalformedXML', 'new', { body: '<a/>' }],
      ['NotImplemented', 'new', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } }],
      ['NotImplemented', 'new', { headers: { 'x-amz-object-ownership': 'ObjectWriter' } }],
      ['AccessDenied', 'new', { anonymous: true }],
      ['AccessDenied', 'new', { denied: ['s3:CreateBucket'] }],
      ['AccessDenied', 'new', { headers: { 'x-amz-acl': 'public-read' }, denied: ['s3:PutBucketAcl'] }],
    ];
    for (const [name, bucket, request] of refusals)
      await expect(create(bucket, request), name).rejects.toEqual(code(name));
    for (let n = 2; n < 100; n += 1) await store.createBucket(bucketSample(`more-${n}`));
    await expect(create('one-more')).rejects.toEqual(code('TooManyBuckets'));
  });
});

describe('versioning', () => {
  const state = (status: string, more = ''): string =>
    `<VersioningConfiguration><Status>${status}</Status>${more}</VersioningConfiguration>`;

  it('is told, switched on and suspended', async () => {
    expect(textsOf((await on('GET', 'versioning')).text, 'Status')).toEqual([]);
    await on('PUT', 'versioning', { body: state('Enabled') });
    expect((await store.bucket('b')).versioning).toBe('enabled');
    await on('PUT', 'versioning', { body: state('Suspended') });
    expect(textsOf((await on('GET', 'versioning')).text, 'Status')).toEqual(['Suspended']);
    await expect(on('PUT', 'versioning', { body: state('Off') })).rejects.toEqual(code('MalformedXML'));
    const mfa = on('PUT', 'versioning', { body: state('Enabled', '<MfaDelete>Enabled</MfaDelete>') });
    await expect(mfa).rejects.toEqual(code('NotImplemented'));
  });
});

describe('tags', () => {
  const tags = (...pairs: [string, string][]): string =>
    `<Tagging><TagSet>${pairs.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('')}</TagSet></Tagging>`;

  it('of a bucket', async () => {
    await expect(on('GET', 'tagging')).rejects.toEqual(code('NoSuchTagSet'));
    await on('PUT', 'tagging', { body: tags(['a', '1'], ['b c', 'ä']) });
    expectGolden('s3/tagging.xml', (await on('GET', 'tagging')).text);
    const many = tags(...Array.from({ length: 51 }, (_, n): [string, string] => [`k${n}`, '']));
    await expect(on('PUT', 'tagging', { body: many })).rejects.toEqual(code('InvalidTag'));
    await on('DELETE', 'tagging');
    await expect(on('GET', 'tagging')).rejects.toEqual(code('NoSuchTagSet'));
  });

  it('of an object and of its versions', async () => {
    await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'enabled' }));
    const old = (await put(store, 'b', 'k', '1')).versionId;
    await put(store, 'b', 'k', '2');
    const at = { key: 'k' };
    await on('PUT', `tagging&versionId=${old}`, { ...at, body: tags(['old', '1']) });
    expect(textsOf((await on('GET', 'tagging', at)).text, 'Key')).toEqual([]);
    const told = await on('GET', `tagging&versionId=${old}`, at);
    expect([textsOf(told.text, 'Key'), told.headers['x-amz-version-id']]).toEqual([['old'], old]);
    expect((await on('DELETE', `tagging&versionId=${old}`, at)).status).toBe(204);
    expect(textsOf((await on('GET', `tagging&versionId=${old}`, at)).text, 'Key')).toEqual([]);
    const denied = on('PUT', `tagging&versionId=${old}`, {
      ...at,
      body: tags(),
      denied: ['s3:PutObjectVersionTagging'],
    });
    await expect(denied).rejects.toEqual(code('AccessDenied'));
    const eleven = tags(...Array.from({ length: 11 }, (_, n): [string, string] => [`k${n}`, '']));
    const refused: [string, string][] = [
      ['InvalidTag', eleven],
      ['InvalidTag', tags(['a', '1'], ['a', '2'])],
      ['InvalidTag', tags(['k'.repeat(129), ''])],
      ['InvalidTag', tags(['k', 'v'.repeat(257)])],
      ['InvalidTag', tags(['a?', ''])],
      ['MalformedXML', '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>'],
    ];
    for (const [name, body] of refused)
      await expect(on('PUT', 'tagging', { ...at, body }), body).rejects.toEqual(code(name));
    await store.removeObject('b', 'k');
    await expect(on('PUT', 'tagging', { ...at, body: tags() })).rejects.toEqual(code('NoSuchKey'));
  });
});

describe('grants', () => {
  const acl = (...grants: string[]): string =>
    `<AccessControlPolicy><Owner><ID>p-1</ID></Owner><AccessControlList>${grants
      .map((grant) => `<Grant>${grant}</Grant>`)
      .join('')}</AccessControlList></AccessControlPolicy>`;
  const grantee = (inside: string, permission: string): string =>
    `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">${inside}</Grantee><Permission>${permission}</Permission>`;
  const everyone = '<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>';

  it('of a bucket are told with the owner’s own, and set by document or header', async () => {
    await on('PUT', 'acl', {
      body: acl(grantee(everyone, 'READ'), grantee('<ID>p-2</ID>', 'WRITE'), grantee('<ID>p-1</ID>', 'FULL_CONTROL')),
    });
    expect((await store.bucket('b')).grants).toEqual([
      { grantee: { kind: 'everyone' }, permission: 'READ' },
      { grantee: { kind: 'project', projectId: 'p-2' }, permission: 'WRITE' },
    ]);
    const told = (await on('GET', 'acl')).text;
    expectGolden('s3/acl.xml', told);
    await on('PUT', 'acl', { headers: { 'x-amz-acl': 'private' } });
    expect((await store.bucket('b')).grants).toEqual([]);
    // What was told can be put back as it is.
    await on('PUT', 'acl', { body: told });
    expect((await on('GET', 'acl')).text).toBe(told);
  });

  it('of an object are set by headers', async () => {
    await put(store, 'b', 'k', 'x');
    const uri = 'uri="http://acs.amazonaws.com/groups/global/AuthenticatedUsers"';
    const headers = { 'x-amz-grant-read': `id=p-2, ${uri}`, 'x-amz-grant-full-control': 'id="p-1"' };
    await on('PUT', 'acl', { key: 'k', headers });
    const told = (await on('GET', 'acl', { key: 'k' })).text;
    expect(textsOf(told, 'Permission')).toEqual(['FULL_CONTROL', 'READ', 'READ']);
    await expect(on('PUT', 'acl', { key: 'k', headers, denied: ['s3:PutObjectAcl'] })).rejects.toEqual(
      code('AccessDenied'),
    );
  });

  it('are refused with the reason', async () => {
    const refused: [string, Omit<S3Request, 'method'>][] = [
      ['MissingRequestBodyError', {}],
      ['InvalidRequest', { headers: { 'x-amz-acl': 'private', 'x-amz-grant-read': 'id=p-2' } }],
      ['InvalidArgument', { headers: { 'x-amz-grant-read': 'p-2' } }],
      ['InvalidArgument', { headers: { 'x-amz-grant-read': 'emailAddress="a@b"' } }],
      ['InvalidArgument', { body: acl(grantee('<ID>p-9</ID>', 'READ')) }],
      ['InvalidArgument', { body: acl(grantee('<URI>http://acs.amazonaws.com/groups/s3/LogDelivery</URI>', 'WRITE')) }],
      ['MalformedACLError', { body: acl(grantee('<ID>p-2</ID><URI>x</URI>', 'READ')) }],
      ['MalformedXML', { body: acl(grantee('<ID>p-2</ID>', 'SOME')) }],
      ['AccessDenied', { body: acl().replace('p-1', 'p-2') }],
    ];
    for (const [name, request] of refused)
      await expect(on('PUT', 'acl', request), JSON.stringify(request)).rejects.toEqual(code(name));
  });
});

describe('rules for other origins', () => {
  const rules =
    '<CORSConfiguration><CORSRule><ID>one</ID><AllowedOrigin>http://*.example.com</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>30</MaxAgeSeconds></CORSRule></CORSConfiguration>';

  it('are kept as they are', async () => {
    await expect(on('GET', 'cors')).rejects.toEqual(code('NoSuchCORSConfiguration'));
    await on('PUT', 'cors', { body: rules });
    expect((await on('GET', 'cors')).text.split('\n')[1]?.replace(/ xmlns="[^"]*"/, '')).toBe(rules);
    for (const [from, to] of [
      ['GET', 'PATCH'],
      ['*.example', '*.*.example'],
      ['>30<', '>-1<'],
      ['>ETag<', '>*<'],
    ] as const)
      await expect(on('PUT', 'cors', { body: rules.replace(from, to) }), to).rejects.toEqual(code('MalformedXML'));
    await on('DELETE', 'cors');
    await expect(on('GET', 'cors')).rejects.toEqual(code('NoSuchCORSConfiguration'));
  });
});

describe('policies', () => {
  const policy = (more: object = {}): string =>
    JSON.stringify({
      Statement: { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*', ...more },
    });
  const isPublic = async (body: string): Promise<string[]> => {
    await on('PUT', 'policy', { body });
    return textsOf((await on('GET', 'policyStatus')).text, 'IsPublic');
  };

  it('are given back as they were put, or refused', async () => {
    await expect(on('GET', 'policy')).rejects.toEqual(code('NoSuchBucketPolicy'));
    await expect(on('GET', 'policyStatus')).rejects.toEqual(code('NoSuchBucketPolicy'));
    expect((await on('PUT', 'policy', { body: policy() })).status).toBe(204);
    expect(await on('GET', 'policy')).toMatchObject({
      text: policy(),
      headers: { 'content-type': 'application/json' },
    });
    await expect(on('PUT', 'policy', { body: policy({ NotAction: 'x' }) })).rejects.toEqual(code('MalformedPolicy'));
    await on('DELETE', 'policy');
    expect(await store.bucket('b')).not.toHaveProperty('policy');
  });

  it('are public when they let in everybody from everywhere', async () => {
    expect(await isPublic(policy())).toEqual(['true']);
    expect(await isPublic(policy({ Effect: 'Deny' }))).toEqual(['false']);
    expect(await isPublic(policy({ Principal: { AWS: ['p-2'] } }))).toEqual(['false']);
    const from = (range: string): object => ({ Condition: { IpAddress: { 'aws:SourceIp': range } } });
    expect(await isPublic(policy(from('10.0.0.0/8')))).toEqual(['false']);
    expect(await isPublic(policy(from('0.0.0.0/0')))).toEqual(['true']);
  });
});

describe('settings that no bucket has here', () => {
  it('are told truthfully, and refused when they are set', async () => {
    const told: [string, string][] = [
      ['ownershipControls', 'OwnershipControls'],
      ['logging', 'BucketLoggingStatus'],
      ['notification', 'NotificationConfiguration'],
      ['requestPayment', 'RequestPaymentConfiguration'],
      ['accelerate', 'AccelerateConfiguration'],
    ];
    const answers = await Promise.all(told.map(([query]) => on('GET', query)));
    expectGolden('s3/absent-settings.xml', answers.map(({ text }) => text).join('\n'));
    const absent: [string, string][] = [
      ['encryption', 'ServerSideEncryptionConfigurationNotFoundError'],
      ['website', 'NoSuchWebsiteConfiguration'],
      ['object-lock', 'ObjectLockConfigurationNotFoundError'],
      ['replication', 'ReplicationConfigurationNotFoundError'],
    ];
    for (const [query, name] of absent) await expect(on('GET', query)).rejects.toEqual(code(name));
    for (const query of [
      'encryption',
      'logging',
      'website',
      'notification',
      'accelerate',
      'object-lock',
      'replication',
    ])
      await expect(on('PUT', query, { body: '<x/>' }), query).rejects.toEqual(code('NotImplemented'));
    for (const query of ['encryption', 'website', 'replication']) expect((await on('DELETE', query)).status).toBe(204);
    const payer = (name: string): string =>
      `<RequestPaymentConfiguration><Payer>${name}</Payer></RequestPaymentConfiguration>`;
    await on('PUT', 'requestPayment', { body: payer('BucketOwner') });
    await expect(on('PUT', 'requestPayment', { body: payer('Requester') })).rejects.toEqual(code('NotImplemented'));
  });
});
