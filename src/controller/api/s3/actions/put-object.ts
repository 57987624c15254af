import { S3_LIMITS, type AclGrant } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { checkGrants, grantsAsked } from './acl-headers.ts';
import { checksumHeaders, emptyAnswer, expirationHeader, quoted, versionHeader } from './answers.ts';
import { checkNewObject } from './asked.ts';
import { checksumAlgorithm } from './checksum-names.ts';
import { writeConditions } from './conditions.ts';
import { metadataAsked } from './object-headers.ts';
import { tagsAsked } from './tag-set.ts';

/** Of a new object: who shares it needs the right to. */
export async function objectGrantsAsked(call: BucketCall): Promise<readonly AclGrant[]> {
  const grants = grantsAsked(call, call.bucket.projectId) ?? [];
  if (grants.length > 0) await call.require('s3:PutObjectAcl', call.bucket, call.key);
  checkGrants(call.bucket, grants);
  return grants;
}

async function putObject(call: BucketCall): Promise<S3Answer> {
  const { bucket, key, store, body } = call;
  checkNewObject(call);
  const conditions = writeConditions(call);
  const [tags, grants] = [await tagsAsked(call), await objectGrantsAsked(call)];
  const metadata = metadataAsked(call);
  const algorithm = checksumAlgorithm(call.header('x-amz-sdk-checksum-algorithm'));
  const { segment, digests, checksum } = await body.receive({
    maxBytes: S3_LIMITS.putMaxBytes,
    ...(algorithm === undefined ? {} : { checksum: algorithm }),
  });
  const object = await store.putObject(
    {
      bucket: bucket.name,
      key,
      // Whoever puts it: what is in a bucket is its owner's.
      ownerId: bucket.projectId,
      metadata,
      tags,
      grants,
      etag: digests.md5,
      segments: [segment],
      ...(checksum === undefined ? {} : { checksum }),
    },
    conditions,
  );
  return emptyAnswer(200, {
    etag: quoted(object.etag),
    ...checksumHeaders(object.checksum),
    ...versionHeader(bucket, object.versionId),
    ...expirationHeader(bucket, object),
  });
}

export const PUT_ACTIONS: readonly S3Action[] = [
  { name: 'PutObject', level: 'object', method: 'PUT', permission: 's3:PutObject', perform: putObject },
];
