import type { Lease, Txn, TxnResult } from '../../ports/store.ts';

interface Options {
  readonly id: string;
  readonly txn: (txn: Txn) => Promise<TxnResult>;
}

/** A lease of a store that has one process: it lives as long as that does. Its keys are noted as they are written. */
export class LocalLease implements Lease {
  readonly id: string;
  readonly fresh = true;
  readonly #over = new AbortController();
  readonly #keys = new Set<string>();
  readonly #txn: Options['txn'];

  constructor({ id, txn }: Options) {
    this.id = id;
    this.#txn = txn;
  }

  get lost(): AbortSignal {
    return this.#over.signal;
  }

  note(key: string): void {
    this.#keys.add(key);
  }

  async close(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    if (this.#keys.size > 0) await this.#txn({ dels: [...this.#keys] });
  }
}
