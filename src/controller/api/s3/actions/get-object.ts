import { CloudError } from '../../../../base/errors.ts';
import type { Checksum, ObjectPart, ObjectRecord, ObjectVersion } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer, S3Permission } from '../s3-action.ts';
import { checksumHeaders, httpTime } from './answers.ts';
import { numberAsked, requireObject } from './asked.ts';
import { rangeHolds, readCondition } from './conditions.ts';
import { objectHeaders, overridden } from './object-headers.ts';
import { S3_LIMITS } from '../../../../domain/s3/records.ts';

/** What is to be read: the whole, a range, or a part of a multipart object. */
interface Slice {
  readonly start: number;
  readonly end: number;
  readonly status: 200 | 206;
  /** Of these bytes, where there is one. */
  readonly checksum?: Checksum;
  readonly partsCount?: number;
}

/** With the headers by which clients tell a deleted object from one that never was. */
function markerError(error: unknown): unknown {
  if (!(error instanceof CloudError) || error.code !== 'NoSuchKey' || error.details?.['deleteMarker'] !== true)
    return error;
  const headers = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': String(error.details['versionId']) };
  return new CloudError('NoSuchKey', error.message, { details: { ...error.details, headers } });
}

/** The object that is asked for. A delete marker is none: 'MethodNotAllowed' for one that is named by its version. */
export async function lookUp(call: BucketCall, key: string, versionId: string | undefined): Promise<ObjectRecord> {
  return lookUpIn(call, call.bucket.name, key, versionId);
}

export async function lookUpIn(
  { store }: BucketCall,
  bucket: string,
  key: string,
  versionId: string | undefined,
): Promise<ObjectRecord> {
  let found: ObjectVersion;
  try {
    found = await store.object(bucket, key, versionId);
  } catch (error) {
    throw markerError(error);
  }
  if (found.kind === 'object') return found;
  const headers = {
    allow: 'DELETE',
    'last-modified': httpTime(found.modifiedMs),
    'x-amz-delete-marker': 'true',
    'x-amz-version-id': found.versionId,
  };
  const text = `version ${found.versionId} of ${key.slice(0, 200)} is a delete marker: all that can be done with it is to delete it`;
  throw new CloudError('MethodNotAllowed', text, { details: { headers } });
}

function unsatisfiable(range: string, sizeBytes: number): CloudError {
  return new CloudError(
    'InvalidRange',
    `the range ${range.slice(0, 60)} is beyond the ${sizeBytes} bytes of the object`,
    {
      details: {
        rangeRequested: range.slice(0, 60),
        actualObjectSize: sizeBytes,
        headers: { 'content-range': `bytes */${sizeBytes}` },
      },
    },
  );
}

/** Of a `range` header; undefined where it is not one range of bytes: then the whole is answered (RFC 9110, 14.2). */
export function rangeOf(header: string, sizeBytes: number): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    const count = Math.min(Number(last), sizeBytes);
    if (count === 0) throw unsatisfiable(header, sizeBytes);
    return { start: sizeBytes - count, end: sizeBytes };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= sizeBytes) throw unsatisfiable(header, sizeBytes);
  return { start, end: last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}

function partSlice(object: ObjectRecord, number: number): Slice {
  const { parts, sizeBytes } = object;
  if (parts === undefined && number === 1) return { start: 0, end: sizeBytes, status: 206, ...whole(object) };
  let start = 0;
  for (const part of parts ?? []) {
    if (part.number === number) return partOf(part, start, parts?.length ?? 0);
    start += part.sizeBytes;
  }
  throw new CloudError('InvalidRange', `the object has no part ${number}`, {
    details: { actualPartCount: parts?.length ?? 1, partNumberRequested: number },
  });
}

function partOf({ sizeBytes, checksum }: ObjectPart, start: number, partsCount: number): Slice {
  return { start, end: start + sizeBytes, status: 206, partsCount, ...(checksum === undefined ? {} : { checksum }) };
}

const whole = ({ checksum }: ObjectRecord): { checksum?: Checksum } => (checksum === undefined ? {} : { checksum });

function sliceAsked(call: BucketCall, object: ObjectRecord): Slice {
  const number = numberAsked(call, 'partNumber', { min: 1, max: S3_LIMITS.partsPerUpload });
  const header = call.header('range');
  if (number !== undefined && header !== undefined)
    throw new CloudError('InvalidRequest', 'range and partNumber are both there: ask for one of them');
  if (number !== undefined) return partSlice(object, number);
  const range = header === undefined || !rangeHolds(call, object) ? undefined : rangeOf(header, object.sizeBytes);
  if (range !== undefined) return { ...range, status: 206 };
  return { start: 0, end: object.sizeBytes, status: 200, ...whole(object) };
}

function sliceHeaders(call: BucketCall, object: ObjectRecord, slice: Slice): Record<string, string> {
  const { start, end, status, checksum, partsCount } = slice;
  const told = call.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' ? checksumHeaders(checksum) : {};
  const isPart = status === 206 && object.sizeBytes > 0;
  return {
    ...objectHeaders(call.bucket, object),
    ...overridden(call),
    ...told,
    'content-length': String(end - start),
    ...(isPart ? { 'content-range': `bytes ${start}-${end - 1}/${object.sizeBytes}` } : {}),
    ...(partsCount === undefined ? {} : { 'x-amz-mp-parts-count': String(partsCount) }),
  };
}

/** 304 tells what a cache has to know, and nothing of the bytes. */
function unchanged(call: BucketCall, object: ObjectRecord): S3Answer {
  const all = objectHeaders(call.bucket, object);
  const names = ['etag', 'last-modified', 'cache-control', 'expires', 'x-amz-version-id'];
  return {
    status: 304,
    headers: Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]]))),
  };
}

/** What GET and HEAD have in common: all but the bytes. */
async function answerOf(
  call: BucketCall,
  permission: S3Permission,
): Promise<{ answer: S3Answer; object: ObjectRecord; slice?: Slice }> {
  const versionId = await requireObject(call, permission);
  const object = await lookUp(call, call.key, versionId);
  const condition = readCondition(call, '', object);
  if (condition === 'unchanged') return { answer: unchanged(call, object), object };
  if (condition === 'failed')
    throw new CloudError('PreconditionFailed', 'a condition of the request does not hold for the object as it is');
  const slice = sliceAsked(call, object);
  return { answer: { status: slice.status, headers: sliceHeaders(call, object, slice) }, object, slice };
}

async function getObject(call: BucketCall): Promise<S3Answer> {
  const { answer, object, slice } = await answerOf(call, 's3:GetObject');
  if (slice === undefined) return answer;
  if (slice.end === slice.start) return { ...answer, body: '' };
  const verify = call.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';
  return { ...answer, body: await call.store.read(object, { start: slice.start, end: slice.end, verify }) };
}

async function headObject(call: BucketCall): Promise<S3Answer> {
  return (await answerOf(call, 's3:GetObject')).answer;
}

export const GET_ACTIONS: readonly S3Action[] = [
  { name: 'GetObject', level: 'object', method: 'GET', perform: getObject },
  { name: 'HeadObject', level: 'object', method: 'HEAD', perform: headObject },
];
