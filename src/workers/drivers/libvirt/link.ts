import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import { isSteady } from '../../../base/steady.ts';
import { openSession } from './open-session.ts';
import type { LifecycleMessage } from './procedures.ts';
import { RpcConnection } from './rpc-connection.ts';

export type Dial = () => Promise<Duplex>;

const LINK = {
  dialTimeoutMs: 30_000,
  backoffFirstMs: 200,
  backoffMaxMs: 30_000,
} as const;

export interface LinkOptions {
  readonly name: string;
  /** Tried in this order; the first that connects is used. */
  readonly dials: readonly Dial[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: boolean;
  /** False: the daemon is not asked to watch us, since we may stop reading for long. */
  readonly keepalive?: boolean;
  readonly onLifecycle: (message: LifecycleMessage) => void;
  /** A session stands, events registered. */
  readonly onUp: () => void;
  readonly onDown: (problem: string) => void;
}

const unreachableDaemon = (problem: string): CloudError =>
  new CloudError('Unavailable', `can't reach libvirt: ${problem}. Is libvirtd (or virtqemud) running on that host?`, {
    details: { outcome: 'not-sent' },
  });

/** One session with the daemon, dialled when it is first needed, and kept up by itself after keep(). */
export class Link {
  readonly #options: LinkOptions;
  #rpc: RpcConnection | undefined;
  #opening: Promise<RpcConnection> | undefined;
  #kept = false;
  #closed = false;
  #retry: Timer | undefined;
  #backoffMs: number = LINK.backoffFirstMs;
  #upSinceMs = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get up(): boolean {
    return this.#rpc !== undefined;
  }

  /** The open session; dials when there is none. Error: 'Unavailable' and those of openSession. */
  ready(): Promise<RpcConnection> {
    if (this.#closed) return Promise.reject(unreachableDaemon('this hypervisor was closed'));
    if (this.#rpc !== undefined) return Promise.resolve(this.#rpc);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Connects now, and again after each loss. */
  keep(): void {
    this.#kept = true;
    if (this.#rpc === undefined && this.#retry === undefined) this.#tryNow();
  }

  /** No longer reconnects by itself; a session that stands stays. */
  release(): void {
    this.#kept = false;
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  close(): void {
    this.#closed = true;
    this.release();
    this.#rpc?.close();
  }

  #tryNow(): void {
    this.ready().catch((error: unknown) => {
      if (this.#closed) return;
      this.#options.onDown(errorText(error));
      this.#retryLater();
    });
  }

  #retryLater(): void {
    if (!this.#kept || this.#closed || this.#retry !== undefined) return;
    // Half fixed, half chance: many workers that lose one host do not come back in step.
    const delayMs = this.#backoffMs * (0.5 + this.#options.random.unit() / 2);
    this.#backoffMs = Math.min(this.#backoffMs * 2, LINK.backoffMaxMs);
    this.#retry = this.#options.clock.after(
      delayMs,
      () => {
        this.#retry = undefined;
        if (this.#rpc === undefined) this.#tryNow();
      },
      { unref: true },
    );
  }

  async #open(): Promise<RpcConnection> {
    const stream = await this.#dialAny();
    const rpc: RpcConnection = new RpcConnection({
      stream,
      clock: this.#options.clock,
      logger: this.#options.logger,
      onLifecycle: this.#options.onLifecycle,
      onLost: (problem) => this.#lost(rpc, problem),
    });
    try {
      await openSession(rpc, { events: this.#options.events, keepalive: this.#options.keepalive ?? true });
    } catch (error) {
      rpc.close(errorText(error));
      throw error;
    }
    if (this.#closed) rpc.close('this hypervisor was closed');
    if (rpc.problem !== undefined) throw unreachableDaemon(rpc.problem);
    this.#rpc = rpc;
    this.#upSinceMs = this.#options.clock.monotonicMs();
    this.#options.logger.debug('libvirt: session open', { link: this.#options.name });
    this.#options.onUp();
    return rpc;
  }

  #lost(rpc: RpcConnection, problem: string): void {
    if (this.#rpc !== rpc) return;
    this.#rpc = undefined;
    if (this.#closed) return;
    const stoodMs = this.#options.clock.monotonicMs() - this.#upSinceMs;
    if (isSteady(stoodMs, this.#backoffMs)) this.#backoffMs = LINK.backoffFirstMs;
    this.#options.logger.warn('libvirt: session lost', { link: this.#options.name, problem });
    this.#options.onDown(problem);
    this.#retryLater();
  }

  async #dialAny(): Promise<Duplex> {
    const problems: string[] = [];
    for (const dial of this.#options.dials) {
      try {
        return await this.#dialOne(dial);
      } catch (error) {
        // No way to the host at all: the other sockets are not there either, and this says why.
        if (isCode(error, 'Unavailable') && error.details?.['reason'] !== undefined) throw error;
        // The host is somebody else's now: that is no trouble of libvirt's.
        if (isCode(error, 'StaleEpoch')) throw error;
        problems.push(errorText(error));
      }
    }
    throw unreachableDaemon(problems.join('; '));
  }

  #dialOne(dial: Dial): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = this.#options.clock.after(LINK.dialTimeoutMs, () => {
        late = true;
        reject(new Error(`no connection within ${LINK.dialTimeoutMs} ms`));
      });
      dial().then(
        (stream) => {
          timer.cancel();
          // Nobody waits for it any more, and an open socket that never authenticates takes one of the daemon's 20 places.
          if (late) stream.destroy();
          else resolve(stream);
        },
        (error: unknown) => {
          timer.cancel();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }
}
