import type { IncomingMessage } from 'node:http';
import { Transform, type Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { CloudError, errorText } from '../base/errors.ts';
import type { ConsoleChannel } from '../messages/console.ts';
import type {
  DuplexName,
  OperationInput,
  OperationOutput,
  StreamName,
  UnaryName,
} from '../messages/operations/index.ts';
import type { CallOptions, CloudClient, S3Exchange, S3Reply, UploadedBlob, UploadOptions } from './cloud-client.ts';
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
import type { Wire } from './wire.ts';

export const CLIENT_LIMITS = {
  /** Tries of one call after its connection broke. */
  attempts: 4,
  retryMs: 250,
  /** Default wait for an answer. */
  timeoutMs: 120_000,
  /** A stream or an upload that is silent for longer is broken; the cloud sends blank lines in between. */
  idleMs: 60_000,
  /** The same of a request to the object store, which may have much to sync before it answers. */
  s3IdleMs: 600_000,
} as const;

export interface HttpClientOptions {
  readonly wire: Wire;
  readonly clock: Clock;
  /** Told of every request: what was asked, the status and how long it took. */
  readonly onRequest?: ((line: { name: string; status: number; tookMs: number }) => void) | undefined;
  /** Told of every answer that may be so old, since the cloud can't reach its store. */
  readonly onStale?: ((staleMs: number) => void) | undefined;
}

/** Operations whose name begins so change nothing: asking twice is harmless. */
export const READS = /^(Check|Describe|Explain|Get|Open|Plan|Watch)/;

/** The admin API as HTTP: one request a call, NDJSON for streams. */
export class HttpClient implements CloudClient {
  readonly #options: HttpClientOptions;

  constructor(options: HttpClientOptions) {
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
        const last = attempt >= CLIENT_LIMITS.attempts;
        // Nobody listening at the first try is an answer; after a broken connection it is a restart, which ends.
        if (!isBroken(error) || !mayRepeat || last || (attempt === 1 && isAbsent(error)))
          throw this.#explain(error, name, options.signal);
        await clock.sleep(CLIENT_LIMITS.retryMs * 2 ** (attempt - 1), options.signal);
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
      response = await this.#send(name, body, options, CLIENT_LIMITS.idleMs);
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

  async duplex<N extends DuplexName>(
    name: N,
    input: OperationInput<N>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ConsoleChannel> {
    const { wire, clock } = this.#options;
    const path = `/v1/${name}?input=${encodeURIComponent(JSON.stringify(input))}`;
    try {
      const { openHttpConsole, UPGRADE } = await import('./http-console.ts');
      const headers = wire.headers({ method: 'POST', path, headers: UPGRADE, body: Buffer.alloc(0) });
      return await openHttpConsole({ endpoint: wire.endpoint, path, headers, clock, signal: options.signal });
    } catch (error) {
      throw this.#explain(error, name, options.signal);
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
      const { wire } = this.#options;
      const length = sizeBytes === undefined ? undefined : String(sizeBytes);
      const headers = { 'content-type': 'application/octet-stream' };
      const signed = wire.headers({ method: 'PUT', path: '/v1/blobs', headers, body: undefined });
      const response = await exchange({
        endpoint: wire.endpoint,
        method: 'PUT',
        path: '/v1/blobs',
        headers: {
          ...signed,
          ...(length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
        },
        body: body.pipe(counted),
        idleMs: CLIENT_LIMITS.idleMs,
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

  async s3(request: S3Exchange): Promise<S3Reply> {
    const { wire } = this.#options;
    try {
      const { httpS3 } = await import('./http-s3.ts');
      return await httpS3(wire, request, CLIENT_LIMITS.s3IdleMs);
    } catch (error) {
      throw this.#explain(
        error,
        request.method === 'GET' || request.method === 'HEAD' ? 'GetS3' : 's3',
        request.signal,
      );
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #once(name: string, body: Buffer, options: CallOptions): Promise<unknown> {
    const response = await this.#send(name, body, options, options.timeoutMs ?? CLIENT_LIMITS.timeoutMs);
    return parseAnswer(await readText(response), 200);
  }

  async #send(name: string, body: Buffer, options: CallOptions, idleMs: number): Promise<IncomingMessage> {
    const { clock, wire, onRequest, onStale } = this.#options;
    const startMs = clock.monotonicMs();
    const path = `/v1/${name}`;
    const headers = { ...optionHeaders(options), 'content-type': 'application/json' };
    const response = await exchange({
      endpoint: wire.endpoint,
      method: 'POST',
      path,
      headers: { ...wire.headers({ method: 'POST', path, headers, body }), 'content-length': String(body.length) },
      body,
      idleMs,
      signal: options.signal,
    });
    const status = response.statusCode ?? 0;
    onRequest?.({ name, status, tookMs: clock.monotonicMs() - startMs });
    if (status !== 200) await refuse(response);
    const stale = response.headers['novactl-stale-ms'];
    if (typeof stale === 'string' && /^\d{1,15}$/.test(stale)) onStale?.(Number(stale));
    return response;
  }

  /** `name`: of an operation, or what stands for one. */
  #explain(error: unknown, name: string, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    if (error instanceof CloudError) return error;
    const told = this.#options.wire.explain(error);
    if (told !== undefined) return told;
    if (!isBroken(error)) return error;
    const unknown = READS.test(name) ? '' : '; whether it was done is not known, novactl op list says so';
    return new CloudError('Unavailable', `the connection to the cloud broke (${errorText(error)})${unknown}`, {
      cause: error,
    });
  }
}

/** Of a request that is to be done in a project that the caller chose. */
export function projectHeader(project: string | undefined): Record<string, string> {
  return project === undefined ? {} : { 'x-novactl-project': project };
}

function optionHeaders(options: CallOptions): Record<string, string> {
  return {
    ...(options.clientToken === undefined ? {} : { 'x-novactl-client-token': options.clientToken }),
    ...(options.reason === undefined ? {} : { 'x-novactl-reason': encodeURIComponent(options.reason) }),
    ...(options.dryRun === true ? { 'x-novactl-dry-run': '1' } : {}),
  };
}
