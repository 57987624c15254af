import type { Readable } from 'node:stream';
import type { Random } from '../../../base/random.ts';
import type { Checksum, ChecksumAlgorithm, BucketRecord } from '../../../domain/s3/records.ts';
import type { ObjectStore, Received } from '../../../ports/object-store.ts';
import type { ObjectKeeper } from '../../objects/object-keeper.ts';
import type { Principal } from '../../operations/handler.ts';
import type { NamedKey } from '../ec2/ec2-principal.ts';
import type { S3Presigning } from './presigning.ts';

/** Who asks: a key of this cloud, in one project, or nobody that says who they are. */
export type S3Caller =
  | { readonly kind: 'anonymous' }
  /** `mayAll`: the administrator of the machine, who is refused nothing for want of rights. */
  | { readonly kind: 'key'; readonly principal: Principal; readonly mayAll?: true };

/** The words of policies ("Actions, resources, and condition keys for Amazon S3"). */
export type S3Permission = `s3:${string}`;

/** What the bytes must be besides what the request has signed; all are checked before anything is kept. */
export interface BodyAsked {
  readonly maxBytes: number;
  /** Count and answer this one; without: the one that the request brings, if it brings one. */
  readonly checksum?: ChecksumAlgorithm;
}

/** The request's body, decoded (aws-chunked), its signatures and checksums checked as it passes. Read once. */
export interface S3Body {
  /** Decoded, where the request says so. */
  readonly length: number | undefined;
  /** A small document, checked like all else. 'MalformedXML', 'EntityTooLarge', 'MissingRequestBodyError'. */
  text(maxBytes?: number): Promise<string>;
  /** Into the store, named by nothing yet. 'BadDigest', 'InvalidDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch', 'SignatureDoesNotMatch', 'EntityTooLarge'. */
  receive(asked: BodyAsked): Promise<Received & { readonly checksum?: Checksum }>;
  /** For a form alone: decoded, nothing signed or counted. Its fields say who asks (`asFormSigner`). */
  stream(): Readable;
}

/** One request, read and authenticated; `bucket` is there when the action's level is bucket or object. */
export interface S3Call {
  readonly requestId: string;
  readonly nowMs: number;
  readonly random: Random;
  readonly method: string;
  /** `http://host:port` as the client wrote it. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucketName: string;
  /** Decoded, as UTF-8 text; '' for none. */
  readonly key: string;
  /** Decoded; a parameter given twice was refused. */
  readonly query: ReadonlyMap<string, string>;
  /** The one value of a header, lower-case name; several were joined by ', '. */
  header(name: string): string | undefined;
  /** All of a prefix (`x-amz-meta-`), without it, in the order of names. */
  headersOf(prefix: string): readonly (readonly [string, string])[];
  readonly caller: S3Caller;
  readonly store: ObjectStore;
  /** Absent: nobody looks after the objects here. */
  readonly keeper?: ObjectKeeper | undefined;
  readonly body: S3Body;
  /** The 12 digits by which clients may name a project (`x-amz-expected-bucket-owner`); undefined: there is no such project. */
  readonly accountIdOf: (projectId: string) => string | undefined;
  /** The same, as it is by now. Errors: 'Unavailable'. */
  readonly accountIdNow: (projectId: string) => Promise<string | undefined>;
  /** The owner's project: for what is made. 'AccessDenied' for the anonymous. */
  readonly projectId: () => string;
  /** 'AccessDenied' unless the caller may. Called by the edge for the action's own permission on what is asked for; by an action for what it asks beyond. */
  readonly require: (permission: S3Permission, bucket: BucketRecord, key?: string, versionId?: string) => Promise<void>;
}

export interface BucketCall extends S3Call {
  readonly bucket: BucketRecord;
  /** Absent: no addresses are signed here. */
  readonly presigning?: S3Presigning | undefined;
  /** The same call as made by who has that key. 'AuthFailure', 'UnauthorizedOperation', 'Unavailable'. */
  readonly asKey: (named: NamedKey) => Promise<BucketCall>;
  /**
   * The same call as made by who signed a form's policy: its fields by lower-case name (`policy`, `x-amz-signature`, `x-amz-credential`, …, or `awsaccesskeyid` and
   * `signature`). Without a signature: as the anonymous. 'SignatureDoesNotMatch', 'InvalidAccessKeyId'. What the policy says is the action's to check.
   */
  readonly asFormSigner: (fields: ReadonlyMap<string, string>) => Promise<BucketCall>;
}

/** An error's `details.headers` (lower-case names to texts) go out with it, as those of an answer do. */
export interface S3Answer {
  readonly status: number;
  /** Lower-case names, without those that every answer has (request id, date). */
  readonly headers: Readonly<Record<string, string>>;
  /** A text goes out with its length; a stream with `content-length` of the headers. */
  readonly body?: string | Readable;
}

interface ActionHead {
  /** The name of the S3 API reference. */
  readonly name: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD';
  /** The parameter of the query that makes it this action (`uploads`, `acl`, `list-type`), with its value after `=` where that matters. */
  readonly query?: string;
  /** A header that makes it this action (`x-amz-copy-source`). */
  readonly header?: string;
  /** What policies call it; undefined: the action asks by itself. */
  readonly permission?: S3Permission;
}

/** One action of S3. The router takes the row that asks most of the request (query and header before neither). */
export type S3Action =
  /** `new-bucket`: addressed as a bucket is, which need not be there. Both ask for rights by themselves. */
  | (ActionHead & { readonly level: 'service' | 'new-bucket'; readonly perform: (call: S3Call) => Promise<S3Answer> })
  | (ActionHead & { readonly level: 'bucket' | 'object'; readonly perform: (call: BucketCall) => Promise<S3Answer> });
