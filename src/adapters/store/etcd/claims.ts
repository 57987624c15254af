import { createHash } from 'node:crypto';
import { CloudError } from '../../../base/errors.ts';
import { randomHex } from '../../../base/random.ts';
import { STORE_LIMITS } from '../../../ports/store.ts';
import type { EtcdApi } from './etcd-api.ts';
import { EtcdLease } from './etcd-lease.ts';
import { patiently, type TimeAndChance } from './etcd-patience.ts';
import type { KeySpace } from './key-space.ts';

/** Side by side; more wait. */
const SLOTS = 64;
const MAX_WAITING = 10_000;
const SLOT_TTL_MS = 900_000;
/** A lease for callers' tokens takes new ones for so long. */
const ROTATE_MS = 300_000;

/**
 * The key by which one transaction knows itself again: each attempt writes `value` there, and applies only while the key's last write is `expected`
 * (0: absent). So at most one attempt applies, and reading the key tells whether one has.
 */
export interface Claim {
  readonly key: string;
  readonly value: string;
  readonly lease: string;
  /** The caller gave the token: others may hold the same claim. */
  readonly shared: boolean;
  expected: number;
  /** The key's last write is known to be `rev`; undefined: it isn't known. */
  done(rev?: number): void;
  /** etcd says that the lease is over. */
  leaseIsGone(): void;
}

interface Slot {
  readonly key: string;
  readonly lease: EtcdLease;
  /** Of its last write. */
  rev: number;
}

/** Makes claims. For a change without a token, one of a few keys that this process uses again and again, so that no heap of tokens gathers in etcd. */
export class Claims {
  readonly #api: EtcdApi;
  readonly #keys: KeySpace;
  readonly #time: TimeAndChance;
  #free: Slot[] = [];
  #inUse = 0;
  #waiting: (() => void)[] = [];
  #slotLease: Promise<EtcdLease> | undefined;
  /** What `#slotLease` came to. */
  #granted: EtcdLease | undefined;
  #session = '';
  #slots = 0;
  #uses = 0;
  #tokenLeaseId = '';
  #tokenLease: Promise<{ readonly id: string; readonly sinceMs: number }> | undefined;

  constructor(api: EtcdApi, keys: KeySpace, time: TimeAndChance) {
    this.#api = api;
    this.#keys = keys;
    this.#time = time;
  }

  /** Errors: 'Unavailable'; nothing was sent then. Each claim that is given must be `done`. */
  async take(token: string | undefined): Promise<Claim> {
    await this.#enter();
    try {
      return await (token === undefined ? this.#slotClaim() : this.#tokenClaim(token));
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  /** The slots' lease ends, and with it what attempts that are still on their way could do. */
  async close(): Promise<void> {
    const lease = await this.#slotLease?.catch(() => undefined);
    await lease?.end().catch(() => undefined);
  }

  async #enter(): Promise<void> {
    if (this.#inUse < SLOTS) {
      this.#inUse += 1;
      return;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      throw new CloudError('Unavailable', `etcd is too slow: ${MAX_WAITING} transactions are waiting; try again later`);
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inUse -= 1;
    else next();
  }

  async #slotClaim(): Promise<Claim> {
    const slot = this.#free.pop() ?? (await this.#newSlot());
    this.#uses += 1;
    return {
      key: slot.key,
      value: JSON.stringify(`${this.#session}.${this.#uses}`),
      lease: slot.lease.id,
      shared: false,
      expected: slot.rev,
      done: (rev) => {
        if (rev !== undefined && !slot.lease.lost.aborted) {
          slot.rev = rev;
          this.#free.push(slot);
        }
        this.#leave();
      },
      leaseIsGone: () => this.#dropSlots(slot.lease),
    };
  }

  async #newSlot(): Promise<Slot> {
    if (this.#slotLease === undefined) {
      // New names with each lease: keys of an old one may still be there, or be deleted late.
      this.#session = randomHex(this.#time.random, 16);
      this.#slotLease = EtcdLease.grant({ ...this.#time, api: this.#api, ttlMs: SLOT_TTL_MS });
      this.#slotLease.catch(() => (this.#slotLease = undefined));
    }
    const asked = this.#slotLease;
    const lease = await asked;
    if (this.#slotLease === asked) this.#granted = lease;
    if (lease.lost.aborted) {
      this.#dropSlots(lease);
      return this.#newSlot();
    }
    this.#slots += 1;
    return { key: this.#keys.token(`p/${this.#session}/${this.#slots}`), lease, rev: 0 };
  }

  /** Told once by each transaction that had a slot of it, by the last of them when another lease is long in use. */
  #dropSlots(lease: EtcdLease): void {
    lease.isGone();
    this.#free = this.#free.filter((slot) => slot.lease !== lease);
    if (this.#granted !== lease) return;
    this.#granted = undefined;
    this.#slotLease = undefined;
  }

  async #tokenClaim(token: string): Promise<Claim> {
    const hash = createHash('sha256').update(token).digest('hex').slice(0, 40);
    const { id } = await this.#leaseForTokens();
    return {
      key: this.#keys.token(`c/${hash}`),
      value: '"done"',
      lease: id,
      shared: true,
      expected: 0,
      done: () => this.#leave(),
      leaseIsGone: () => {
        if (this.#tokenLeaseId === id) this.#tokenLease = undefined;
      },
    };
  }

  /** Not renewed and never revoked: a token must outlive its process by STORE_LIMITS.tokenKeepMs, and must not stay much longer. */
  async #leaseForTokens(): Promise<{ id: string; sinceMs: number }> {
    const { clock } = this.#time;
    const known = this.#tokenLease;
    if (known !== undefined) {
      const lease = await known;
      if (clock.monotonicMs() - lease.sinceMs < ROTATE_MS) return lease;
      if (this.#tokenLease === known) this.#tokenLease = undefined;
    }
    if (this.#tokenLease === undefined) {
      const sinceMs = clock.monotonicMs();
      const ttlS = Math.ceil((STORE_LIMITS.tokenKeepMs + ROTATE_MS) / 1000) + 60;
      this.#tokenLease = patiently(this.#time, (timeoutMs) => this.#api.leaseGrant(ttlS, { timeoutMs })).then(
        ({ id }) => {
          this.#tokenLeaseId = id;
          return { id, sinceMs };
        },
      );
      this.#tokenLease.catch(() => (this.#tokenLease = undefined));
    }
    return this.#tokenLease;
  }
}
