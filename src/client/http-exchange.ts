import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Readable } from 'node:stream';
import { CloudError, errorText, type FlatError } from '../base/errors.ts';

/** The most that one answer, or one line of a stream, may hold. */
export const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;

/** Where requests go: a UNIX socket, or a server by TLS that shows a certificate of the one authority `ca` (PEM), and no other's. */
export type Endpoint =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly ca: string; readonly connectMs: number };

export type HttpMethod = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';

export interface Exchange {
  readonly endpoint: Endpoint;
  readonly method: HttpMethod;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | Readable;
  /** Silence longer than this breaks the connection. */
  readonly idleMs: number;
  readonly signal: AbortSignal | undefined;
}

const codeOf = (error: unknown): string =>
  error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';

/** Nothing was sent: nobody listens at the socket. */
export const isAbsent = (error: unknown): boolean => ['ENOENT', 'ECONNREFUSED', 'ENOTDIR'].includes(codeOf(error));

/** The connection, not the request, is what failed: whether the request had an effect is not known. */
export const isBroken = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE', 'EAGAIN', 'ECONNABORTED', 'ETIMEDOUT'].includes(codeOf(error)) || isAbsent(error);

function send(req: ClientRequest, body: Buffer | Readable, fail: (error: Error) => void): void {
  if (Buffer.isBuffer(body)) {
    req.end(body);
    return;
  }
  body.once('error', (error) => {
    fail(error);
    req.destroy(error);
  });
  body.pipe(req);
}

/** What node's `request` takes for the endpoint. A connection is used once: an idle one that the other side closes would lose a request. */
function connectionOptions(endpoint: Endpoint): RequestOptions {
  // The empty servername (it is for TLS) spares the agent the search for one: 3 ms.
  if ('socketPath' in endpoint)
    return { socketPath: endpoint.socketPath, agent: false, servername: '' } as RequestOptions;
  const { host, port, ca } = endpoint;
  return { host, port, agent: false, ca, minVersion: 'TLSv1.2', rejectUnauthorized: true } as RequestOptions;
}

/** Begins a request; for an upgrade too. Environment variables for proxies are not looked at. */
export function beginRequest(endpoint: Endpoint, options: RequestOptions): ClientRequest {
  // An import statement would touch every name that node:http exports, and one of them loads the whole of fetch: 20 ms at each start.
  const { request } =
    'socketPath' in endpoint ? process.getBuiltinModule('node:http') : process.getBuiltinModule('node:https');
  const req = request({ ...connectionOptions(endpoint), ...options });
  if (!('socketPath' in endpoint)) {
    const { connectMs, host, port } = endpoint;
    req.once('socket', (socket) => {
      const late = (): void => {
        req.destroy(new CloudError('Unavailable', `${host}:${port} did not answer within ${connectMs / 1000} s`));
      };
      socket.setTimeout(connectMs);
      // Before node's own listener, which would take it for an answer that is late.
      socket.prependListener('timeout', late);
      socket.once('secureConnect', () => {
        socket.off('timeout', late);
        socket.setTimeout(options.timeout ?? 0);
      });
    });
  }
  return req;
}

/**
 * One request; resolves with the head of the answer. Rejects with the system's error, or with 'Timeout' when
 * nothing came for idleMs.
 */
export function exchange(asked: Exchange): Promise<IncomingMessage> {
  const { endpoint, method, path, headers, body, idleMs, signal } = asked;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const req = beginRequest(endpoint, { method, path, headers, timeout: idleMs });
    const abort = (): void => {
      req.destroy(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    req.once('close', () => signal?.removeEventListener('abort', abort));
    req.once('timeout', () => {
      req.destroy(new CloudError('Timeout', 'no answer came in time; novactl op list shows what was done'));
    });
    req.on('error', reject);
    req.once('response', (response) => {
      if (!Buffer.isBuffer(body)) body.unpipe(req);
      resolve(response);
    });
    send(req, body, reject);
  });
}

/** The whole body as text; RequestTooLarge past the limit. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_LIMIT_BYTES)
      throw new CloudError('RequestTooLarge', `the answer is over ${ANSWER_LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const isFlat = (value: unknown): value is FlatError =>
  value !== null && typeof value === 'object' && 'code' in value && 'message' in value;

/** The error in `{"error": FlatError, "requestId": ...}`, if it is one; the id is kept in its details. */
export function errorIn(value: unknown): CloudError | undefined {
  if (value === null || typeof value !== 'object' || !('error' in value) || !isFlat(value.error)) return undefined;
  const flat = value.error;
  const requestId = 'requestId' in value ? { requestId: value.requestId } : {};
  return CloudError.unflatten({ ...flat, details: { ...flat.details, ...requestId } });
}

/** JSON of an answer; what is not JSON comes from something that is not novactl. */
export function parseAnswer(text: string, status: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CloudError('InternalError', `the cloud answered ${status} with what is not JSON: ${errorText(error)}`);
  }
}

/** Throws what an answer that is not 200 says. */
export async function refuse(response: IncomingMessage): Promise<never> {
  const status = response.statusCode ?? 0;
  const value = parseAnswer(await readText(response), status);
  throw errorIn(value) ?? new CloudError('InternalError', `the cloud answered ${status} without saying why`);
}
