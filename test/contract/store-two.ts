import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Change, Store } from '../../src/ports/store.ts';
import { until } from '../support/until.ts';
import { okRev, put } from './store.ts';

export interface TwoStores {
  readonly a: Store;
  readonly b: Store;
  /** One more of the same. */
  more(): Promise<Store>;
  close(): Promise<void>;
}

/** What two processes on one etcd must see of each other. */
export function twoStoresContract(
  name: string,
  open: (ctx: { skip(reason: string): void }) => Promise<TwoStores>,
): void {
  describe(`Store contract, two processes: ${name}`, () => {
    let two: TwoStores;
    let opened: TwoStores | undefined;
    beforeEach(async (ctx) => {
      opened = await open(ctx);
      two = opened;
    });
    afterEach(() => opened?.close());

    it('after a barrier one sees what the other has written', async () => {
      for (let n = 0; n < 10; n += 1) {
        const rev = await put(two.a, 'a', n);
        await two.b.barrier();
        expect(two.b.get('a')).toEqual({ key: 'a', value: n, rev });
      }
    });

    it('a token counts once, whoever brings it', async () => {
      const txn = (value: number) => ({
        token: 't',
        guards: [{ key: 'a', absent: true } as const],
        puts: [{ key: 'a', value }],
      });
      const [first, second] = await Promise.all([two.a.txn(txn(1)), two.b.txn(txn(1))]);
      expect([first.ok, second]).toEqual([true, first]);
      await put(two.b, 'a', 2);
      expect(await two.a.txn(txn(1))).toEqual(first);
      await two.a.barrier();
      expect(two.a.get('a')?.value).toBe(2);
    });

    it('a token outlives its process', async () => {
      const third = await two.more();
      const txn = { token: 't', puts: [{ key: 'a', value: 1 }] };
      const first = await third.txn(txn);
      await third.close();
      await put(two.b, 'a', 2);
      expect(await two.b.txn(txn)).toEqual(first);
      expect(two.b.get('a')?.value).toBe(2);
    });

    it('a conflict names what the other wrote, and the loser sees it', async () => {
      const rev = await put(two.a, 'a', 1);
      const result = await two.b.txn({ guards: [{ key: 'a', absent: true }], puts: [{ key: 'a', value: 2 }] });
      expect(result).toEqual({ ok: false, current: new Map([['a', { key: 'a', value: 1, rev }]]) });
      expect(two.b.get('a')?.value).toBe(1);
    });

    it('both count one counter, and both watch every step once', async () => {
      const seen = new Map<Store, unknown[]>();
      for (const store of [two.a, two.b]) {
        const values: unknown[] = [];
        seen.set(store, values);
        store.watch('counter', store.rev + 1, ({ ops }: Change) => values.push(...ops.map(({ value }) => value)));
      }
      const increment = async (store: Store): Promise<void> => {
        for (;;) {
          const entry = store.get<number>('counter');
          const guard =
            entry === undefined ? { key: 'counter', absent: true as const } : { key: 'counter', rev: entry.rev };
          if ((await store.txn({ guards: [guard], puts: [{ key: 'counter', value: (entry?.value ?? 0) + 1 }] })).ok)
            return;
        }
      };
      const ten = async (store: Store): Promise<void> => {
        for (let n = 0; n < 10; n += 1) await increment(store);
      };
      await Promise.all([ten(two.a), ten(two.b)]);
      const steps = Array.from({ length: 20 }, (_, n) => n + 1);
      for (const store of [two.a, two.b]) {
        await store.barrier();
        expect(seen.get(store)).toEqual(steps);
      }
    });

    it('a lease that one closes, and one whose process ends, is seen to go by the other', async () => {
      const third = await two.more();
      const [mine, its] = [await two.a.lease(30_000), await third.lease(30_000)];
      okRev(await two.a.txn({ puts: [{ key: 'alive/a', value: 1, lease: mine }] }));
      okRev(await third.txn({ puts: [{ key: 'alive/c', value: 1, lease: its }] }));
      await two.b.barrier();
      expect(two.b.count('alive/')).toBe(2);
      await mine.close();
      await third.close();
      await until(() => two.b.count('alive/') === 0, { what: 'both are seen to be gone' });
      expect(two.b.health()).toMatchObject({ ok: true, engine: 'etcd' });
    });
  });
}
