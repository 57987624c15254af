import { runningChecksum } from '../../../../base/checksums.ts';
import { CloudError } from '../../../../base/errors.ts';
import type { Checksum, ChecksumAlgorithm, ObjectRecord, Tags } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { checksumTree, expirationHeader, isoTime, quoted, versionHeader, xmlAnswer } from './answers.ts';
import { checkNewObject, invalidArgument } from './asked.ts';
import { checksumAlgorithm } from './checksum-names.ts';
import { writeConditions } from './conditions.ts';
import { copySourceOf, sourceVersionHeader, type CopySource } from './copy-source.ts';
import { metadataAsked } from './object-headers.ts';
import { objectGrantsAsked } from './put-object.ts';
import { tagsAsked } from './tag-set.ts';

function directive(call: BucketCall, header: string): 'COPY' | 'REPLACE' {
  const value = (call.header(header) ?? 'COPY').toUpperCase();
  if (value === 'COPY' || value === 'REPLACE') return value;
  throw invalidArgument(header, value, 'COPY or REPLACE');
}

/** A copy onto itself that changes nothing is a mistake, S3 says; one of an older version brings that back. */
function checkChange(call: BucketCall, { bucket, object, versionId }: CopySource): void {
  const isSame = bucket.name === call.bucket.name && object.key === call.key && versionId === undefined;
  const changes =
    directive(call, 'x-amz-metadata-directive') === 'REPLACE' ||
    directive(call, 'x-amz-tagging-directive') === 'REPLACE' ||
    call.header('x-amz-checksum-algorithm') !== undefined;
  if (!isSame || changes) return;
  const text =
    'the object would be copied onto itself without a change: x-amz-metadata-directive: REPLACE gives it other metadata';
  throw new CloudError('InvalidRequest', text);
}

async function tagsOfCopy(call: BucketCall, { bucket, object, versionId }: CopySource): Promise<Tags> {
  if (directive(call, 'x-amz-tagging-directive') === 'REPLACE') return tagsAsked(call);
  if (Object.keys(object.tags).length === 0) return {};
  const permission = versionId === undefined ? 's3:GetObjectTagging' : 's3:GetObjectVersionTagging';
  await call.require(permission, bucket, object.key, versionId);
  await call.require('s3:PutObjectTagging', call.bucket, call.key);
  return object.tags;
}

/** Over all bytes: they are read once, for a checksum that the source does not have. */
async function checksumOfBytes(
  call: BucketCall,
  object: ObjectRecord,
  algorithm: ChecksumAlgorithm,
): Promise<Checksum> {
  const sum = runningChecksum(algorithm);
  const bytes = await call.store.read(object, { start: 0, end: object.sizeBytes, verify: true });
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) sum.update(chunk);
  return { algorithm, type: 'FULL_OBJECT', value: sum.digest().toString('base64') };
}

async function checksumOfCopy(call: BucketCall, object: ObjectRecord): Promise<Checksum | undefined> {
  const algorithm = checksumAlgorithm(call.header('x-amz-checksum-algorithm'));
  const { checksum } = object;
  if (algorithm === undefined || checksum?.algorithm === algorithm) return checksum;
  return checksumOfBytes(call, object, algorithm);
}

async function copyObject(call: BucketCall): Promise<S3Answer> {
  const { bucket, key, store } = call;
  checkNewObject(call);
  const conditions = writeConditions(call);
  const source = await copySourceOf(call);
  checkChange(call, source);
  const { object } = source;
  const grants = await objectGrantsAsked(call);
  const tags = await tagsOfCopy(call, source);
  const checksum = await checksumOfCopy(call, object);
  const replaces = directive(call, 'x-amz-metadata-directive') === 'REPLACE';
  const copy = await store.copyObject(
    object,
    {
      bucket: bucket.name,
      key,
      ownerId: bucket.projectId,
      metadata: replaces ? metadataAsked(call) : object.metadata,
      tags,
      grants,
      etag: object.etag,
      ...(checksum === undefined ? {} : { checksum }),
      ...(object.parts === undefined ? {} : { parts: object.parts }),
    },
    conditions,
  );
  const tree = {
    LastModified: isoTime(copy.modifiedMs),
    ETag: quoted(copy.etag),
    ...checksumTree(copy.checksum, true),
  };
  return xmlAnswer('CopyObjectResult', tree, {
    ...versionHeader(bucket, copy.versionId),
    ...expirationHeader(bucket, copy),
    ...sourceVersionHeader(source),
  });
}

export const COPY_ACTIONS: readonly S3Action[] = [
  {
    name: 'CopyObject',
    level: 'object',
    method: 'PUT',
    header: 'x-amz-copy-source',
    permission: 's3:PutObject',
    perform: copyObject,
  },
];
