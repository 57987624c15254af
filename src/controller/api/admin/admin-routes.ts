import type { IncomingMessage } from 'node:http';
import { Readable, type Writable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { asCloudError, CloudError, errorText } from '../../../base/errors.ts';
import { newId, sha256Hex } from '../../../base/ids.ts';
import type { Random } from '../../../base/random.ts';
import { randomHex } from '../../../base/random.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Clock } from '../../../base/clock.ts';
import { UNSIGNED_PAYLOAD } from '../../../base/signature/signature-v4.ts';
import { GIB } from '../../../base/units.ts';
import { ACCESS_RULES, passesRule } from '../../../domain/access-rules.ts';
import type { Blobs } from '../../../ports/blobs.ts';
import { definitionOf } from '../../operations/executor.ts';
import type { CallMeta, Principal } from '../../operations/handler.ts';
import type { Gateway } from '../gateway.ts';
import type { S3Door } from '../s3/s3-edge.ts';
import { ConsoleEdge } from './console-edge.ts';
import { isS3Request, registerS3Routes } from './s3-routes.ts';

export const BODY_MAX_BYTES = 1024 * 1024;
const UPLOAD_MAX_BYTES = 512 * GIB;
const HEARTBEAT_MS = 15_000;
const REASON_MAX_CHARS = 1024;
/** Milliseconds that the answer may be behind, while the store can't be reached. */
const STALE_HEADER = 'novactl-stale-ms';

/** Who asks, and what the signature says of the body. */
export interface Authenticated {
  readonly principal: Principal;
  /** Lower-case hex SHA-256 that the body must have, or UNSIGNED-PAYLOAD; undefined where nothing is signed. */
  readonly payloadHash?: string;
}

export interface AdminRoutesOptions {
  readonly gateway: Gateway;
  readonly blobs: Blobs;
  /** The object store, or who says where it is. Absent: it can't be asked here. */
  readonly s3?: S3Door;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** From the head of a request alone, before a byte of its body is read. Throws what the caller is to be told. */
  readonly authenticate: (request: IncomingMessage) => Promise<Authenticated>;
  /** A JSON body that takes longer to arrive ends the connection. */
  readonly bodyTimeoutMs?: number;
}

/**
 * The admin API's routes, the same on every edge: `POST /v1/<Operation>` with JSON, NDJSON for streams, `PUT /v1/blobs` for bytes, S3's own protocol below
 * `/v1/s3`. Each edge says by `authenticate` who the caller is.
 */
export class AdminRoutes {
  readonly #options: AdminRoutesOptions;
  readonly #streams = new Set<AbortController>();
  readonly #callers = new WeakMap<IncomingMessage, Authenticated>();
  readonly #consoles: ConsoleEdge;

  constructor(options: AdminRoutesOptions) {
    this.#options = options;
    const { gateway, clock, logger } = options;
    this.#consoles = new ConsoleEdge({ gateway, clock, logger, meta: (request) => this.#upgrading(request) });
  }

  /** Ends the streams that are open. */
  close(): void {
    for (const stream of this.#streams) stream.abort();
    this.#consoles.close();
  }

  register(app: FastifyInstance): void {
    this.#parsers(app);
    app.addHook('onRequest', async (request, reply) => {
      this.#callers.set(request.raw, await this.#options.authenticate(request.raw));
      this.#limitBody(request, reply);
    });
    // What fails at taking a connection (no descriptor is free) is that connection's, not the cloud's.
    app.addHook('onListen', (done) => {
      app.server.on('error', (error) => this.#options.logger.error('admin API', { error: errorText(error) }));
      done();
    });
    app.setErrorHandler((error, request, reply) => this.#fail(error, request, reply));
    app.setNotFoundHandler((request, reply) =>
      this.#fail(
        new CloudError('InvalidAction', `there is no ${request.method} ${request.url.slice(0, 100)} here`),
        request,
        reply,
      ),
    );
    app.server.on('upgrade', (request, socket, head) => this.#consoles.handle(request, socket, head));
    const { s3, clock } = this.#options;
    if (s3 !== undefined) registerS3Routes(app, { door: s3, clock, callerOf: (request) => this.#caller(request) });
    app.put('/v1/blobs', async (request) => this.#upload(request));
    app.post<{ Params: { operation: string } }>('/v1/:operation', async (request, reply) => {
      const { operation } = request.params;
      this.#checkEmptyBody(request);
      const meta = this.#meta(request.raw);
      if (definitionOf(operation).kind === 'stream') return this.#stream(operation, request, reply, meta);
      const output = await this.#options.gateway.unary(operation, request.body, meta);
      void reply.headers({ 'x-novactl-request-id': meta.requestId, ...this.#staleHeader(operation) });
      return output;
    });
  }

  /** JSON is held and checked against the signature; bytes go through as a stream. Nothing else is read. */
  #parsers(app: FastifyInstance): void {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/octet-stream', (request, payload, done) => {
      if (request.method !== 'PUT') done(new CloudError('MalformedRequest', 'the body must be application/json'));
      else done(null, payload);
    });
    const parse = app.getDefaultJsonParser('error', 'error');
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
      const { payloadHash } = this.#caller(request.raw);
      if (payloadHash !== undefined && payloadHash !== sha256Hex(bytes)) done(wrongBody());
      else void parse(request, bytes.toString('utf8'), done);
    });
  }

  #caller(request: IncomingMessage): Authenticated {
    const caller = this.#callers.get(request);
    if (caller === undefined) throw new CloudError('MissingAuthenticationToken', 'the request was not authenticated');
    return caller;
  }

  /** Of a request that becomes a connection of bytes: it has no body. */
  async #upgrading(request: IncomingMessage): Promise<CallMeta> {
    const caller = await this.#options.authenticate(request);
    const { payloadHash } = caller;
    if (payloadHash !== undefined && payloadHash !== sha256Hex('')) throw wrongBody();
    this.#callers.set(request, caller);
    return this.#meta(request);
  }

  /** A body that is not there has a hash too. */
  #checkEmptyBody(request: FastifyRequest): void {
    const { payloadHash } = this.#caller(request.raw);
    if (payloadHash === UNSIGNED_PAYLOAD) throw wrongBody();
    if (request.body === undefined && payloadHash !== undefined && payloadHash !== sha256Hex('')) throw wrongBody();
  }

  #limitBody(request: FastifyRequest, reply: FastifyReply): void {
    const { bodyTimeoutMs, clock } = this.#options;
    if (bodyTimeoutMs === undefined || request.method === 'PUT' || isS3Request(request.url)) return;
    const timer = clock.after(bodyTimeoutMs, () => request.raw.destroy(), { unref: true });
    request.raw.once('end', () => timer.cancel());
    reply.raw.once('close', () => timer.cancel());
  }

  #meta(request: IncomingMessage): CallMeta {
    const header = (name: string): string | undefined => {
      const value = request.headers[name];
      const text = Array.isArray(value) ? value[0] : value;
      return text === '' ? undefined : text;
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
    return {
      requestId: `req-${randomHex(this.#options.random, 17)}`,
      principal: this.#caller(request).principal,
      ...(token === undefined ? {} : { clientToken: token }),
      ...(reason === undefined ? {} : { reason: decodeReason(reason) }),
      ...(header('x-novactl-dry-run') === undefined ? {} : { dryRun: true }),
    };
  }

  /** Of an answer that may not be what others have written meanwhile. */
  #staleHeader(operation: string): Record<string, string> {
    const { staleMs } = this.#options.gateway;
    const isStale = staleMs !== undefined && !definitionOf(operation).changes;
    return isStale ? { [STALE_HEADER]: String(Math.round(staleMs)) } : {};
  }

  async #upload(request: FastifyRequest): Promise<object> {
    const { blobs, random } = this.#options;
    refuseUpload(this.#caller(request.raw).principal);
    const key = `upload/${newId('blob', random)}`;
    const body = request.body ?? Readable.from([]);
    if (!(body instanceof Readable)) {
      throw new CloudError('MalformedRequest', 'the body must be application/octet-stream');
    }
    const { payloadHash } = this.#caller(request.raw);
    const isSigned = payloadHash !== undefined && payloadHash !== UNSIGNED_PAYLOAD;
    const info = await blobs.put(key, body, {
      maxBytes: UPLOAD_MAX_BYTES,
      ...(isSigned ? { expectSha256: payloadHash } : {}),
    });
    return { blobKey: info.key, sizeBytes: info.sizeBytes, sha256: info.sha256 };
  }

  /** One output a line; blank lines keep a quiet connection alive and show the client that we are there. */
  async #stream(name: string, request: FastifyRequest, reply: FastifyReply, meta: CallMeta): Promise<FastifyReply> {
    const abort = new AbortController();
    this.#streams.add(abort);
    // Also of an answer that is a refusal.
    reply.raw.on('close', () => {
      abort.abort();
      this.#streams.delete(abort);
    });
    const outputs = this.#options.gateway.stream(name, request.body, meta, abort.signal)[Symbol.asyncIterator]();
    // The first output is awaited before the head is sent, so that a refusal is an ordinary error answer.
    const first = await outputs.next();
    reply.hijack();
    reply.raw.writeHead(200, {
      ...{ 'content-type': 'application/x-ndjson', 'x-novactl-request-id': meta.requestId },
      ...this.#staleHeader(name),
    });
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
      reply.raw.end();
    }
    return reply;
  }

  #fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = fromFastify(thrown);
    const requestId = `req-${randomHex(this.#options.random, 17)}`;
    const line = { requestId, url: request.url.slice(0, 100), code: error.code, error: error.message };
    // What is said to pass, such as a store or a bus that is away, is no mistake of this program, and its stack says nothing.
    if (error.status === 503 || error.status === 504) this.#options.logger.warn('request not done', line);
    else if (error.status >= 500) this.#options.logger.error('request failed', { ...line, stack: stackOf(thrown) });
    else this.#options.logger.debug('request refused', line);
    // Of a body that nobody will read no more is taken: the connection ends with the answer.
    if (!request.raw.complete) void reply.header('connection', 'close');
    // An answer without a body still says why.
    if (request.method === 'HEAD')
      void reply.header('x-novactl-error', encodeURIComponent(JSON.stringify(error.flatten())));
    void reply.status(error.status).send({ error: error.flatten(), requestId });
  }
}

/** Bytes are for images: who may register none has nothing to send. */
function refuseUpload({ name, projectId, roles }: Principal): void {
  const { access } = definitionOf('RegisterImage');
  if (passesRule(access, roles)) return;
  throw new CloudError(
    'UnauthorizedOperation',
    `to upload an image is for cloudadmin, ${ACCESS_RULES[access].join(', ')} (rule "${access}"); ${name} is ${roles.join(', ')} in project ${projectId}`,
    { details: { rule: access } },
  );
}

function wrongBody(): CloudError {
  return new CloudError(
    'SignatureDoesNotMatch',
    'x-amz-content-sha256 must be the SHA-256 of the body that came; JSON bodies are always signed',
  );
}

function decodeReason(text: string): string {
  try {
    return decodeURIComponent(text).slice(0, REASON_MAX_CHARS);
  } catch {
    return text.slice(0, REASON_MAX_CHARS);
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
