import { CloudError } from '../../../../base/errors.ts';
import type { AclGrant, BucketRecord, PublicAccessBlock } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { emptyAnswer, NO_CONTENT, xmlAnswer } from './answers.ts';
import { notImplemented } from './asked.ts';
import { change, settingRow } from './bucket-settings.ts';
import { many, maybe, node, one, word, xmlBody, yesNo } from './xml-request.ts';

const NAMES = {
  BlockPublicAcls: 'blockPublicAcls',
  IgnorePublicAcls: 'ignorePublicAcls',
  BlockPublicPolicy: 'blockPublicPolicy',
  RestrictPublicBuckets: 'restrictPublicBuckets',
} as const satisfies Record<string, keyof PublicAccessBlock>;

const BLOCK = node({
  BlockPublicAcls: maybe(yesNo),
  IgnorePublicAcls: maybe(yesNo),
  BlockPublicPolicy: maybe(yesNo),
  RestrictPublicBuckets: maybe(yesNo),
});

async function getBlock({ bucket }: BucketCall): Promise<S3Answer> {
  const { publicAccess } = bucket;
  if (publicAccess === undefined) {
    const text = `the bucket ${bucket.name} has no block of public access`;
    throw new CloudError('NoSuchPublicAccessBlockConfiguration', text);
  }
  const told = Object.entries(NAMES).map(([name, field]) => [name, publicAccess[field]]);
  return xmlAnswer('PublicAccessBlockConfiguration', Object.fromEntries(told));
}

async function putBlock(call: BucketCall): Promise<S3Answer> {
  const asked = await xmlBody(call, 'PublicAccessBlockConfiguration', BLOCK);
  await change(call, {
    publicAccess: {
      blockPublicAcls: asked.BlockPublicAcls ?? false,
      ignorePublicAcls: asked.IgnorePublicAcls ?? false,
      blockPublicPolicy: asked.BlockPublicPolicy ?? false,
      restrictPublicBuckets: asked.RestrictPublicBuckets ?? false,
    },
  });
  return emptyAnswer();
}

async function deleteBlock({ store, bucket }: BucketCall): Promise<S3Answer> {
  await store.updateBucket(bucket.name, ({ publicAccess: _, ...rest }) => rest);
  return NO_CONTENT;
}

const OWNERSHIP = node({ Rule: many(node({ ObjectOwnership: one(word) }), 10) });

/** 'NotImplemented' for ObjectWriter. */
export function ownershipOf(name: string): 'BucketOwnerEnforced' | 'BucketOwnerPreferred' {
  if (name === 'BucketOwnerEnforced' || name === 'BucketOwnerPreferred') return name;
  throw notImplemented(
    'ObjectOwnership: objects are owned by the owner of the bucket: BucketOwnerPreferred, or BucketOwnerEnforced to take no grants',
  );
}

/** 'InvalidBucketAclWithObjectOwnership': grants that would not be obeyed. */
export function checkOwnership(
  { name, ownership }: Pick<BucketRecord, 'name' | 'ownership'>,
  grants: readonly AclGrant[],
): void {
  if (ownership !== 'BucketOwnerEnforced' || grants.length === 0) return;
  const text = `the bucket ${name} has grants, which BucketOwnerEnforced does not know: make its ACL private first`;
  throw new CloudError('InvalidBucketAclWithObjectOwnership', text);
}

async function getOwnership({ bucket }: BucketCall): Promise<S3Answer> {
  return xmlAnswer('OwnershipControls', { Rule: { ObjectOwnership: bucket.ownership ?? 'BucketOwnerPreferred' } });
}

async function putOwnership(call: BucketCall): Promise<S3Answer> {
  const { Rule } = await xmlBody(call, 'OwnershipControls', OWNERSHIP);
  const [rule, ...more] = Rule;
  if (rule === undefined || more.length > 0)
    throw new CloudError('MalformedXML', 'OwnershipControls: has one Rule with one ObjectOwnership');
  const ownership = ownershipOf(rule.ObjectOwnership);
  await call.store.updateBucket(call.bucket.name, (bucket) => {
    checkOwnership({ ...bucket, ownership }, bucket.grants);
    return { ...bucket, ownership };
  });
  return emptyAnswer();
}

async function deleteOwnership({ store, bucket }: BucketCall): Promise<S3Answer> {
  await store.updateBucket(bucket.name, ({ ownership: _, ...rest }) => rest);
  return NO_CONTENT;
}

const block = 'publicAccessBlock';
const controls = 'ownershipControls';

/** Who may be let in beside the owning project: what the bucket as a whole says of it. */
export const PUBLIC_ACCESS_ACTIONS: readonly S3Action[] = [
  settingRow('GetPublicAccessBlock', 'GET', block, getBlock, 's3:GetBucketPublicAccessBlock'),
  settingRow('PutPublicAccessBlock', 'PUT', block, putBlock, 's3:PutBucketPublicAccessBlock'),
  settingRow('DeletePublicAccessBlock', 'DELETE', block, deleteBlock, 's3:PutBucketPublicAccessBlock'),
  settingRow('GetBucketOwnershipControls', 'GET', controls, getOwnership),
  settingRow('PutBucketOwnershipControls', 'PUT', controls, putOwnership),
  settingRow('DeleteBucketOwnershipControls', 'DELETE', controls, deleteOwnership, 's3:PutBucketOwnershipControls'),
];
