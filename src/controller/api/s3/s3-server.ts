import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { isIPv6, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import { CloudError, errorText } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { ConnectionCounter } from '../connection-counter.ts';
import type { S3Edge } from './s3-edge.ts';
import { sendAnswer, TAKE_MS } from './send-answer.ts';

/** What strangers can make this server hold. */
export const S3_SERVER_LIMITS = {
  /** Of one listener; more are refused at once. */
  connections: 1024,
  connectionsPerSource: 512,
  /** Request line and headers. */
  headerBytes: 32 * 1024,
  headerCount: 200,
  handshakeMs: 10_000,
  headersMs: 10_000,
  /** Silence in both directions. */
  idleMs: 65_000,
  keepAliveMs: 60_000,
  takeMs: TAKE_MS,
  checkEveryMs: 1000,
  /** Requests that are carried out at a time. */
  underWay: 1024,
  /** So long a server that closes waits for what is under way. */
  drainMs: 10_000,
} as const;

/** Milliseconds, in place of those of S3_SERVER_LIMITS. */
export type S3Times = Partial<
  Record<'headersMs' | 'idleMs' | 'keepAliveMs' | 'takeMs' | 'checkEveryMs' | 'drainMs', number>
>;

export interface S3ServerOptions {
  readonly edge: S3Edge;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Logger;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM; absent: plain HTTP. */
  readonly certificate?: { readonly certificates: string; readonly privateKey: string };
  readonly limits?: S3Times;
}

/** What node finds wrong before there is a request, or in the middle of its body. */
const PARSER_ERRORS: Readonly<Record<string, CloudError>> = {
  HPE_HEADER_OVERFLOW: new CloudError(
    'RequestTooLarge',
    `the headers are larger than ${S3_SERVER_LIMITS.headerBytes} bytes`,
  ),
  HPE_INVALID_EOF_STATE: new CloudError('IncompleteBody', 'the connection ended before the request was there'),
  ERR_HTTP_REQUEST_TIMEOUT: new CloudError('RequestTimeout', 'the request did not come to its end in time'),
};

/** S3 on one address. Bodies pass through it, and nothing of them is kept. */
export class S3Server {
  readonly #options: S3ServerOptions;
  readonly #limits: typeof S3_SERVER_LIMITS & S3Times;
  readonly #server: Server | TlsServer;
  #underWay = 0;
  #isClosing = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: S3ServerOptions) {
    this.#options = options;
    this.#limits = { ...S3_SERVER_LIMITS, ...options.limits } as typeof S3_SERVER_LIMITS;
    const { headersMs, keepAliveMs, checkEveryMs } = this.#limits;
    const limits = {
      noDelay: true,
      maxHeaderSize: S3_SERVER_LIMITS.headerBytes,
      headersTimeout: headersMs,
      // A body may be large and the line slow; how slow, the body's reader says.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: checkEveryMs,
    };
    const { certificate } = options;
    this.#server =
      certificate === undefined
        ? createServer(limits)
        : createTlsServer({
            ...limits,
            key: certificate.privateKey,
            cert: certificate.certificates,
            minVersion: 'TLSv1.2',
            handshakeTimeout: S3_SERVER_LIMITS.handshakeMs,
          });
    this.#listenToAll();
  }

  #listenToAll(): void {
    const server = this.#server;
    server.maxConnections = S3_SERVER_LIMITS.connections;
    server.maxHeadersCount = S3_SERVER_LIMITS.headerCount;
    const counter = new ConnectionCounter(S3_SERVER_LIMITS.connectionsPerSource);
    server.on('connection', (socket: Socket) => counter.admit(socket, socket.remoteAddress ?? ''));
    // Until a request has come, node's own limit for its headers does not run either.
    server.setTimeout(2 * this.#limits.headersMs);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#receive(request, response));
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
      this.#receive(request, response, () => response.writeContinue()),
    );
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      this.#refuse(request, response, new CloudError('InvalidRequest', 'Expect can only be 100-continue')),
    );
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => this.#notARequest(error, socket));
  }

  /** Answers the port, which differs from the one asked for when that was 0. */
  start(): Promise<number> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      const onError = (cause: Error): void => {
        const at = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
        reject(new CloudError('Unavailable', `objectstore.listen: can't listen at ${at}: ${cause.message}`, { cause }));
      };
      this.#server.once('error', onError);
      this.#server.listen(port, host, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.#options.logger.error('S3 API', { error: errorText(error) }));
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** New connections get this certificate. */
  renew({ certificates, privateKey }: { readonly certificates: string; readonly privateKey: string }): void {
    if ('setSecureContext' in this.#server) {
      this.#server.setSecureContext({ key: privateKey, cert: certificates, minVersion: 'TLSv1.2' });
    }
  }

  /** Takes no more connections, lets what is under way end for a while, and ends the rest. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#options.clock.after(this.#limits.drainMs, resolve);
        this.#whenIdle = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#server.closeAllConnections();
    await closed;
  }

  #receive(request: IncomingMessage, response: ServerResponse, sendContinue?: () => void): void {
    request.socket.setTimeout(this.#limits.idleMs);
    request.on('error', () => undefined);
    if (this.#underWay >= S3_SERVER_LIMITS.underWay) {
      return this.#refuse(request, response, new CloudError('SlowDown', 'too many requests are under way; try again'));
    }
    this.#underWay += 1;
    response.once('close', () => {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#whenIdle?.();
    });
    this.#answer(request, response, sendContinue).catch((error: unknown) => {
      // Whatever it is, it is of this one request.
      this.#options.logger.error('S3 answer', { error: errorText(error) });
      response.destroy();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse, sendContinue?: () => void): Promise<void> {
    const { method = '', url = '', rawHeaders, socket } = request;
    let isHeld = sendContinue !== undefined;
    const begin = (): void => {
      if (isHeld && !response.destroyed) sendContinue?.();
      isHeld = false;
    };
    const outgoing = await this.#options.edge.answer({
      ...{ method, url, rawHeaders, body: { stream: request, isGivenAway: true, begin } },
      remoteAddress: socket.remoteAddress ?? 'unknown',
      isSecure: this.#options.certificate !== undefined,
    });
    const { clock } = this.#options;
    const { takeMs } = this.#limits;
    sendAnswer(outgoing, { request, response, clock, takeMs, isHeld, isLast: this.#isClosing });
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: CloudError): void {
    const { clock, edge } = this.#options;
    sendAnswer(edge.refusal(error), { request, response, clock, isHeld: false, isLast: true });
  }

  /** Also these get an answer that a client of S3 can read. */
  #notARequest(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const known = PARSER_ERRORS[error.code ?? ''];
    const { answer } = this.#options.edge.refusal(
      known ?? new CloudError('InvalidRequest', 'this is no HTTP request that can be read'),
    );
    const { status, headers, body } = answer;
    const text = typeof body === 'string' ? body : '';
    const all = { ...headers, 'content-length': String(Buffer.byteLength(text)), connection: 'close' };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`, () =>
      socket.destroy(),
    );
  }
}
