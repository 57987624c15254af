import { CloudError } from '../../base/errors.ts';
import { humanBytes } from '../../base/units.ts';
import type { BucketQuota, BucketRecord } from '../../domain/s3/records.ts';
import type { BucketUsage } from '../../ports/object-store.ts';
import type { IndexDb } from './index-db.ts';

/** A bucket and the number that its rows carry. */
export interface BucketRow {
  readonly id: number;
  readonly record: BucketRecord;
}

interface StoredBucket {
  readonly id: number;
  readonly record: string;
}

const rowOf = ({ id, record }: StoredBucket): BucketRow => ({ id, record: JSON.parse(record) as BucketRecord });

/** Buckets and what is in each of them, counted. All of it is to be called within a change, but for what only reads. */
export class BucketTable {
  readonly #index: IndexDb;

  constructor(index: IndexDb) {
    this.#index = index;
  }

  find(name: string): BucketRow | undefined {
    const stored = this.#index.get<StoredBucket>('SELECT id, record FROM buckets WHERE name = ?', name);
    return stored === undefined ? undefined : rowOf(stored);
  }

  /** 'NoSuchBucket'. */
  get(name: string): BucketRow {
    const row = this.find(name);
    if (row !== undefined) return row;
    throw new CloudError('NoSuchBucket', `there is no bucket ${name}: create it, or look at the list of buckets`, {
      details: { bucket: name },
    });
  }

  /** By name. */
  all(projectId?: string): BucketRecord[] {
    const stored =
      projectId === undefined
        ? this.#index.all<StoredBucket>('SELECT id, record FROM buckets ORDER BY name')
        : this.#index.all<StoredBucket>('SELECT id, record FROM buckets WHERE project = ? ORDER BY name', projectId);
    return stored.map((one) => rowOf(one).record);
  }

  create(record: BucketRecord, maxInProject = Infinity): void {
    const other = this.find(record.name);
    if (other !== undefined) {
      throw new CloudError(
        'BucketAlreadyExists',
        `the name ${record.name} is taken; bucket names are one space for all: choose another`,
        {
          details: { bucket: record.name, projectId: other.record.projectId },
        },
      );
    }
    const sqlCount = 'SELECT count(*) AS n FROM buckets WHERE project = ?';
    const n = this.#index.get<{ n: number }>(sqlCount, record.projectId)?.n ?? 0;
    if (n >= maxInProject) {
      const text = `the project has ${n} buckets, as many as it may: delete one, or use prefixes`;
      throw new CloudError('TooManyBuckets', text);
    }
    const sql = 'INSERT INTO buckets (name, project, record) VALUES (?, ?, ?)';
    this.#index.run(sql, record.name, record.projectId, JSON.stringify(record));
    this.#index.run('INSERT INTO usage VALUES (?, 0, 0, 0, 0)', this.get(record.name).id);
  }

  update({ id }: BucketRow, record: BucketRecord): void {
    this.#index.run('UPDATE buckets SET record = ? WHERE id = ?', JSON.stringify(record), id);
  }

  remove({ id }: BucketRow): void {
    this.#index.run('DELETE FROM buckets WHERE id = ?', id);
    this.#index.run('DELETE FROM usage WHERE bucket = ?', id);
  }

  usage({ id, record }: BucketRow): BucketUsage {
    const row = this.#index.get<BucketUsage>(
      'SELECT objects, versions, bytes, uploads FROM usage WHERE bucket = ?',
      id,
    );
    if (row === undefined)
      throw new CloudError(
        'CorruptState',
        `the bucket ${record.name} has no counters: restore the index from a backup`,
      );
    return { ...row };
  }

  /** What came and went. */
  count({ id }: BucketRow, change: Partial<BucketUsage>): void {
    const { objects = 0, versions = 0, bytes = 0, uploads = 0 } = change;
    const sql =
      'UPDATE usage SET objects = objects + ?, versions = versions + ?, bytes = bytes + ?, uploads = uploads + ? WHERE bucket = ?';
    this.#index.run(sql, objects, versions, bytes, uploads, id);
  }

  /** Makes a change that counts; 'QuotaExceeded' when there is more after it, and more than the quota. */
  withinQuota<T>(bucket: BucketRow, change: () => T): T {
    const { quota } = bucket.record;
    if (quota.maxBytes === undefined && quota.maxObjects === undefined) return change();
    const before = this.usage(bucket);
    const value = change();
    const problem = overQuota(before, this.usage(bucket), quota);
    if (problem === undefined) return value;
    const text = `the quota of the bucket ${bucket.record.name} is ${problem}: delete something, or have it raised`;
    throw new CloudError('QuotaExceeded', text, { details: { bucket: bucket.record.name } });
  }
}

function overQuota(before: BucketUsage, after: BucketUsage, { maxBytes, maxObjects }: BucketQuota): string | undefined {
  if (maxBytes !== undefined && after.bytes > maxBytes && after.bytes > before.bytes) {
    return `${humanBytes(maxBytes)}, and it would hold ${humanBytes(after.bytes)}`;
  }
  if (maxObjects !== undefined && after.objects > maxObjects && after.objects > before.objects) {
    return `${maxObjects} objects, and it would hold ${after.objects}`;
  }
  return undefined;
}
