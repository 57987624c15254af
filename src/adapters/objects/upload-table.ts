import { CloudError } from '../../base/errors.ts';
import type { ObjectPart, ObjectRecord, PartRecord, UploadRecord } from '../../domain/s3/records.ts';
import type { WriteConditions } from '../../ports/object-store.ts';
import type { BucketRow, BucketTable } from './bucket-table.ts';
import type { IndexDb } from './index-db.ts';
import type { Segments } from './segments.ts';
import { keyBytes } from './version-rows.ts';
import type { VersionTable } from './version-table.ts';

type After = (effect: () => void) => void;
type UploadName = Pick<UploadRecord, 'bucket' | 'key' | 'uploadId'>;

/** What makes an object of the parts that were asked for. */
export type Finish = (
  parts: readonly PartRecord[],
  upload: UploadRecord,
) => { etag: string; parts: ObjectPart[] } & Partial<Pick<ObjectRecord, 'checksum'>>;

interface UploadRow {
  readonly id: number;
  readonly record: UploadRecord;
}

interface StoredUpload {
  readonly id: number;
  readonly record: string;
}

export interface UploadTableParts {
  readonly index: IndexDb;
  readonly buckets: BucketTable;
  readonly segments: Segments;
  readonly versions: VersionTable;
}

function noSuchUpload(uploadId: string): CloudError {
  const text = `there is no upload ${uploadId.slice(0, 64)} of that object under way: it was completed or aborted, or never begun; begin another`;
  return new CloudError('NoSuchUpload', text);
}

/** Uploads under way and their parts. What changes is to be called within a change. */
export class UploadTable {
  readonly #parts: UploadTableParts;

  constructor(parts: UploadTableParts) {
    this.#parts = parts;
  }

  #find(uploadId: string): UploadRow | undefined {
    const sql = 'SELECT id, record FROM uploads WHERE uploadId = ?';
    const row = this.#parts.index.get<StoredUpload>(sql, uploadId);
    return row === undefined ? undefined : { id: row.id, record: JSON.parse(row.record) as UploadRecord };
  }

  /** 'NoSuchBucket', 'NoSuchUpload'. */
  #get({ bucket, key, uploadId }: UploadName): UploadRow {
    this.#parts.buckets.get(bucket);
    const row = this.#find(uploadId);
    if (row?.record.bucket !== bucket || row.record.key !== key) throw noSuchUpload(uploadId);
    return row;
  }

  get(name: UploadName): UploadRecord {
    return this.#get(name).record;
  }

  create(record: UploadRecord): void {
    const { index, buckets } = this.#parts;
    const bucket = buckets.get(record.bucket);
    const sql = 'INSERT INTO uploads (uploadId, bucket, key, record) VALUES (?, ?, ?, ?)';
    index.run(sql, record.uploadId, bucket.id, keyBytes(record.key), JSON.stringify(record));
    buckets.count(bucket, { uploads: 1 });
  }

  putPart(name: UploadName, part: PartRecord, after: After): void {
    const { index, buckets, segments } = this.#parts;
    const { id } = this.#get(name);
    const bucket = buckets.get(name.bucket);
    buckets.withinQuota(bucket, () => {
      segments.name(part.segments, after);
      this.#dropParts(bucket, id, 'AND number = ?', [part.number], after);
      const sql = 'INSERT INTO parts (upload, number, size, record) VALUES (?, ?, ?, ?)';
      index.run(sql, id, part.number, part.sizeBytes, JSON.stringify(part));
      buckets.count(bucket, { bytes: part.sizeBytes });
    });
  }

  /** Ascending. 'NoSuchUpload'. */
  list(uploadId: string, afterNumber: number, max: number): PartRecord[] {
    const row = this.#find(uploadId);
    if (row === undefined) throw noSuchUpload(uploadId);
    const sql = 'SELECT record FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?';
    const rows = this.#parts.index.all<{ record: string }>(sql, row.id, afterNumber, max);
    return rows.map(({ record }) => JSON.parse(record) as PartRecord);
  }

  /** Their segments lose a name, unless they are `kept` as an object's. */
  #dropParts(
    bucket: BucketRow,
    upload: number,
    where: string,
    values: number[],
    after: After,
    kept = new Set<number>(),
  ): void {
    const { index, buckets, segments } = this.#parts;
    const sql = `DELETE FROM parts WHERE upload = ? ${where} RETURNING number, size, record`;
    let bytes = 0;
    for (const row of index.all<{ number: number; size: number; record: string }>(sql, upload, ...values)) {
      bytes += row.size;
      if (!kept.has(row.number)) segments.release((JSON.parse(row.record) as PartRecord).segments, after);
    }
    buckets.count(bucket, { bytes: -bytes });
  }

  #remove(bucket: BucketRow, upload: number, after: After, kept?: Set<number>): void {
    this.#dropParts(bucket, upload, '', [], after, kept);
    this.#parts.index.run('DELETE FROM uploads WHERE id = ?', upload);
    this.#parts.buckets.count(bucket, { uploads: -1 });
  }

  abort(name: UploadName, after: After): void {
    const { id } = this.#get(name);
    this.#remove(this.#parts.buckets.get(name.bucket), id, after);
  }

  /** All of the bucket. */
  abortAll(bucket: BucketRow, after: After): void {
    const ids = this.#parts.index.all<{ id: number }>('SELECT id FROM uploads WHERE bucket = ?', bucket.id);
    for (const { id } of ids) this.#remove(bucket, id, after);
  }

  /** See ObjectStore.completeUpload. */
  complete(
    name: UploadName,
    numbers: readonly number[],
    finish: Finish,
    conditions: WriteConditions,
    after: After,
  ): ObjectRecord {
    const { buckets, versions } = this.#parts;
    const { id, record } = this.#get(name);
    const bucket = buckets.get(name.bucket);
    return buckets.withinQuota(bucket, () => {
      const parts = this.#asked(id, numbers);
      const made = finish(parts, record);
      this.#remove(bucket, id, after, new Set(numbers));
      const { key, ownerId, metadata, tags, grants } = record;
      const segments = parts.flatMap((part) => part.segments);
      return versions.put(
        { bucket: name.bucket, key, ownerId, metadata, tags, grants, ...made, segments, uploadId: name.uploadId },
        conditions,
        after,
        true,
      );
    });
  }

  #asked(upload: number, numbers: readonly number[]): PartRecord[] {
    const sql = 'SELECT record FROM parts WHERE upload = ? AND number = ?';
    const seen = new Set<number>();
    return numbers.map((number) => {
      const row = this.#parts.index.get<{ record: string }>(sql, upload, number);
      if (row === undefined || seen.has(number)) {
        const text = `part ${number} is ${seen.has(number) ? 'named twice' : 'not there'}: look at the list of parts, and upload what is missing`;
        throw new CloudError('InvalidPart', text, { details: { partNumber: number } });
      }
      seen.add(number);
      return JSON.parse(row.record) as PartRecord;
    });
  }
}
