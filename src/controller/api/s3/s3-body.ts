import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { checksumOf, type ChecksumAlgorithm } from '../../../base/checksums.ts';
import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import { MIB } from '../../../base/units.ts';
import { USUAL_CHECKSUM, type BucketRecord, type Checksum } from '../../../domain/s3/records.ts';
import type { Digests, ObjectStore, Received } from '../../../ports/object-store.ts';
import { AwsChunkedDecoder } from './aws-chunked.ts';
import { BodySource, PlainDecoder, type BodyDecoder, type BodyPace, type RawBody } from './body-source.ts';
import type { BodyAsked, S3Body } from './s3-action.ts';
import { headerOf, type S3Request } from './s3-request.ts';
import type { PayloadClaim } from './s3-signature.ts';

/** Of a document, where the action names no less. */
const TEXT_MAX_BYTES = 8 * MIB;
const HEADERS: ReadonlyMap<string, ChecksumAlgorithm> = new Map([
  ['x-amz-checksum-crc32', 'CRC32'],
  ['x-amz-checksum-crc32c', 'CRC32C'],
  ['x-amz-checksum-crc64nvme', 'CRC64NVME'],
  ['x-amz-checksum-sha1', 'SHA1'],
  ['x-amz-checksum-sha256', 'SHA256'],
]);
/** Base64 of so many bytes. */
const DIGEST_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  ...{ CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 },
};

/** How much text all requests hold at a time. */
export class TextBudget {
  readonly #maxBytes: number;
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Runs with so much set aside. 'SlowDown'. */
  async with<T>(bytes: number, run: () => Promise<T>): Promise<T> {
    if (this.#held + bytes > this.#maxBytes)
      throw new CloudError('SlowDown', 'too many large requests are under way; try again');
    this.#held += bytes;
    try {
      return await run();
    } finally {
      this.#held -= bytes;
    }
  }
}

export interface S3BodyParts {
  readonly request: S3Request;
  readonly payload: PayloadClaim;
  readonly raw: RawBody;
  readonly store: Pick<ObjectStore, 'receive'>;
  readonly clock: Pick<Clock, 'every'>;
  readonly budget: TextBudget;
  readonly pace?: BodyPace | undefined;
}

/** The checksum that the request brings: which one, and its value where the headers have it already. */
interface Brought {
  readonly algorithm: ChecksumAlgorithm;
  /** Undefined: it comes behind the body. */
  readonly value: string | undefined;
  readonly header: string;
}

const invalid = (text: string): CloudError => new CloudError('InvalidRequest', text);

function lengthIn(request: S3Request, name: string): number | undefined {
  const text = headerOf(request, name)?.trim();
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CloudError(
    'InvalidArgument',
    `${name}: must be a number of bytes, not ${JSON.stringify(text.slice(0, 40))}`,
  );
}

function announced(request: S3Request): Brought | undefined {
  const [name, ...more] = (headerOf(request, 'x-amz-trailer') ?? '')
    .split(',')
    .map((word) => word.trim().toLowerCase())
    .filter((word) => HEADERS.has(word));
  const algorithm = HEADERS.get(name ?? '');
  if (more.length > 0) throw invalid('x-amz-trailer: must name one checksum');
  return name === undefined || algorithm === undefined ? undefined : { algorithm, value: undefined, header: name };
}

/** Of a body that completes an upload the checksum is not the document's but the object's. */
const isOfObject = ({ method, query }: S3Request): boolean => method === 'POST' && query.has('uploadId');

function broughtBy({ request, payload }: S3BodyParts): Brought | undefined {
  if (isOfObject(request)) return undefined;
  const inHeaders = [...HEADERS].flatMap(([header, algorithm]): Brought[] => {
    const value = headerOf(request, header);
    return value === undefined ? [] : [{ algorithm, value: value.trim(), header }];
  });
  const trailer = announced(request);
  if (trailer !== undefined && !(payload.kind === 'chunks' && payload.hasTrailer))
    throw invalid('x-amz-trailer: goes only with a body that says in x-amz-content-sha256 that it has a trailer');
  const [brought, ...more] = trailer === undefined ? inHeaders : [...inHeaders, trailer];
  if (more.length > 0) throw invalid('only one x-amz-checksum- may be there, in the headers or behind the body');
  const sdk = headerOf(request, 'x-amz-sdk-checksum-algorithm')?.trim().toUpperCase();
  if (brought !== undefined && sdk !== undefined && sdk !== brought.algorithm)
    throw invalid(`x-amz-sdk-checksum-algorithm says ${sdk.slice(0, 20)}, and ${brought.header} is there`);
  if (brought?.value !== undefined) requireBase64(brought.header, brought.value, DIGEST_BYTES[brought.algorithm]);
  return brought;
}

const isBase64Of = (text: string, bytes: number): boolean =>
  /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 && Buffer.from(text, 'base64').length === bytes;

function requireBase64(header: string, text: string, bytes: number): void {
  if (isBase64Of(text, bytes)) return;
  throw invalid(`${header}: must be base64 of ${bytes} bytes, not ${JSON.stringify(text.slice(0, 60))}`);
}

function md5In(request: S3Request): string | undefined {
  const text = headerOf(request, 'content-md5')?.trim();
  if (text === undefined || isBase64Of(text, 16)) return text;
  throw new CloudError('InvalidDigest', 'Content-MD5: must be base64 of the 16 bytes of an MD5');
}

const badDigest = (header: string, said: string, is: string): CloudError =>
  new CloudError('BadDigest', `${header} says ${said.slice(0, 100)}, and the body that came has ${is}`);

class RequestBody implements S3Body {
  readonly length: number | undefined;
  readonly #parts: S3BodyParts;
  readonly #decoder: BodyDecoder & { readonly trailers?: ReadonlyMap<string, string> };
  #isTaken = false;

  constructor(parts: S3BodyParts) {
    this.#parts = parts;
    const { request, payload } = parts;
    const sent = lengthIn(request, 'content-length');
    const isChunkedByHttp = request.signable.headers.has('transfer-encoding');
    if (payload.kind !== 'chunks') {
      this.length = sent ?? (isChunkedByHttp ? undefined : 0);
      this.#decoder = new PlainDecoder(this.length);
      return;
    }
    const length = lengthIn(request, 'x-amz-decoded-content-length');
    if (length === undefined)
      throw new CloudError('MissingContentLength', 'x-amz-decoded-content-length: is needed with a body in chunks');
    this.length = length;
    this.#decoder = new AwsChunkedDecoder({ seed: payload.seed, hasTrailer: payload.hasTrailer, length });
  }

  stream(): Readable {
    if (this.#isTaken) throw new CloudError('InternalError', 'the body was read already');
    this.#isTaken = true;
    const { raw, clock, pace } = this.#parts;
    return new BodySource({ raw, clock, pace, decoder: this.#decoder });
  }

  async text(maxBytes = TEXT_MAX_BYTES): Promise<string> {
    this.#refuseTooLarge(maxBytes);
    if (this.length === 0 && this.#parts.payload.kind !== 'chunks') {
      this.#check(Buffer.alloc(0));
      return '';
    }
    return this.#parts.budget.with(this.length ?? maxBytes, async () => {
      const bytes = await buffer(this.#limited(maxBytes));
      this.#check(bytes);
      if (!isUtf8(bytes)) throw new CloudError('MalformedXML', 'the body is not UTF-8');
      return bytes.toString('utf8');
    });
  }

  async receive(asked: BodyAsked): Promise<Received & { readonly checksum?: Checksum }> {
    const { maxBytes } = asked;
    this.#refuseTooLarge(maxBytes);
    const { request, store, raw } = this.#parts;
    const brought = broughtBy(this.#parts);
    const md5 = md5In(request);
    const algorithm = asked.checksum ?? brought?.algorithm ?? USUAL_CHECKSUM;
    const counted = [...new Set([algorithm, brought?.algorithm ?? algorithm])];
    const source = this.stream();
    const accept = (digests: Digests): void => this.#accept(digests, brought, md5);
    const { isGivenAway } = raw;
    const received = await store
      .receive(source, { maxBytes, expectedBytes: this.length, checksums: counted, accept, isGivenAway })
      .finally(() => source.destroy());
    const value = received.digests.checksums[algorithm];
    if (value === undefined) return received;
    return { ...received, checksum: { algorithm, type: 'FULL_OBJECT', value } };
  }

  #refuseTooLarge(maxBytes: number): void {
    if (this.length === undefined || this.length <= maxBytes) return;
    throw new CloudError('EntityTooLarge', `the body has ${this.length} bytes, and ${maxBytes} are allowed here`, {
      details: { maxBytes },
    });
  }

  /** The content, as long as it is no longer than that. */
  async *#limited(maxBytes: number): AsyncGenerator<Buffer> {
    let came = 0;
    for await (const chunk of this.stream() as AsyncIterable<Buffer>) {
      came += chunk.length;
      if (came > maxBytes)
        throw new CloudError('EntityTooLarge', `the body is larger than the ${maxBytes} bytes that are allowed here`);
      yield chunk;
    }
  }

  /** A small document against all that the request says of it. */
  #check(bytes: Buffer): void {
    const { request } = this.#parts;
    const brought = broughtBy(this.#parts);
    const hash = (name: string): string => createHash(name).update(bytes).digest('hex');
    const checksums = brought === undefined ? {} : { [brought.algorithm]: checksumOf(brought.algorithm, bytes) };
    this.#accept({ md5: hash('md5'), sha256: hash('sha256'), checksums }, brought, md5In(request));
  }

  #accept({ md5, sha256, checksums }: Digests, brought: Brought | undefined, wantedMd5: string | undefined): void {
    const { payload } = this.#parts;
    if (payload.kind === 'sha256' && payload.hex !== sha256) {
      throw new CloudError(
        'XAmzContentSHA256Mismatch',
        `x-amz-content-sha256 says ${payload.hex}, and the body that came has ${sha256}`,
      );
    }
    const base64 = Buffer.from(md5, 'hex').toString('base64');
    if (wantedMd5 !== undefined && wantedMd5 !== base64) throw badDigest('Content-MD5', wantedMd5, base64);
    this.#compare(brought, checksums);
  }

  #compare(brought: Brought | undefined, checksums: Digests['checksums']): void {
    for (const name of this.#decoder.trailers?.keys() ?? []) {
      if (HEADERS.has(name) && name !== brought?.header)
        throw invalid(`${name}: is behind the body, and x-amz-trailer does not name it`);
    }
    if (brought === undefined) return;
    const value = brought.value ?? this.#decoder.trailers?.get(brought.header);
    if (value === undefined) throw invalid(`${brought.header}: x-amz-trailer names it, and it is not behind the body`);
    requireBase64(brought.header, value, DIGEST_BYTES[brought.algorithm]);
    const is = checksums[brought.algorithm] ?? '';
    if (value !== is) throw badDigest(brought.header, value, is);
  }
}

/** The body of a request. Errors: 'MissingContentLength', 'InvalidArgument' for a length that is none. */
export function s3Body(parts: S3BodyParts): S3Body {
  return new RequestBody(parts);
}

/**
 * The body of a request that is about a bucket. It may take hours to come, and the name be another project's by then: who was allowed something with the one bucket
 * was not with the other. (What is put there is compared as it gets its name: ObjectStore.putObject.)
 */
export function bodyForBucket(body: S3Body, store: Pick<ObjectStore, 'bucket'>, bucket: BucketRecord): S3Body {
  return {
    length: body.length,
    stream: () => body.stream(),
    receive: (asked) => body.receive(asked),
    async text(maxBytes) {
      const text = await body.text(maxBytes);
      const { projectId, createdMs } = await store.bucket(bucket.name);
      if (projectId === bucket.projectId && createdMs === bucket.createdMs) return text;
      throw new CloudError(
        'NoSuchBucket',
        `the bucket ${bucket.name} was deleted, and made anew, before the body came`,
      );
    },
  };
}
