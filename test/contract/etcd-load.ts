import { isCode } from '../../src/base/errors.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store, TxnResult } from '../../src/ports/store.ts';

/** The same transaction with the same token, until somebody knows how it ended. */
async function certainly(store: Store, txn: Parameters<Store['txn']>[0]): Promise<TxnResult> {
  for (;;) {
    try {
      return await store.txn(txn);
    } catch (error) {
      if (!isCode(error, 'Unavailable')) throw error;
      await sleep(100);
    }
  }
}

/** Writers count one counter up, each by guarded transactions; half of them bring tokens of their own. */
export async function countUp(
  stores: readonly Store[],
  { writers, each }: { writers: number; each: number },
): Promise<{ acknowledged: number }> {
  let acknowledged = 0;
  const increment = async (store: Store, name: string): Promise<void> => {
    for (let attempt = 0; ; attempt += 1) {
      const entry = store.get<number>('counter');
      const guard =
        entry === undefined ? { key: 'counter', absent: true as const } : { key: 'counter', rev: entry.rev };
      const txn = { guards: [guard], puts: [{ key: 'counter', value: (entry?.value ?? 0) + 1 }] };
      const token = `${name}/${attempt}`;
      const result = await certainly(store, { ...txn, token });
      if (!result.ok) continue;
      acknowledged += 1;
      return;
    }
  };
  const writer = async (index: number): Promise<void> => {
    const store = stores[index % stores.length];
    if (store === undefined) throw new Error('no store');
    for (let n = 0; n < each; n += 1) await increment(store, `${index}/${n}`);
  };
  await Promise.all(Array.from({ length: writers }, (_, index) => writer(index)));
  return { acknowledged };
}

export interface Load {
  /** Writes that were acknowledged. */
  done(): number;
  /** ... since the moment. */
  sinceMs(momentMs: number): number;
  stop(): Promise<{
    /** Answers that can't be: a conflict where nobody else writes, a value that is not the own last one. */
    wrong: string[];
    /** The longest time in which a writer got no answer. */
    gapMs: number;
    /** Key -> the last value that was acknowledged. */
    acknowledged: ReadonlyMap<string, number>;
  }>;
}

/** Each writer alone counts a key of its own, guarded by the revision that its last answer gave. */
export function soloWriters(stores: readonly Store[], writers: number): Load {
  const acknowledged = new Map<string, number>();
  const moments: number[] = [];
  const wrong: string[] = [];
  let gapMs = 0;
  let stopped = false;
  const run = async (index: number): Promise<void> => {
    const store = stores[index % stores.length];
    const key = `solo${index}`;
    let rev = 0;
    for (let value = 1; !stopped && store !== undefined; value += 1) {
      const startMs = performance.now();
      const guard = rev === 0 ? { key, absent: true as const } : { key, rev };
      const result = await certainly(store, { token: `${key}/${value}`, guards: [guard], puts: [{ key, value }] });
      gapMs = Math.max(gapMs, performance.now() - startMs);
      if (!result.ok) {
        wrong.push(`${key}: a conflict at ${value}`);
        return;
      }
      rev = result.rev;
      if (store.get(key)?.value !== value)
        wrong.push(`${key}: reads ${JSON.stringify(store.get(key)?.value)}, wrote ${value}`);
      acknowledged.set(key, value);
      moments.push(performance.now());
    }
  };
  const running = Array.from({ length: writers }, (_, index) => run(index));
  return {
    done: () => moments.length,
    sinceMs: (momentMs) => moments.filter((ms) => ms > momentMs).length,
    stop: async () => {
      stopped = true;
      await Promise.all(running);
      return { wrong, gapMs, acknowledged };
    },
  };
}
