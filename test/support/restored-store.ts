import { createMemoryStore } from '../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Entry, RestorableStore, RestoredStore, Store } from '../../src/ports/store.ts';

export interface Restored {
  readonly store: RestorableStore;
  /** `acceptHistory` was called since it was last noticed. */
  readonly accepted: boolean;
  /** A process finds it restored once more. */
  notice(): void;
}

/** A store in memory with these entries, which says that it was restored until its history is accepted. Closing it does nothing. */
export async function restoredStore(entries: readonly Entry[], knownRev: number): Promise<Restored> {
  const inner: Store = createMemoryStore({ clock: new SystemClock(), random: new SystemRandom() });
  for (let at = 0; at < entries.length; at += 100) {
    await inner.txn({ puts: entries.slice(at, at + 100).map(({ key, value }) => ({ key, value })) });
  }
  const found: RestoredStore = { sinceMs: 1_700_000_000_000, reason: 'a test', knownRev, rev: inner.rev };
  let restored: RestoredStore | undefined = found;
  const overrides = {
    health: () => ({ ...inner.health(), ...(restored === undefined ? {} : { restored }) }),
    acceptHistory: () => {
      restored = undefined;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const store = new Proxy(inner as RestorableStore, {
    has: (target, property) => property in overrides || property in target,
    get(target, property) {
      if (property in overrides) return overrides[property as keyof typeof overrides];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
  return {
    store,
    get accepted() {
      return restored === undefined;
    },
    notice: () => {
      restored = found;
    },
  };
}
