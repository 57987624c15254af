import { Readable } from 'node:stream';
import { newId } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { randomHex } from '../base/random.ts';
import { CloudError } from '../base/errors.ts';
import type {
  CallOptions,
  CloudClient,
  S3Exchange,
  S3Reply,
  UploadedBlob,
  UploadOptions,
} from '../client/cloud-client.ts';
import type { Gateway } from '../controller/api/gateway.ts';
import type { S3Door } from '../controller/api/s3/s3-edge.ts';
import type { CallMeta, Principal } from '../controller/operations/handler.ts';
import type { ConsoleChannel } from '../messages/console.ts';
import type {
  DuplexName,
  OperationInput,
  OperationOutput,
  StreamName,
  UnaryName,
} from '../messages/operations/index.ts';
import type { Blobs } from '../ports/blobs.ts';
import { inProcessS3 } from './in-process-s3.ts';

export interface InProcessParts {
  readonly gateway: Pick<Gateway, 'unary' | 'stream' | 'duplex'>;
  readonly blobs: Pick<Blobs, 'put'>;
  /** Absent: it can't be asked here. */
  readonly s3?: S3Door;
  readonly random: Random;
  readonly principal: Principal;
}

/** The cloud in this very process, behind the same interface as over a socket. */
export class InProcessClient implements CloudClient {
  readonly #parts: InProcessParts;

  constructor(parts: InProcessParts) {
    this.#parts = parts;
  }

  async call<N extends UnaryName>(
    name: N,
    input: OperationInput<N>,
    options: CallOptions = {},
  ): Promise<OperationOutput<N>> {
    options.signal?.throwIfAborted();
    return (await this.#parts.gateway.unary(name, input, this.#meta(options))) as OperationOutput<N>;
  }

  async *stream<N extends StreamName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<OperationOutput<N>> {
    const abort = new AbortController();
    const signal = options.signal === undefined ? abort.signal : AbortSignal.any([options.signal, abort.signal]);
    try {
      for await (const output of this.#parts.gateway.stream(name, input, this.#meta({}), signal)) {
        yield output as OperationOutput<N>;
      }
      options.signal?.throwIfAborted();
    } finally {
      abort.abort();
    }
  }

  async duplex<N extends DuplexName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ConsoleChannel> {
    options.signal?.throwIfAborted();
    return this.#parts.gateway.duplex(name, input, this.#meta({}));
  }

  async upload(body: Readable, { onProgress, signal }: UploadOptions = {}): Promise<UploadedBlob> {
    const { blobs, random } = this.#parts;
    let sent = 0;
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        signal?.throwIfAborted();
        sent += chunk.length;
        onProgress?.(sent);
        yield chunk;
      }
    };
    const info = await blobs.put(`upload/${newId('blob', random)}`, Readable.from(counted()));
    return { blobKey: info.key, sizeBytes: info.sizeBytes, sha256: info.sha256 };
  }

  async s3(request: S3Exchange): Promise<S3Reply> {
    const { s3, principal } = this.#parts;
    if (s3 === undefined) throw new CloudError('UnsupportedOperation', 'there is no object store in this process');
    return inProcessS3(s3, principal, request);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #meta(options: CallOptions): CallMeta {
    const { random, principal } = this.#parts;
    return {
      requestId: `req-${randomHex(random, 17)}`,
      principal,
      ...(options.clientToken === undefined ? {} : { clientToken: options.clientToken }),
      ...(options.reason === undefined ? {} : { reason: options.reason }),
      ...(options.dryRun === true ? { dryRun: true } : {}),
    };
  }
}
