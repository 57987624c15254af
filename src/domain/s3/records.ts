import type { ChecksumAlgorithm } from '../../base/checksums.ts';

export type { ChecksumAlgorithm };

/** Of which bytes something is made: each piece is whole and synced before anything names it, and never changes. */
export interface Segment {
  /** Ours; says nothing of bucket or key. */
  readonly id: string;
  readonly sizeBytes: number;
  /** Lower-case hex; what a scrub compares with. */
  readonly sha256: string;
}

/** FULL_OBJECT is over all bytes; COMPOSITE is the checksum of the parts' checksums, written with `-N` behind it. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
  /** Base64, for COMPOSITE with its `-N`. */
  readonly value: string;
}

/** Counted where a client asks for none, so that one that verifies what it gets can. S3 takes CRC64NVME, which not every SDK knows; this one they all do. */
export const USUAL_CHECKSUM = 'CRC32' satisfies ChecksumAlgorithm;

/** Who may do what beside the owner, as canned or granted. A grantee is a project id, or one of the two groups. */
export interface AclGrant {
  readonly grantee:
    | { readonly kind: 'project'; readonly projectId: string }
    | { readonly kind: 'everyone' }
    /** Whoever signs with a key of this cloud. */
    | { readonly kind: 'authenticated' };
  readonly permission: 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP' | 'FULL_CONTROL';
}

export type Tags = Readonly<Record<string, string>>;

export interface CorsRule {
  readonly id?: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly ('GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD')[];
  readonly allowedHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** All that is given must hold. */
export interface LifecycleFilter {
  readonly prefix?: string;
  readonly tags?: Tags;
  readonly sizeGreaterThanBytes?: number;
  readonly sizeLessThanBytes?: number;
}

export interface LifecycleRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly filter: LifecycleFilter;
  readonly expirationDays?: number;
  /** Milliseconds since 1970, at midnight UTC. */
  readonly expirationAtMs?: number;
  readonly expiredObjectDeleteMarker?: boolean;
  readonly noncurrentDays?: number;
  /** So many noncurrent versions stay in any case. */
  readonly noncurrentKeep?: number;
  readonly abortMultipartDays?: number;
}

export interface BucketQuota {
  /** Of all versions and of parts under way. */
  readonly maxBytes?: number;
  readonly maxObjects?: number;
}

/** What of a bucket everybody may be let into; each is off where nobody has put it on. */
export interface PublicAccessBlock {
  /** Grants to everybody are not taken. */
  readonly blockPublicAcls: boolean;
  /** Grants to everybody are not obeyed. */
  readonly ignorePublicAcls: boolean;
  /** Policies that are public are not taken. */
  readonly blockPublicPolicy: boolean;
  /** What a public policy allows it allows to the owning project alone. */
  readonly restrictPublicBuckets: boolean;
}

export interface BucketRecord {
  readonly name: string;
  /** The owner is the project. */
  readonly projectId: string;
  readonly region: string;
  readonly createdMs: number;
  /** Suspended: new objects get the version `null`, the old versions stay. */
  readonly versioning: 'off' | 'enabled' | 'suspended';
  readonly grants: readonly AclGrant[];
  readonly tags: Tags;
  readonly cors: readonly CorsRule[];
  readonly lifecycle: readonly LifecycleRule[];
  /** The JSON text as it was put: it is given back so. */
  readonly policy?: string;
  /** BucketOwnerEnforced: grants are neither taken nor obeyed. Objects are the bucket's owner's in any case. */
  readonly ownership?: 'BucketOwnerEnforced' | 'BucketOwnerPreferred';
  readonly publicAccess?: PublicAccessBlock;
  readonly quota: BucketQuota;
}

/** What a client says of an object beside its bytes, and gets back in headers. */
export interface ObjectMetadata {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly expires?: string;
  /** `x-amz-meta-` names without that, lower case. At most 2 KiB of names and values. */
  readonly user: Readonly<Record<string, string>>;
}

/** The version of what was put while versioning was off or suspended. */
export const NULL_VERSION = 'null';

interface VersionHead {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly modifiedMs: number;
  readonly ownerId: string;
}

export interface DeleteMarker extends VersionHead {
  readonly kind: 'marker';
}

export interface ObjectRecord extends VersionHead {
  readonly kind: 'object';
  readonly sizeBytes: number;
  /** Without quotes: the hex MD5 of the bytes, or `<hex>-<parts>` of a multipart object. */
  readonly etag: string;
  readonly metadata: ObjectMetadata;
  readonly tags: Tags;
  readonly grants: readonly AclGrant[];
  readonly checksum?: Checksum;
  readonly segments: readonly Segment[];
  /** Of a multipart object: by part number, in order. */
  readonly parts?: readonly ObjectPart[];
  /** The upload that made it: a client that lost the answer completes it once more. */
  readonly uploadId?: string;
}

export interface ObjectPart {
  readonly number: number;
  readonly sizeBytes: number;
  readonly checksum?: Checksum;
}

export type ObjectVersion = ObjectRecord | DeleteMarker;

/** What a list tells of an object: without what may be large (an object of 10,000 parts has as many segments). */
export type ObjectSummary = Omit<ObjectRecord, 'segments' | 'parts' | 'uploadId' | 'metadata' | 'grants'>;

export interface UploadRecord {
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  readonly ownerId: string;
  readonly startedMs: number;
  readonly metadata: ObjectMetadata;
  readonly tags: Tags;
  readonly grants: readonly AclGrant[];
  readonly checksum?: Pick<Checksum, 'algorithm' | 'type'>;
}

export interface PartRecord {
  readonly number: number;
  readonly sizeBytes: number;
  /** Hex MD5, without quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
  readonly checksum?: Checksum;
  readonly segments: readonly Segment[];
}

/** EC2 and S3 allow so much. */
export const S3_LIMITS = {
  keyBytes: 1024,
  partsPerUpload: 10_000,
  /** Of every part but the last. */
  partMinBytes: 5 * 1024 * 1024,
  /** Of one PUT, and of one part. */
  putMaxBytes: 5 * 1024 ** 3,
  objectMaxBytes: 5 * 1024 ** 4,
  userMetadataBytes: 2048,
  tagsPerObject: 10,
  tagsPerBucket: 50,
  deletesPerCall: 1000,
  pageKeys: 1000,
  bucketsPerProject: 100,
} as const;
