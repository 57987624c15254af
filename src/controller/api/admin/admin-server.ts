import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { asCloudError, CloudError } from '../../../base/errors.ts';
import { newId } from '../../../base/ids.ts';
import type { Random } from '../../../base/random.ts';
import { randomHex } from '../../../base/random.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Clock } from '../../../base/clock.ts';
import { GIB } from '../../../base/units.ts';
import type { Blobs } from '../../../ports/blobs.ts';
import { definitionOf } from '../../operations/executor.ts';
import type { CallMeta, Principal } from '../../operations/handler.ts';
import type { Gateway } from '../gateway.ts';

const BODY_MAX_BYTES = 1024 * 1024;
const UPLOAD_MAX_BYTES = 512 * GIB;
const HEARTBEAT_MS = 15_000;
const HEADER_MAX_CHARS = 1024;

export interface AdminServerOptions {
  readonly gateway: Gateway;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly socketPath: string;
}

/**
 * The admin API on a UNIX socket: `POST /v1/<Operation>` with JSON, NDJSON for streams, `PUT /v1/blobs` for bytes. Whoever can open the socket
 * (its folder is 0700) is root of this cloud; SUDO_USER is recorded as a claim.
 */
export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #app: FastifyInstance;
  readonly #streams = new Set<AbortController>();

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#app = fastify({ logger: false, bodyLimit: BODY_MAX_BYTES, forceCloseConnections: true, requestTimeout: 0 });
    this.#routes();
  }

  async start(): Promise<void> {
    const { socketPath } = this.#options;
    await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
    await chmod(dirname(socketPath), 0o700);
    // The state lock is held: a socket file that is left here belongs to nobody.
    await rm(socketPath, { force: true });
    await this.#app.listen({ path: socketPath });
    await chmod(socketPath, 0o600);
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.abort();
    await this.#app.close();
  }

  #routes(): void {
    const app = this.#app;
    app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
    app.setErrorHandler((error, request, reply) => this.#fail(error, request, reply));
    app.setNotFoundHandler((request, reply) =>
      this.#fail(
        new CloudError('InvalidAction', `there is no ${request.method} ${request.url.slice(0, 100)} here`),
        request,
        reply,
      ),
    );
    app.put('/v1/blobs', { bodyLimit: UPLOAD_MAX_BYTES }, async (request) => this.#upload(request));
    app.post<{ Params: { operation: string } }>('/v1/:operation', async (request, reply) => {
      const { operation } = request.params;
      const meta = this.#meta(request);
      if (definitionOf(operation).kind === 'stream') return this.#stream(operation, request, reply, meta);
      const output = await this.#options.gateway.unary(operation, request.body, meta);
      void reply.header('x-novactl-request-id', meta.requestId);
      return output;
    });
  }

  #meta(request: FastifyRequest): CallMeta {
    const header = (name: string): string | undefined => {
      const value = request.headers[name];
      const text = Array.isArray(value) ? value[0] : value;
      return text === undefined || text === '' ? undefined : text.slice(0, HEADER_MAX_CHARS);
    };
    const token = header('x-novactl-client-token');
    if (token !== undefined && !/^[\x21-\x7e]{1,64}$/.test(token)) {
      throw new CloudError(
        'InvalidParameterValue',
        'ClientToken: must be 1 to 64 printable ASCII characters without spaces',
        {
          details: { parameter: 'ClientToken' },
        },
      );
    }
    const reason = header('x-novactl-reason');
    const sudo = header('x-novactl-sudo-user');
    return {
      requestId: `req-${randomHex(this.#options.random, 17)}`,
      principal: socketPrincipal(sudo),
      ...(token === undefined ? {} : { clientToken: token }),
      ...(reason === undefined ? {} : { reason: decodeReason(reason) }),
      ...(header('x-novactl-dry-run') === undefined ? {} : { dryRun: true }),
    };
  }

  async #upload(request: FastifyRequest): Promise<object> {
    const { blobs, random } = this.#options;
    const key = `upload/${newId('blob', random)}`;
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    const info = await blobs.put(key, body, { maxBytes: UPLOAD_MAX_BYTES });
    return { blobKey: info.key, sizeBytes: info.sizeBytes, sha256: info.sha256 };
  }

  /** One output a line; blank lines keep a quiet connection alive and show the client that we are there. */
  async #stream(name: string, request: FastifyRequest, reply: FastifyReply, meta: CallMeta): Promise<FastifyReply> {
    const abort = new AbortController();
    this.#streams.add(abort);
    reply.raw.on('close', () => abort.abort());
    const outputs = this.#options.gateway.stream(name, request.body, meta, abort.signal)[Symbol.asyncIterator]();
    // The first output is awaited before the head is sent, so that a refusal is an ordinary error answer.
    const first = await outputs.next();
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-novactl-request-id': meta.requestId });
    const beat = this.#options.clock.every(HEARTBEAT_MS, () => void reply.raw.write('\n'), { unref: true });
    try {
      for (let item = first; item.done !== true; item = await outputs.next()) {
        // A reader that is slower than the changes is waited for: the stream decides what it may miss.
        if (!reply.raw.write(`${JSON.stringify(item.value)}\n`)) await drained(reply.raw, abort.signal);
      }
    } catch (error) {
      reply.raw.write(`${JSON.stringify({ error: asCloudError(error).flatten() })}\n`);
    } finally {
      beat.cancel();
      this.#streams.delete(abort);
      reply.raw.end();
    }
    return reply;
  }

  #fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = fromFastify(thrown);
    const requestId = `req-${randomHex(this.#options.random, 17)}`;
    const line = { requestId, url: request.url.slice(0, 100), code: error.code, error: error.message };
    if (error.status >= 500) this.#options.logger.error('request failed', { ...line, stack: stackOf(thrown) });
    else this.#options.logger.debug('request refused', line);
    void reply.status(error.status).send({ error: error.flatten(), requestId });
  }
}

/** Whoever may open the socket. */
export function socketPrincipal(sudoUser: string | undefined): Principal {
  const claim = sudoUser === undefined ? '' : ` (sudo ${sudoUser.replaceAll(/[^\w.@-]/g, '?').slice(0, 64)})`;
  return { name: `root@socket${claim}`, projectId: 'admin', roles: ['cloudadmin'], from: 'socket' };
}

function decodeReason(text: string): string {
  try {
    return decodeURIComponent(text).slice(0, HEADER_MAX_CHARS);
  } catch {
    return text;
  }
}

/** Fastify's own refusals (bad JSON, too large a body) in our words. */
function fromFastify(thrown: unknown): CloudError {
  const { code, message } = thrown as { code?: unknown; message?: string };
  if (thrown instanceof CloudError || typeof code !== 'string' || !code.startsWith('FST_')) {
    return thrown instanceof SyntaxError
      ? new CloudError('MalformedRequest', 'the body is not JSON')
      : asCloudError(thrown);
  }
  const known = code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? 'RequestTooLarge' : 'MalformedRequest';
  return new CloudError(known, message ?? 'the request can not be read');
}

function stackOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.stack : undefined;
}

/** Resolves when what was written has gone out, or nobody reads any more. */
function drained(stream: Writable, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (gone.aborted) return resolve();
    const done = (): void => {
      stream.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    stream.once('drain', done);
    gone.addEventListener('abort', done, { once: true });
  });
}
