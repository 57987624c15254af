import { chmod, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { CloudError, errorText } from '../../../base/errors.ts';
import type { Readiness } from '../../../messages/readiness.ts';

export interface StatusServerOptions {
  readonly listen: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly readiness: () => Readiness;
  /** In the Prometheus text format; absent: this process keeps no figures. */
  readonly metrics?: (() => Promise<string>) | undefined;
}

const HEADERS_MS = 5000;
const CONNECTIONS = 64;
const TEXT = 'text/plain; charset=utf-8';
/** Version of the Prometheus text format. */
const FIGURES = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * How a process is, by plain HTTP and without identity, so for loopback addresses and for machines that watch: `/livez` (200 whenever it answers at
 * all), `/readyz` (200 or 503, JSON with the reasons), `/metrics`.
 */
export class StatusServer {
  readonly #options: StatusServerOptions;
  readonly #app: FastifyInstance;

  constructor(options: StatusServerOptions) {
    this.#options = options;
    this.#app = fastify({ logger: false, bodyLimit: 1024, forceCloseConnections: true, requestTimeout: HEADERS_MS });
    this.#app.server.maxConnections = CONNECTIONS;
    this.#app.get('/livez', (_request, reply) => reply.type(TEXT).send('ok\n'));
    this.#app.get('/readyz', (_request, reply) => {
      const readiness = options.readiness();
      return reply.code(readiness.ready ? 200 : 503).send(readiness);
    });
    this.#app.get('/metrics', async (_request, reply) => {
      if (options.metrics === undefined)
        return reply.code(404).type(TEXT).send('this process keeps no figures; set metrics.listen\n');
      return reply.type(FIGURES).send(await options.metrics());
    });
  }

  /** Answers the port; 0 for a path. CloudError 'Unavailable' when it can't listen there. */
  async start(): Promise<number> {
    const { listen } = this.#options;
    const where = 'path' in listen ? listen.path : `${listen.host}:${listen.port}`;
    try {
      if ('path' in listen) {
        // Whoever starts it has the lock of the folder: what is left there belongs to nobody.
        await rm(listen.path, { force: true });
        await this.#app.listen({ path: listen.path });
        await chmod(listen.path, 0o600);
        return 0;
      }
      await this.#app.listen(listen);
      return (this.#app.server.address() as AddressInfo).port;
    } catch (error) {
      throw new CloudError(
        'Unavailable',
        `the status of this process can't be served at ${where}: ${errorText(error)}; set metrics.listen to another address`,
        { cause: error },
      );
    }
  }

  async close(): Promise<void> {
    await this.#app.close();
  }
}
