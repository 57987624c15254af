import { CloudError } from '../../base/errors.ts';
import { type Lease, type Replica, STORE_LIMITS, type Txn, type TxnResult } from '../../ports/store.ts';

/** A lease of a store that has one process: it lives as long as that does, or until it is closed. */
class LocalLease implements Lease {
  readonly id: string;
  readonly #over = new AbortController();
  readonly #onClose: (lease: LocalLease) => Promise<void>;

  constructor(id: string, onClose: (lease: LocalLease) => Promise<void>) {
    this.id = id;
    this.#onClose = onClose;
  }

  get fresh(): boolean {
    return !this.#over.signal.aborted;
  }

  get lost(): AbortSignal {
    return this.#over.signal;
  }

  async close(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    await this.#onClose(this);
  }
}

/** The leases of an engine that one process owns: which key goes with which, as of each key's last write. */
export class LocalLeases {
  readonly #txn: (txn: Txn) => Promise<TxnResult>;
  readonly #held = new Map<string, { readonly lease: LocalLease; readonly rev: number }>();
  readonly #under = new Set<Promise<unknown>>();
  #count = 0;

  constructor(txn: (txn: Txn) => Promise<TxnResult>) {
    this.#txn = txn;
  }

  open(): Lease {
    this.#count += 1;
    return new LocalLease(`local-${this.#count}`, (lease) => this.#end(lease));
  }

  /** Before a transaction goes in: CloudError 'Unavailable' (details.reason 'leaseGone') when it names a lease that is over, or another store's. */
  check({ puts = [] }: Txn): void {
    for (const { key, lease } of puts) {
      if (lease === undefined || (lease instanceof LocalLease && lease.fresh)) continue;
      throw new CloudError('Unavailable', `the lease of ${key} is over; take a new one`, {
        details: { reason: 'leaseGone', key },
      });
    }
  }

  /** With a transaction that is under way: a key that it writes belongs to the lease that it names, or to none. */
  follow(txn: Txn, answer: Promise<TxnResult>): void {
    const noted = answer.then(
      (result) => {
        if (result.ok) this.#note(txn, result.rev);
      },
      () => undefined,
    );
    this.#under.add(noted);
    void noted.then(() => this.#under.delete(noted));
  }

  #note({ puts = [], dels = [] }: Txn, rev: number): void {
    for (const key of dels) if ((this.#held.get(key)?.rev ?? rev) < rev) this.#held.delete(key);
    for (const { key, lease } of puts) {
      // An answer that is given again says nothing of what was written since.
      if ((this.#held.get(key)?.rev ?? 0) >= rev) continue;
      if (lease instanceof LocalLease) this.#held.set(key, { lease, rev });
      else this.#held.delete(key);
    }
  }

  /** What is under way with the lease comes first, so that it leaves nothing behind. */
  async #end(lease: LocalLease): Promise<void> {
    await Promise.all(this.#under);
    const mine = [...this.#held].filter(([, held]) => held.lease === lease);
    for (const [key, { rev }] of mine) {
      this.#held.delete(key);
      await this.#txn({ guards: [{ key, rev }], dels: [key] });
    }
  }
}

/** At the start of an engine that one process owns: whoever held these keys is dead. */
export async function dropLeased(replica: Replica, txn: (txn: Txn) => Promise<TxnResult>): Promise<void> {
  const keys = replica.range(STORE_LIMITS.leasedPrefix).map(({ key }) => key);
  for (let at = 0; at < keys.length; at += STORE_LIMITS.opsPerTxn) {
    await txn({ dels: keys.slice(at, at + STORE_LIMITS.opsPerTxn) });
  }
}
