import type { Readable } from 'node:stream';
import type {
  BucketRecord,
  ChecksumAlgorithm,
  DeleteMarker,
  ObjectPart,
  ObjectRecord,
  ObjectSummary,
  ObjectVersion,
  PartRecord,
  Segment,
  UploadRecord,
} from '../domain/s3/records.ts';

/** What was counted of a body as it passed. md5 and sha256 are lower-case hex; the others base64. */
export interface Digests {
  readonly md5: string;
  readonly sha256: string;
  readonly checksums: Partial<Record<ChecksumAlgorithm, string>>;
}

export interface ReceiveOptions {
  /** Counted beside MD5 and SHA-256. */
  readonly checksums?: readonly ChecksumAlgorithm[];
  /** One byte more is 'EntityTooLarge'. */
  readonly maxBytes: number;
  /** How much is likely to come, for who takes it to prepare for; nothing is promised by it. */
  readonly expectedBytes?: number | undefined;
  /** Nobody else looks at the memory of the body's chunks: it may be freed as soon as they are taken. */
  readonly isGivenAway?: boolean | undefined;
  /** Called when the last byte is there and before anything is kept; what it throws is the answer, and nothing stays. */
  readonly accept?: (digests: Digests, sizeBytes: number) => void;
}

/** Bytes that are whole and synced, and visible to nobody until something names them. What is never named is dropped, by `drop` or by the collector. */
export interface Received {
  readonly segment: Segment;
  readonly digests: Digests;
}

/** Errors: 'PreconditionFailed'; 'NoSuchKey' for ifMatch of a key that is not there. */
export interface WriteConditions {
  /** `*`: the key must have no current object. */
  readonly ifNoneMatch?: '*';
  /** The current object's etag, without quotes; `*`: any. */
  readonly ifMatch?: string;
}

export type NewObject = Pick<
  ObjectRecord,
  'bucket' | 'key' | 'ownerId' | 'metadata' | 'tags' | 'grants' | 'etag' | 'segments'
> &
  Partial<Pick<ObjectRecord, 'checksum' | 'parts' | 'uploadId'>>;

export interface Removal {
  /** The version that is gone (or was not there, when it was asked for by id), or the delete marker that was made. Undefined: there was nothing, and versioning is off. */
  readonly versionId?: string;
  /** A marker was made, or the version that is gone was one. */
  readonly deleteMarker: boolean;
}

export interface ListAsked {
  readonly prefix: string;
  /** Keys that go on behind the prefix up to it are answered as one common prefix; '' = none. */
  readonly delimiter: string;
  /** Only what sorts behind it, by UTF-8 bytes; '' = from the first. A common prefix that it begins with or is counts as answered. */
  readonly after: string;
  /** Of keys and common prefixes together; 0 answers none. */
  readonly max: number;
}

export interface ListPage<T> {
  readonly rows: readonly T[];
  readonly commonPrefixes: readonly string[];
  /** There is more: the key or common prefix to go on `after`. */
  readonly next?: string;
}

export interface ListVersionsAsked extends ListAsked {
  /** Together with `after` = a key: only versions of that key behind this one, and later keys. */
  readonly afterVersionId?: string;
}

export interface ListVersionsPage extends ListPage<ObjectSummary | DeleteMarker> {
  readonly nextVersionId?: string;
}

export interface BucketUsage {
  /** Current objects. */
  readonly objects: number;
  readonly versions: number;
  /** Of all versions and parts under way. */
  readonly bytes: number;
  readonly uploads: number;
}

export interface ScrubProgress {
  readonly doneBytes: number;
  /** As it was at the beginning. */
  readonly totalBytes: number;
}

export interface ScrubOptions {
  readonly signal?: AbortSignal;
  /** No more than that on average. Default: as fast as the disk. */
  readonly bytesPerSecond?: number;
  /** At most twice a second. */
  readonly onProgress?: (progress: ScrubProgress) => void;
}

export interface ScrubReport {
  readonly objects: number;
  readonly segments: number;
  readonly bytes: number;
  /** In words, with bucket, key and version. */
  readonly damaged: readonly string[];
  /** Segments on disk that nothing names and nobody is writing. */
  readonly unnamed: number;
}

/**
 * Buckets and objects. What is visible is whole and synced; a change that was answered survives whatever is killed when; a change that was not answered is
 * there wholly or not at all. Names on disk are never keys. It knows nothing of HTTP, signatures or who may do what.
 * Errors of all: CloudError 'NoSuchBucket', 'Unavailable' (disk full, closed), 'CorruptState', 'InvalidArgument' (a key that is no well-formed text).
 */
export interface ObjectStore {
  /** 'BucketAlreadyExists', with `details.projectId` of its owner; 'TooManyBuckets' when its project has so many already. */
  createBucket(bucket: BucketRecord, limits?: { readonly maxInProject: number }): Promise<void>;
  bucket(name: string): Promise<BucketRecord>;
  /** By name. */
  buckets(projectId?: string): Promise<BucketRecord[]>;
  /** Reads, changes and writes as one; what `change` throws is the answer. Name, owner and creation stay. */
  updateBucket(name: string, change: (bucket: BucketRecord) => BucketRecord): Promise<BucketRecord>;
  /** 'BucketNotEmpty' while it has any version. Uploads under way end with it, since nobody could complete or abort one whose bucket is gone. */
  deleteBucket(name: string): Promise<void>;
  usage(name: string): Promise<BucketUsage>;

  /** 'EntityTooLarge'; what the body or `accept` throws. A body that is refused before its end is left where it is, not destroyed: an answer may yet go out on its socket. */
  receive(body: Readable, options: ReceiveOptions): Promise<Received>;
  /** Bytes that were received and will not be named. */
  drop(segments: readonly Segment[]): Promise<void>;

  /** Makes the key's new current version. 'NoSuchBucket' also when `ownerId` is not the bucket's project; 'QuotaExceeded' by the bucket's quota, and those of WriteConditions. The segments are the store's from then on, also when it is refused. */
  putObject(object: NewObject, conditions?: WriteConditions): Promise<ObjectRecord>;
  /** A copy of the bytes of another object: names the same segments, copies nothing. */
  copyObject(
    source: ObjectRecord,
    object: Omit<NewObject, 'segments'>,
    conditions?: WriteConditions,
  ): Promise<ObjectRecord>;
  /** The current version, or that one. 'NoSuchKey' (with `details.deleteMarker` and `details.versionId` when a marker is current), 'NoSuchObjectVersion'. */
  object(bucket: string, key: string, versionId?: string): Promise<ObjectVersion>;
  /**
   * Bytes from `start` to `end` exclusive; with `verify` the SHA-256 of each segment that is read whole is compared before its last bytes are given ('CorruptState').
   * What is open stays readable to its end whatever is deleted meanwhile, and so does for some seconds what was looked up and is not yet open; 'NoSuchKey' after that.
   */
  read(
    object: Pick<ObjectRecord, 'segments'>,
    range: { readonly start: number; readonly end: number; readonly verify?: boolean },
  ): Promise<Readable>;
  /**
   * Without a version: a delete marker or nothing more is there, by the bucket's versioning. 'PreconditionFailed': by its ETag, or because another was put at
   * `modifiedMs` of the one that is meant, be it of the same bytes.
   */
  removeObject(
    bucket: string,
    key: string,
    options?: { readonly versionId?: string; readonly ifMatch?: string; readonly ifModifiedMs?: number },
  ): Promise<Removal>;
  updateObject(
    bucket: string,
    key: string,
    versionId: string | undefined,
    change: Partial<Pick<ObjectRecord, 'tags' | 'grants'>>,
  ): Promise<ObjectRecord>;
  /** Current objects, without those whose current version is a marker. */
  list(bucket: string, asked: ListAsked): Promise<ListPage<ObjectSummary>>;
  /** Keys ascending, of each the newest version first. */
  listVersions(bucket: string, asked: ListVersionsAsked): Promise<ListVersionsPage>;

  createUpload(upload: UploadRecord): Promise<void>;
  /** 'NoSuchUpload', also when it is another bucket's or key's. */
  upload(bucket: string, key: string, uploadId: string): Promise<UploadRecord>;
  /** Takes the place of a part of the same number. 'NoSuchUpload', 'QuotaExceeded'. */
  putPart(upload: Pick<UploadRecord, 'bucket' | 'key' | 'uploadId'>, part: PartRecord): Promise<void>;
  /** Ascending from behind `afterNumber`. 'NoSuchUpload'. */
  parts(uploadId: string, afterNumber: number, max: number): Promise<PartRecord[]>;
  /** Uploads of the bucket by key, then start; `after` and `afterUploadId` as with versions. */
  listUploads(
    bucket: string,
    asked: ListAsked & { readonly afterUploadId?: string },
  ): Promise<ListPage<UploadRecord> & { readonly nextUploadId?: string }>;
  /**
   * One transaction: the parts' segments become the object's, what was not asked for is dropped, the upload is gone. `finish` gets the parts asked for, in
   * order, and says what the object is ('InvalidPart' before that when one is not there); what it throws is the answer, and the upload stays.
   */
  completeUpload(
    upload: Pick<UploadRecord, 'bucket' | 'key' | 'uploadId'>,
    numbers: readonly number[],
    finish: (
      parts: readonly PartRecord[],
      upload: UploadRecord,
    ) => { etag: string; parts: ObjectPart[] } & Partial<Pick<ObjectRecord, 'checksum'>>,
    conditions?: WriteConditions,
  ): Promise<ObjectRecord>;
  /** 'NoSuchUpload'. */
  abortUpload(bucket: string, key: string, uploadId: string): Promise<void>;

  /** Reads all bytes that are named and compares their SHA-256. */
  scrub(options?: ScrubOptions): Promise<ScrubReport>;
  /** Removes what nothing names: left by a process that was killed. Answers how many. */
  collect(): Promise<number>;
  close(): Promise<void>;
}
