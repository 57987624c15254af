import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { ABSENT_ACTIONS } from './absent-settings.ts';
import { ACL_ACTIONS } from './acl.ts';
import { checkKey, checkOwner } from './asked.ts';
import { ATTRIBUTE_ACTIONS } from './attributes.ts';
import { SETTING_ACTIONS } from './bucket-settings.ts';
import { BUCKET_ACTIONS } from './buckets.ts';
import { COMPLETE_ACTIONS } from './complete-upload.ts';
import { COPY_ACTIONS } from './copy-object.ts';
import { CORS_ACTIONS } from './cors.ts';
import { DELETE_ACTIONS } from './delete-objects.ts';
import { FORM_ACTIONS } from './form-upload.ts';
import { GET_ACTIONS } from './get-object.ts';
import { KEEPING_ACTIONS } from './keeping.ts';
import { LIFECYCLE_ACTIONS } from './lifecycle.ts';
import { LIST_ACTIONS } from './list-objects.ts';
import { VERSION_ACTIONS } from './list-versions.ts';
import { OBJECT_TAGGING_ACTIONS } from './object-tagging.ts';
import { POLICY_ACTIONS } from './policy.ts';
import { PRESIGN_ACTIONS } from './presign.ts';
import { PUBLIC_ACCESS_ACTIONS } from './public-access.ts';
import { PUT_ACTIONS } from './put-object.ts';
import { QUOTA_ACTIONS } from './quota.ts';
import { PART_ACTIONS } from './upload-parts.ts';
import { UPLOAD_ACTIONS } from './uploads.ts';

const ROWS: readonly S3Action[] = [
  ...KEEPING_ACTIONS,
  ...BUCKET_ACTIONS,
  ...LIST_ACTIONS,
  ...VERSION_ACTIONS,
  ...PUT_ACTIONS,
  ...FORM_ACTIONS,
  ...QUOTA_ACTIONS,
  ...GET_ACTIONS,
  ...DELETE_ACTIONS,
  ...COPY_ACTIONS,
  ...UPLOAD_ACTIONS,
  ...PART_ACTIONS,
  ...COMPLETE_ACTIONS,
  ...OBJECT_TAGGING_ACTIONS,
  ...ATTRIBUTE_ACTIONS,
  ...ACL_ACTIONS,
  ...SETTING_ACTIONS,
  ...CORS_ACTIONS,
  ...LIFECYCLE_ACTIONS,
  ...POLICY_ACTIONS,
  ...PRESIGN_ACTIONS,
  ...PUBLIC_ACCESS_ACTIONS,
  ...ABSENT_ACTIONS,
];

type Perform = (call: BucketCall) => Promise<S3Answer>;

/** What holds for all that is done with a bucket: the key's length, and the owner that the client expects. */
const checked =
  (perform: Perform): Perform =>
  async (call) => {
    checkKey(call.key);
    checkOwner(call, 'x-amz-expected-bucket-owner', call.bucket);
    return perform(call);
  };

/** Every action of S3 that is known here, also those that are refused: what is not among them is no action of S3. */
export const S3_ACTIONS: readonly S3Action[] = ROWS.map((row) =>
  row.level === 'bucket' || row.level === 'object' ? { ...row, perform: checked(row.perform) } : row,
);
