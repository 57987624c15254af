import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { TokenBook } from '../../../../src/adapters/store/token-book.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { openAt, scratchDir } from './open-store.ts';

const MINUTE = 60_000;
const txn = { token: 'the token', puts: [{ key: 'a', value: 1 }] };

describe('tokens', () => {
  it('are kept 15 minutes and then let go', async () => {
    const clock = new ManualClock();
    const store = createMemoryStore({ clock, random: new SeededRandom(1) });
    const first = await store.txn(txn);
    await clock.advance(15 * MINUTE);
    await store.txn({ token: 'another', puts: [{ key: 'b', value: 1 }] });
    expect(await store.txn(txn)).toEqual(first);
    await clock.advance(1);
    await store.txn({ token: 'a third', puts: [{ key: 'b', value: 1 }] });
    expect(await store.txn(txn)).toEqual({ ok: true, rev: 4 });
  });

  it.each([
    ['the journal', 1_000_000],
    ['a snapshot', 1],
  ])('outlive a restart through %s, and age by the wall clock meanwhile', async (_, closeSnapshotOps) => {
    const dir = await scratchDir();
    const clock = new ManualClock();
    const reopen = async (
      awayMs: number,
      use: (store: Awaited<ReturnType<typeof openAt>>) => Promise<void>,
    ): Promise<void> => {
      await clock.advance(awayMs);
      const store = await openAt(dir, { clock, closeSnapshotOps });
      await use(store);
      await store.close();
    };
    await reopen(0, async (store) => void (await store.txn(txn)));
    await reopen(7 * MINUTE, async (store) => expect(await store.txn(txn)).toEqual({ ok: true, rev: 1 }));
    await reopen(7 * MINUTE, async (store) => {
      await store.txn({ token: 'another', puts: [{ key: 'b', value: 1 }] });
      expect(await store.txn(txn)).toEqual({ ok: true, rev: 1 });
    });
    await reopen(2 * MINUTE, async (store) => expect(await store.txn(txn)).toEqual({ ok: true, rev: 3 }));
  });

  it('are not lost when the wall clock was set back', () => {
    const clock = new ManualClock();
    const book = new TokenBook(clock, 15 * MINUTE);
    book.restore({ token: 'from the future', rev: 1, atMs: clock.nowMs() + 1000 * MINUTE });
    book.restore({ token: 'too old', rev: 2, atMs: clock.nowMs() - 16 * MINUTE });
    book.expire();
    expect([book.get('from the future'), book.get('too old')]).toEqual([1, undefined]);
  });

  it('go into a snapshot up to its revision', () => {
    const clock = new ManualClock();
    const book = new TokenBook(clock, 15 * MINUTE);
    for (let rev = 1; rev <= 5; rev += 1) book.add(`t${rev}`, rev);
    const saved = book.saved(3);
    expect(saved.next().value).toEqual({ token: 't1', rev: 1, atMs: clock.nowMs() });
    book.add('t6', 6);
    expect([...saved].map(({ token }) => token)).toEqual(['t2', 't3']);
  });
});
