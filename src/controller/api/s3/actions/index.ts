import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { checkKey, checkOwner } from './asked.ts';
import { BUCKET_ACTIONS } from './buckets.ts';
import { DELETE_ACTIONS } from './delete-objects.ts';
import { GET_ACTIONS } from './get-object.ts';
import { LIST_ACTIONS } from './list-objects.ts';
import { PUT_ACTIONS } from './put-object.ts';

const ROWS: readonly S3Action[] = [
  ...BUCKET_ACTIONS,
  ...LIST_ACTIONS,
  ...PUT_ACTIONS,
  ...GET_ACTIONS,
  ...DELETE_ACTIONS,
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
