import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Change, type Entry, type Store, STORE_LIMITS, type TxnResult } from '../../src/ports/store.ts';
import { leaseCases } from './store-leases.ts';
import { storeWatchContract } from './store-watch.ts';

export interface StoreSubject {
  /** Empty at the start of each test. */
  readonly store: Store;
  close(): Promise<void>;
}

/** `historyLength`: how many past changes the replica must keep at least; it may keep not many more. `skip` where the engine is not to be had. */
export type OpenStore = (options: { historyLength: number; skip: (reason: string) => void }) => Promise<StoreSubject>;

/** The revision of a transaction that must have gone through. */
export function okRev(result: TxnResult): number {
  if (!result.ok) throw new Error(`conflict: ${JSON.stringify([...result.current])}`);
  return result.rev;
}

export async function put(store: Store, key: string, value: Entry['value']): Promise<number> {
  return okRev(await store.txn({ puts: [{ key, value }] }));
}

/** What every Store must do; run over each engine. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`Store contract: ${name}`, () => {
    let subject: StoreSubject | undefined;
    let store: Store;
    beforeEach(async (ctx) => {
      subject = await open({ historyLength: 1000, skip: (reason) => ctx.skip(reason) });
      ({ store } = subject);
    });
    afterEach(() => subject?.close());
    const current = (): Store => store;

    describe('reads', () => readCases(current));
    describe('guards', () => guardCases(current));
    describe('tokens', () => tokenCases(current));
    describe('limits', () => limitCases(current));
    describe('leases', () => leaseCases(current));
    describe('many at once', () => concurrencyCases(current));
    describe('an end', () => endCases(current));
  });
  storeWatchContract(name, open);
}

function readCases(current: () => Store): void {
  it('reads what it wrote as soon as the write is answered', async () => {
    const rev = await put(current(), 'a', { n: 1 });
    expect(current().get('a')).toEqual({ key: 'a', value: { n: 1 }, rev });
    expect(current().rev).toBe(rev);
    await current().waitApplied(rev, 0);
    await current().barrier();
    expect(current().get('b')).toBeUndefined();
  });

  it('ranges in key order, by prefix, with a cursor and a limit', async () => {
    const keys = ['a/1', 'a/10', 'a/2', 'a0', 'b/1', 'a/é', 'a/😀'];
    await current().txn({ puts: keys.map((key, n) => ({ key, value: n })) });
    const names = (prefix: string, options = {}): string[] =>
      current()
        .range(prefix, options)
        .map(({ key }) => key);
    expect(names('a/')).toEqual(['a/1', 'a/10', 'a/2', 'a/é', 'a/😀']);
    expect(names('a/', { after: 'a/10', limit: 2 })).toEqual(['a/2', 'a/é']);
    expect(names('')).toEqual([...keys].sort());
    expect(names('c')).toEqual([]);
    expect([current().count('a/'), current().count(''), current().count('c')]).toEqual([5, 7, 0]);
  });

  it('keeps values of every JSON kind apart, null from absent too', async () => {
    const values = [null, true, 0, -1.5, '', 'ü\u0000\n😀', [], [null, [1]], {}, { a: { b: [] }, __proto__x: 1 }];
    await current().txn({ puts: values.map((value, n) => ({ key: `v${n}`, value })) });
    values.forEach((value, n) => expect(current().get(`v${n}`)?.value).toEqual(value));
    expect(current().count('v')).toBe(values.length);
  });

  it('shares no object with its callers', async () => {
    const mine = { list: [1] };
    await put(current(), 'a', mine);
    mine.list.push(2);
    expect(current().get('a')?.value).toEqual({ list: [1] });
    const read = current().get<{ list: number[] }>('a')?.value;
    expect(() => read?.list.push(3)).toThrow(TypeError);
    expect(current().get('a')?.value).toEqual({ list: [1] });
  });

  it('gives each transaction one revision, the next higher one', async () => {
    const revs: number[] = [];
    for (let n = 0; n < 5; n += 1)
      revs.push(
        okRev(
          await current().txn({
            puts: [
              { key: 'a', value: n },
              { key: `b${n}`, value: n },
            ],
          }),
        ),
      );
    expect([...new Set(revs)].sort((a, b) => a - b)).toEqual(revs);
    expect(current().get('a')?.rev).toBe(revs.at(-1));
    expect(current().get('b0')?.rev).toBe(revs[0]);
  });

  it('deletes; deleting what is absent is no error', async () => {
    await put(current(), 'a', 1);
    okRev(await current().txn({ dels: ['a', 'never'] }));
    expect(current().get('a')).toBeUndefined();
    expect(current().count('')).toBe(0);
  });

  it('waitApplied gives up in time', async () => {
    await expect(current().waitApplied(current().rev + 1, 20)).rejects.toMatchObject({ code: 'Timeout' });
  });

  it('is healthy', async () => {
    await put(current(), 'a', 1);
    expect(current().health()).toMatchObject({ ok: true, rev: current().rev, keys: 1 });
  });
}

function guardCases(current: () => Store): void {
  const attempt = async (guard: object): Promise<boolean> => {
    const result = await current().txn({ guards: [{ key: 'a', ...guard } as never], puts: [{ key: 'out', value: 1 }] });
    return result.ok;
  };

  it.each([
    ['absent, when absent', false, { absent: true }, true],
    ['absent, when there', true, { absent: true }, false],
    ['exists, when absent', false, { exists: true }, false],
    ['exists, when there', true, { exists: true }, true],
  ])('%s', async (_, there, guard, ok) => {
    if (there) await put(current(), 'a', 1);
    expect(await attempt(guard)).toBe(ok);
    expect(current().get('out') !== undefined).toBe(ok);
  });

  it("rev holds for the key's own last write and for no other", async () => {
    const first = await put(current(), 'a', 1);
    await put(current(), 'other', 1);
    expect(await attempt({ rev: first })).toBe(true);
    const second = await put(current(), 'a', 2);
    expect(await attempt({ rev: first })).toBe(false);
    expect(await attempt({ rev: second + 1 })).toBe(false);
    expect(await attempt({ rev: second })).toBe(true);
    okRev(await current().txn({ dels: ['a'] }));
    expect(await attempt({ rev: second })).toBe(false);
  });

  it('a conflict writes nothing and tells what the guarded keys hold', async () => {
    const rev = await put(current(), 'a', { n: 1 });
    const before = current().rev;
    const result = await current().txn({
      guards: [
        { key: 'a', absent: true },
        { key: 'b', exists: true },
      ],
      puts: [
        { key: 'a', value: 2 },
        { key: 'c', value: 3 },
      ],
      dels: ['d'],
    });
    expect(result).toEqual({ ok: false, current: new Map([['a', { key: 'a', value: { n: 1 }, rev }]]) });
    expect([current().rev, current().get('a')?.value, current().get('c')]).toEqual([before, { n: 1 }, undefined]);
  });

  it('one failed guard among many is enough', async () => {
    const rev = await put(current(), 'a', 1);
    const result = await current().txn({
      guards: [
        { key: 'a', rev },
        { key: 'a', exists: true },
        { key: 'b', absent: true },
        { key: 'c', exists: true },
      ],
      puts: [{ key: 'out', value: 1 }],
    });
    expect(result.ok).toBe(false);
  });

  it('judges a guard by what was submitted before it, answered or not', async () => {
    const [first, second, third] = await Promise.all([
      current().txn({ guards: [{ key: 'a', absent: true }], puts: [{ key: 'a', value: 'first' }] }),
      current().txn({ guards: [{ key: 'a', absent: true }], puts: [{ key: 'a', value: 'second' }] }),
      current().txn({ guards: [{ key: 'a', exists: true }], dels: ['a'] }),
    ]);
    const revs = [first, second].flatMap((result) => (result.ok ? [result.rev] : []));
    const loser = [first, second].find((result) => !result.ok);
    // An engine may order what was submitted together as it likes; both can be right only around the deletion.
    if (loser === undefined) {
      expect(third).toMatchObject({ ok: true });
      const deletedAt = third.ok ? third.rev : 0;
      expect([Math.min(...revs) < deletedAt, deletedAt < Math.max(...revs)]).toEqual([true, true]);
      return;
    }
    expect(revs).toHaveLength(1);
    // The one that lost was told the winner's value, or was submitted after the deletion.
    if (!loser.ok && third.ok) expect([undefined, 'first', 'second']).toContain(loser.current.get('a')?.value);
  });

  it('guards alone are a transaction: checked, and nothing changes', async () => {
    const rev = await put(current(), 'a', 1);
    expect((await current().txn({ guards: [{ key: 'a', rev }] })).ok).toBe(true);
    expect((await current().txn({ guards: [{ key: 'a', absent: true }] })).ok).toBe(false);
    expect(current().get('a')).toEqual({ key: 'a', value: 1, rev });
  });
}

function tokenCases(current: () => Store): void {
  it('the same token again has no second effect and the same answer', async () => {
    const txn = { token: 't1', puts: [{ key: 'a', value: 1 }] };
    const first = await current().txn(txn);
    await put(current(), 'a', 2);
    expect(await current().txn(txn)).toEqual(first);
    expect(current().get('a')?.value).toBe(2);
  });

  it('also when its own guard would fail by now', async () => {
    const txn = { token: 't1', guards: [{ key: 'a', absent: true } as const], puts: [{ key: 'a', value: 1 }] };
    const first = await current().txn(txn);
    expect(first.ok).toBe(true);
    expect(await current().txn(txn)).toEqual(first);
  });

  it('also when both are under way', async () => {
    const txn = { token: 't1', guards: [{ key: 'a', absent: true } as const], puts: [{ key: 'a', value: 1 }] };
    const results = await Promise.all([current().txn(txn), current().txn(txn), current().txn(txn)]);
    expect(results[0]?.ok).toBe(true);
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(current().get('a')?.rev).toBe(okRev(results[0] ?? { ok: false, current: new Map() }));
  });

  it('a conflict is not remembered', async () => {
    const txn = { token: 't1', guards: [{ key: 'a', exists: true } as const], puts: [{ key: 'b', value: 1 }] };
    expect((await current().txn(txn)).ok).toBe(false);
    await put(current(), 'a', 1);
    expect((await current().txn(txn)).ok).toBe(true);
    expect(current().get('b')?.value).toBe(1);
  });

  it('a token is no key', async () => {
    okRev(await current().txn({ token: 't1', puts: [{ key: 'a', value: 1 }] }));
    expect(
      current()
        .range('')
        .map(({ key }) => key),
    ).toEqual(['a']);
  });
}

function limitCases(current: () => Store): void {
  const many = (count: number): { key: string; value: number }[] =>
    Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: n }));
  const refused = async (txn: Parameters<Store['txn']>[0]): Promise<void> => {
    const before = current().rev;
    await expect(current().txn(txn)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    expect(current().rev).toBe(before);
  };
  const text = (bytes: number): string => 'x'.repeat(bytes - 2);

  it(`takes ${STORE_LIMITS.opsPerTxn} writes and refuses one more`, async () => {
    okRev(await current().txn({ puts: many(STORE_LIMITS.opsPerTxn) }));
    expect(current().count('k')).toBe(STORE_LIMITS.opsPerTxn);
    await refused({ puts: many(STORE_LIMITS.opsPerTxn), dels: ['x'] });
    await refused({ guards: many(STORE_LIMITS.opsPerTxn + 1).map(({ key }) => ({ key, absent: true as const })) });
  });

  it('takes a value of 64 KiB as JSON and refuses one byte more', async () => {
    await put(current(), 'a', text(STORE_LIMITS.valueBytes));
    await refused({ puts: [{ key: 'b', value: text(STORE_LIMITS.valueBytes + 1) }] });
    await refused({ puts: [{ key: 'b', value: 'é'.repeat(STORE_LIMITS.valueBytes / 2) }] });
  });

  it('takes 1 MiB of keys and values at once and refuses one byte more', async () => {
    const keys = many(16).map(({ key }) => key.padEnd(10, '-'));
    const sized = (extra: number): { key: string; value: string }[] =>
      keys.map((key, n) => ({ key, value: text(STORE_LIMITS.txnBytes / 16 - 10 + (n === 0 ? extra : 0)) }));
    okRev(await current().txn({ puts: sized(0) }));
    expect(current().count('k')).toBe(16);
    await refused({ puts: sized(1) });
  });

  it('takes a key of 512 bytes and refuses a longer, an empty and a broken one', async () => {
    await put(current(), 'é'.repeat(STORE_LIMITS.keyBytes / 2), 1);
    await refused({ puts: [{ key: 'k'.repeat(STORE_LIMITS.keyBytes + 1), value: 1 }] });
    await refused({ puts: [{ key: '', value: 1 }] });
    await refused({ dels: ['\u{d800}'] });
  });

  it('refuses a key written twice, a guard on no revision, and what is not JSON', async () => {
    await refused({
      puts: [
        { key: 'a', value: 1 },
        { key: 'a', value: 2 },
      ],
    });
    await refused({ puts: [{ key: 'a', value: 1 }], dels: ['a'] });
    await refused({ guards: [{ key: 'a', rev: 0 }] });
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const value of [undefined, Number.NaN, new Date(0), new Map(), 1n, () => 1, [undefined], circle]) {
      await refused({ puts: [{ key: 'a', value: value as never }] });
    }
  });
}

function concurrencyCases(current: () => Store): void {
  it('32 writers count one counter without losing one', async () => {
    const each = 5;
    const increment = async (writer: number, n: number): Promise<void> => {
      for (;;) {
        const entry = current().get<number>('counter');
        const guard =
          entry === undefined ? { key: 'counter', absent: true as const } : { key: 'counter', rev: entry.rev };
        const puts = [{ key: 'counter', value: (entry?.value ?? 0) + 1 }];
        if ((await current().txn({ token: `${writer}/${n}/${entry?.rev ?? 0}`, guards: [guard], puts })).ok) return;
      }
    };
    const writer = async (_: unknown, index: number): Promise<void> => {
      for (let n = 0; n < each; n += 1) await increment(index, n);
    };
    await Promise.all(Array.from({ length: 32 }, writer));
    expect(current().get('counter')?.value).toBe(32 * each);
  });

  it('a transaction is seen whole or not at all', async () => {
    const torn: string[] = [];
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
    const look = (change: Change): void => {
      const values = new Set(keys.map((key) => current().get(key)?.value));
      if (values.size > 1) torn.push(`${change.rev}: ${[...values].join()}`);
    };
    const watch = current().watch('', current().rev + 1, look);
    const round = (n: number): Promise<TxnResult> => current().txn({ puts: keys.map((key) => ({ key, value: n })) });
    await Promise.all(Array.from({ length: 50 }, (_, n) => round(n)));
    watch.close();
    expect(torn).toEqual([]);
    expect(current().count('k')).toBe(20);
  });

  it('one of many takers of one key gets it', async () => {
    const take = (taker: number): Promise<TxnResult> =>
      current().txn({
        guards: [{ key: 'ip/10.0.0.2', absent: true }],
        puts: [
          { key: 'ip/10.0.0.2', value: taker },
          { key: `nic/${taker}`, value: 1 },
        ],
      });
    const results = await Promise.all(Array.from({ length: 50 }, (_, n) => take(n)));
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(current().count('nic/')).toBe(1);
    expect(results.findIndex(({ ok }) => ok)).toBe(current().get('ip/10.0.0.2')?.value);
  });
}

function endCases(current: () => Store): void {
  it('close finishes what was submitted and refuses the rest', async () => {
    const under = Array.from({ length: 20 }, (_, n) => put(current(), `k${n}`, n));
    const closed = current().close();
    await expect(current().txn({ puts: [{ key: 'late', value: 1 }] })).rejects.toMatchObject({ code: 'Unavailable' });
    await closed;
    expect((await Promise.all(under)).length).toBe(20);
    await current().close();
    await expect(current().barrier()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(current().health().ok).toBe(false);
  });

  it('close tells whoever waits for a revision', async () => {
    const waiting = expect(current().waitApplied(current().rev + 5, 60_000)).rejects.toMatchObject({
      code: 'Unavailable',
    });
    await current().close();
    await waiting;
  });
}
