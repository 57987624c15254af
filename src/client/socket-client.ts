import type { IncomingMessage } from 'node:http';
import { Transform, type Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { CloudError, errorText } from '../base/errors.ts';
import type { OperationInput, OperationOutput, StreamName, UnaryName } from '../messages/operations/index.ts';
import type { CallOptions, CloudClient, UploadedBlob, UploadOptions } from './cloud-client.ts';
import {
  ANSWER_LIMIT_BYTES,
  errorIn,
  exchange,
  isAbsent,
  isBroken,
  parseAnswer,
  readText,
  refuse,
} from './http-exchange.ts';
import { ndjson } from './ndjson.ts';

export const SOCKET_CLIENT_LIMITS = {
  /** Tries of one call after its connection broke. */
  attempts: 4,
  retryMs: 250,
  /** Default wait for an answer. */
  timeoutMs: 120_000,
  /** A stream or an upload that is silent for longer is broken; the cloud sends blank lines in between. */
  idleMs: 60_000,
} as const;

export interface SocketClientOptions {
  /** Absolute path of the admin API's socket. */
  readonly socketPath: string;
  readonly clock: Clock;
  /** Who ran sudo, as a claim for the record. */
  readonly sudoUser?: string | undefined;
  /** Told of every request: what was asked, the status and how long it took. */
  readonly onRequest?: ((line: { name: string; status: number; tookMs: number }) => void) | undefined;
}

/** Operations whose name begins so change nothing: asking twice is harmless. */
export const READS = /^(Describe|Explain|Get|Plan|Watch)/;

/** The admin API over its UNIX socket. */
export class SocketClient implements CloudClient {
  readonly #options: SocketClientOptions;

  constructor(options: SocketClientOptions) {
    this.#options = options;
  }

  async call<N extends UnaryName>(
    name: N,
    input: OperationInput<N>,
    options: CallOptions = {},
  ): Promise<OperationOutput<N>> {
    const mayRepeat = READS.test(name) || options.clientToken !== undefined;
    const body = Buffer.from(JSON.stringify(input), 'utf8');
    const { clock } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await this.#once(name, body, options)) as OperationOutput<N>;
      } catch (error) {
        const last = attempt >= SOCKET_CLIENT_LIMITS.attempts;
        // Nobody listening at the first try is an answer; after a broken connection it is a restart, which ends.
        if (!isBroken(error) || !mayRepeat || last || (attempt === 1 && isAbsent(error)))
          throw this.#explain(error, name, options.signal);
        await clock.sleep(SOCKET_CLIENT_LIMITS.retryMs * 2 ** (attempt - 1), options.signal);
      }
    }
  }

  async *stream<N extends StreamName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<OperationOutput<N>> {
    const body = Buffer.from(JSON.stringify(input), 'utf8');
    let response: IncomingMessage | undefined;
    try {
      response = await this.#send(name, body, options, SOCKET_CLIENT_LIMITS.idleMs);
      for await (const value of ndjson(response as AsyncIterable<Buffer>, ANSWER_LIMIT_BYTES)) {
        const error = errorIn(value);
        if (error !== undefined) throw error;
        yield value as OperationOutput<N>;
      }
    } catch (error) {
      throw this.#explain(error, name, options.signal);
    } finally {
      response?.destroy();
    }
  }

  async upload(body: Readable, options: UploadOptions = {}): Promise<UploadedBlob> {
    const { sizeBytes, onProgress, signal } = options;
    let sent = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sent += chunk.length;
        onProgress?.(sent);
        done(null, chunk);
      },
    });
    body.once('error', (error) => counted.destroy(error));
    try {
      const response = await exchange({
        socketPath: this.#options.socketPath,
        method: 'PUT',
        path: '/v1/blobs',
        headers: {
          ...this.#headers({}),
          'content-type': 'application/octet-stream',
          ...(sizeBytes === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(sizeBytes) }),
        },
        body: body.pipe(counted),
        idleMs: SOCKET_CLIENT_LIMITS.idleMs,
        signal,
      });
      if (response.statusCode !== 200) await refuse(response);
      return parseAnswer(await readText(response), 200) as UploadedBlob;
    } catch (error) {
      throw this.#explain(error, 'upload', signal);
    } finally {
      body.destroy();
      counted.destroy();
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #once(name: string, body: Buffer, options: CallOptions): Promise<unknown> {
    const response = await this.#send(name, body, options, options.timeoutMs ?? SOCKET_CLIENT_LIMITS.timeoutMs);
    return parseAnswer(await readText(response), 200);
  }

  async #send(name: string, body: Buffer, options: CallOptions, idleMs: number): Promise<IncomingMessage> {
    const { clock, socketPath, onRequest } = this.#options;
    const startMs = clock.monotonicMs();
    const response = await exchange({
      socketPath,
      method: 'POST',
      path: `/v1/${name}`,
      headers: {
        ...this.#headers(options),
        'content-type': 'application/json',
        'content-length': String(body.length),
      },
      body,
      idleMs,
      signal: options.signal,
    });
    const status = response.statusCode ?? 0;
    onRequest?.({ name, status, tookMs: clock.monotonicMs() - startMs });
    if (status !== 200) await refuse(response);
    return response;
  }

  #headers(options: CallOptions): Record<string, string> {
    const { sudoUser } = this.#options;
    return {
      host: 'novactl',
      ...(options.clientToken === undefined ? {} : { 'x-novactl-client-token': options.clientToken }),
      ...(options.reason === undefined ? {} : { 'x-novactl-reason': encodeURIComponent(options.reason) }),
      ...(sudoUser === undefined ? {} : { 'x-novactl-sudo-user': encodeURIComponent(sudoUser) }),
      ...(options.dryRun === true ? { 'x-novactl-dry-run': '1' } : {}),
    };
  }

  #explain(error: unknown, name: string, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    if (error instanceof CloudError) return error;
    const { socketPath } = this.#options;
    if (isAbsent(error)) {
      return new CloudError(
        'Unavailable',
        `no cloud is running here (nobody answers at ${socketPath}); start it by: novactl up`,
        {
          cause: error,
        },
      );
    }
    if (isBroken(error)) {
      const unknown = READS.test(name) ? '' : '; whether it was done is not known, novactl op list says so';
      return new CloudError('Unavailable', `the connection to the cloud broke (${errorText(error)})${unknown}`, {
        cause: error,
      });
    }
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') {
      return new CloudError(
        'OperationNotPermitted',
        `${socketPath} may be used by its owner alone; run novactl as that user or by sudo`,
        {
          cause: error,
        },
      );
    }
    return error;
  }
}
