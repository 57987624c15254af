import type { Json } from '../../base/json.ts';
import type { Change, Entry, RangeOptions, Replica } from '../../ports/store.ts';
import type { ReplicaMap } from './replica-map.ts';

/** The read half of a store whose state is in memory. */
export class ReplicaReads implements Replica {
  readonly #replica: ReplicaMap;

  constructor(replica: ReplicaMap) {
    this.#replica = replica;
  }

  get rev(): number {
    return this.#replica.rev;
  }

  get<T = Json>(key: string): Entry<T> | undefined {
    return this.#replica.get<T>(key);
  }

  /** What the replica has; for engines that know of more, theirs to say. */
  latest<T = Json>(key: string): Entry<T> | undefined {
    return this.#replica.get<T>(key);
  }

  range<T = Json>(prefix: string, options?: RangeOptions): Entry<T>[] {
    return this.#replica.range<T>(prefix, options);
  }

  count(prefix: string): number {
    return this.#replica.count(prefix);
  }

  watch(prefix: string, from: number, listener: (change: Change) => void): { close(): void } {
    return this.#replica.watch(prefix, from, listener);
  }

  waitApplied(rev: number, timeoutMs: number): Promise<void> {
    return this.#replica.waitApplied(rev, timeoutMs);
  }
}
