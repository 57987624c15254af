import { CloudError } from '../../../../base/errors.ts';
import { ACCESS_RULES, passesRule } from '../../../../domain/access-rules.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { emptyAnswer, xmlAnswer } from './answers.ts';
import { change } from './bucket-settings.ts';
import { maybe, node, whole, xmlBody } from './xml-request.ts';

/** Of this cloud: S3 has no quotas. */
const NAME = 'x-novactl-quota';
const QUOTA = node({ MaxBytes: maybe(whole), MaxObjects: maybe(whole) });

async function getQuota({ store, bucket }: BucketCall): Promise<S3Answer> {
  const { bytes, objects } = await store.usage(bucket.name);
  const { maxBytes, maxObjects } = bucket.quota;
  return xmlAnswer('BucketQuota', {
    ...{ UsedBytes: bytes, UsedObjects: objects, MaxBytes: maxBytes, MaxObjects: maxObjects },
  });
}

/** What a project may use is for who answers for it; no policy of a bucket can give that away. */
function requireManager({ caller, bucket }: BucketCall): void {
  if (caller.kind === 'key') {
    const { mayAll, principal } = caller;
    if (mayAll === true) return;
    if (principal.projectId === bucket.projectId && passesRule('manager', principal.roles)) return;
  }
  const who = caller.kind === 'key' ? caller.principal.name : 'a request without a signature';
  throw new CloudError(
    'AccessDenied',
    `${who} may not set the quota of ${bucket.name}: that is for cloudadmin and ${ACCESS_RULES.manager.join(', ')} of the owning project, working in it`,
  );
}

async function putQuota(call: BucketCall): Promise<S3Answer> {
  requireManager(call);
  const { MaxBytes: maxBytes, MaxObjects: maxObjects } = await xmlBody(call, 'BucketQuota', QUOTA);
  await change(call, {
    quota: {
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(maxObjects === undefined ? {} : { maxObjects }),
    },
  });
  return emptyAnswer();
}

export const QUOTA_ACTIONS: readonly S3Action[] = [
  {
    ...{ name: 'GetBucketQuota', level: 'bucket', method: 'GET', query: NAME },
    permission: 's3:GetBucketQuota',
    perform: getQuota,
  },
  { name: 'PutBucketQuota', level: 'bucket', method: 'PUT', query: NAME, perform: putQuota },
];
