import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { errorText, isCode } from '../../base/errors.ts';
import type { PartRecord } from '../../domain/s3/records.ts';
import type { ScrubOptions, ScrubReport } from '../../ports/object-store.ts';
import type { BucketTable } from './bucket-table.ts';
import type { IndexDb } from './index-db.ts';
import { countedRows } from './lists.ts';
import { readSegments } from './read-segments.ts';
import { FILE_KIND, type SegmentFiles } from './segment-files.ts';
import type { Segments } from './segments.ts';
import { keyText, segmentsOf, sizeOf } from './version-rows.ts';

const PAGE_ROWS = 200;

export interface KeeperParts {
  readonly index: IndexDb;
  readonly files: SegmentFiles;
  readonly segments: Segments;
  readonly buckets: BucketTable;
  readonly clock: Clock;
}

interface SegmentRow {
  readonly id: string;
  readonly size: number;
  readonly sha256: string;
}

interface NamingRow {
  readonly id: number;
  readonly bucket: string;
  readonly key: Uint8Array;
  readonly what: string;
  readonly size: number | null;
  readonly text: string | null;
}

/** In pages, with a turn for others between: neither memory nor the event loop is full of it. */
async function* pages<R, P extends string | number>(
  clock: Clock,
  first: P,
  page: (after: P) => R[],
  placeOf: (row: R) => P,
): AsyncGenerator<R> {
  let after = first;
  for (;;) {
    const rows = page(after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = placeOf(last);
    await new Promise<void>((resolve) => clock.defer(resolve));
  }
}

/** What is wrong with the bytes; undefined: nothing, or they are gone by now. */
async function problemOf({ id, size, sha256 }: SegmentRow, parts: KeeperParts): Promise<string | undefined> {
  const segment = { id, sizeBytes: size, sha256 };
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of await readSegments([segment], { start: 0, end: size }, parts)) {
      hash.update(chunk as Uint8Array);
      bytes += (chunk as Uint8Array).length;
    }
    const found = hash.digest('hex');
    return found === sha256 && bytes === size ? undefined : `its SHA-256 is ${found} instead of ${sha256}`;
  } catch (error) {
    return isCode(error, 'NoSuchKey') ? undefined : errorText(error);
  }
}

/** Segments by id, those that are named. */
function segmentRows(parts: KeeperParts): AsyncGenerator<SegmentRow> {
  const sql = `SELECT id, size, sha256 FROM segments WHERE id > ? AND refs > 0 ORDER BY id LIMIT ${PAGE_ROWS}`;
  return pages(
    parts.clock,
    '',
    (after: string) => parts.index.all<SegmentRow>(sql, after),
    (row) => row.id,
  );
}

function versionRows(parts: KeeperParts): AsyncGenerator<NamingRow> {
  const sql = `SELECT v.id AS id, b.name AS bucket, v.key AS key, 'version ' || v.version AS what, v.size AS size, v.rest AS text
    FROM versions v JOIN buckets b ON b.id = v.bucket WHERE v.id > ? ORDER BY v.id LIMIT ${PAGE_ROWS}`;
  return pages(
    parts.clock,
    0,
    (after: number) => parts.index.all<NamingRow>(sql, after),
    (row) => row.id,
  );
}

/** Parts under way: upload by upload. */
function partRows(parts: KeeperParts): AsyncGenerator<NamingRow> {
  const sql = `SELECT u.id AS id, b.name AS bucket, u.key AS key, 'part ' || p.number || ' of upload ' || u.uploadId AS what, p.size AS size, p.record AS text
    FROM parts p JOIN uploads u ON u.id = p.upload JOIN buckets b ON b.id = u.bucket
    WHERE p.upload = ? ORDER BY p.number`;
  const next = 'SELECT min(upload) AS id FROM parts WHERE upload > ?';
  const page = (after: number): NamingRow[] => {
    const id = parts.index.get<{ id: number | null }>(next, after)?.id ?? undefined;
    return id === undefined ? [] : parts.index.all<NamingRow>(sql, id);
  };
  return pages(parts.clock, 0, page, (row) => row.id);
}

/** What is wrong with what a row names. */
function namingProblems(
  row: NamingRow,
  segments: readonly { id: string; sizeBytes: number; sha256: string }[],
  parts: KeeperParts,
  damaged: ReadonlyMap<string, string>,
): string[] {
  const where = `${row.bucket}/${keyText(row.key)} (${row.what})`;
  const problems = segments.flatMap(({ id }) => {
    const why = damaged.get(id) ?? (parts.segments.hasRow(id) ? undefined : `segment ${id} is missing`);
    return why === undefined ? [] : [`${where}: ${why}`];
  });
  if (row.size !== null && sizeOf(segments) !== row.size)
    problems.push(`${where}: its segments do not add up to its ${row.size} bytes`);
  return problems;
}

function counterProblems({ index, buckets }: KeeperParts): string[] {
  return buckets.all().flatMap(({ name }) => {
    const bucket = buckets.find(name);
    if (bucket === undefined) return [];
    const counted = countedRows(index, bucket);
    const { objects, versions } = buckets.usage(bucket);
    if (counted.objects === objects && counted.versions === versions) return [];
    return [
      `${name}: its counters say ${objects} objects and ${versions} versions, there are ${counted.objects} and ${counted.versions}`,
    ];
  });
}

const PROGRESS_MS = 500;

/** Tells how far it is, and waits where it is faster than it may be. Called behind each segment. */
function pacer({ index, clock }: KeeperParts, options: ScrubOptions): (doneBytes: number) => Promise<void> {
  const { signal, bytesPerSecond = Infinity, onProgress } = options;
  const totalBytes = index.get<{ n: number | null }>('SELECT sum(size) AS n FROM segments WHERE refs > 0')?.n ?? 0;
  const startMs = clock.monotonicMs();
  let toldMs = startMs;
  return async (doneBytes) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - toldMs >= PROGRESS_MS) {
      toldMs = nowMs;
      onProgress?.({ doneBytes, totalBytes });
    }
    const aheadMs = (doneBytes / bytesPerSecond) * 1000 - (nowMs - startMs);
    // Shorter waits cost more than they spare.
    if (aheadMs > 10) await clock.sleep(aheadMs, signal);
  };
}

/** See ObjectStore.scrub. */
export async function scrub(parts: KeeperParts, options: ScrubOptions): Promise<ScrubReport> {
  const { signal } = options;
  const damagedSegments = new Map<string, string>();
  const report = { objects: 0, segments: 0, bytes: 0 };
  const pace = pacer(parts, options);
  for await (const row of segmentRows(parts)) {
    signal?.throwIfAborted();
    const problem = await problemOf(row, parts);
    if (problem !== undefined) damagedSegments.set(row.id, problem);
    report.segments += 1;
    report.bytes += row.size;
    await pace(report.bytes);
  }
  const damaged: string[] = [];
  for await (const row of versionRows(parts)) {
    signal?.throwIfAborted();
    if (row.size === null) continue;
    report.objects += 1;
    damaged.push(...namingProblems(row, segmentsOf(row.text), parts, damagedSegments));
  }
  for await (const row of partRows(parts)) {
    damaged.push(...namingProblems(row, (JSON.parse(row.text ?? '{}') as PartRecord).segments, parts, damagedSegments));
  }
  damaged.push(...counterProblems(parts));
  return { ...report, damaged, unnamed: (await unnamedFiles(parts)).length };
}

/** Files that nothing names and nobody is at. */
async function unnamedFiles(parts: KeeperParts): Promise<{ readonly id: string; readonly temporary: boolean }[]> {
  const { files, segments, index } = parts;
  const found = (await files.temporary()).filter((id) => !segments.inUse(id)).map((id) => ({ id, temporary: true }));
  const sql = 'SELECT id FROM segments WHERE id >= ? AND id < ?';
  for await (const { prefix, ids } of files.published()) {
    const known = new Set(index.all<{ id: string }>(sql, prefix, `${prefix}g`).map((row) => row.id));
    for (const id of ids) if (!known.has(id) && !segments.inUse(id)) found.push({ id, temporary: false });
  }
  return found;
}

/** See ObjectStore.collect. */
export async function collect(parts: KeeperParts): Promise<number> {
  const { files, segments, index } = parts;
  let removed = await segments.sweep();
  const sql = `SELECT id FROM segments INDEXED BY unnamedSegments WHERE refs = 0 AND id > ? ORDER BY id LIMIT ${PAGE_ROWS}`;
  const rows = pages(
    parts.clock,
    '',
    (after: string) => [index.all<{ id: string }>(sql, after)].filter((page) => page.length > 0),
    (page) => page.at(-1)?.id ?? '',
  );
  for await (const page of rows) removed += await segments.removeRows(page.map((row) => row.id));
  for (const { id, temporary } of await unnamedFiles(parts)) {
    // It may have been named since it was looked for.
    if (segments.inUse(id) || (id.startsWith(FILE_KIND) && segments.hasRow(id))) continue;
    if (await (temporary ? files.removeTemporary(id) : files.removePublished(id))) removed += 1;
  }
  return removed;
}
