import { CloudError } from '../../../../base/errors.ts';
import { randomHex } from '../../../../base/random.ts';
import type { Checksum } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { isoTime, NO_CONTENT, ownerTree, xmlAnswer } from './answers.ts';
import { checkNewObject, invalidArgument, pageSize } from './asked.ts';
import { checksumAlgorithm } from './checksum-names.ts';
import { commonPrefixTrees, encoderOf } from './list-objects.ts';
import { metadataAsked } from './object-headers.ts';
import { objectGrantsAsked } from './put-object.ts';
import { tagsAsked } from './tag-set.ts';

const ID_DIGITS = 32;

/** CRCs of parts make the CRC of the whole; hashes do not. */
const TYPES: Readonly<Record<Checksum['algorithm'], readonly Checksum['type'][]>> = {
  CRC32: ['COMPOSITE', 'FULL_OBJECT'],
  CRC32C: ['COMPOSITE', 'FULL_OBJECT'],
  CRC64NVME: ['FULL_OBJECT'],
  SHA1: ['COMPOSITE'],
  SHA256: ['COMPOSITE'],
};

function uploadChecksum(call: BucketCall): Pick<Checksum, 'algorithm' | 'type'> | undefined {
  const algorithm = checksumAlgorithm(call.header('x-amz-checksum-algorithm'));
  const asked = call.header('x-amz-checksum-type')?.toUpperCase();
  if (algorithm === undefined) {
    if (asked === undefined) return undefined;
    throw new CloudError('InvalidRequest', 'x-amz-checksum-type: needs x-amz-checksum-algorithm beside it');
  }
  const [usual] = TYPES[algorithm];
  const type = asked === undefined ? usual : TYPES[algorithm].find((one) => one === asked);
  if (type !== undefined) return { algorithm, type };
  const text = `x-amz-checksum-type: ${algorithm} is known as ${TYPES[algorithm].join(' or ')} alone`;
  throw new CloudError('InvalidRequest', text);
}

async function createUpload(call: BucketCall): Promise<S3Answer> {
  const { bucket, key, store } = call;
  checkNewObject(call);
  const checksum = uploadChecksum(call);
  const [tags, grants] = [await tagsAsked(call), await objectGrantsAsked(call)];
  const uploadId = randomHex(call.random, ID_DIGITS);
  await store.createUpload({
    uploadId,
    bucket: bucket.name,
    key,
    ownerId: bucket.projectId,
    startedMs: call.nowMs,
    metadata: metadataAsked(call),
    tags,
    grants,
    ...(checksum === undefined ? {} : { checksum }),
  });
  const headers: Record<string, string> =
    checksum === undefined
      ? {}
      : { 'x-amz-checksum-algorithm': checksum.algorithm, 'x-amz-checksum-type': checksum.type };
  return xmlAnswer('InitiateMultipartUploadResult', { Bucket: bucket.name, Key: key, UploadId: uploadId }, headers);
}

async function abortUpload({ bucket, key, query, store }: BucketCall): Promise<S3Answer> {
  await store.abortUpload(bucket.name, key, query.get('uploadId') ?? '');
  return NO_CONTENT;
}

async function listUploads(call: BucketCall): Promise<S3Answer> {
  const { bucket, query, store } = call;
  const encode = encoderOf(call);
  const { max } = pageSize(call, 'max-uploads');
  const [prefix, delimiter, after] = ['prefix', 'delimiter', 'key-marker'].map((name) => query.get(name) ?? '');
  const asked = { prefix: prefix ?? '', delimiter: delimiter ?? '', after: after ?? '' };
  const afterUploadId = query.get('upload-id-marker') ?? '';
  if (afterUploadId !== '' && !/^[0-9a-f]{1,64}$/.test(afterUploadId))
    throw invalidArgument('upload-id-marker', afterUploadId, 'the id of an upload');
  // Without a key S3 passes the upload's marker over.
  const withId = afterUploadId === '' || asked.after === '' ? {} : { afterUploadId };
  const page = await store.listUploads(bucket.name, { ...asked, max, ...withId });
  return xmlAnswer('ListMultipartUploadsResult', {
    Bucket: bucket.name,
    KeyMarker: encode(asked.after),
    UploadIdMarker: afterUploadId,
    NextKeyMarker: page.next === undefined ? undefined : encode(page.next),
    NextUploadIdMarker: page.next === undefined ? undefined : (page.nextUploadId ?? ''),
    Prefix: encode(asked.prefix),
    Delimiter: asked.delimiter === '' ? undefined : encode(asked.delimiter),
    MaxUploads: max,
    IsTruncated: page.next !== undefined,
    EncodingType: query.get('encoding-type'),
    Upload: page.rows.map((upload) => ({
      Key: encode(upload.key),
      UploadId: upload.uploadId,
      Initiator: ownerTree(upload.ownerId),
      Owner: ownerTree(upload.ownerId),
      StorageClass: 'STANDARD',
      Initiated: isoTime(upload.startedMs),
      ChecksumAlgorithm: upload.checksum?.algorithm,
      ChecksumType: upload.checksum?.type,
    })),
    CommonPrefixes: commonPrefixTrees(page.commonPrefixes, encode),
  });
}

export const UPLOAD_ACTIONS: readonly S3Action[] = [
  {
    name: 'CreateMultipartUpload',
    level: 'object',
    method: 'POST',
    query: 'uploads',
    permission: 's3:PutObject',
    perform: createUpload,
  },
  {
    name: 'AbortMultipartUpload',
    level: 'object',
    method: 'DELETE',
    query: 'uploadId',
    permission: 's3:AbortMultipartUpload',
    perform: abortUpload,
  },
  {
    name: 'ListMultipartUploads',
    level: 'bucket',
    method: 'GET',
    query: 'uploads',
    permission: 's3:ListBucketMultipartUploads',
    perform: listUploads,
  },
];
