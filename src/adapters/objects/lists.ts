import type { ObjectSummary, UploadRecord } from '../../domain/s3/records.ts';
import type { ListAsked, ListPage, ListVersionsAsked, ListVersionsPage } from '../../ports/object-store.ts';
import type { BucketRow } from './bucket-table.ts';
import type { IndexDb } from './index-db.ts';
import { foundKeys, nextOf, rangeOf, takePage, type Found, type KeyRange, type Page } from './list-keys.ts';
import { HEAD_COLUMNS, keyBytes, summaryOf, type VersionRow } from './version-rows.ts';
import { rowIdOf } from './version-table.ts';

interface UploadRow {
  readonly id: number;
  readonly key: Uint8Array;
  readonly record: string;
}

/** See ObjectStore.list. */
export function listObjects(index: IndexDb, bucket: BucketRow, asked: ListAsked): ListPage<ObjectSummary> {
  const sql = `SELECT ${HEAD_COLUMNS} FROM versions INDEXED BY currentObjects WHERE bucket = ? AND state = 1 AND key >= ? AND key < ? ORDER BY key`;
  const seek = ({ from, to }: KeyRange): Iterable<VersionRow> => index.iterate<VersionRow>(sql, bucket.id, from, to);
  const page = takePage(foundKeys(asked, rangeOf(asked), seek), asked.max);
  const rows = page.rows.flatMap((row) => {
    const summary = summaryOf(bucket.record.name, row);
    return summary.kind === 'object' ? [summary] : [];
  });
  return { rows, commonPrefixes: page.commonPrefixes, ...(page.last === undefined ? {} : { next: nextOf(page.last) }) };
}

/** What is left of the key `after`, and then what follows; a common prefix that `after` begins with has been answered. */
function* resumed<R extends { readonly key: Uint8Array }>(
  asked: ListAsked,
  rest: ((key: Buffer) => Iterable<R>) | undefined,
  seek: (range: KeyRange) => Iterable<R>,
): Generator<Found<R>> {
  const range = rangeOf(asked);
  const key = keyBytes(asked.after);
  // Not when the key is in a common prefix, or before all that is asked for.
  const inRange = Buffer.compare(range.from, Buffer.concat([key, Buffer.from([0])])) === 0;
  if (rest !== undefined && inRange) for (const row of rest(key)) yield { row };
  yield* foundKeys(asked, range, seek);
}

/** See ObjectStore.listVersions. */
export function listVersions(index: IndexDb, bucket: BucketRow, asked: ListVersionsAsked): ListVersionsPage {
  const from = `SELECT ${HEAD_COLUMNS} FROM versions INDEXED BY byKey WHERE bucket = ?`;
  const seek = (range: KeyRange): Iterable<VersionRow> =>
    index.iterate<VersionRow>(
      `${from} AND key >= ? AND key < ? ORDER BY key, id DESC`,
      bucket.id,
      range.from,
      range.to,
    );
  const { afterVersionId } = asked;
  const rest =
    afterVersionId === undefined
      ? undefined
      : (key: Buffer): Iterable<VersionRow> =>
          index.iterate<VersionRow>(
            `${from} AND key = ? AND id < ? ORDER BY id DESC`,
            bucket.id,
            key,
            placeOf(index, bucket, key, afterVersionId),
          );
  const page: Page<VersionRow> = takePage(resumed(asked, rest, seek), asked.max);
  return {
    rows: page.rows.map((row) => summaryOf(bucket.record.name, row)),
    commonPrefixes: page.commonPrefixes,
    ...(page.last === undefined ? {} : { next: nextOf(page.last) }),
    ...(page.last !== undefined && 'row' in page.last ? { nextVersionId: page.last.row.version } : {}),
  };
}

/** Of a version that is gone its id still says it; of a null version that is gone nothing does, and the key begins again. */
function placeOf(index: IndexDb, bucket: BucketRow, key: Buffer, versionId: string): number {
  const known = rowIdOf(versionId);
  if (known !== undefined) return known;
  const sql =
    'SELECT id FROM versions INDEXED BY byKey WHERE bucket = ? AND key = ? AND version = ? ORDER BY id DESC LIMIT 1';
  return index.get<{ id: number }>(sql, bucket.id, key, versionId)?.id ?? Number.MAX_SAFE_INTEGER;
}

/** See ObjectStore.listUploads. */
export function listUploads(
  index: IndexDb,
  bucket: BucketRow,
  asked: ListAsked & { readonly afterUploadId?: string },
): ListPage<UploadRecord> & { readonly nextUploadId?: string } {
  const from = 'SELECT id, key, record FROM uploads INDEXED BY uploadsByKey WHERE bucket = ?';
  const seek = (range: KeyRange): Iterable<UploadRow> =>
    index.iterate<UploadRow>(`${from} AND key >= ? AND key < ? ORDER BY key, id`, bucket.id, range.from, range.to);
  const { afterUploadId } = asked;
  const rest =
    afterUploadId === undefined
      ? undefined
      : (key: Buffer): Iterable<UploadRow> => {
          const sql = 'SELECT id FROM uploads WHERE uploadId = ?';
          const place = index.get<{ id: number }>(sql, afterUploadId)?.id ?? 0;
          return index.iterate<UploadRow>(`${from} AND key = ? AND id > ? ORDER BY id`, bucket.id, key, place);
        };
  const page: Page<UploadRow> = takePage(resumed(asked, rest, seek), asked.max);
  const rows = page.rows.map((row) => JSON.parse(row.record) as UploadRecord);
  const last = rows.at(-1);
  return {
    rows,
    commonPrefixes: page.commonPrefixes,
    ...(page.last === undefined ? {} : { next: nextOf(page.last) }),
    ...(page.last !== undefined && 'row' in page.last && last !== undefined ? { nextUploadId: last.uploadId } : {}),
  };
}

/** Is there any row of the bucket? */
export function hasVersions(index: IndexDb, bucket: BucketRow): boolean {
  return index.get('SELECT 1 FROM versions INDEXED BY byKey WHERE bucket = ? LIMIT 1', bucket.id) !== undefined;
}

/** How many rows there are, counted by their indexes alone: what a scrub compares with the counters. */
export function countedRows(index: IndexDb, bucket: BucketRow): { objects: number; versions: number } {
  const count = (where: string): number =>
    index.get<{ rows: number }>(`SELECT count(*) AS rows FROM versions INDEXED BY ${where}`, bucket.id)?.rows ?? 0;
  return {
    objects: count('currentObjects WHERE bucket = ? AND state = 1'),
    versions: count('byKey WHERE bucket = ?'),
  };
}
