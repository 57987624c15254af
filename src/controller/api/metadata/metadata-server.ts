import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import { ConnectionCounter } from '../connection-counter.ts';
import type { MetadataAnswer } from './metadata-answer.ts';
import { answerMetadata } from './metadata-answer.ts';
import type { MetadataView } from './metadata-view.ts';
import { SessionTokens } from './session-tokens.ts';

export interface MetadataServerParts {
  /**
   * The instance whose address it is, from memory, or from a process that has the records. The address is the connection's: guests are held to theirs on
   * their taps. With a host only what is recorded on that host.
   */
  readonly lookup: (
    sourceAddress: string,
    hostId: string | undefined,
  ) => MetadataView | undefined | Promise<MetadataView | undefined>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface MetadataServer {
  start(): Promise<{ port: number }>;
  /** A guest's connection that a host hands over: `sourceAddress` is the guest's, as that host saw it. */
  accept(socket: Duplex, sourceAddress: string, hostId: string): void;
  close(): Promise<void>;
}

/** Guests are not trusted: every one of these is a guest's to exhaust, and none of them another's. */
export const METADATA_LIMITS = {
  headerBytes: 8 * 1024,
  /** No request of this service has a body; a small one is read and forgotten. */
  bodyBytes: 1024,
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  /** Also for a client that does not read its answer. */
  idleTimeoutMs: 10_000,
  keepAliveMs: 5000,
  connections: 2048,
  connectionsPerSource: 32,
  /** A connection that a host handed over is for one request, and lives no longer. */
  handedOverMs: 20_000,
} as const;

const MAPPED_IPV4 = '::ffff:';

interface Source {
  readonly address: string;
  /** The host that handed the connection over. */
  readonly hostId?: string;
}

function addressOf(socket: Socket): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
}

/** Headers and body in one write; a HEAD gets the headers that its GET would get. */
function send(response: ServerResponse, method: string, answer: MetadataAnswer): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.status, { ...answer.headers, 'content-length': String(body.length) });
  response.end(method === 'HEAD' ? undefined : body);
}

class HttpMetadataServer implements MetadataServer {
  readonly #parts: MetadataServerParts;
  readonly #tokens: SessionTokens;
  readonly #server: Server;
  readonly #connections = new ConnectionCounter(METADATA_LIMITS.connectionsPerSource);
  readonly #handedOver = new Map<Duplex, Source>();

  constructor(parts: MetadataServerParts) {
    this.#parts = parts;
    this.#tokens = new SessionTokens(parts);
    this.#server = createServer(
      {
        noDelay: true,
        maxHeaderSize: METADATA_LIMITS.headerBytes,
        headersTimeout: METADATA_LIMITS.headersTimeoutMs,
        requestTimeout: METADATA_LIMITS.requestTimeoutMs,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: METADATA_LIMITS.keepAliveMs,
      },
      (request, response) => this.#receive(request, response),
    );
    this.#server.maxConnections = METADATA_LIMITS.connections;
    this.#server.timeout = METADATA_LIMITS.idleTimeoutMs;
    this.#server.on('connection', (socket) => this.#admit(socket));
  }

  start(): Promise<{ port: number }> {
    const { host, port } = this.#parts;
    return new Promise((resolve, reject) => {
      const onError = (error: Error): void =>
        reject(
          new CloudError('Unavailable', `the metadata service cannot listen on ${host}:${port}: ${error.message}`, {
            cause: error,
          }),
        );
      this.#server.once('error', onError);
      this.#server.listen(port, host, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.#parts.logger.error('metadata service', { error: errorText(error) }));
        resolve({ port: (this.#server.address() as AddressInfo).port });
      });
    });
  }

  accept(socket: Duplex, address: string, hostId: string): void {
    if (this.#handedOver.size >= METADATA_LIMITS.connections) {
      socket.destroy();
      return;
    }
    this.#handedOver.set(socket, { address, hostId });
    const timer = this.#parts.clock.after(METADATA_LIMITS.handedOverMs, () => socket.destroy(), { unref: true });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      timer.cancel();
      this.#handedOver.delete(socket);
    });
    this.#server.emit('connection', socket);
  }

  close(): Promise<void> {
    for (const socket of this.#handedOver.keys()) socket.destroy();
    if (!this.#server.listening) return Promise.resolve();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #sourceOf(socket: Socket): Source {
    return this.#handedOver.get(socket) ?? { address: addressOf(socket) };
  }

  #admit(socket: Socket): void {
    const { address, hostId } = this.#sourceOf(socket);
    this.#connections.admit(socket, `${hostId ?? ''}/${address}`);
  }

  /** Answers when the request is read to its end, so that no body is taken for the next request. */
  #receive(request: IncomingMessage, response: ServerResponse): void {
    let bytes = 0;
    let tooLarge = false;
    request.on('error', () => response.destroy());
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= METADATA_LIMITS.bodyBytes || tooLarge) return;
      tooLarge = true;
      response.writeHead(413, { connection: 'close', 'content-length': '0' }).end(() => request.destroy());
    });
    request.on('end', () => {
      if (!tooLarge) void this.#answer(request, response);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? '';
    const { address: source, hostId } = this.#sourceOf(request.socket);
    if (hostId !== undefined) response.setHeader('connection', 'close');
    try {
      const view = await this.#parts.lookup(source, hostId);
      send(
        response,
        method,
        answerMetadata({ method, target: request.url ?? '', headers: request.headers }, view, this.#tokens),
      );
    } catch (error) {
      this.#parts.logger.error('metadata request failed', { source, error: errorText(error) });
      // Nobody who has the records can be asked now: the guest asks again.
      const status = isCode(error, 'Unavailable', 'Timeout') ? 503 : 500;
      send(response, method, { status, headers: { 'content-type': 'text/plain' }, body: '' });
    }
  }
}

/** The EC2 instance metadata service (versions 1 and 2), by the source address of the connection. */
export function createMetadataServer(parts: MetadataServerParts): MetadataServer {
  return new HttpMetadataServer(parts);
}
