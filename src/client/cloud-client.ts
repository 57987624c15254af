import type { Readable } from 'node:stream';
import type { ConsoleChannel } from '../messages/console.ts';
import type {
  DuplexName,
  OperationInput,
  OperationOutput,
  StreamName,
  UnaryName,
} from '../messages/operations/index.ts';

export interface CallOptions {
  /** The same token twice has one effect and one answer; 1 to 64 printable ASCII characters. */
  readonly clientToken?: string | undefined;
  /** Why, for the operation's record. */
  readonly reason?: string | undefined;
  /** Only check that it would be allowed: answers with the error 'DryRunOperation' when it would. */
  readonly dryRun?: boolean | undefined;
  /** How long to wait for the answer. Past it the outcome of a change is unknown. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UploadedBlob {
  /** What RegisterImage takes as BlobKey. */
  readonly blobKey: string;
  readonly sizeBytes: number;
  /** Lower-case hex, of the bytes as the cloud got them. */
  readonly sha256: string;
}

export interface UploadOptions {
  /** How many bytes will come, where that is known. */
  readonly sizeBytes?: number | undefined;
  readonly onProgress?: ((sentBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A request of S3's protocol, unsigned: who asks is known by the way it comes. */
export interface S3Exchange {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD';
  /** Path-style and percent-encoded, with the query: `/bucket/key?uploads`. */
  readonly path: string;
  /** Lower-case names, any text; `content-length` where a stream's length is known. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Readable | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface S3Reply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** To be read or destroyed. An error of S3 (status 400 and above) is XML here, as in S3 itself. */
  readonly body: Readable;
}

/**
 * A cloud as its callers see it: over the admin socket, over HTTPS or in the same process; a caller never knows which.
 * Errors: what the operation throws, as CloudError; 'Unavailable' when there is no cloud to ask or the connection broke;
 * 'Timeout' when the answer did not come in time; the signal's reason when it was aborted.
 */
export interface CloudClient {
  call<N extends UnaryName>(name: N, input: OperationInput<N>, options?: CallOptions): Promise<OperationOutput<N>>;
  /** Ends when the operation's stream ends; leaving the loop early ends it at the other side too. */
  stream<N extends StreamName>(
    name: N,
    input: OperationInput<N>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<OperationOutput<N>>;
  /** Bytes both ways, until the caller closes it or it ends by itself. The signal is for the opening alone. */
  duplex<N extends DuplexName>(
    name: N,
    input: OperationInput<N>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<ConsoleChannel>;
  upload(body: Readable, options?: UploadOptions): Promise<UploadedBlob>;
  /**
   * A request to the object store. What S3 itself refuses is a reply too; it throws only when the request did not come that far. The request's body is
   * destroyed when it was not taken whole.
   */
  s3(request: S3Exchange): Promise<S3Reply>;
  close(): Promise<void>;
}
