import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { syncFolder } from '../../base/durable-file.ts';
import { CloudError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type {
  BucketRecord,
  ObjectRecord,
  ObjectVersion,
  PartRecord,
  Segment,
  UploadRecord,
} from '../../domain/s3/records.ts';
import type {
  BucketUsage,
  ListAsked,
  ListVersionsAsked,
  NewObject,
  ObjectStore,
  Received,
  ReceiveOptions,
  Removal,
  ScrubOptions,
  ScrubReport,
  WriteConditions,
} from '../../ports/object-store.ts';
import { BucketTable } from './bucket-table.ts';
import { CommitQueue } from './commit-queue.ts';
import { diskProblem, IndexDb } from './index-db.ts';
import { hasVersions, listObjects, listUploads, listVersions } from './lists.ts';
import { Md5Thread } from './md5-thread.ts';
import { readSegments } from './read-segments.ts';
import { receive } from './receive.ts';
import { collect, scrub } from './scrub.ts';
import { SegmentFiles, systemObjectFiles, type ObjectFiles } from './segment-files.ts';
import { Segments } from './segments.ts';
import { UploadTable, type Finish } from './upload-table.ts';
import { VersionTable, type RemovalAsked } from './version-table.ts';

const LINGER_MS = 10_000;

export interface ObjectStoreParts {
  /** Made when it is not there; one process at a time has it ('LockBusy'). */
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Bytes that were deleted can be read for so long by who has looked them up. Default 10,000. */
  readonly lingerMs?: number;
  /** The index may not grow beyond it; default: as the disk allows. */
  readonly maxIndexBytes?: number;
  readonly files?: ObjectFiles;
}

type UploadName = Pick<UploadRecord, 'bucket' | 'key' | 'uploadId'>;
type After = (effect: () => void) => void;

class SqliteObjectStore implements ObjectStore {
  readonly #dir: string;
  readonly #index: IndexDb;
  readonly #commits: CommitQueue;
  readonly #files: SegmentFiles;
  readonly #segments: Segments;
  readonly #buckets: BucketTable;
  readonly #versions: VersionTable;
  readonly #uploads: UploadTable;
  readonly #md5: Md5Thread;
  readonly #clock: Clock;
  #closed = false;

  constructor(index: IndexDb, files: SegmentFiles, options: ObjectStoreParts) {
    const { dir, clock, random, logger, lingerMs = LINGER_MS } = options;
    this.#dir = dir;
    this.#clock = clock;
    this.#index = index;
    this.#files = files;
    this.#commits = new CommitQueue({ index, clock, logger, dir });
    this.#segments = new Segments({ index, files, commits: this.#commits, clock, random, logger, lingerMs });
    this.#md5 = new Md5Thread(logger);
    this.#buckets = new BucketTable(index);
    this.#versions = new VersionTable({ index, buckets: this.#buckets, segments: this.#segments, clock, random });
    this.#uploads = new UploadTable({
      index,
      buckets: this.#buckets,
      segments: this.#segments,
      versions: this.#versions,
    });
  }

  #check(): void {
    if (this.#closed) throw new CloudError('Unavailable', 'the object store is closed');
    this.#commits.check();
  }

  /** Reads are one turn of the event loop, and so of one moment. */
  async #look<T>(look: () => T): Promise<T> {
    this.#check();
    try {
      return look();
    } catch (error) {
      throw diskProblem(error, this.#dir);
    }
  }

  async #change<T>(change: (after: After) => T): Promise<T> {
    this.#check();
    return this.#commits.run(change);
  }

  /** A change that names segments which were received: refused, they are dropped. */
  async #naming<T>(segments: readonly Segment[], change: (after: After) => T): Promise<T> {
    try {
      return await this.#change(change);
    } catch (error) {
      // When nobody knows what was written the files stay: the index may name them after all.
      if (!this.#commits.poisoned) await this.#segments.drop(segments);
      throw error;
    }
  }

  createBucket(bucket: BucketRecord, limits?: { readonly maxInProject: number }): Promise<void> {
    return this.#change(() => this.#buckets.create(bucket, limits?.maxInProject));
  }

  bucket(name: string): Promise<BucketRecord> {
    return this.#look(() => this.#buckets.get(name).record);
  }

  buckets(projectId?: string): Promise<BucketRecord[]> {
    return this.#look(() => this.#buckets.all(projectId));
  }

  updateBucket(name: string, change: (bucket: BucketRecord) => BucketRecord): Promise<BucketRecord> {
    return this.#change(() => {
      const row = this.#buckets.get(name);
      const { projectId, createdMs } = row.record;
      const record = { ...change(row.record), name, projectId, createdMs };
      this.#buckets.update(row, record);
      return record;
    });
  }

  deleteBucket(name: string): Promise<void> {
    return this.#change((after) => {
      const row = this.#buckets.get(name);
      if (hasVersions(this.#index, row)) {
        const text = `the bucket ${name} is not empty: delete its objects, and their versions and delete markers, first`;
        throw new CloudError('BucketNotEmpty', text, { details: { bucket: name } });
      }
      this.#uploads.abortAll(row, after);
      this.#buckets.remove(row);
    });
  }

  usage(name: string): Promise<BucketUsage> {
    return this.#look(() => this.#buckets.usage(this.#buckets.get(name)));
  }

  async receive(body: Readable, options: ReceiveOptions): Promise<Received> {
    this.#check();
    const parts = { segments: this.#segments, files: this.#files, md5: this.#md5, check: () => this.#check() };
    try {
      return await receive(body, options, parts);
    } catch (error) {
      throw diskProblem(error, this.#dir);
    }
  }

  async drop(segments: readonly Segment[]): Promise<void> {
    // When nobody knows what was written the files stay: the index may name them after all.
    if (!this.#commits.poisoned) await this.#segments.drop(segments);
  }

  putObject(object: NewObject, conditions: WriteConditions = {}): Promise<ObjectRecord> {
    return this.#naming(object.segments, (after) => this.#versions.put(object, conditions, after));
  }

  copyObject(
    source: ObjectRecord,
    object: Omit<NewObject, 'segments'>,
    conditions: WriteConditions = {},
  ): Promise<ObjectRecord> {
    return this.#change((after) => this.#versions.put({ ...object, segments: source.segments }, conditions, after));
  }

  object(bucket: string, key: string, versionId?: string): Promise<ObjectVersion> {
    return this.#look(() => {
      const row = this.#buckets.get(bucket);
      return this.#versions.whole(row, this.#versions.find(row, key, versionId));
    });
  }

  async read(
    object: Pick<ObjectRecord, 'segments'>,
    range: { readonly start: number; readonly end: number; readonly verify?: boolean },
  ): Promise<Readable> {
    this.#check();
    return readSegments(object.segments, range, { segments: this.#segments, files: this.#files });
  }

  removeObject(bucket: string, key: string, options: RemovalAsked = {}): Promise<Removal> {
    return this.#change((after) => this.#versions.remove(bucket, key, options, after));
  }

  updateObject(
    bucket: string,
    key: string,
    versionId: string | undefined,
    change: Partial<Pick<ObjectRecord, 'tags' | 'grants'>>,
  ): Promise<ObjectRecord> {
    return this.#change(() => this.#versions.update(bucket, key, versionId, change));
  }

  list(bucket: string, asked: ListAsked): ReturnType<ObjectStore['list']> {
    return this.#look(() => listObjects(this.#index, this.#buckets.get(bucket), asked));
  }

  listVersions(bucket: string, asked: ListVersionsAsked): ReturnType<ObjectStore['listVersions']> {
    return this.#look(() => listVersions(this.#index, this.#buckets.get(bucket), asked));
  }

  createUpload(upload: UploadRecord): Promise<void> {
    return this.#change(() => this.#uploads.create(upload));
  }

  upload(bucket: string, key: string, uploadId: string): Promise<UploadRecord> {
    return this.#look(() => this.#uploads.get({ bucket, key, uploadId }));
  }

  putPart(upload: UploadName, part: PartRecord): Promise<void> {
    return this.#naming(part.segments, (after) => this.#uploads.putPart(upload, part, after));
  }

  parts(uploadId: string, afterNumber: number, max: number): Promise<PartRecord[]> {
    return this.#look(() => this.#uploads.list(uploadId, afterNumber, max));
  }

  listUploads(
    bucket: string,
    asked: ListAsked & { readonly afterUploadId?: string },
  ): ReturnType<ObjectStore['listUploads']> {
    return this.#look(() => listUploads(this.#index, this.#buckets.get(bucket), asked));
  }

  completeUpload(
    upload: UploadName,
    numbers: readonly number[],
    finish: Finish,
    conditions: WriteConditions = {},
  ): Promise<ObjectRecord> {
    return this.#change((after) => this.#uploads.complete(upload, numbers, finish, conditions, after));
  }

  abortUpload(bucket: string, key: string, uploadId: string): Promise<void> {
    return this.#change((after) => this.#uploads.abort({ bucket, key, uploadId }, after));
  }

  #keeper(): Parameters<typeof scrub>[0] {
    return {
      index: this.#index,
      files: this.#files,
      segments: this.#segments,
      buckets: this.#buckets,
      clock: this.#clock,
    };
  }

  async scrub(options: ScrubOptions = {}): Promise<ScrubReport> {
    this.#check();
    return scrub(this.#keeper(), options);
  }

  async collect(): Promise<number> {
    this.#check();
    return collect(this.#keeper());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#md5.close();
    await this.#segments.close();
    this.#commits.close();
    this.#index.close();
  }
}

/** Opens the store of a folder, and removes what a process that was killed has left there. 'LockBusy', 'CorruptState', 'Unavailable'. */
export async function openObjectStore(parts: ObjectStoreParts): Promise<ObjectStore> {
  const { dir, maxIndexBytes, files = systemObjectFiles } = parts;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await syncFolder(dirname(dir));
  const index = IndexDb.open({ dir, ...(maxIndexBytes === undefined ? {} : { maxIndexBytes }) });
  try {
    const segmentFiles = new SegmentFiles(dir, files);
    await segmentFiles.open();
    const store = new SqliteObjectStore(index, segmentFiles, parts);
    const removed = await store.collect();
    if (removed > 0)
      parts.logger.info('removed what an earlier process of the object store left half done', { dir, removed });
    return store;
  } catch (error) {
    index.close();
    throw diskProblem(error, dir);
  }
}
