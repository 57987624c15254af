import { createHash } from 'node:crypto';
import { z } from 'zod';
import { checksumOf, combinedChecksum } from '../../../../base/checksums.ts';
import { CloudError, isCode } from '../../../../base/errors.ts';
import {
  S3_LIMITS,
  USUAL_CHECKSUM,
  type Checksum,
  type ChecksumAlgorithm,
  type ObjectPart,
  type ObjectRecord,
  type PartRecord,
  type UploadRecord,
} from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { checksumTree, expirationHeader, quoted, versionHeader, xmlAnswer } from './answers.ts';
import { invalidArgument, wholeNumber } from './asked.ts';
import { CHECKSUM_ALGORITHMS, CHECKSUM_NAMES, checksumGiven } from './checksum-names.ts';
import { bareEtag, writeConditions } from './conditions.ts';
import { uploadAsked } from './upload-parts.ts';
import { maybe, node, one, whole, word, xmlBody } from './xml-request.ts';

const PART = node({
  PartNumber: one(whole),
  ETag: one(word),
  ChecksumCRC32: maybe(word),
  ChecksumCRC32C: maybe(word),
  ChecksumCRC64NVME: maybe(word),
  ChecksumSHA1: maybe(word),
  ChecksumSHA256: maybe(word),
  // Of lists of parts, which some clients send back as they got them.
  Size: maybe(word),
  LastModified: maybe(word),
});
const DOCUMENT = node({ Part: z.array(PART).min(1).max(S3_LIMITS.partsPerUpload) });
type AskedPart = z.output<typeof PART>;
const MAX_BYTES = 8 * 1024 * 1024;
/** Of each part its own two, and those of all that the list of parts has. */
const MAX_TAGS = 20 * S3_LIMITS.partsPerUpload;

const isCrc = (algorithm: ChecksumAlgorithm): algorithm is 'CRC32' | 'CRC32C' | 'CRC64NVME' =>
  algorithm !== 'SHA1' && algorithm !== 'SHA256';

function checkOrder(asked: readonly AskedPart[]): void {
  let last = 0;
  for (const { PartNumber: number } of asked) {
    if (number < 1 || number > S3_LIMITS.partsPerUpload)
      throw invalidArgument('PartNumber', String(number), `a whole number from 1 to ${S3_LIMITS.partsPerUpload}`);
    if (number <= last) {
      const text = `part ${number} is named behind part ${last}: name each once, in ascending order`;
      throw new CloudError('InvalidPartOrder', text);
    }
    last = number;
  }
}

function invalidPart({ number }: PartRecord, what: string): CloudError {
  const text = `part ${number} has another ${what} than the request says: look at the list of parts`;
  return new CloudError('InvalidPart', text, { details: { partNumber: number } });
}

function checkPart(part: PartRecord, asked: AskedPart, isLast: boolean): void {
  if (bareEtag(asked.ETag) !== part.etag) throw invalidPart(part, 'ETag');
  const { checksum } = part;
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const said = asked[CHECKSUM_NAMES[algorithm]];
    if (said !== undefined && (checksum?.algorithm !== algorithm || said !== checksum.value))
      throw invalidPart(part, algorithm);
  }
  if (isLast || part.sizeBytes >= S3_LIMITS.partMinBytes) return;
  const text = `part ${part.number} has ${part.sizeBytes} bytes: all but the last need ${S3_LIMITS.partMinBytes}`;
  throw new CloudError('EntityTooSmall', text, {
    details: {
      partNumber: part.number,
      etag: part.etag,
      proposedSize: part.sizeBytes,
      minSizeAllowed: S3_LIMITS.partMinBytes,
    },
  });
}

/** Of the whole, from those of the parts; undefined where some part has none of that kind. */
function wholeChecksum(
  parts: readonly PartRecord[],
  { algorithm, type }: Pick<Checksum, 'algorithm' | 'type'>,
): Checksum | undefined {
  const pieces = parts.flatMap(({ checksum, sizeBytes }) =>
    checksum?.algorithm === algorithm ? [{ value: checksum.value, sizeBytes }] : [],
  );
  if (pieces.length !== parts.length) return undefined;
  if (type === 'FULL_OBJECT')
    return isCrc(algorithm) ? { algorithm, type, value: combinedChecksum(algorithm, pieces) } : undefined;
  const value = checksumOf(algorithm, ...pieces.map((piece) => Buffer.from(piece.value, 'base64')));
  return { algorithm, type, value: `${value}-${parts.length}` };
}

/** The request may say what the whole has to be. */
function checkWhole(call: BucketCall, checksum: Checksum | undefined, sizeBytes: number): void {
  const given = checksumGiven(call);
  if (given !== undefined) {
    if (given.algorithm !== checksum?.algorithm) {
      const text = `x-amz-checksum-${given.algorithm.toLowerCase()}: can't be compared, for not all parts have one: begin the upload with x-amz-checksum-algorithm`;
      throw new CloudError('InvalidRequest', text);
    }
    const same = given.value === checksum.value || given.value === checksum.value.replace(/-\d+$/, '');
    if (!same) {
      const text = `the ${given.algorithm} of the whole is ${checksum.value}, and not ${given.value.slice(0, 100)}`;
      throw new CloudError('BadDigest', text);
    }
  }
  const size = call.header('x-amz-mp-object-size');
  if (size === undefined) return;
  if (wholeNumber('x-amz-mp-object-size', size, { min: 0, max: S3_LIMITS.objectMaxBytes }) !== sizeBytes)
    throw new CloudError('InvalidRequest', `the parts have ${sizeBytes} bytes together, and not ${size.slice(0, 20)}`);
}

/** Without an algorithm of the upload: the one that the request's header names, or the one that is counted in any case. */
function wantedChecksum(call: BucketCall, { checksum }: UploadRecord): Pick<Checksum, 'algorithm' | 'type'> {
  const given = checksumGiven(call)?.algorithm;
  const type = call.header('x-amz-checksum-type')?.toUpperCase();
  if (checksum !== undefined && type !== undefined && type !== checksum.type) {
    const text = `x-amz-checksum-type: the upload was begun with ${checksum.type}`;
    throw new CloudError('InvalidRequest', text);
  }
  if (checksum !== undefined) return checksum;
  if (given === undefined) return { algorithm: USUAL_CHECKSUM, type: 'FULL_OBJECT' };
  return { algorithm: given, type: type === 'FULL_OBJECT' ? type : 'COMPOSITE' };
}

function etagOf(parts: readonly Pick<PartRecord, 'etag'>[]): string {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
}

/** What the asked-for parts make. */
function finisher(call: BucketCall, asked: readonly AskedPart[]) {
  return (
    parts: readonly PartRecord[],
    record: UploadRecord,
  ): { etag: string; parts: ObjectPart[]; checksum?: Checksum } => {
    for (const [index, part] of parts.entries()) {
      const said = asked[index];
      if (said !== undefined) checkPart(part, said, index === parts.length - 1);
    }
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    if (sizeBytes > S3_LIMITS.objectMaxBytes)
      throw new CloudError('EntityTooLarge', `an object has at most ${S3_LIMITS.objectMaxBytes} bytes`);
    const checksum = wholeChecksum(parts, wantedChecksum(call, record));
    checkWhole(call, checksum, sizeBytes);
    return {
      etag: etagOf(parts),
      parts: parts.map(({ number, sizeBytes: size, checksum: of }) => ({
        number,
        sizeBytes: size,
        ...(of === undefined ? {} : { checksum: of }),
      })),
      ...(checksum === undefined ? {} : { checksum }),
    };
  };
}

/** The object that this upload has made already of the same parts, as long as it is the current one; else the error. */
async function madeBefore(call: BucketCall, asked: readonly AskedPart[], error: unknown): Promise<ObjectRecord> {
  if (!isCode(error, 'NoSuchUpload')) throw error;
  const { store, bucket, key, query } = call;
  const object = await store.object(bucket.name, key).catch(() => undefined);
  const isIt = object?.kind === 'object' && object.uploadId !== undefined && object.uploadId === query.get('uploadId');
  const etags = asked.map((part) => ({ etag: bareEtag(part.ETag) }));
  const isSame = etags.every(({ etag }) => /^[0-9a-f]{32}$/.test(etag)) && isIt && etagOf(etags) === object.etag;
  if (!isSame) throw error;
  return object;
}

async function completeUpload(call: BucketCall): Promise<S3Answer> {
  const { bucket, key, store } = call;
  const conditions = writeConditions(call);
  const { Part: asked } = await xmlBody(call, 'CompleteMultipartUpload', DOCUMENT, MAX_BYTES, MAX_TAGS);
  checkOrder(asked);
  const numbers = asked.map((part) => part.PartNumber);
  const object = await uploadAsked(call)
    .then((upload) => store.completeUpload(upload, numbers, finisher(call, asked), conditions))
    .catch((error: unknown) => madeBefore(call, asked, error));
  const tree = {
    Location: `${call.endpoint}/${bucket.name}/${encodeURIComponent(key).replaceAll('%2F', '/')}`,
    Bucket: bucket.name,
    Key: key,
    ETag: quoted(object.etag),
    ...checksumTree(object.checksum, true),
  };
  return xmlAnswer('CompleteMultipartUploadResult', tree, {
    ...versionHeader(bucket, object.versionId),
    ...expirationHeader(bucket, object),
  });
}

export const COMPLETE_ACTIONS: readonly S3Action[] = [
  {
    name: 'CompleteMultipartUpload',
    level: 'object',
    method: 'POST',
    query: 'uploadId',
    permission: 's3:PutObject',
    perform: completeUpload,
  },
];
