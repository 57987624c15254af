import { createServer } from 'node:https';
import { isIPv6, type AddressInfo, type Socket } from 'node:net';
import fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { CloudError, errorText } from '../../../base/errors.ts';
import { ConnectionCounter } from '../connection-counter.ts';
import type { Authenticator } from '../signature/authenticator.ts';
import { AdminRoutes, BODY_MAX_BYTES, type AdminRoutesOptions } from './admin-routes.ts';

/** What strangers can make this server hold. */
export const HTTPS_LIMITS = {
  /** Of one listener; more are refused at once. */
  connections: 1024,
  /** Of one address: what several administrators behind one translator need, and far from all. */
  connectionsPerSource: 256,
  /** All headers of a request together. */
  headerBytes: 16_384,
  headerCount: 100,
  handshakeMs: 10_000,
  headersMs: 10_000,
  /** A JSON body; an upload may take as long as it moves. */
  bodyMs: 30_000,
  /** Silence in both directions. Streams send a blank line every 15 s. */
  idleMs: 60_000,
  keepAliveMs: 5000,
  checkEveryMs: 2000,
} as const;

/** PEM. */
export interface ServerCertificate {
  /** The server's own, then its authority's. */
  readonly certificates: string;
  readonly privateKey: string;
}

export interface AdminHttpsServerOptions extends Omit<AdminRoutesOptions, 'authenticate' | 'bodyTimeoutMs'> {
  readonly authenticator: Authenticator;
  readonly certificate: ServerCertificate;
  readonly listen: { readonly host: string; readonly port: number };
  /** Times in place of those of HTTPS_LIMITS. */
  readonly times?: { readonly headersMs: number; readonly checkEveryMs: number };
}

/** The admin API over TLS on one address; every request is signed. */
export class AdminHttpsServer {
  readonly #options: AdminHttpsServerOptions;
  readonly #app: FastifyInstance;
  readonly #routes: AdminRoutes;
  readonly #server: ReturnType<typeof createServer>;

  constructor(options: AdminHttpsServerOptions) {
    this.#options = options;
    const { privateKey, certificates } = options.certificate;
    const { headersMs, checkEveryMs } = options.times ?? HTTPS_LIMITS;
    this.#server = createServer({
      key: privateKey,
      cert: certificates,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HTTPS_LIMITS.handshakeMs,
      maxHeaderSize: HTTPS_LIMITS.headerBytes,
      headersTimeout: headersMs,
      requestTimeout: 0,
      keepAliveTimeout: HTTPS_LIMITS.keepAliveMs,
      connectionsCheckingInterval: checkEveryMs,
    });
    this.#server.maxConnections = HTTPS_LIMITS.connections;
    const counter = new ConnectionCounter(HTTPS_LIMITS.connectionsPerSource);
    this.#server.on('connection', (socket: Socket) => counter.admit(socket, socket.remoteAddress ?? ''));
    this.#server.maxHeadersCount = HTTPS_LIMITS.headerCount;
    // Until a request has come, node's own limit for its headers does not run either.
    this.#server.setTimeout(headersMs);
    this.#app = fastify({
      logger: false,
      bodyLimit: BODY_MAX_BYTES,
      forceCloseConnections: true,
      serverFactory: (handler) =>
        this.#server.on('request', (request, response) => {
          request.socket.setTimeout(HTTPS_LIMITS.idleMs);
          handler(request, response);
        }),
    }) as unknown as FastifyInstance;
    this.#routes = new AdminRoutes({
      ...options,
      bodyTimeoutMs: HTTPS_LIMITS.bodyMs,
      authenticate: (request) => options.authenticator.authenticate(request),
    });
    this.#routes.register(this.#app);
  }

  /** Answers the port, which differs from the one asked for when that was 0. */
  async start(): Promise<number> {
    const { host, port } = this.#options.listen;
    try {
      await this.#app.listen({ host, port });
    } catch (error) {
      const at = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
      throw new CloudError('Unavailable', `api.listen: can't listen at ${at}: ${errorText(error)}`, { cause: error });
    }
    return (this.#server.address() as AddressInfo).port;
  }

  /** New connections get this certificate. */
  renew({ certificates, privateKey }: ServerCertificate): void {
    this.#server.setSecureContext({ key: privateKey, cert: certificates, minVersion: 'TLSv1.2' });
  }

  async close(): Promise<void> {
    this.#routes.close();
    await this.#app.close();
  }
}
