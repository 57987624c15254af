import type { Readable } from 'node:stream';
import { isCode } from '../base/errors.ts';
import type { ConsoleChannel } from '../messages/console.ts';
import type {
  DuplexName,
  OperationInput,
  OperationOutput,
  StreamName,
  UnaryName,
} from '../messages/operations/index.ts';
import type { CallOptions, CloudClient, S3Exchange, S3Reply, UploadedBlob, UploadOptions } from './cloud-client.ts';

export interface LocalClientParts {
  /** Over the socket. */
  readonly daemon: CloudClient;
  /** In this process; made when it is first needed. */
  readonly embedded: () => Promise<CloudClient>;
  /** True when a daemon listens. */
  readonly daemonAnswers: () => Promise<boolean>;
}

const daemonIs = (error: unknown, what: 'absent' | 'present'): boolean =>
  isCode(error, 'Unavailable') && error.details?.['daemon'] === what;

/** The cloud of this machine: its daemon where one answers, else this very process. Each call looks anew: daemons come and go. */
export class LocalClient implements CloudClient {
  readonly #parts: LocalClientParts;
  #embedded: Promise<CloudClient> | undefined;

  constructor(parts: LocalClientParts) {
    this.#parts = parts;
  }

  async call<N extends UnaryName>(
    name: N,
    input: OperationInput<N>,
    options: CallOptions = {},
  ): Promise<OperationOutput<N>> {
    for (;;) {
      try {
        return await this.#parts.daemon.call(name, input, options);
      } catch (error) {
        if (!daemonIs(error, 'absent')) throw error;
      }
      try {
        return await (await this.#here()).call(name, input, options);
      } catch (error) {
        // It took over while we waited for its predecessor.
        if (!daemonIs(error, 'present')) throw error;
      }
    }
  }

  async *stream<N extends StreamName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<OperationOutput<N>> {
    try {
      yield* this.#parts.daemon.stream(name, input, options);
      return;
    } catch (error) {
      if (!daemonIs(error, 'absent')) throw error;
    }
    yield* (await this.#here()).stream(name, input, options);
  }

  async duplex<N extends DuplexName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ConsoleChannel> {
    try {
      return await this.#parts.daemon.duplex(name, input, options);
    } catch (error) {
      if (!daemonIs(error, 'absent')) throw error;
    }
    return (await this.#here()).duplex(name, input, options);
  }

  /** What is read from the body can't be read again, so it is found out first who takes it. */
  async upload(body: Readable, options?: UploadOptions): Promise<UploadedBlob> {
    if (await this.#parts.daemonAnswers()) return this.#parts.daemon.upload(body, options);
    return (await this.#here()).upload(body, options);
  }

  /** As with `upload`: the body can be read once. */
  async s3(request: S3Exchange): Promise<S3Reply> {
    if (await this.#parts.daemonAnswers()) return this.#parts.daemon.s3(request);
    try {
      return await (await this.#here()).s3(request);
    } catch (error) {
      // It took over while we waited for its predecessor; nothing of the body was read.
      if (!daemonIs(error, 'present')) throw error;
      return this.#parts.daemon.s3(request);
    }
  }

  /** Of the embedded cloud: work is done to its end, and its error is thrown. */
  async close(): Promise<void> {
    await this.#parts.daemon.close();
    await (await this.#embedded?.catch(() => undefined))?.close();
  }

  #here(): Promise<CloudClient> {
    this.#embedded ??= this.#parts.embedded();
    return this.#embedded;
  }
}
