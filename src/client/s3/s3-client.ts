import type { Readable } from 'node:stream';
import { CloudError, isCode } from '../../base/errors.ts';
import { xmlChildren, xmlText } from '../../base/xml.ts';
import type { ObjectHead } from '../../messages/object-head.ts';
import {
  document,
  readBuckets,
  readDeleteErrors,
  readObjects,
  readParts,
  readQuota,
  readUploads,
  readVersions,
  type S3Bucket,
  type S3Page,
  type S3Part,
  type S3Quota,
  type S3Upload,
} from './s3-documents.ts';
import { askS3, drained, replyXml, type Exchange, type S3Ask } from './s3-wire.ts';

export interface S3Source {
  readonly head: ObjectHead;
  readonly body: Readable;
}

export interface ListAsked {
  readonly bucket: string;
  readonly prefix: string;
  /** '' lists all keys; `/` stops at folders. */
  readonly delimiter: string;
  readonly versions: boolean;
}

/** A version is named by its id, the object as it is now by none. */
export interface S3Name {
  readonly key: string;
  readonly versionId?: string | undefined;
}

/** What a body is, so that the other side can refuse another one. */
export interface BodyDigests {
  readonly sizeBytes: number;
  /** Hex. */
  readonly md5: string;
  /** Base64. */
  readonly crc32: string;
}

export interface PartSent {
  readonly number: number;
  /** Hex MD5. */
  readonly etag: string;
  /** Base64. */
  readonly crc32?: string | undefined;
}

const CHECKSUM = /^x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)$/;
/** One call deletes so many. */
export const DELETES_PER_CALL = 1000;

function headOf(headers: Readonly<Record<string, string>>): ObjectHead {
  const versionId = headers['x-amz-version-id'];
  const found = Object.entries(headers).find(([name]) => CHECKSUM.test(name));
  const isWhole = headers['x-amz-checksum-type'] === 'FULL_OBJECT';
  const total = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
  return {
    sizeBytes: Number(total ?? headers['content-length'] ?? 0),
    etag: (headers['etag'] ?? '').replaceAll('"', ''),
    modifiedAtMs: Date.parse(headers['last-modified'] ?? ''),
    contentType: headers['content-type'] ?? '',
    ...(versionId === undefined ? {} : { versionId }),
    ...(found === undefined || !isWhole
      ? {}
      : { checksum: { algorithm: (CHECKSUM.exec(found[0])?.[1] ?? '').toUpperCase(), value: found[1] } }),
    metadata: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith('x-amz-meta-') ? [[name.slice('x-amz-meta-'.length), value]] : [],
      ),
    ),
  };
}

const digestHeaders = ({ sizeBytes, md5, crc32 }: BodyDigests): Record<string, string> => ({
  'content-length': String(sizeBytes),
  'content-md5': Buffer.from(md5, 'hex').toString('base64'),
  'x-amz-checksum-crc32': crc32,
});

/**
 * The part of S3 that the commands need, over whatever carries it. Own code in place of an SDK's: it starts in a millisecond, and needs neither keys nor signatures.
 * Errors are CloudErrors with S3's codes and texts.
 */
export class S3Client {
  readonly #exchange: Exchange;
  readonly #signal: AbortSignal | undefined;

  constructor(exchange: Exchange, signal?: AbortSignal) {
    this.#exchange = exchange;
    this.#signal = signal;
  }

  /** The same for what must be done after an interrupt too. */
  detached(): S3Client {
    return new S3Client(this.#exchange);
  }

  #ask(ask: S3Ask) {
    const signal = ask.signal ?? this.#signal;
    return askS3(this.#exchange, { ...ask, ...(signal === undefined ? {} : { signal }) });
  }

  async #document(ask: S3Ask) {
    return replyXml(await this.#ask(ask));
  }

  async #done(ask: S3Ask): Promise<Readonly<Record<string, string>>> {
    return (await drained(await this.#ask(ask))).headers;
  }

  async buckets(): Promise<S3Bucket[]> {
    const all: S3Bucket[] = [];
    let next: string | undefined;
    do {
      const page = readBuckets(await this.#document({ method: 'GET', query: { 'continuation-token': next } }));
      all.push(...page.buckets);
      next = page.next;
    } while (next !== undefined);
    return all;
  }

  async createBucket(bucket: string): Promise<void> {
    await this.#done({ method: 'PUT', bucket });
  }

  async deleteBucket(bucket: string): Promise<void> {
    await this.#done({ method: 'DELETE', bucket });
  }

  /** 'NoSuchBucket', 'AccessDenied'. */
  async region(bucket: string): Promise<string> {
    const root = await this.#document({ method: 'GET', bucket, query: { location: '' } });
    return root.text.trim() || 'us-east-1';
  }

  async versioning(bucket: string): Promise<'off' | 'enabled' | 'suspended'> {
    const root = await this.#document({ method: 'GET', bucket, query: { versioning: '' } });
    const status = xmlText(root, 'Status');
    return status === 'Enabled' ? 'enabled' : status === 'Suspended' ? 'suspended' : 'off';
  }

  async enableVersioning(bucket: string): Promise<void> {
    const body = document('VersioningConfiguration', { Status: 'Enabled' });
    await this.#done({ method: 'PUT', bucket, query: { versioning: '' }, body });
  }

  async owner(bucket: string): Promise<string> {
    const root = await this.#document({ method: 'GET', bucket, query: { acl: '' } });
    return xmlText(root, 'Owner', 'ID') ?? '';
  }

  /** Whether the bucket has such a document. */
  async has(bucket: string, what: 'policy' | 'cors' | 'lifecycle'): Promise<boolean> {
    try {
      await this.#done({ method: 'GET', bucket, query: { [what]: '' } });
      return true;
    } catch (error) {
      if (isCode(error, 'NoSuchBucketPolicy', 'NoSuchCORSConfiguration', 'NoSuchLifecycleConfiguration')) return false;
      throw error;
    }
  }

  /** What the bucket has and may have: an extension of this cloud. */
  async quota(bucket: string): Promise<S3Quota> {
    return readQuota(await this.#document({ method: 'GET', bucket, query: { 'x-novactl-quota': '' } }));
  }

  /** Both limits: one that is left out is none. */
  async setQuota(bucket: string, quota: Pick<S3Quota, 'maxBytes' | 'maxObjects'>): Promise<void> {
    const body = document('BucketQuota', { MaxBytes: quota.maxBytes, MaxObjects: quota.maxObjects });
    await this.#done({ method: 'PUT', bucket, query: { 'x-novactl-quota': '' }, body });
  }

  /** Page by page, so that memory does not grow with the bucket. */
  async *pages({ bucket, prefix, delimiter, versions }: ListAsked): AsyncGenerator<S3Page> {
    const kind = versions ? { versions: '' } : { 'list-type': 2 };
    const query = {
      ...{ ...kind, 'encoding-type': 'url', prefix: prefix === '' ? undefined : prefix },
      delimiter: delimiter === '' ? undefined : delimiter,
    };
    let next: S3Page['next'] = {};
    while (next !== undefined) {
      const root = await this.#document({ method: 'GET', bucket, query: { ...query, ...next } });
      const page: S3Page = versions ? readVersions(root) : readObjects(root);
      yield page;
      next = page.next;
    }
  }

  async head(bucket: string, { key, versionId }: S3Name): Promise<ObjectHead> {
    const ask: S3Ask = {
      ...{ method: 'HEAD', bucket, key, query: { versionId } },
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    };
    try {
      return headOf(await this.#done(ask));
    } catch (error) {
      if (!isCode(error, 'NotFound')) throw error;
      // The answer to a HEAD says only that something is not there.
      await this.region(bucket);
      const what = versionId === undefined ? key : `${key} with the version ${versionId}`;
      throw new CloudError(
        versionId === undefined ? 'NoSuchKey' : 'NoSuchObjectVersion',
        `there is no object ${what} in ${bucket}; see "novactl object list ${bucket}"`,
      );
    }
  }

  /** Of the first part of an object that was put in parts. */
  async firstPartBytes(bucket: string, { key, versionId }: S3Name): Promise<number> {
    const headers = await this.#done({ method: 'HEAD', bucket, key, query: { partNumber: 1, versionId } });
    return Number(headers['content-length'] ?? 0);
  }

  /** From a byte on, of the object that has that ETag: 'PreconditionFailed' when it is another one by now. */
  async get(bucket: string, { key, versionId }: S3Name, from: { startBytes: number; etag: string }): Promise<S3Source> {
    const range: Record<string, string> = from.startBytes === 0 ? {} : { range: `bytes=${from.startBytes}-` };
    const reply = await this.#ask({
      ...{ method: 'GET', bucket, key, query: { versionId } },
      headers: { 'if-match': `"${from.etag}"`, 'x-amz-checksum-mode': 'ENABLED', ...range },
    });
    return { head: headOf(reply.headers), body: reply.body };
  }

  /** The ETag of what is there now. 'BadDigest' when other bytes came than were counted. */
  async put(
    bucket: string,
    key: string,
    body: Readable,
    digests: BodyDigests,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const answer = await this.#done({
      ...{ method: 'PUT', bucket, key, body },
      headers: { ...headers, ...digestHeaders(digests) },
    });
    return (answer['etag'] ?? '').replaceAll('"', '');
  }

  async deleteObject(bucket: string, { key, versionId }: S3Name): Promise<void> {
    await this.#done({ method: 'DELETE', bucket, key, query: { versionId } });
  }

  /** At most 1,000. Throws when one could not be deleted, naming the first. */
  async deleteObjects(bucket: string, names: readonly S3Name[]): Promise<void> {
    const body = document('Delete', {
      Quiet: 'true',
      Object: names.map(({ key, versionId }) => ({ Key: key, VersionId: versionId })),
    });
    const failed = readDeleteErrors(await this.#document({ method: 'POST', bucket, query: { delete: '' }, body }));
    const [first] = failed;
    if (first === undefined) return;
    const more = failed.length === 1 ? '' : `, and ${failed.length - 1} more`;
    const code = first.code === 'AccessDenied' ? first.code : 'PartlyDone';
    throw new CloudError(code, `${first.key} was not deleted: ${first.message}${more}`);
  }

  async createUpload(bucket: string, key: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const kind = { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' };
    const root = await this.#document({
      ...{ method: 'POST', bucket, key, query: { uploads: '' }, headers: { ...headers, ...kind } },
    });
    const uploadId = xmlText(root, 'UploadId');
    if (uploadId === undefined) throw new CloudError('InternalError', 'the answer of S3 has no UploadId');
    return uploadId;
  }

  /** The part's ETag. */
  async putPart(
    at: { readonly bucket: string; readonly key: string; readonly uploadId: string; readonly number: number },
    body: Readable,
    digests: BodyDigests,
    signal?: AbortSignal,
  ): Promise<string> {
    const { bucket, key, uploadId, number } = at;
    const answer = await this.#done({
      ...{ method: 'PUT', bucket, key, query: { partNumber: number, uploadId }, body, headers: digestHeaders(digests) },
      ...(signal === undefined ? {} : { signal }),
    });
    return (answer['etag'] ?? '').replaceAll('"', '');
  }

  /** 'NoSuchUpload' when it is not under way. */
  async parts(bucket: string, key: string, uploadId: string): Promise<S3Part[]> {
    const all: S3Part[] = [];
    let after: number | undefined;
    do {
      const query = { uploadId, 'part-number-marker': after };
      const page = readParts(await this.#document({ method: 'GET', bucket, key, query }));
      all.push(...page.parts);
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  /** Uploads under way, at most so many (about). */
  async uploads(bucket: string, prefix: string, most = 100_000): Promise<S3Upload[]> {
    const all: S3Upload[] = [];
    let next: Readonly<Record<string, string>> | undefined = {};
    while (next !== undefined && all.length < most) {
      const query = { uploads: '', 'encoding-type': 'url', prefix: prefix === '' ? undefined : prefix, ...next };
      const page = readUploads(await this.#document({ method: 'GET', bucket, query }));
      all.push(...page.uploads);
      next = page.next;
    }
    return all;
  }

  async abortUpload(bucket: string, key: string, uploadId: string): Promise<void> {
    await this.#done({ method: 'DELETE', bucket, key, query: { uploadId } });
  }

  /** The object's ETag, and the checksum of the whole. 'InvalidPart' when a part is another one by now. */
  async completeUpload(
    bucket: string,
    key: string,
    uploadId: string,
    parts: readonly PartSent[],
  ): Promise<{ readonly etag: string; readonly crc32?: string }> {
    const body = document('CompleteMultipartUpload', {
      Part: parts.map(({ number, etag, crc32 }) => ({ PartNumber: number, ETag: `"${etag}"`, ChecksumCRC32: crc32 })),
    });
    const root = await this.#document({ method: 'POST', bucket, key, query: { uploadId }, body });
    const crc32 = xmlText(root, 'ChecksumCRC32');
    const etag = (xmlText(root, 'ETag') ?? '').replaceAll('"', '');
    return { etag, ...(crc32 === undefined ? {} : { crc32 }) };
  }

  /** An address by which whoever has it may do that until it expires: an extension of this cloud. */
  async presign(
    bucket: string,
    key: string,
    asked: {
      readonly method: 'GET' | 'PUT';
      readonly expiresSeconds: number;
      readonly keyId?: string | undefined;
      readonly versionId?: string | undefined;
    },
  ): Promise<{ readonly url: string; readonly accessKeyId: string; readonly expiresAtMs: number }> {
    const body = document('PresignRequest', {
      Method: asked.method,
      ExpiresSeconds: asked.expiresSeconds,
      AccessKeyId: asked.keyId,
      VersionId: asked.versionId,
    });
    const root = await this.#document({ method: 'POST', bucket, key, query: { 'x-novactl-presign': '' }, body });
    const [url] = xmlChildren(root, 'Url');
    return {
      url: url?.text ?? '',
      accessKeyId: xmlText(root, 'AccessKeyId') ?? '',
      expiresAtMs: Date.parse(xmlText(root, 'ExpiresAt') ?? ''),
    };
  }
}
