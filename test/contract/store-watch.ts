import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Change, Store } from '../../src/ports/store.ts';
import { until } from '../support/until.ts';
import { okRev, type OpenStore, put, type StoreSubject } from './store.ts';

/** What a list and its watch come to: the change feed's reader. */
class Mirror {
  readonly state = new Map<string, unknown>();
  readonly revs: number[] = [];
  readonly apply = (change: Change): void => {
    this.revs.push(change.rev);
    for (const { key, value } of change.ops) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
  };
}

const HISTORY = 20;

/** The half of the Store contract that is about watch. */
export function storeWatchContract(name: string, open: OpenStore): void {
  describe(`Store contract, watch: ${name}`, () => {
    let subject: StoreSubject | undefined;
    let store: Store;
    beforeEach(async (ctx) => {
      subject = await open({ historyLength: HISTORY, skip: (reason) => ctx.skip(reason) });
      ({ store } = subject);
    });
    afterEach(() => subject?.close());
    const seen = (mirror: Mirror, rev: number): Promise<boolean> =>
      until(() => (mirror.revs.at(-1) ?? 0) >= rev, { what: `revision ${rev} is seen`, everyMs: 2 });

    it('tells each change once, in order, before the writer is answered', async () => {
      const mirror = new Mirror();
      store.watch('', store.rev + 1, mirror.apply);
      const seenAtAnswer: boolean[] = [];
      const revs = await Promise.all(
        Array.from({ length: 30 }, async (_, n) => {
          const rev = await put(store, `k${n % 7}`, n);
          seenAtAnswer.push(mirror.revs.includes(rev));
          return rev;
        }),
      );
      expect(mirror.revs).toEqual([...revs].sort((a, b) => a - b));
      expect(new Set(seenAtAnswer)).toEqual(new Set([true]));
      expect(mirror.state).toEqual(new Map(store.range('').map(({ key, value }) => [key, value])));
    });

    it('begins in the past, and goes on with what happens meanwhile', async () => {
      const first = await put(store, 'a', 1);
      await put(store, 'b', 2);
      okRev(await store.txn({ dels: ['a'] }));
      const mirror = new Mirror();
      store.watch('', first, mirror.apply);
      const last = await put(store, 'c', 3);
      await seen(mirror, last);
      expect(mirror.revs).toHaveLength(4);
      expect([...mirror.revs].sort((a, b) => a - b)).toEqual(mirror.revs);
      expect([...mirror.state]).toEqual([
        ['b', 2],
        ['c', 3],
      ]);
    });

    it('begins in the middle of the past, not before', async () => {
      await put(store, 'a', 1);
      const second = await put(store, 'b', 2);
      const third = await put(store, 'c', 3);
      const mirror = new Mirror();
      store.watch('', second, mirror.apply);
      await seen(mirror, third);
      expect(mirror.revs).toEqual([second, third]);
    });

    it('may begin in the future', async () => {
      const mirror = new Mirror();
      store.watch('', store.rev + 3, mirror.apply);
      const revs = [
        await put(store, 'a', 1),
        await put(store, 'b', 2),
        await put(store, 'c', 3),
        await put(store, 'd', 4),
      ];
      await seen(mirror, revs[3] ?? 0);
      expect(mirror.revs).toEqual(revs.slice(2));
    });

    it('tells only what is under the prefix, with the revision of the whole', async () => {
      const changes: Change[] = [];
      store.watch('a/', store.rev + 1, (change) => changes.push(change));
      await put(store, 'b/1', 1);
      const rev = okRev(
        await store.txn({
          puts: [
            { key: 'a/1', value: 1 },
            { key: 'b/2', value: 2 },
          ],
          dels: ['b/1'],
        }),
      );
      const gone = okRev(await store.txn({ dels: ['a/1', 'a/never'] }));
      await put(store, 'a', 1);
      expect(changes).toEqual([
        { rev, ops: [{ key: 'a/1', value: 1 }] },
        { rev: gone, ops: [{ key: 'a/1', value: undefined }] },
      ]);
    });

    it('a conflict, a guard alone and a replayed token are no change', async () => {
      const mirror = new Mirror();
      await put(store, 'a', 1);
      store.watch('', store.rev + 1, mirror.apply);
      await store.txn({ guards: [{ key: 'a', absent: true }], puts: [{ key: 'a', value: 2 }] });
      await store.txn({ guards: [{ key: 'a', exists: true }] });
      const rev = okRev(await store.txn({ token: 't', puts: [{ key: 'b', value: 1 }] }));
      await store.txn({ token: 't', puts: [{ key: 'b', value: 1 }] });
      const last = await put(store, 'c', 1);
      expect(mirror.revs).toEqual([rev, last]);
    });

    it('refuses to begin where history is gone; list and watch from there works', async () => {
      const first = await put(store, 'a', 0);
      for (let n = 0; n < HISTORY * 3; n += 1) await put(store, `k${n % 5}`, n);
      expect(() => store.watch('', first, () => undefined)).toThrow(expect.objectContaining({ code: 'Unavailable' }));
      const mirror = new Mirror();
      for (const { key, value } of store.range('')) mirror.state.set(key, value);
      store.watch('', store.rev + 1, mirror.apply);
      await put(store, 'new', 1);
      expect(mirror.state).toEqual(new Map(store.range('').map(({ key, value }) => [key, value])));
      const recent = new Mirror();
      store.watch('', store.rev - HISTORY / 2, recent.apply);
      await seen(recent, store.rev);
      expect(recent.revs).toHaveLength(HISTORY / 2 + 1);
    });

    it('is quiet after close, also when a listener closes itself', async () => {
      const first = await put(store, 'a', 0);
      await put(store, 'a', 1);
      const mirror = new Mirror();
      const live = store.watch('', store.rev + 1, mirror.apply);
      const self = new Mirror();
      const watch = store.watch('', first, (change) => {
        self.apply(change);
        watch.close();
      });
      await until(() => self.revs.length > 0, { what: 'the past is told', everyMs: 2 });
      live.close();
      await put(store, 'a', 2);
      expect([mirror.revs, self.revs]).toEqual([[], [first]]);
    });

    it('a listener may write, and one that throws disturbs nobody', async () => {
      const mirror = new Mirror();
      const answers: Promise<number>[] = [];
      store.watch('in/', store.rev + 1, () => {
        throw new Error('a broken listener');
      });
      store.watch('in/', store.rev + 1, (change) => answers.push(put(store, `out/${change.rev}`, 1)));
      store.watch('', store.rev + 1, mirror.apply);
      await Promise.all([put(store, 'in/1', 1), put(store, 'in/2', 2)]);
      const last = Math.max(...(await Promise.all(answers)));
      await seen(mirror, last);
      expect(answers).toHaveLength(2);
      expect(store.count('out/')).toBe(2);
      expect(mirror.revs).toHaveLength(4);
    });

    it('sees every change of a busy store, from any point', async () => {
      const mirrors = Array.from({ length: 4 }, () => new Mirror());
      const writes: Promise<number>[] = [];
      mirrors.forEach((mirror, n) => {
        for (const { key, value } of store.range('')) mirror.state.set(key, value);
        store.watch('', store.rev + 1, mirror.apply);
        for (let i = 0; i < 10; i += 1) writes.push(put(store, `k${(n * 10 + i) % 6}`, n * 10 + i));
      });
      const last = Math.max(...(await Promise.all(writes)));
      const expected = new Map(store.range('').map(({ key, value }) => [key, value]));
      for (const mirror of mirrors) {
        await seen(mirror, last);
        expect(mirror.state).toEqual(expected);
      }
    });
  });
}
