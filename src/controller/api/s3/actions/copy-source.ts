import { CloudError } from '../../../../base/errors.ts';
import type { BucketRecord, ObjectRecord } from '../../../../domain/s3/records.ts';
import type { BucketCall } from '../s3-action.ts';
import { checkOwner, invalidArgument, versioned } from './asked.ts';
import { readCondition } from './conditions.ts';
import { lookUpIn } from './get-object.ts';

export interface CopySource {
  readonly bucket: BucketRecord;
  readonly object: ObjectRecord;
  readonly versionId: string | undefined;
}

const HEADER = 'x-amz-copy-source';
const FORM = 'bucket/key, encoded as in a URL, with ?versionId= behind it for a version';

/** `/bucket/key?versionId=…`, encoded. 'InvalidArgument'. */
export function parseCopySource(header: string): { bucket: string; key: string; versionId: string | undefined } {
  const [, coded = '', versionId] = /^\/?(.*?)(?:\?versionId=(.*))?$/s.exec(header) ?? [];
  let path: string;
  try {
    path = decodeURIComponent(coded);
  } catch {
    throw invalidArgument(HEADER, header, FORM);
  }
  const at = path.indexOf('/');
  const [bucket, key] = [path.slice(0, at), path.slice(at + 1)];
  if (at < 1 || key === '' || versionId === '') throw invalidArgument(HEADER, header, FORM);
  return { bucket, key, versionId };
}

/** The object that is to be copied: its bucket's owner is asked too, and the conditions of the request are. */
export async function copySourceOf(call: BucketCall): Promise<CopySource> {
  const { bucket: name, key, versionId } = parseCopySource(call.header(HEADER) ?? '');
  const bucket = name === call.bucket.name ? call.bucket : await call.store.bucket(name);
  checkOwner(call, 'x-amz-source-expected-bucket-owner', bucket);
  await call.require(versioned('s3:GetObject', versionId), bucket, key, versionId);
  const object = await lookUpIn(call, bucket.name, key, versionId);
  if (readCondition(call, `${HEADER}-`, object) !== 'ok') {
    const text = `a condition of the request does not hold for the source ${name}/${key.slice(0, 200)} as it is`;
    throw new CloudError('PreconditionFailed', text);
  }
  return { bucket, object, versionId };
}

/** `x-amz-copy-source-version-id`, where the source's bucket has versions. */
export function sourceVersionHeader({ bucket, object }: CopySource): Record<string, string> {
  return bucket.versioning === 'off' ? {} : { 'x-amz-copy-source-version-id': object.versionId };
}
