import { z } from 'zod';
import { CloudError } from '../../../../base/errors.ts';
import type { AclGrant } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { checkGrants, granteeOf, grantsAsked, grantsBeside, GROUP_URIS, type GranteeName } from './acl-headers.ts';
import { emptyAnswer, ownerTree, versionHeader, xmlAnswer } from './answers.ts';
import { requireObject } from './asked.ts';
import { change } from './bucket-settings.ts';
import { lookUp } from './get-object.ts';
import { many, maybe, node, one, text, word, xmlBody } from './xml-request.ts';

const GRANTEE = node({ ID: maybe(word), URI: maybe(word), EmailAddress: maybe(word), DisplayName: maybe(text) });
const PERMISSION = z.preprocess(
  (value) => String(value).trim(),
  z.enum(['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP', 'FULL_CONTROL']),
);
const POLICY = node({
  Owner: maybe(node({ ID: maybe(word), DisplayName: maybe(text) })),
  AccessControlList: one(node({ Grant: many(node({ Grantee: one(GRANTEE), Permission: one(PERMISSION) }), 1000) })),
});
type Grantee = z.output<typeof GRANTEE>;

const SCHEMA_INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance';

function granteeTree(grantee: AclGrant['grantee']): S3Tree {
  const xsi = { '@xmlns:xsi': SCHEMA_INSTANCE };
  if (grantee.kind !== 'project') return { ...xsi, '@xsi:type': 'Group', URI: GROUP_URIS[grantee.kind] };
  return { ...xsi, '@xsi:type': 'CanonicalUser', ID: grantee.projectId, DisplayName: grantee.projectId };
}

/** The owner's own control is always there. */
function aclAnswer(ownerId: string, grants: readonly AclGrant[], headers: Readonly<Record<string, string>>): S3Answer {
  const own: AclGrant = { grantee: { kind: 'project', projectId: ownerId }, permission: 'FULL_CONTROL' };
  const Grant = [own, ...grants].map(({ grantee, permission }) => ({
    Grantee: granteeTree(grantee),
    Permission: permission,
  }));
  return xmlAnswer('AccessControlPolicy', { Owner: ownerTree(ownerId), AccessControlList: { Grant } }, headers);
}

function granteeNamed(call: BucketCall, { ID, URI, EmailAddress }: Grantee): AclGrant['grantee'] {
  const names: [GranteeName, string | undefined][] = [
    ['id', ID],
    ['uri', URI],
    ['emailAddress', EmailAddress],
  ];
  const given = names.flatMap(([kind, value]) => (value === undefined ? [] : [{ kind, value }]));
  const [first, second] = given;
  if (first === undefined || second !== undefined)
    throw new CloudError('MalformedACLError', 'Grantee: has one of ID and URI');
  return granteeOf(call, first.kind, first.value);
}

/** By headers, or by the document of the body; such as the bucket takes. */
async function grantsOf(call: BucketCall): Promise<readonly AclGrant[]> {
  const grants = await grantsSaid(call);
  checkGrants(call.bucket, grants);
  return grants;
}

async function grantsSaid(call: BucketCall): Promise<readonly AclGrant[]> {
  const ownerId = call.bucket.projectId;
  const byHeaders = grantsAsked(call, ownerId);
  if (byHeaders !== undefined) return byHeaders;
  if (call.body.length === 0)
    throw new CloudError(
      'MissingRequestBodyError',
      'x-amz-acl, x-amz-grant- headers or an AccessControlPolicy is needed',
    );
  const { Owner, AccessControlList } = await xmlBody(call, 'AccessControlPolicy', POLICY, 256 * 1024);
  if (Owner?.ID !== undefined && Owner.ID !== ownerId)
    throw new CloudError('AccessDenied', `Owner: the owner is ${ownerId}, and stays it`);
  const grants = AccessControlList.Grant.map(({ Grantee, Permission }) => ({
    grantee: granteeNamed(call, Grantee),
    permission: Permission,
  }));
  return grantsBeside(grants, ownerId);
}

async function getBucketAcl({ bucket }: BucketCall): Promise<S3Answer> {
  return aclAnswer(bucket.projectId, bucket.grants, {});
}

async function putBucketAcl(call: BucketCall): Promise<S3Answer> {
  await change(call, { grants: await grantsOf(call) });
  return emptyAnswer();
}

async function getObjectAcl(call: BucketCall): Promise<S3Answer> {
  const versionId = await requireObject(call, 's3:GetObjectAcl');
  const object = await lookUp(call, call.key, versionId);
  return aclAnswer(object.ownerId, object.grants, versionHeader(call.bucket, object.versionId));
}

async function putObjectAcl(call: BucketCall): Promise<S3Answer> {
  const versionId = await requireObject(call, 's3:PutObjectAcl');
  const grants = await grantsOf(call);
  const object = await call.store.updateObject(call.bucket.name, call.key, versionId, { grants });
  return emptyAnswer(200, versionHeader(call.bucket, object.versionId));
}

const onBucket = { level: 'bucket', query: 'acl' } as const;
const onObject = { level: 'object', query: 'acl' } as const;

export const ACL_ACTIONS: readonly S3Action[] = [
  { ...onBucket, name: 'GetBucketAcl', method: 'GET', permission: 's3:GetBucketAcl', perform: getBucketAcl },
  { ...onBucket, name: 'PutBucketAcl', method: 'PUT', permission: 's3:PutBucketAcl', perform: putBucketAcl },
  { ...onObject, name: 'GetObjectAcl', method: 'GET', perform: getObjectAcl },
  { ...onObject, name: 'PutObjectAcl', method: 'PUT', perform: putObjectAcl },
];
