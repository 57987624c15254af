import { isCode } from '../../base/errors.ts';
import { abortedBy, expiredBy, type VersionPlace } from '../../domain/s3/lifecycle.ts';
import type { BucketRecord, DeleteMarker, ObjectSummary } from '../../domain/s3/records.ts';
import type { ListVersionsAsked, ObjectStore } from '../../ports/object-store.ts';

type Version = ObjectSummary | DeleteMarker;

export interface LifecycleRun {
  /** Of current objects: deleted, or hidden by a marker. */
  readonly expired: number;
  /** Old versions and markers that are gone. */
  readonly removed: number;
  readonly aborted: number;
}

export interface LifecycleParts {
  readonly store: ObjectStore;
  readonly nowMs: number;
  readonly signal?: AbortSignal;
  /** Looked at together; default 1,000. */
  readonly pageKeys?: number;
}

interface Newer {
  readonly key: string;
  readonly modifiedMs: number;
  /** How many were no longer current up to it, itself counted. */
  readonly noncurrent: number;
}

/** Every version, page by page: keys ascending, of each the newest first. */
async function* versionsOf(bucket: string, { store, pageKeys = 1000 }: LifecycleParts): AsyncGenerator<Version> {
  let from: Pick<ListVersionsAsked, 'after' | 'afterVersionId'> | undefined = { after: '' };
  while (from !== undefined) {
    const page = await store.listVersions(bucket, { prefix: '', delimiter: '', max: pageKeys, ...from });
    yield* page.rows;
    const { next, nextVersionId } = page;
    from =
      next === undefined
        ? undefined
        : { after: next, ...(nextVersionId === undefined ? {} : { afterVersionId: nextVersionId }) };
  }
}

/** Where it stands; undefined for one whose successor was not seen (the list began again within its key): the next run sees it. */
function placeOf(version: Version, newer: Newer | undefined, following: Version | undefined): VersionPlace | undefined {
  if (version.isLatest) return { newerNoncurrent: 0, isOnly: following?.key !== version.key };
  if (newer?.key !== version.key) return undefined;
  return { noncurrentSinceMs: newer.modifiedMs, newerNoncurrent: newer.noncurrent, isOnly: false };
}

async function* dueVersions(bucket: BucketRecord, parts: LifecycleParts): AsyncGenerator<Version> {
  let pending: Version | undefined;
  let newer: Newer | undefined;
  const isDue = (version: Version, following: Version | undefined): boolean => {
    const { key, modifiedMs } = version;
    const place = placeOf(version, newer, following);
    newer = { key, modifiedMs, noncurrent: version.isLatest ? 0 : (place?.newerNoncurrent ?? 0) + 1 };
    return place !== undefined && expiredBy(bucket.lifecycle, version, place, parts.nowMs) !== undefined;
  };
  for await (const version of versionsOf(bucket.name, parts)) {
    if (pending !== undefined && isDue(pending, version)) yield pending;
    pending = version;
  }
  if (pending !== undefined && isDue(pending, undefined)) yield pending;
}

/** Whether it went. It is looked at once more: what was put since the list was made stays, it is another object. */
async function removeDue({ store }: LifecycleParts, bucket: BucketRecord, version: Version): Promise<boolean> {
  const { key, versionId, kind, isLatest, modifiedMs } = version;
  try {
    const now = await store.object(bucket.name, key, versionId);
    if (now.kind !== kind || now.isLatest !== isLatest || now.modifiedMs !== modifiedMs) return false;
    // The current object goes as a delete of its key does: where there are versions it stays as one.
    const which = isLatest && kind === 'object' ? {} : { versionId };
    await store.removeObject(bucket.name, key, { ...which, ifModifiedMs: modifiedMs });
    return true;
  } catch (error) {
    if (isCode(error, 'PreconditionFailed', 'NoSuchKey', 'NoSuchObjectVersion')) return false;
    throw error;
  }
}

async function abortDue(
  bucket: BucketRecord,
  { store, nowMs, signal, pageKeys = 1000 }: LifecycleParts,
): Promise<number> {
  let aborted = 0;
  let from: { after: string; afterUploadId?: string } | undefined = { after: '' };
  while (from !== undefined) {
    const page: Awaited<ReturnType<ObjectStore['listUploads']>> = await store.listUploads(bucket.name, {
      prefix: '',
      delimiter: '',
      max: pageKeys,
      ...from,
    });
    for (const { key, uploadId, startedMs } of page.rows) {
      signal?.throwIfAborted();
      if (abortedBy(bucket.lifecycle, { key, startedMs }, nowMs) === undefined) continue;
      try {
        await store.abortUpload(bucket.name, key, uploadId);
        aborted += 1;
      } catch (error) {
        if (!isCode(error, 'NoSuchUpload')) throw error;
      }
    }
    const { next, nextUploadId } = page;
    from =
      next === undefined
        ? undefined
        : { after: next, ...(nextUploadId === undefined ? {} : { afterUploadId: nextUploadId }) };
  }
  return aborted;
}

/** Does in one bucket what its rules ask for at that moment. */
export async function applyBucketLifecycle(bucket: BucketRecord, parts: LifecycleParts): Promise<LifecycleRun> {
  let [expired, removed] = [0, 0];
  for await (const version of dueVersions(bucket, parts)) {
    parts.signal?.throwIfAborted();
    if (!(await removeDue(parts, bucket, version))) continue;
    if (version.isLatest && version.kind === 'object') expired += 1;
    else removed += 1;
  }
  return { expired, removed, aborted: await abortDue(bucket, parts) };
}

/** In every bucket that has rules; a bucket that is deleted meanwhile needs no more. Safe to run twice, and to be stopped. */
export async function applyLifecycle(parts: LifecycleParts): Promise<LifecycleRun> {
  const sum = { expired: 0, removed: 0, aborted: 0 };
  for (const bucket of await parts.store.buckets()) {
    if (!bucket.lifecycle.some(({ enabled }) => enabled)) continue;
    try {
      const run = await applyBucketLifecycle(bucket, parts);
      sum.expired += run.expired;
      sum.removed += run.removed;
      sum.aborted += run.aborted;
    } catch (error) {
      if (!isCode(error, 'NoSuchBucket')) throw error;
    }
  }
  return sum;
}
