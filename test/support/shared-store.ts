import type { Change, Entry, Lease, RangeOptions, Store, Txn, TxnResult } from '../../src/ports/store.ts';

class TestLease implements Lease {
  readonly id = 'test';
  readonly keys = new Map<string, number>();
  readonly over = new AbortController();
  readonly #view: StoreView;

  constructor(view: StoreView) {
    this.#view = view;
  }

  get fresh(): boolean {
    return !this.#view.paused && !this.#view.late && !this.over.signal.aborted;
  }

  get lost(): AbortSignal {
    return this.over.signal;
  }

  async close(): Promise<void> {
    this.over.abort();
    await this.#view.dropKeys(this);
  }
}

/**
 * One process's sight of a store that several share. It can be made to sleep (it then reads what it knew and hears nothing), and its leases can lapse.
 * What it commits is judged by the store as it is.
 */
export class StoreView {
  readonly store: Store;
  paused = false;
  /** Its leases have not been renewed for a while. */
  late = false;
  /** Between a commit and its answer; what it throws is the answer. */
  answering: () => Promise<void> | void = () => undefined;
  /** Transactions that were asked for. */
  txns = 0;
  readonly #shared: Store;
  readonly #leases: TestLease[] = [];
  #known: ReadonlyMap<string, Entry> = new Map();
  #unheard: (() => void)[] = [];

  constructor(shared: Store) {
    this.#shared = shared;
    const own: Partial<Store> = {
      get: (key) => this.#get(key) as never,
      latest: (key) => this.#get(key) as never,
      range: (prefix, options) => this.#range(prefix, options) as never,
      txn: (txn) => this.#txn(txn),
      watch: (prefix, from, listener) => shared.watch(prefix, from, (change) => this.#hear(listener, change)),
      lease: () => {
        const lease = new TestLease(this);
        this.#leases.push(lease);
        return Promise.resolve(lease);
      },
    };
    this.store = new Proxy(shared, {
      get(target, name) {
        const mine = own[name as keyof Store];
        if (mine !== undefined) return mine;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** Leases that are neither closed nor lapsed. */
  get leases(): number {
    return this.#leases.filter(({ over }) => !over.signal.aborted).length;
  }

  pause(): void {
    this.#known = new Map(this.#shared.range('').map((entry) => [entry.key, entry]));
    this.paused = true;
  }

  /** Hears all that it has missed. */
  wake(): void {
    this.paused = false;
    for (const tell of this.#unheard.splice(0)) tell();
  }

  /** The store counts the process as dead. It hears of that when it is awake. */
  async lapse(): Promise<void> {
    const leases = this.#leases.splice(0);
    for (const lease of leases) await this.dropKeys(lease);
    const tell = (): void => leases.forEach((lease) => lease.over.abort());
    if (this.paused) this.#unheard.push(tell);
    else tell();
  }

  async dropKeys(lease: TestLease): Promise<void> {
    for (const [key, rev] of lease.keys) await this.#shared.txn({ guards: [{ key, rev }], dels: [key] });
  }

  #hear(listener: (change: Change) => void, change: Change): void {
    if (this.paused) this.#unheard.push(() => listener(change));
    else listener(change);
  }

  #get(key: string): Entry | undefined {
    return this.paused ? this.#known.get(key) : this.#shared.get(key);
  }

  #range(prefix: string, options?: RangeOptions): Entry[] {
    if (!this.paused) return this.#shared.range(prefix, options);
    return [...this.#known.values()].filter(({ key }) => key.startsWith(prefix));
  }

  async #txn(txn: Txn): Promise<TxnResult> {
    this.txns += 1;
    const puts = (txn.puts ?? []).map(({ key, value }) => ({ key, value }));
    const answer = await this.#shared.txn({ ...txn, puts });
    for (const { key, lease } of txn.puts ?? [])
      if (answer.ok && lease instanceof TestLease) lease.keys.set(key, answer.rev);
    await this.answering();
    return answer;
  }
}
