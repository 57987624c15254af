import { isIPv6 } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { parseListen } from './config/listen.ts';
import type { Config } from './config/schema.ts';
import { processCertificate } from './tls/process-certificate.ts';
import { refusePlaintext } from './tls/refuse-plaintext.ts';

/** So often a process looks whether its certificate is to be renewed. */
const LOOK_EVERY_MS = 12 * 3_600_000;

interface Certificate {
  readonly certificates: string;
  readonly privateKey: string;
}

interface Listener {
  /** Answers the port. */
  start(): Promise<number>;
  close(): Promise<void>;
  renew(certificate: Certificate): void;
}

export interface ListenersParts {
  readonly config: Config;
  readonly cloudId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Servers of one API, one an address of the section's `listen`, with a certificate that is renewed before it ends. */
export class Listeners {
  readonly #section: 'ec2' | 'objectstore';
  readonly #parts: ListenersParts;
  readonly #servers: Listener[] = [];
  #timer: Timer | undefined;
  #current: string | undefined;

  constructor(section: 'ec2' | 'objectstore', parts: ListenersParts) {
    this.#section = section;
    this.#parts = parts;
  }

  /** Answers the addresses. Whoever was started is ended by `close`, also when the rest fails. */
  async start(
    create: (at: { listen: { host: string; port: number }; certificate?: Certificate }) => Listener,
  ): Promise<string[]> {
    const { config, clock } = this.#parts;
    const settings = config[this.#section];
    const { listen, port: defaultPort, protocol } = settings;
    for (const text of listen) refusePlaintext(this.#section, settings, parseListen(text).host);
    const certificate = protocol === 'https' ? await this.#certify() : undefined;
    this.#current = certificate?.certificates;
    const urls: string[] = [];
    for (const text of listen) {
      const { host, port = defaultPort } = parseListen(text);
      const server = create({ listen: { host, port }, ...(certificate === undefined ? {} : { certificate }) });
      this.#servers.push(server);
      urls.push(`${protocol}://${isIPv6(host) ? `[${host}]` : host}:${await server.start()}`);
    }
    if (certificate !== undefined) this.#timer = clock.every(LOOK_EVERY_MS, () => this.#renew(), { unref: true });
    return urls;
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  #certify(): ReturnType<typeof processCertificate> {
    const { config, cloudId, clock, random } = this.#parts;
    return processCertificate(config, { cloudId, random, nowMs: clock.nowMs() });
  }

  #renew(): void {
    this.#certify().then(
      (certificate) => {
        if (certificate.certificates === this.#current) return;
        this.#current = certificate.certificates;
        for (const server of this.#servers) server.renew(certificate);
      },
      (error: unknown) => this.#parts.logger.error('the certificate could not be renewed', { error: errorText(error) }),
    );
  }
}
