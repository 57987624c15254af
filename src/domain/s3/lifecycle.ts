import type { DeleteMarker, LifecycleFilter, LifecycleRule, ObjectSummary, Tags, UploadRecord } from './records.ts';

const DAY_MS = 86_400_000;

/** Where a version stands among those of its key. */
export interface VersionPlace {
  /** When the version that followed it came; undefined: it is the current one. */
  readonly noncurrentSinceMs?: number;
  /** How many newer versions are no longer current either. */
  readonly newerNoncurrent: number;
  /** There is no other version of the key. */
  readonly isOnly: boolean;
}

/** S3 counts days from the midnight that follows. */
function dueMs(sinceMs: number, days: number): number {
  return Math.ceil((sinceMs + days * DAY_MS) / DAY_MS) * DAY_MS;
}

function hasTags(tags: Tags, wanted: Tags): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(tags, key) && tags[key] === value);
}

/** Markers have neither tags nor a size: what asks for those is not about them. */
function isMeant(filter: LifecycleFilter, version: ObjectSummary | DeleteMarker): boolean {
  const { prefix = '', tags = {}, sizeGreaterThanBytes, sizeLessThanBytes } = filter;
  if (!version.key.startsWith(prefix)) return false;
  const asksMore =
    Object.keys(tags).length > 0 || sizeGreaterThanBytes !== undefined || sizeLessThanBytes !== undefined;
  if (version.kind === 'marker') return !asksMore;
  return (
    hasTags(version.tags, tags) &&
    version.sizeBytes > (sizeGreaterThanBytes ?? -1) &&
    version.sizeBytes < (sizeLessThanBytes ?? Infinity)
  );
}

function currentIsDue(rule: LifecycleRule, modifiedMs: number, nowMs: number): boolean {
  const { expirationDays, expirationAtMs } = rule;
  if (expirationDays !== undefined && nowMs >= dueMs(modifiedMs, expirationDays)) return true;
  return expirationAtMs !== undefined && nowMs >= expirationAtMs;
}

function isDue(
  rule: LifecycleRule,
  version: ObjectSummary | DeleteMarker,
  place: VersionPlace,
  nowMs: number,
): boolean {
  const { noncurrentSinceMs, newerNoncurrent, isOnly } = place;
  if (noncurrentSinceMs !== undefined) {
    if (rule.noncurrentDays === undefined || newerNoncurrent < (rule.noncurrentKeep ?? 0)) return false;
    return nowMs >= dueMs(noncurrentSinceMs, rule.noncurrentDays);
  }
  if (version.kind === 'object') return currentIsDue(rule, version.modifiedMs, nowMs);
  // A marker that hides nothing any more; one that hides versions stays.
  return isOnly && (rule.expiredObjectDeleteMarker === true || currentIsDue(rule, version.modifiedMs, nowMs));
}

/** The rule by which the version is to go at that moment, if any. Of the current object that means what a delete without a version does. */
export function expiredBy(
  rules: readonly LifecycleRule[],
  version: ObjectSummary | DeleteMarker,
  place: VersionPlace,
  nowMs: number,
): LifecycleRule | undefined {
  return rules.find((rule) => rule.enabled && isMeant(rule.filter, version) && isDue(rule, version, place, nowMs));
}

/** When a current object is to go, and by which of the rules: the one that comes first. Undefined: by none. */
export function expiryOf(
  rules: readonly LifecycleRule[],
  object: ObjectSummary,
): { readonly atMs: number; readonly rule: LifecycleRule } | undefined {
  const due = rules.flatMap((rule) => {
    if (!rule.enabled || !isMeant(rule.filter, object)) return [];
    const { expirationDays: days, expirationAtMs } = rule;
    const times = [days === undefined ? Infinity : dueMs(object.modifiedMs, days), expirationAtMs ?? Infinity];
    const atMs = Math.min(...times);
    return atMs === Infinity ? [] : [{ atMs, rule }];
  });
  return due.toSorted((one, other) => one.atMs - other.atMs)[0];
}

/** The rule by which an upload that was never completed is to be given up, if any. */
export function abortedBy(
  rules: readonly LifecycleRule[],
  upload: Pick<UploadRecord, 'key' | 'startedMs'>,
  nowMs: number,
): LifecycleRule | undefined {
  return rules.find(
    ({ enabled, filter, abortMultipartDays }) =>
      enabled &&
      abortMultipartDays !== undefined &&
      upload.key.startsWith(filter.prefix ?? '') &&
      nowMs >= dueMs(upload.startedMs, abortMultipartDays),
  );
}
