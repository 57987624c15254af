import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { randomHex, type Random } from '../../base/random.ts';
import { NULL_VERSION, type ObjectRecord, type ObjectVersion } from '../../domain/s3/records.ts';
import type { NewObject, Removal, WriteConditions } from '../../ports/object-store.ts';
import type { BucketRow, BucketTable } from './bucket-table.ts';
import type { IndexDb } from './index-db.ts';
import type { Segments } from './segments.ts';
import {
  HEAD_COLUMNS,
  keyBytes,
  markerHead,
  objectColumns,
  segmentsOf,
  sizeOf,
  STATE,
  versionOf,
  WHOLE_COLUMNS,
  type VersionRow,
  type WholeVersionRow,
} from './version-rows.ts';

/** A version's id begins with the number of its row, so that it is found, and its place in the order known when it is gone. */
const ROW_DIGITS = 12;
const RANDOM_DIGITS = 20;
const VERSION_ID = new RegExp(`^[0-9a-f]{${ROW_DIGITS + RANDOM_DIGITS}}$`);

type After = (effect: () => void) => void;

/** See ObjectStore.removeObject. */
export interface RemovalAsked {
  readonly versionId?: string;
  readonly ifMatch?: string;
  readonly ifModifiedMs?: number;
}

export interface VersionTableParts {
  readonly index: IndexDb;
  readonly buckets: BucketTable;
  readonly segments: Segments;
  readonly clock: Clock;
  readonly random: Random;
}

/** The row that a version id speaks of, there or not; undefined for the null version and for what is no id of ours. */
export function rowIdOf(versionId: string): number | undefined {
  return VERSION_ID.test(versionId) ? Number.parseInt(versionId.slice(0, ROW_DIGITS), 16) : undefined;
}

function etagOf(row: VersionRow): string {
  return (JSON.parse(row.head) as Pick<ObjectRecord, 'etag'>).etag;
}

function modifiedMsOf(row: VersionRow): number {
  return (JSON.parse(row.head) as Pick<ObjectRecord, 'modifiedMs'>).modifiedMs;
}

function noSuchKey(key: string, details: Record<string, unknown> = {}): CloudError {
  return new CloudError('NoSuchKey', `there is no object ${key.slice(0, 200)}: look at the list of the bucket`, {
    details,
  });
}

function failed(text: string): CloudError {
  return new CloudError('PreconditionFailed', `${text}: look it up again, and decide anew`);
}

/** The versions of keys, by the rules of the bucket's versioning. What changes is to be called within a change. */
export class VersionTable {
  readonly #parts: VersionTableParts;
  #lastId: number;

  constructor(parts: VersionTableParts) {
    this.#parts = parts;
    this.#lastId = parts.index.get<{ last: number | null }>('SELECT max(id) AS last FROM versions')?.last ?? 0;
  }

  #latest(bucket: BucketRow, key: Buffer): VersionRow | undefined {
    const sql = `SELECT ${HEAD_COLUMNS} FROM versions INDEXED BY byKey WHERE bucket = ? AND key = ? ORDER BY id DESC LIMIT 1`;
    return this.#parts.index.get<VersionRow>(sql, bucket.id, key);
  }

  #nullVersion(bucket: BucketRow, key: Buffer, latest: VersionRow | undefined): VersionRow | undefined {
    if (latest === undefined || latest.version === NULL_VERSION) return latest;
    const sql = `SELECT ${HEAD_COLUMNS} FROM versions INDEXED BY oldNulls WHERE bucket = ? AND key = ? AND state = 0 AND version = 'null'`;
    return this.#parts.index.get<VersionRow>(sql, bucket.id, key);
  }

  #byVersion(bucket: BucketRow, key: Buffer, versionId: string): VersionRow | undefined {
    if (versionId === NULL_VERSION) return this.#nullVersion(bucket, key, this.#latest(bucket, key));
    const id = rowIdOf(versionId);
    if (id === undefined) return undefined;
    const sql = `SELECT ${HEAD_COLUMNS} FROM versions WHERE id = ? AND version = ? AND bucket = ? AND key = ?`;
    return this.#parts.index.get<VersionRow>(sql, id, versionId, bucket.id, key);
  }

  /** The current one, or that one; see ObjectStore.object. */
  find(bucket: BucketRow, key: string, versionId?: string): VersionRow {
    const bytes = keyBytes(key);
    if (versionId === undefined) {
      const row = this.#latest(bucket, bytes);
      if (row?.state === STATE.object) return row;
      throw noSuchKey(key, row === undefined ? {} : { deleteMarker: true, versionId: row.version });
    }
    const row = this.#byVersion(bucket, bytes, versionId);
    if (row !== undefined) return row;
    const text = `there is no version ${versionId.slice(0, 64)} of ${key.slice(0, 200)}: look at the list of versions`;
    throw new CloudError('NoSuchObjectVersion', text);
  }

  whole(bucket: BucketRow, row: VersionRow): ObjectVersion {
    const whole = this.#parts.index.get<WholeVersionRow>(`SELECT ${WHOLE_COLUMNS} FROM versions WHERE id = ?`, row.id);
    if (whole === undefined) throw noSuchKey('');
    return versionOf(bucket.record.name, whole);
  }

  #checkConditions(key: string, latest: VersionRow | undefined, { ifNoneMatch, ifMatch }: WriteConditions): void {
    const current = latest?.state === STATE.object ? latest : undefined;
    if (ifNoneMatch !== undefined && current !== undefined)
      throw failed(`the object ${key.slice(0, 200)} is there already`);
    if (ifMatch === undefined) return;
    if (current === undefined) throw noSuchKey(key);
    if (ifMatch !== '*' && etagOf(current) !== ifMatch)
      throw failed(`the object ${key.slice(0, 200)} has another ETag than ${ifMatch.slice(0, 64)}`);
  }

  /** Names the object's segments, unless they are a part's that becomes the object's (`named`). */
  put(object: NewObject, conditions: WriteConditions, after: After, named = false): ObjectRecord {
    const { buckets, segments } = this.#parts;
    const bucket = buckets.get(object.bucket);
    // Its bytes may have come for hours, and the name be another project's by now.
    if (bucket.record.projectId !== object.ownerId)
      throw new CloudError('NoSuchBucket', `the bucket ${object.bucket} is of another project than it was`);
    return buckets.withinQuota(bucket, () => {
      const key = keyBytes(object.key);
      const latest = this.#latest(bucket, key);
      this.#checkConditions(object.key, latest, conditions);
      if (!named) segments.name(object.segments, after);
      const versionId = this.#makeRoom(bucket, key, latest, after);
      const record: ObjectRecord = {
        ...object,
        kind: 'object',
        versionId,
        isLatest: true,
        modifiedMs: this.#parts.clock.nowMs(),
        sizeBytes: sizeOf(object.segments),
      };
      this.#insert(bucket, key, STATE.object, { versionId, sizeBytes: record.sizeBytes, ...objectColumns(record) });
      buckets.count(bucket, { objects: 1, versions: 1, bytes: record.sizeBytes });
      return record;
    });
  }

  /** The version that was current gives way, or goes; answers the id of the one that follows. */
  #makeRoom(bucket: BucketRow, key: Buffer, latest: VersionRow | undefined, after: After): string {
    this.#lastId += 1;
    const keep = bucket.record.versioning === 'enabled';
    const replaced = keep ? undefined : this.#nullVersion(bucket, key, latest);
    if (replaced !== undefined) this.#delete(bucket, replaced, after);
    if (latest !== undefined && latest.id !== replaced?.id) {
      this.#parts.index.run('UPDATE versions SET state = 0 WHERE id = ?', latest.id);
      if (latest.state === STATE.object) this.#parts.buckets.count(bucket, { objects: -1 });
    }
    if (!keep) return NULL_VERSION;
    return `${this.#lastId.toString(16).padStart(ROW_DIGITS, '0')}${randomHex(this.#parts.random, RANDOM_DIGITS)}`;
  }

  #insert(
    bucket: BucketRow,
    key: Buffer,
    state: number,
    row: { versionId: string; sizeBytes: number | null; head: string; rest: string | null },
  ): void {
    this.#parts.index.run(
      'INSERT INTO versions (id, bucket, key, version, state, size, head, rest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[this.#lastId, bucket.id, key, row.versionId, state, row.sizeBytes, row.head, row.rest],
    );
  }

  /** The row, its names of segments and what was counted of it. */
  #delete(bucket: BucketRow, { id, state, size }: VersionRow, after: After): void {
    const { index, segments, buckets } = this.#parts;
    const gone = index.get<{ rest: string | null }>('DELETE FROM versions WHERE id = ? RETURNING rest', id);
    segments.release(segmentsOf(gone?.rest ?? null), after);
    buckets.count(bucket, { objects: state === STATE.object ? -1 : 0, versions: -1, bytes: -(size ?? 0) });
  }

  remove(bucketName: string, key: string, options: RemovalAsked, after: After): Removal {
    const bucket = this.#parts.buckets.get(bucketName);
    const bytes = keyBytes(key);
    const { versionId, ifMatch, ifModifiedMs } = options;
    const row = versionId === undefined ? this.#latest(bucket, bytes) : this.#byVersion(bucket, bytes, versionId);
    if (ifMatch !== undefined) {
      const there = row !== undefined && row.size !== null;
      if (!there || (ifMatch !== '*' && etagOf(row) !== ifMatch))
        throw failed(`the object ${key.slice(0, 200)} is not there with the ETag ${ifMatch.slice(0, 64)}`);
    }
    if (ifModifiedMs !== undefined && (row === undefined || modifiedMsOf(row) !== ifModifiedMs))
      throw failed(`the object ${key.slice(0, 200)} is another than the one that was meant`);
    return versionId === undefined
      ? this.#removeCurrent(bucket, bytes, row, after)
      : this.#removeVersion(bucket, bytes, versionId, row, after);
  }

  #removeVersion(
    bucket: BucketRow,
    key: Buffer,
    versionId: string,
    row: VersionRow | undefined,
    after: After,
  ): Removal {
    if (row === undefined) return { versionId, deleteMarker: false };
    this.#delete(bucket, row, after);
    if (row.state !== STATE.noncurrent) this.#promote(bucket, key);
    return { versionId, deleteMarker: row.size === null };
  }

  /** The newest that is left is the current one. */
  #promote(bucket: BucketRow, key: Buffer): void {
    const next = this.#latest(bucket, key);
    if (next === undefined) return;
    const state = next.size === null ? STATE.marker : STATE.object;
    this.#parts.index.run('UPDATE versions SET state = ? WHERE id = ?', state, next.id);
    if (state === STATE.object) this.#parts.buckets.count(bucket, { objects: 1 });
  }

  #removeCurrent(bucket: BucketRow, key: Buffer, latest: VersionRow | undefined, after: After): Removal {
    if (bucket.record.versioning === 'off') {
      const row = this.#nullVersion(bucket, key, latest);
      if (row === undefined) return { deleteMarker: false };
      return this.#removeVersion(bucket, key, NULL_VERSION, row, after);
    }
    const versionId = this.#makeRoom(bucket, key, latest, after);
    const head = markerHead({ modifiedMs: this.#parts.clock.nowMs(), ownerId: bucket.record.projectId });
    this.#insert(bucket, key, STATE.marker, { versionId, sizeBytes: null, head, rest: null });
    this.#parts.buckets.count(bucket, { versions: 1 });
    return { versionId, deleteMarker: true };
  }

  /** Tags and grants of an object; 'MethodNotAllowed' for a marker that is asked for by its version. */
  update(
    bucketName: string,
    key: string,
    versionId: string | undefined,
    change: Partial<Pick<ObjectRecord, 'tags' | 'grants'>>,
  ): ObjectRecord {
    const bucket = this.#parts.buckets.get(bucketName);
    const row = this.find(bucket, key, versionId);
    const object = this.whole(bucket, row);
    if (object.kind === 'marker') {
      throw new CloudError(
        'MethodNotAllowed',
        `version ${object.versionId} of ${key.slice(0, 200)} is a delete marker: it has neither tags nor grants`,
      );
    }
    const { tags = object.tags, grants = object.grants } = change;
    const changed = { ...object, tags, grants };
    const { head, rest } = objectColumns(changed);
    this.#parts.index.run('UPDATE versions SET head = ?, rest = ? WHERE id = ?', head, rest, row.id);
    return changed;
  }
}
