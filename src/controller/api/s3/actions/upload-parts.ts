import { CloudError } from '../../../../base/errors.ts';
import {
  S3_LIMITS,
  USUAL_CHECKSUM,
  type Checksum,
  type PartRecord,
  type UploadRecord,
} from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { checksumHeaders, checksumTree, emptyAnswer, isoTime, ownerTree, quoted, xmlAnswer } from './answers.ts';
import { invalidArgument, numberAsked, pageSize } from './asked.ts';
import { checksumGiven } from './checksum-names.ts';
import { copySourceOf, sourceVersionHeader } from './copy-source.ts';
import { encoderOf } from './list-objects.ts';

/** The number and the upload of the part that the request brings. */
async function partAsked(call: BucketCall): Promise<{ number: number; upload: UploadRecord }> {
  const number = numberAsked(call, 'partNumber', { min: 1, max: S3_LIMITS.partsPerUpload });
  if (number === undefined) throw invalidArgument('partNumber', '', 'there beside uploadId');
  return { number, upload: await uploadAsked(call) };
}

export function uploadAsked({ store, bucket, key, query }: BucketCall): Promise<UploadRecord> {
  return store.upload(bucket.name, key, query.get('uploadId') ?? '');
}

function checkAlgorithm(call: BucketCall, { checksum }: UploadRecord): void {
  const given = checksumGiven(call)?.algorithm;
  if (given === undefined || checksum === undefined || given === checksum.algorithm) return;
  const text = `the part comes with a ${given}, and the upload was begun with ${checksum.algorithm}: send that`;
  throw new CloudError('InvalidRequest', text);
}

function partOf(
  number: number,
  nowMs: number,
  { segment, digests, checksum }: Awaited<ReturnType<BucketCall['body']['receive']>>,
): PartRecord {
  return {
    number,
    sizeBytes: segment.sizeBytes,
    etag: digests.md5,
    modifiedMs: nowMs,
    segments: [segment],
    ...(checksum === undefined ? {} : { checksum }),
  };
}

async function uploadPart(call: BucketCall): Promise<S3Answer> {
  const { number, upload } = await partAsked(call);
  checkAlgorithm(call, upload);
  const { checksum } = upload;
  const received = await call.body.receive({
    maxBytes: S3_LIMITS.putMaxBytes,
    ...(checksum === undefined ? {} : { checksum: checksum.algorithm }),
  });
  const part = partOf(number, call.nowMs, received);
  await call.store.putPart(upload, part);
  return emptyAnswer(200, { etag: quoted(part.etag), ...partChecksumHeaders(part.checksum) });
}

/** A part's own: it has no type. */
function partChecksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  const { 'x-amz-checksum-type': _, ...headers } = checksumHeaders(checksum) as Record<string, string>;
  return headers;
}

/** `bytes=first-last`, which must be within the source. */
function copyRange(call: BucketCall, sizeBytes: number): { start: number; end: number } {
  const header = call.header('x-amz-copy-source-range');
  if (header === undefined) return { start: 0, end: sizeBytes };
  const [, first = '', last = ''] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header.trim()) ?? [];
  if (first === '' || Number(first) > Number(last))
    throw invalidArgument('x-amz-copy-source-range', header, 'bytes=FIRST-LAST');
  if (Number(last) >= sizeBytes) {
    const text = `x-amz-copy-source-range: ${header.slice(0, 60)} is beyond the ${sizeBytes} bytes of the source`;
    throw new CloudError('InvalidRange', text, { details: { actualObjectSize: sizeBytes } });
  }
  return { start: Number(first), end: Number(last) + 1 };
}

async function uploadPartCopy(call: BucketCall): Promise<S3Answer> {
  const { number, upload } = await partAsked(call);
  const source = await copySourceOf(call);
  const range = copyRange(call, source.object.sizeBytes);
  if (range.end - range.start > S3_LIMITS.putMaxBytes)
    throw new CloudError('EntityTooLarge', `a part has at most ${S3_LIMITS.putMaxBytes} bytes: copy ranges`);
  const algorithm = upload.checksum?.algorithm ?? USUAL_CHECKSUM;
  // A part's ETag is the MD5 of its bytes, so they are read: nobody has counted those of a range.
  const bytes = await call.store.read(source.object, range);
  const { segment, digests } = await call.store
    .receive(bytes, {
      maxBytes: S3_LIMITS.putMaxBytes,
      expectedBytes: range.end - range.start,
      checksums: [algorithm],
    })
    .finally(() => bytes.destroy());
  const value = digests.checksums[algorithm];
  const counted = value === undefined ? {} : { checksum: whole(algorithm, value) };
  const part = partOf(number, call.nowMs, { segment, digests, ...counted });
  await call.store.putPart(upload, part);
  const tree = { LastModified: isoTime(part.modifiedMs), ETag: quoted(part.etag), ...checksumTree(part.checksum) };
  return xmlAnswer('CopyPartResult', tree, sourceVersionHeader(source));
}

const whole = (algorithm: Checksum['algorithm'], value: string): Checksum => ({
  algorithm,
  type: 'FULL_OBJECT',
  value,
});

async function listParts(call: BucketCall): Promise<S3Answer> {
  const { bucket, key, store } = call;
  const upload = await uploadAsked(call);
  const encode = encoderOf(call);
  const { max } = pageSize(call, 'max-parts');
  const after = numberAsked(call, 'part-number-marker', { min: 0, max: 2 ** 31 - 1 }) ?? 0;
  const found = max === 0 ? [] : await store.parts(upload.uploadId, after, max + 1);
  const parts = found.slice(0, max);
  return xmlAnswer('ListPartsResult', {
    Bucket: bucket.name,
    Key: encode(key),
    UploadId: upload.uploadId,
    Initiator: ownerTree(upload.ownerId),
    Owner: ownerTree(upload.ownerId),
    StorageClass: 'STANDARD',
    PartNumberMarker: after,
    NextPartNumberMarker: parts.at(-1)?.number ?? after,
    MaxParts: max,
    IsTruncated: found.length > parts.length,
    EncodingType: call.query.get('encoding-type'),
    ChecksumAlgorithm: upload.checksum?.algorithm,
    ChecksumType: upload.checksum?.type,
    Part: parts.map((part) => ({
      PartNumber: part.number,
      LastModified: isoTime(part.modifiedMs),
      ETag: quoted(part.etag),
      Size: part.sizeBytes,
      ...checksumTree(part.checksum),
    })),
  });
}

export const PART_ACTIONS: readonly S3Action[] = [
  {
    name: 'UploadPart',
    level: 'object',
    method: 'PUT',
    query: 'uploadId',
    permission: 's3:PutObject',
    perform: uploadPart,
  },
  {
    name: 'UploadPartCopy',
    level: 'object',
    method: 'PUT',
    query: 'uploadId',
    header: 'x-amz-copy-source',
    permission: 's3:PutObject',
    perform: uploadPartCopy,
  },
  {
    name: 'ListParts',
    level: 'object',
    method: 'GET',
    query: 'uploadId',
    permission: 's3:ListMultipartUploadParts',
    perform: listParts,
  },
];
