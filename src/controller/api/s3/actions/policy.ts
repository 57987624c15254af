import { CloudError } from '../../../../base/errors.ts';
import { isPublicPolicy, parsePolicy } from '../../../../domain/s3/policy.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { NO_CONTENT, xmlAnswer } from './answers.ts';
import { settingRow } from './bucket-settings.ts';

const MAX_BYTES = 20 * 1024;

function policyOf({ bucket }: BucketCall): string {
  if (bucket.policy !== undefined) return bucket.policy;
  throw new CloudError('NoSuchBucketPolicy', `the bucket ${bucket.name} has no policy`);
}

async function getPolicy(call: BucketCall): Promise<S3Answer> {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: policyOf(call) };
}

async function putPolicy(call: BucketCall): Promise<S3Answer> {
  const policy = await call.body.text(MAX_BYTES);
  const parsed = parsePolicy(policy, call.bucket.name);
  if (call.bucket.publicAccess?.blockPublicPolicy === true && isPublicPolicy(parsed)) {
    const text = `the bucket ${call.bucket.name} takes no policy that is public: name projects, or end its block of public access`;
    throw new CloudError('AccessDenied', text);
  }
  await call.store.updateBucket(call.bucket.name, (bucket) => ({ ...bucket, policy }));
  return NO_CONTENT;
}

async function deletePolicy({ store, bucket }: BucketCall): Promise<S3Answer> {
  await store.updateBucket(bucket.name, ({ policy: _, ...rest }) => rest);
  return NO_CONTENT;
}

async function getPolicyStatus(call: BucketCall): Promise<S3Answer> {
  const policy = parsePolicy(policyOf(call), call.bucket.name);
  return xmlAnswer('PolicyStatus', { IsPublic: isPublicPolicy(policy) });
}

export const POLICY_ACTIONS: readonly S3Action[] = [
  settingRow('GetBucketPolicy', 'GET', 'policy', getPolicy),
  settingRow('PutBucketPolicy', 'PUT', 'policy', putPolicy),
  settingRow('DeleteBucketPolicy', 'DELETE', 'policy', deletePolicy),
  settingRow('GetBucketPolicyStatus', 'GET', 'policyStatus', getPolicyStatus),
];
