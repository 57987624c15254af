import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { isIPv6, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CloudError, errorText } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { ConnectionCounter } from '../connection-counter.ts';
import type { Ec2Answer } from './ec2-answer.ts';
import type { Ec2Edge } from './ec2-edge.ts';
import { REQUEST_LIMITS } from './ec2-request.ts';

/** What strangers can make this server hold. */
export const EC2_LIMITS = {
  /** Of one listener; more are refused at once. */
  connections: 1024,
  connectionsPerSource: 256,
  /** Request line and headers; requests by GET have all their parameters there. */
  headerBytes: 64 * 1024,
  headerCount: 100,
  handshakeMs: 10_000,
  headersMs: 10_000,
  /** From its first byte to its last. */
  requestMs: 30_000,
  /** Silence in both directions; an answer may take two minutes. */
  idleMs: 125_000,
  keepAliveMs: 30_000,
  checkEveryMs: 1000,
  /** Requests that are read or carried out at a time. */
  underWay: 1024,
  /** Of all bodies that are held at a time. */
  bodiesBytes: 64 * 1024 * 1024,
} as const;

/** Milliseconds, in place of those of EC2_LIMITS. */
export interface Ec2Times {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly checkEveryMs: number;
}

export interface Ec2ServerOptions {
  readonly edge: Ec2Edge;
  readonly logger: Logger;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM; absent: plain HTTP. */
  readonly certificate?: { readonly certificates: string; readonly privateKey: string };
  readonly limits?: Ec2Times;
}

const TOO_LARGE = `the body is larger than ${REQUEST_LIMITS.bodyBytes} bytes`;

/** What node finds wrong before there is a request. */
const PARSER_ERRORS: Readonly<Record<string, CloudError>> = {
  HPE_HEADER_OVERFLOW: new CloudError('RequestTooLarge', `the headers are larger than ${EC2_LIMITS.headerBytes} bytes`),
  ERR_HTTP_REQUEST_TIMEOUT: new CloudError('MalformedRequest', 'the request did not come to its end in time'),
};

/** EC2's Query API on one address. Small answers go out in one write: a second one would wait 40 ms for the client's acknowledgement. */
export class Ec2Server {
  readonly #options: Ec2ServerOptions;
  readonly #server: Server | TlsServer;
  #underWay = 0;
  #bodiesBytes = 0;

  constructor(options: Ec2ServerOptions) {
    this.#options = options;
    const { headersMs, requestMs, checkEveryMs } = { ...EC2_LIMITS, ...options.limits };
    const limits = {
      noDelay: true,
      maxHeaderSize: EC2_LIMITS.headerBytes,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: EC2_LIMITS.keepAliveMs,
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
            handshakeTimeout: EC2_LIMITS.handshakeMs,
          });
    const server = this.#server;
    server.maxConnections = EC2_LIMITS.connections;
    server.maxHeadersCount = EC2_LIMITS.headerCount;
    const counter = new ConnectionCounter(EC2_LIMITS.connectionsPerSource);
    server.on('connection', (socket: Socket) => counter.admit(socket, socket.remoteAddress ?? ''));
    // Until a request has come, node's own limit for its headers does not run either.
    server.setTimeout(2 * headersMs);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#receive(request, response));
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      this.#end(request, response, refusalOf(options.edge, 'MalformedRequest', 'Expect can only be 100-continue')),
    );
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => this.#notARequest(error, socket));
  }

  /** Answers the port, which differs from the one asked for when that was 0. */
  start(): Promise<number> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      const onError = (cause: Error): void => {
        const at = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
        reject(new CloudError('Unavailable', `ec2.listen: can't listen at ${at}: ${cause.message}`, { cause }));
      };
      this.#server.once('error', onError);
      this.#server.listen(port, host, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.#options.logger.error('EC2 API', { error: errorText(error) }));
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

  /** Takes no more connections, and ends those that there are. */
  close(): Promise<void> {
    if (!this.#server.listening) return Promise.resolve();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const { edge } = this.#options;
    request.socket.setTimeout(EC2_LIMITS.idleMs);
    request.on('error', () => response.destroy());
    if (this.#underWay >= EC2_LIMITS.underWay) {
      return this.#end(request, response, refusalOf(edge, 'Unavailable', 'too many requests are under way; try again'));
    }
    this.#underWay += 1;
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isOver = false;
    const release = (): void => {
      if (isOver) return;
      isOver = true;
      this.#underWay -= 1;
      this.#bodiesBytes -= bytes;
    };
    response.on('close', release);
    request.on('data', (chunk: Buffer) => {
      if (isOver) return;
      bytes += chunk.length;
      this.#bodiesBytes += chunk.length;
      if (bytes > REQUEST_LIMITS.bodyBytes) {
        release();
        this.#end(request, response, refusalOf(edge, 'RequestTooLarge', TOO_LARGE));
      } else if (this.#bodiesBytes > EC2_LIMITS.bodiesBytes) {
        release();
        this.#end(
          request,
          response,
          refusalOf(edge, 'Unavailable', 'too many large requests are under way; try again'),
        );
      } else chunks.push(chunk);
    });
    request.on('end', () => {
      if (!isOver) void this.#answer(request, response, Buffer.concat(chunks));
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const { method = '', url = '', rawHeaders, socket } = request;
    const remoteAddress = socket.remoteAddress ?? 'unknown';
    const answer = await this.#options.edge.answer({ method, url, rawHeaders, body, remoteAddress });
    this.#end(request, response, answer);
  }

  /** Head and body as one text are one write. Of a body that nobody will read no more is taken: the connection ends with the answer. */
  #end(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Ec2Answer): void {
    if (response.headersSent || response.destroyed) return;
    const isRead = request.complete;
    response.writeHead(status, isRead ? headers : { ...headers, connection: 'close' });
    response.end(request.method === 'HEAD' ? undefined : body, () => {
      if (!isRead) request.destroy();
    });
  }

  /** Also these get an answer that a client of EC2 can read. */
  #notARequest(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const { edge } = this.#options;
    const known = PARSER_ERRORS[error.code ?? ''];
    const { status, headers, body } = edge.refusal(
      known ?? new CloudError('MalformedRequest', 'this is no HTTP request that can be read'),
    );
    const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`, () =>
      socket.destroy(),
    );
  }
}

const refusalOf = (
  edge: Ec2Edge,
  code: 'MalformedRequest' | 'RequestTooLarge' | 'Unavailable',
  text: string,
): Ec2Answer => edge.refusal(new CloudError(code, text));
