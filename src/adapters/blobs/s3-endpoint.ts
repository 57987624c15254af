import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import { GetObjectCommand, HeadBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { presignUrl } from '../../base/signature/presign-url.ts';
import { AnswerBody } from './s3-body.ts';
import { endpointProblem, isClockRefusal, timedOut } from './s3-problems.ts';

export interface S3Settings {
  /** `https://HOST[:PORT]` */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly addressing: 'path' | 'virtual';
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Authorities of its certificate, PEM; undefined: Node's. */
  readonly ca?: Buffer | undefined;
  /** For an answer; what carries a part has four times as long. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

type Options = { readonly abortSignal: AbortSignal };

export interface AskOptions {
  readonly timeoutMs?: number;
  /** Asked once and never again: whoever asks must know what came of it. */
  readonly once?: boolean;
  readonly signal?: AbortSignal;
}

const CONNECT_MS = 5000;
/** Of one request, with pauses between them that grow. */
const ATTEMPTS = 3;
const SOCKETS = 64;
const PART_FACTOR = 4;

/** All that could come from files and variables of whoever runs this is said here, so that nothing does. */
function clientOf(settings: S3Settings, attempts: number): S3Client {
  const { endpoint, region, addressing, accessKeyId, secretAccessKey, ca } = settings;
  return new S3Client({
    ...{ endpoint, region, credentials: { accessKeyId, secretAccessKey } },
    forcePathStyle: addressing === 'path',
    maxAttempts: attempts,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    useArnRegion: false,
    disableS3ExpressSessionAuth: true,
    followRegionRedirects: false,
    expectContinueHeader: false,
    // Older endpoints know no checksums in trailers; the signature holds the SHA-256 of every body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      // Agents, not their options: of those the SDK forgets the authorities where it waits for "100 Continue".
      httpAgent: new HttpAgent({ keepAlive: true, maxSockets: SOCKETS }),
      httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS, ...(ca === undefined ? {} : { ca }) }),
    },
  });
}

/** One bucket at an S3 endpoint. Nothing is dialled before it is asked. Errors: see s3-problems.ts. */
export class S3Endpoint {
  readonly settings: S3Settings;
  readonly #client: S3Client;
  readonly #once: S3Client;

  constructor(settings: S3Settings) {
    this.settings = settings;
    this.#client = clientOf(settings, ATTEMPTS);
    this.#once = clientOf(settings, 1);
  }

  get bucket(): string {
    return this.settings.bucket;
  }

  /** So long may what carries a part take. */
  get partTimeoutMs(): number {
    return this.settings.timeoutMs * PART_FACTOR;
  }

  /** The time by the endpoint's clock, as far as it differs. */
  nowMs(): number {
    return this.settings.clock.nowMs() + this.#client.config.systemClockOffset;
  }

  async ask<T>(call: (client: S3Client, options: Options) => Promise<T>, asked: AskOptions = {}): Promise<T> {
    const { timeoutMs = this.settings.timeoutMs, once = false, signal } = asked;
    const late = new AbortController();
    const timer = this.settings.clock.after(timeoutMs, () => late.abort(), { unref: true });
    const abortSignal = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
    try {
      return await (once ? this.#askOnce(call, { abortSignal }) : call(this.#client, { abortSignal }));
    } catch (error) {
      throw late.signal.aborted ? timedOut(this.settings, timeoutMs) : endpointProblem(error, this.settings);
    } finally {
      timer.cancel();
    }
  }

  /** Who is refused for the time alone has changed nothing, and the client knows the endpoint's clock from then on. */
  async #askOnce<T>(call: (client: S3Client, options: Options) => Promise<T>, options: Options): Promise<T> {
    try {
      return await call(this.#once, options);
    } catch (error) {
      if (!isClockRefusal(error)) throw error;
      return call(this.#once, options);
    }
  }

  /** Bytes from `start` to `end` exclusive, which are not none. `ifMatch`: only those of the object with that etag. */
  async read(
    object: {
      readonly bucket?: string;
      readonly key: string;
      readonly versionId?: string | undefined;
      readonly ifMatch?: string;
    },
    { start, end }: { readonly start: number; readonly end: number },
  ): Promise<Readable> {
    const { bucket = this.bucket, key, versionId, ifMatch } = object;
    const command = new GetObjectCommand({
      ...{ Bucket: bucket, Key: key, Range: `bytes=${start}-${end - 1}` },
      ...(versionId === undefined ? {} : { VersionId: versionId }),
      ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
    });
    const { Body, ContentLength } = await this.ask((client, options) => client.send(command, options));
    if (!(Body instanceof Readable)) throw new CloudError('InternalError', `no stream came for ${key}`);
    if (ContentLength !== end - start) {
      Body.destroy();
      throw new CloudError(
        'CorruptState',
        `${this.settings.endpoint} gives ${ContentLength ?? 'an unknown number of'} bytes of ${bucket}/${key} and should give ${end - start}`,
        { details: { bucket, key } },
      );
    }
    return new AnswerBody(Body, {
      clock: this.settings.clock,
      idleMs: this.settings.timeoutMs,
      sizeBytes: end - start,
      problem: (error) => endpointProblem(error, this.settings),
      tooSlow: () => timedOut(this.settings, this.settings.timeoutMs),
    });
  }

  /** Whether the bucket is there and may be looked into. What is wrong is thrown. */
  async check(prefix: string, asked: AskOptions = {}): Promise<void> {
    const Bucket = this.bucket;
    // Of a HEAD an answer has no words: what the list says is clearer.
    const list = new ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: 1 });
    await this.ask((client, options) => client.send(list, options), asked);
    await this.ask((client, options) => client.send(new HeadBucketCommand({ Bucket }), options), asked);
  }

  /** A URL by which anybody may GET the object until it expires. */
  presign(key: string, expiresS: number): string {
    const { endpoint, bucket, region, addressing, accessKeyId, secretAccessKey } = this.settings;
    const url = new URL(endpoint);
    const isPath = addressing === 'path';
    return presignUrl(
      {
        method: 'GET',
        protocol: url.protocol,
        host: isPath ? url.host : `${bucket}.${url.host}`,
        path: isPath ? `/${bucket}/${key}` : `/${key}`,
        region,
        service: 's3',
        expiresS,
        nowMs: this.nowMs(),
      },
      { accessKeyId, secretAccessKey },
    );
  }

  close(): void {
    this.#client.destroy();
    this.#once.destroy();
  }
}
