import { CloudError } from '../../../../base/errors.ts';
import { S3_LIMITS, type BucketRecord } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Call, S3Permission } from '../s3-action.ts';

export function invalidArgument(name: string, value: string, allowed: string): CloudError {
  const shown = JSON.stringify(value.slice(0, 100));
  return new CloudError('InvalidArgument', `${name}: ${shown} is not allowed, it must be ${allowed}`, {
    details: { argumentName: name, argumentValue: value.slice(0, 100) },
  });
}

/** What a client asked for that this cloud does not have: it is told, before it takes it for done. */
export function notImplemented(text: string): CloudError {
  return new CloudError('NotImplemented', text);
}

/** A whole number of the query. */
export function numberAsked(
  { query }: S3Call,
  name: string,
  range: { readonly min: number; readonly max: number },
): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  return wholeNumber(name, text, range);
}

export function wholeNumber(
  name: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) throw invalidArgument(name, text, `a whole number from ${min} to ${max}`);
  return value;
}

/** How many a page has at most: more than the limit may be asked for, and is not given. */
export function pageSize(call: S3Call, name: string): { readonly told: number; readonly max: number } {
  const told = numberAsked(call, name, { min: 0, max: 2 ** 31 - 1 }) ?? S3_LIMITS.pageKeys;
  return { told, max: Math.min(told, S3_LIMITS.pageKeys) };
}

/** The version that is asked for; 'InvalidArgument' for an empty one. */
export function versionAsked({ query }: S3Call): string | undefined {
  const versionId = query.get('versionId');
  if (versionId === '') throw invalidArgument('versionId', '', 'the id of a version, or null');
  return versionId;
}

/** What policies call an action on an object when a version of it is named. */
export function versioned(permission: S3Permission, versionId: string | undefined): S3Permission {
  return versionId === undefined ? permission : (permission.replace('Object', 'ObjectVersion') as S3Permission);
}

/** Asks for the right to do that with the object, or with the version of it that is asked for. */
export async function requireObject(call: BucketCall, permission: S3Permission): Promise<string | undefined> {
  const versionId = versionAsked(call);
  await call.require(versioned(permission, versionId), call.bucket, call.key, versionId);
  return versionId;
}

export function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= S3_LIMITS.keyBytes) return;
  throw new CloudError('KeyTooLongError', `the key has ${bytes} bytes: ${S3_LIMITS.keyBytes} are allowed`, {
    details: { size: bytes, maxSizeAllowed: S3_LIMITS.keyBytes },
  });
}

/** `x-amz-expected-bucket-owner`: the project's id or its account's. */
export function checkOwner(call: S3Call, header: string, { name, projectId }: BucketRecord): void {
  const expected = call.header(header);
  if (expected === undefined || expected === projectId || expected === call.accountIdOf(projectId)) return;
  throw new CloudError('AccessDenied', `the bucket ${name} has another owner than ${header} says`);
}

/** Headers that ask for what there is not; each is refused by name. */
const REFUSED_HEADERS: readonly (readonly [string, string])[] = [
  [
    'x-amz-server-side-encryption',
    'objects are kept as they come: encrypt the disk of the object store, or before you upload',
  ],
  ['x-amz-server-side-encryption-customer-algorithm', 'there is no encryption with keys of the client'],
  ['x-amz-copy-source-server-side-encryption-customer-algorithm', 'there is no encryption with keys of the client'],
  ['x-amz-object-lock-mode', 'there are no object locks'],
  ['x-amz-object-lock-retain-until-date', 'there are no object locks'],
  ['x-amz-object-lock-legal-hold', 'there are no object locks'],
  ['x-amz-website-redirect-location', 'buckets are no websites here'],
  ['x-amz-write-offset-bytes', 'objects are not appended to'],
];

/** Of requests that make an object. */
export function checkNewObject(call: S3Call): void {
  checkKey(call.key);
  if (call.query.has('partNumber') && !call.query.has('uploadId'))
    throw invalidArgument('uploadId', '', 'there beside partNumber');
  for (const [name, why] of REFUSED_HEADERS) {
    if (call.header(name) !== undefined) throw notImplemented(`${name}: ${why}`);
  }
  const storageClass = call.header('x-amz-storage-class') ?? 'STANDARD';
  if (storageClass !== 'STANDARD') {
    throw new CloudError('InvalidStorageClass', `x-amz-storage-class: there is STANDARD alone`, {
      details: { storageClassRequested: storageClass.slice(0, 40) },
    });
  }
}
