import type { Timer } from '../../../base/clock.ts';
import type { Lease } from '../../../ports/store.ts';
import type { EtcdApi } from './etcd-api.ts';
import { CALL_MS, patiently, type TimeAndChance } from './etcd-patience.ts';

export interface EtcdLeaseOptions extends TimeAndChance {
  readonly api: EtcdApi;
  readonly ttlMs: number;
  /** Once its keys are gone in etcd: resolves when this process sees it. */
  readonly afterClose?: () => Promise<void>;
}

/** A lease of etcd that is renewed at each third of its time. */
export class EtcdLease implements Lease {
  readonly id: string;
  readonly #options: EtcdLeaseOptions;
  readonly #lost = new AbortController();
  /** When the last renewal that was answered had been sent: the lease can't end before that moment + ttl. */
  #renewedMs: number;
  #timer: Timer | undefined;
  #closed = false;

  private constructor(options: EtcdLeaseOptions, id: string, sentMs: number) {
    this.#options = options;
    this.id = id;
    this.#renewedMs = sentMs;
    this.#renewIn(options.ttlMs / 3);
  }

  static async grant(options: EtcdLeaseOptions): Promise<EtcdLease> {
    const { api, clock, ttlMs } = options;
    let sentMs = 0;
    // A grant whose answer was lost is a lease without keys, which lapses.
    const { id } = await patiently(options, (timeoutMs) => {
      sentMs = clock.monotonicMs();
      return api.leaseGrant(Math.ceil(ttlMs / 1000), { timeoutMs });
    });
    return new EtcdLease(options, id, sentMs);
  }

  get fresh(): boolean {
    const ageMs = this.#options.clock.monotonicMs() - this.#renewedMs;
    return !this.#closed && !this.#lost.signal.aborted && ageMs < (this.#options.ttlMs * 2) / 3;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Closed, or ended by etcd. */
  get over(): boolean {
    return this.#closed;
  }

  /** etcd has said that the lease is over. */
  isGone(): void {
    this.abandon();
    this.#lost.abort();
  }

  /** No renewals any more; the lease lapses by itself. */
  abandon(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async close(): Promise<void> {
    await this.end();
    await this.#options.afterClose?.();
  }

  async end(): Promise<void> {
    if (this.#closed) return;
    this.abandon();
    await this.#options.api.leaseRevoke(this.id, { timeoutMs: CALL_MS });
  }

  #renewIn(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => void this.#renew(), { unref: true });
  }

  async #renew(): Promise<void> {
    const { api, clock, ttlMs } = this.#options;
    const sentMs = clock.monotonicMs();
    try {
      const { ttlS } = await api.leaseKeepAlive(this.id, { timeoutMs: Math.min(CALL_MS, ttlMs / 3) });
      if (this.#closed) return;
      if (ttlS === 0) {
        this.isGone();
        return;
      }
      this.#renewedMs = sentMs;
      this.#renewIn(ttlMs / 3);
    } catch {
      // Only etcd's own word ends a lease: until then it may still be there.
      if (!this.#closed) this.#renewIn(Math.min(500, ttlMs / 10));
    }
  }
}
