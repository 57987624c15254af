import { z } from 'zod';
import { CloudError } from '../../../../base/errors.ts';
import { S3_LIMITS, type BucketRecord } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { emptyAnswer, NO_CONTENT, xmlAnswer } from './answers.ts';
import { notImplemented } from './asked.ts';
import { tagSetTree, tagsOfBody } from './tag-set.ts';
import { maybe, node, one, word, xmlBody } from './xml-request.ts';

const VERSIONING = node({
  Status: one(z.preprocess((value) => String(value).trim(), z.enum(['Enabled', 'Suspended']))),
  MfaDelete: maybe(word),
});
const STATES = { enabled: 'Enabled', suspended: 'Suspended', off: undefined } as const;

export async function change({ store, bucket }: BucketCall, fields: Partial<BucketRecord>): Promise<void> {
  await store.updateBucket(bucket.name, (now) => ({ ...now, ...fields }));
}

async function getVersioning({ bucket }: BucketCall): Promise<S3Answer> {
  return xmlAnswer('VersioningConfiguration', { Status: STATES[bucket.versioning] });
}

async function putVersioning(call: BucketCall): Promise<S3Answer> {
  const { Status, MfaDelete = 'Disabled' } = await xmlBody(call, 'VersioningConfiguration', VERSIONING);
  if (MfaDelete !== 'Disabled') throw notImplemented('MfaDelete: there are no such devices here');
  await change(call, { versioning: Status === 'Enabled' ? 'enabled' : 'suspended' });
  return emptyAnswer();
}

async function getBucketTagging({ bucket }: BucketCall): Promise<S3Answer> {
  if (Object.keys(bucket.tags).length === 0)
    throw new CloudError('NoSuchTagSet', `the bucket ${bucket.name} has no tags`);
  return xmlAnswer('Tagging', tagSetTree(bucket.tags));
}

async function putBucketTagging(call: BucketCall): Promise<S3Answer> {
  await change(call, { tags: await tagsOfBody(call, S3_LIMITS.tagsPerBucket) });
  return NO_CONTENT;
}

async function deleteBucketTagging(call: BucketCall): Promise<S3Answer> {
  await change(call, { tags: {} });
  return NO_CONTENT;
}

/** A row of an action on a setting, whose name is what policies call it. */
export const settingRow = (
  name: string,
  method: S3Action['method'],
  query: string,
  perform: (call: BucketCall) => Promise<S3Answer>,
  permission: S3Action['permission'] = `s3:${name}`,
): S3Action => ({ name, level: 'bucket', method, query, permission, perform });

export const SETTING_ACTIONS: readonly S3Action[] = [
  settingRow('GetBucketVersioning', 'GET', 'versioning', getVersioning),
  settingRow('PutBucketVersioning', 'PUT', 'versioning', putVersioning),
  settingRow('GetBucketTagging', 'GET', 'tagging', getBucketTagging),
  settingRow('PutBucketTagging', 'PUT', 'tagging', putBucketTagging),
  settingRow('DeleteBucketTagging', 'DELETE', 'tagging', deleteBucketTagging, 's3:PutBucketTagging'),
];
