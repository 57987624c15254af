import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AliveRecord } from '../../domain/records.ts';
import type { Lease, Store } from '../../ports/store.ts';
import { writeLeased } from '../state/write-leased.ts';

const LEASE_MS = 8000;
const AGAIN_MS = 1000;

export interface ControllerLeaseParts {
  readonly controllerId: string;
  readonly session: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** There is a session, another one, or none any more. */
  readonly onSession: () => void;
}

interface Held {
  readonly lease: Lease;
  readonly session: string;
  readonly rev: number;
}

/** Keeps `alive/controller/<id>` in the store: with each new lease a new session, so that what was owned with the one before is not ours any more. */
export class ControllerLease {
  readonly #parts: ControllerLeaseParts;
  readonly #key: string;
  #held: Held | undefined;
  #count = 0;
  #entering: Promise<void> | undefined;
  #closed = false;

  constructor(parts: ControllerLeaseParts) {
    this.#parts = parts;
    this.#key = KEYS.alive('controller', parts.controllerId);
  }

  get session(): string | undefined {
    return this.#held?.session;
  }

  /** Of our own record, which every taking depends on. */
  get aliveRev(): number | undefined {
    return this.#held?.rev;
  }

  get fresh(): boolean {
    return this.#held !== undefined && !this.#held.lease.lost.aborted && this.#held.lease.fresh;
  }

  /** Resolves after the first attempt; one that fails is repeated. */
  start(): Promise<void> {
    return this.#enter();
  }

  /** Our record changed: somebody else may say that he is this controller, or does so no more. */
  check(): void {
    const held = this.#held;
    const seen = this.#parts.store.get<AliveRecord>(this.#key);
    if (held === undefined && seen === undefined) void this.#enter();
    if (held === undefined || seen === undefined || seen.rev <= held.rev || seen.value.session === held.session) return;
    this.#parts.logger.error('another process runs under this name; give each process a node.name of its own', {
      controllerId: this.#parts.controllerId,
    });
    this.#held = undefined;
    this.#parts.onSession();
    held.lease.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#entering;
    const held = this.#held;
    this.#held = undefined;
    await held?.lease
      .close()
      .catch((error: unknown) => this.#parts.logger.debug('lease not closed', { error: errorText(error) }));
  }

  #enter(): Promise<void> {
    this.#entering ??= this.#tryToEnter()
      .catch((error: unknown) => {
        const { logger, clock } = this.#parts;
        logger.warn('no lease can be had now', { error: errorText(error) });
        clock.after(AGAIN_MS, () => void this.#enter(), { unref: true });
      })
      .finally(() => (this.#entering = undefined));
    return this.#entering;
  }

  async #tryToEnter(): Promise<void> {
    const { store, session: processSession, onSession } = this.#parts;
    if (this.#closed || this.#held !== undefined) return;
    const { lease, written } = await writeLeased(store, LEASE_MS, async (one) => {
      this.#count += 1;
      const session = this.#count === 1 ? processSession : `${processSession}.${this.#count}`;
      return { session, rev: await this.#write(one, session) };
    });
    this.#held = { lease, ...written };
    lease.lost.addEventListener('abort', () => this.#lost(lease), { once: true });
    onSession();
    // Somebody else may have written meanwhile.
    this.check();
  }

  async #write(lease: Lease, session: string): Promise<number> {
    const { store } = this.#parts;
    const value: AliveRecord = { v: 1, session };
    const answer = await store.txn({ puts: [{ key: this.#key, value: { ...value }, lease }] });
    if (lease.lost.aborted) throw new CloudError('Unavailable', 'the lease was over before its session had begun');
    return answer.ok ? answer.rev : store.rev;
  }

  #lost(lease: Lease): void {
    if (this.#held?.lease !== lease) return;
    this.#held = undefined;
    this.#parts.logger.warn('the lease was lost: hosts are others’ now, until they are taken again');
    this.#parts.onSession();
    void this.#enter();
  }
}
