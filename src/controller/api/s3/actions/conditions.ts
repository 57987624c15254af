import type { WriteConditions } from '../../../../ports/object-store.ts';
import type { S3Call } from '../s3-action.ts';
import { notImplemented } from './asked.ts';

interface Validators {
  readonly etag: string;
  readonly modifiedMs: number;
}

const bare = (etag: string): string =>
  etag
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1');

/** Whether one of the ETags of a header is this one; `*` is any. */
export function namesEtag(header: string, etag: string): boolean {
  return header.split(',').some((one) => bare(one) === '*' || bare(one) === etag);
}

function timeOf(header: string | undefined): number | undefined {
  const ms = header === undefined ? NaN : Date.parse(header);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Headers know whole seconds. */
const secondOf = (ms: number): number => Math.floor(ms / 1000) * 1000;

/**
 * What the conditional headers say of the object: go on, 'failed' (412), or 'unchanged' (304 for reads, 412 for copies). An ETag's condition goes before the
 * one of a time (RFC 9110, 13.2.2). `prefix` is `x-amz-copy-source-` for the source of a copy.
 */
export function readCondition(call: S3Call, prefix: string, object: Validators): 'ok' | 'failed' | 'unchanged' {
  const modified = secondOf(object.modifiedMs);
  const ifMatch = call.header(`${prefix}if-match`);
  const before = timeOf(call.header(`${prefix}if-unmodified-since`));
  if (ifMatch === undefined ? before !== undefined && modified > before : !namesEtag(ifMatch, object.etag))
    return 'failed';
  const ifNoneMatch = call.header(`${prefix}if-none-match`);
  const since = timeOf(call.header(`${prefix}if-modified-since`));
  const same =
    ifNoneMatch === undefined ? since !== undefined && modified <= since : namesEtag(ifNoneMatch, object.etag);
  return same ? 'unchanged' : 'ok';
}

/** A range is of the object as it was, or is not taken: `if-range`. */
export function rangeHolds(call: S3Call, { etag, modifiedMs }: Validators): boolean {
  const header = call.header('if-range');
  if (header === undefined) return true;
  const time = timeOf(header);
  return /^(W\/)?"/.test(header.trim()) || time === undefined ? namesEtag(header, etag) : secondOf(modifiedMs) <= time;
}

/** Conditions on what is at the key when the object is to be made or removed. */
export function writeConditions(call: S3Call): WriteConditions {
  const ifNoneMatch = call.header('if-none-match');
  const ifMatch = call.header('if-match');
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== '*')
    throw notImplemented('If-None-Match: only * is known for what writes');
  return {
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: '*' as const }),
    ...(ifMatch === undefined ? {} : { ifMatch: bare(ifMatch) }),
  };
}

export { bare as bareEtag };
