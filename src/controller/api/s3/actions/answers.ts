import { CHECKSUM_NAMES } from './checksum-names.ts';
import { expiryOf } from '../../../../domain/s3/lifecycle.ts';
import type { BucketRecord, Checksum, ObjectRecord } from '../../../../domain/s3/records.ts';
import type { S3Answer } from '../s3-action.ts';
import { s3Document, type S3Tree } from '../s3-xml.ts';

type Headers = Readonly<Record<string, string>>;

export function xmlAnswer(name: string, tree: S3Tree, headers: Headers = {}): S3Answer {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body: s3Document(name, tree) };
}

export function emptyAnswer(status = 200, headers: Headers = {}): S3Answer {
  return { status, headers };
}

/** What was there is gone, or was not there. */
export const NO_CONTENT: S3Answer = { status: 204, headers: {} };

/** As S3 writes times within documents. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** As headers have them. */
export function httpTime(ms: number): string {
  return new Date(ms).toUTCString();
}

export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** The owner, who is a project: its id is the canonical id. */
export function ownerTree(projectId: string): S3Tree {
  return { ID: projectId, DisplayName: projectId };
}

/** When the bucket's rules take the current object away, if they do. */
export function expirationHeader({ lifecycle }: BucketRecord, object: ObjectRecord): Headers {
  const expiry = object.isLatest ? expiryOf(lifecycle, object) : undefined;
  if (expiry === undefined) return {};
  const { atMs, rule } = expiry;
  return { 'x-amz-expiration': `expiry-date="${httpTime(atMs)}", rule-id="${encodeURIComponent(rule.id)}"` };
}

/** A bucket that never had versioning does not speak of versions. */
export function versionHeader({ versioning }: BucketRecord, versionId: string | undefined): Headers {
  return versioning === 'off' || versionId === undefined ? {} : { 'x-amz-version-id': versionId };
}

export function checksumHeaders(checksum: Checksum | undefined): Headers {
  if (checksum === undefined) return {};
  return {
    [`x-amz-checksum-${checksum.algorithm.toLowerCase()}`]: checksum.value,
    'x-amz-checksum-type': checksum.type,
  };
}

/** `ChecksumCRC32` and such, where there is one. */
export function checksumTree(checksum: Checksum | undefined, withType = false): Record<string, S3Tree> {
  if (checksum === undefined) return {};
  return {
    [CHECKSUM_NAMES[checksum.algorithm]]: checksum.value,
    ...(withType ? { ChecksumType: checksum.type } : {}),
  };
}
