import { describe, expect, it } from 'vitest';
import { mayS3, type S3Question } from '../../../../src/domain/s3/access.ts';
import { cannedGrants } from '../../../../src/domain/s3/grants.ts';
import { matchesPattern, parsePolicy } from '../../../../src/domain/s3/policy.ts';
import { checkBucketName } from '../../../../src/domain/s3/bucket-name.ts';

const bucket = { name: 'backups', projectId: 'acme', grants: [] };
const member = { projectId: 'acme', roles: ['member'] };
const developer = { projectId: 'acme', roles: ['member', 'developer'] };
const sysadmin = { projectId: 'acme', roles: ['member', 'sysadmin'] };
const other = { projectId: 'other', accountId: '123456789012', roles: ['member', 'cloudadmin'] };

const may = (action: string, asker: S3Question['asker'], more: Partial<S3Question> = {}): boolean =>
  mayS3({ action, asker, bucket, policy: undefined, object: { key: 'a/b' }, context: {}, ...more });

const policyOf = (statement: object, Version = '2012-10-17'): Partial<S3Question> => ({
  policy: parsePolicy(
    JSON.stringify({
      Version,
      Statement: { Principal: '*', Resource: ['arn:aws:s3:::backups', 'arn:aws:s3:::backups/*'], ...statement },
    }),
    'backups',
  ),
});

describe('who may do what in S3', () => {
  it('goes by role in the owning project', () => {
    expect([may('s3:GetObject', member), may('s3:PutObject', member)]).toEqual([true, false]);
    expect([may('s3:PutObject', developer), may('s3:PutBucketPolicy', developer)]).toEqual([true, false]);
    expect([may('s3:PutBucketPolicy', sysadmin), may('s3:DeleteObjectVersion', sysadmin)]).toEqual([true, true]);
  });

  it('is nothing for other projects and for nobody, whatever their roles elsewhere', () => {
    expect([may('s3:GetObject', other), may('s3:GetObject', undefined)]).toEqual([false, false]);
  });

  it('heeds what the bucket says of everybody, and of grants at all', () => {
    const grants = cannedGrants('public-read', 'acme');
    const shared = { grantee: { kind: 'project', projectId: 'other' }, permission: 'READ' } as const;
    const object = { key: 'a/b', grants: [...grants, shared] };
    const off = { blockPublicAcls: false, ignorePublicAcls: false, blockPublicPolicy: false } as const;
    const none = { ...off, restrictPublicBuckets: false };
    const ask = (more: Partial<S3Question['bucket']>, rest: Partial<S3Question> = {}): boolean[] =>
      [undefined, other, member].map((asker) =>
        may('s3:GetObject', asker, { bucket: { ...bucket, ...more }, object, ...rest }),
      );
    expect(ask({ publicAccess: none })).toEqual([true, true, true]);
    expect(ask({ publicAccess: { ...none, ignorePublicAcls: true } })).toEqual([false, true, true]);
    expect(ask({ ownership: 'BucketOwnerPreferred' })).toEqual([true, true, true]);
    expect(ask({ ownership: 'BucketOwnerEnforced' })).toEqual([false, false, true]);
    const open = { ...policyOf({ Effect: 'Allow', Action: 's3:GetObject' }), object: { key: 'a/b' } };
    expect(ask({ publicAccess: none }, open)).toEqual([true, true, true]);
    expect(ask({ publicAccess: { ...none, restrictPublicBuckets: true } }, open)).toEqual([false, false, true]);
    const named = { ...policyOf({ Effect: 'Allow', Action: 's3:GetObject', Principal: { AWS: '123456789012' } }) };
    const asNamed = { ...named, object: { key: 'a/b' } };
    expect(ask({ publicAccess: { ...none, restrictPublicBuckets: true } }, asNamed)).toEqual([false, true, true]);
  });

  it('is opened by a policy, and closed by one even to the owner, who can still mend it', () => {
    const open = policyOf({ Effect: 'Allow', Action: 's3:GetObject' });
    expect([may('s3:GetObject', undefined, open), may('s3:PutObject', undefined, open)]).toEqual([true, false]);
    const named = policyOf({
      Effect: 'Allow',
      Action: ['s3:Get*'],
      Principal: { AWS: 'arn:aws:iam::123456789012:root' },
    });
    expect([may('s3:GetObject', other, named), may('s3:GetObject', undefined, named)]).toEqual([true, false]);
    const closed = policyOf({ Effect: 'Deny', Action: '*' });
    expect([may('s3:GetObject', sysadmin, closed), may('s3:PutBucketPolicy', sysadmin, closed)]).toEqual([false, true]);
    expect(may('s3:PutBucketPolicy', developer, closed)).toBe(false);
  });

  it.each([
    [{ IpAddress: { 'aws:SourceIp': '10.1.0.0/16' } }, { 'aws:SourceIp': '10.1.2.3' }, true],
    [{ IpAddress: { 'aws:SourceIp': '10.1.0.0/16' } }, { 'aws:SourceIp': '10.2.2.3' }, false],
    [{ IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } }, { 'aws:SourceIp': '::ffff:9.9.9.9' }, true],
    [{ NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '9.9.9.9'] } }, { 'aws:SourceIp': '9.9.9.9' }, false],
    [{ Bool: { 'aws:SecureTransport': true } }, { 'aws:SecureTransport': 'false' }, false],
    [{ StringLike: { 's3:prefix': 'home/*' } }, { 's3:prefix': 'home/me' }, true],
    [{ StringLike: { 's3:prefix': 'home/*' } }, {}, false],
    [{ StringNotLike: { 's3:prefix': 'secret*' } }, {}, true],
  ])('heeds the condition %j with %j: %s', (Condition, context, expected) => {
    const policy = policyOf({ Effect: 'Allow', Action: 's3:GetObject', Condition });
    expect(may('s3:GetObject', undefined, { ...policy, context })).toBe(expected);
  });

  it.each([
    ['{', /not JSON/],
    [JSON.stringify({ Statement: [] }), /Statement/],
    [
      JSON.stringify({ Statement: { Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::x/*' } }),
      /not of the bucket/,
    ],
    [
      JSON.stringify({
        Statement: { Effect: 'Allow', Principal: '*', Action: 'ec2:*', Resource: 'arn:aws:s3:::backups' },
      }),
      /none of S3/,
    ],
    [
      JSON.stringify({
        Statement: {
          ...{ Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::backups' },
          Condition: { DateLessThan: { 'aws:CurrentTime': 'x' } },
        },
      }),
      /DateLessThan is not known/,
    ],
    [
      JSON.stringify({
        Statement: { Effect: 'Allow', NotPrincipal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::backups' },
      }),
      /Statement|Unrecognized/,
    ],
  ])('refuses the policy %s', (text, message) => {
    expect(() => parsePolicy(text, 'backups')).toThrow(message);
  });

  it.each([
    [{ IpAddress: { 'aws:SourceIp': '2001:db8::/32' } }, /IPv4/],
    [{ NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '10.0.0.0/'] } }, /IPv4/],
    [{ IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } }, /IPv4/],
    [{ IpAddress: { 's3:prefix': '10.0.0.0/8' } }, /aws:SourceIp/],
    [{ Bool: { 'aws:SecureTransport': 'no' } }, /true or false/],
    [{ StringEquals: { 's3:prefix': [] } }, /Condition/],
    [{ StringLike: { 's3:prefix': 'home/${aws:username}/*' } }, /variables/],
  ])('takes no condition that could never be met as it is meant: %j', (Condition, message) => {
    expect(() => policyOf({ Effect: 'Deny', Action: 's3:*', Condition })).toThrow(message);
  });

  it('takes no variables in what it is about, but as the text that they were in the older version', () => {
    const Resource = 'arn:aws:s3:::backups/${aws:username}/*';
    const about = { Effect: 'Deny', Action: 's3:GetObject', Resource };
    expect(() => policyOf(about)).toThrow(/variables/);
    const policy = policyOf(about, '2008-10-17');
    const object = { key: '${aws:username}/x' };
    expect([may('s3:GetObject', member, policy), may('s3:GetObject', member, { ...policy, object })]).toEqual([
      true,
      false,
    ]);
  });

  it('is opened by canned grants, on the bucket for lists and puts, on the object for reads', () => {
    const everyone = cannedGrants('public-read', 'acme');
    expect(may('s3:ListBucket', undefined, { bucket: { ...bucket, grants: everyone } })).toBe(true);
    expect(may('s3:GetObject', undefined, { bucket: { ...bucket, grants: everyone } })).toBe(false);
    expect(may('s3:GetObject', undefined, { object: { key: 'a', grants: everyone } })).toBe(true);
    const signed = { object: { key: 'a', grants: cannedGrants('authenticated-read', 'acme') } };
    expect([may('s3:GetObject', undefined, signed), may('s3:GetObject', other, signed)]).toEqual([false, true]);
    expect(() => cannedGrants('constructor', 'acme')).toThrow(/x-amz-acl/);
  });

  it.each([
    ['a*c', 'abbbc', true],
    ['a*c*', 'abcd', true],
    ['*', '', true],
    ['a?c', 'ac', false],
    ['**a', 'bca', true],
    ['a*b', 'a', false],
  ])('the pattern %s of %s: %s', (pattern, text, expected) => expect(matchesPattern(text, pattern)).toBe(expected));

  it('a pattern of many stars takes no time', () => {
    expect(matchesPattern('a'.repeat(1000), `${'*a'.repeat(500)}b`)).toBe(false);
  });

  it.each(['ab', 'Abc', 'a..b', 'a.-b', '-abc', '10.0.0.1', 'x'.repeat(64), 'xn--abc', 'a_b', ''])(
    'the bucket name %j is refused',
    (name) => expect(() => checkBucketName(name)).toThrow(expect.objectContaining({ code: 'InvalidBucketName' })),
  );

  it.each(['abc', 'a.b', 'my-bucket.2', '0'.repeat(63)])('the bucket name %j is taken', (name) => {
    expect(() => checkBucketName(name)).not.toThrow();
  });
});
