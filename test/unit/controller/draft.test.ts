import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { Draft, transact } from '../../../src/controller/state/draft.ts';
import { until } from '../../support/until.ts';
import type { Store, Txn, TxnResult } from '../../../src/ports/store.ts';

interface Counter {
  readonly n: number;
}

let store: Store;
beforeEach(() => {
  store = createMemoryStore({ clock: new SystemClock(), random: new SeededRandom(1) });
});

const put = (key: string, n: number): Promise<TxnResult> => store.txn({ puts: [{ key, value: { n } }] });
const value = (key: string): number | undefined => store.get<Counter>(key)?.value.n;

/** The store with some calls of its own. */
function wrapped(patch: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const own = patch[name as keyof Store];
      if (own !== undefined) return own;
      const found: unknown = Reflect.get(target, name, target);
      return typeof found === 'function' ? (found.bind(target) as unknown) : found;
    },
  });
}

describe('a draft', () => {
  it('guards what it gets, absent or not, and nothing that it peeks at', async () => {
    await put('a', 1);
    await put('b', 2);
    const draft = new Draft(store);
    expect([draft.get<Counter>('a'), draft.get('none'), draft.peek<Counter>('b')]).toEqual([
      { n: 1 },
      undefined,
      { n: 2 },
    ]);
    expect(draft.guards).toEqual([
      { key: 'a', rev: 1 },
      { key: 'none', absent: true },
    ]);
  });

  it('reads what it wrote', async () => {
    await put('a', 1);
    const draft = new Draft(store);
    draft.put('a', { n: 2 });
    expect([draft.get('a'), draft.peek('a')]).toEqual([{ n: 2 }, { n: 2 }]);
    draft.del('a');
    expect([draft.get('a'), draft.peek('a'), draft.dels, draft.puts]).toEqual([undefined, undefined, ['a'], []]);
    draft.put('a', { n: 3 });
    expect([draft.get('a'), draft.dels]).toEqual([{ n: 3 }, []]);
    expect(draft.guards).toEqual([]);
  });

  it('is empty until it writes', () => {
    const draft = new Draft(store);
    draft.get('a');
    expect(draft.empty).toBe(true);
    draft.del('a');
    expect(draft.empty).toBe(false);
  });
});

describe('transact', () => {
  const increment = (on: Store, key: string) =>
    transact(on, (draft) => {
      const n = (draft.get<Counter>(key)?.n ?? 0) + 1;
      draft.put(key, { n });
      return n;
    });

  it('refuses nothing by old reads: what others committed before is seen before a refusal stands', async () => {
    await put('a', 1);
    let isBehind = true;
    const sleeper = wrapped({
      get: (key) => (isBehind ? undefined : store.get(key)),
      latest: (key) => (isBehind ? undefined : store.latest(key)),
      barrier: () => Promise.resolve(void (isBehind = false)),
    });
    const slept = new Proxy(sleeper, {
      get: (target, name) => (name === 'rev' && isBehind ? 0 : (Reflect.get(target, name) as unknown)),
    });
    const known = (key: string) =>
      transact(slept, (draft) => {
        const found = draft.get<Counter>(key);
        if (found === undefined) throw new CloudError('NotFound', key);
        draft.put(key, { n: found.n + 1 });
        return found.n;
      });
    expect(await known('a')).toEqual({ result: 1, rev: 2 });
    await expect(known('b')).rejects.toThrow('b');
  });

  it('commits what was decided and says at which revision', async () => {
    expect(await increment(store, 'a')).toEqual({ result: 1, rev: 1 });
    expect(await increment(store, 'a')).toEqual({ result: 2, rev: 2 });
  });

  it('300 at once on one key follow each other without a conflict', async () => {
    let tries = 0;
    const counting = wrapped({ txn: (txn: Txn) => ((tries += 1), store.txn(txn)) });
    const results = await Promise.all(Array.from({ length: 300 }, () => increment(counting, 'a')));
    expect(results.map(({ result }) => result)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    expect([value('a'), tries]).toEqual([300, 300]);
  });

  it('decides again on what the refusal says when another process was faster', async () => {
    await put('a', 5);
    let raced = false;
    const racing = wrapped({
      async txn(txn: Txn) {
        if (!raced) {
          raced = true;
          await put('a', 40);
        }
        return store.txn(txn);
      },
      // Another engine's replica: it has heard of nothing yet.
      latest: <T>(key: string) => (key === 'a' ? { key, value: { n: 5 } as T, rev: 1 } : undefined),
    });
    expect((await increment(racing, 'a')).result).toBe(41);
    expect(value('a')).toBe(41);
  });

  it('takes the newer of what a refusal said and what was heard since', async () => {
    await put('a', 1);
    const seen: (number | undefined)[] = [];
    let rounds = 0;
    const racing = wrapped({
      async txn(txn: Txn) {
        rounds += 1;
        if (rounds > 2) return store.txn(txn);
        await put('a', rounds * 10);
        const answer = await store.txn(txn);
        // Before the next decision one more comes in, that the refusal could not tell.
        if (rounds === 1) await put('a', 15);
        return answer;
      },
    });
    await transact(racing, (draft) => {
      seen.push(draft.get<Counter>('a')?.n);
      draft.put('b', { n: 1 });
    });
    expect(seen).toEqual([1, 15, 20]);
  });

  it('gives up when others are always faster', async () => {
    await put('a', 0);
    let n = 0;
    const racing = wrapped({ txn: async (txn: Txn) => (await put('a', (n += 1)), store.txn(txn)) });
    await expect(increment(racing, 'a')).rejects.toMatchObject({ code: 'Conflict' });
    expect(n).toBe(32);
  });

  it('300 at once all succeed over an engine that tells committed state alone, with few tries in vain', async () => {
    let tries = 0;
    const committedOnly = wrapped({
      txn: (txn: Txn) => ((tries += 1), store.txn(txn)),
      latest: <T>(key: string) => store.get<T>(key),
    });
    const results = await Promise.all(Array.from({ length: 300 }, () => increment(committedOnly, 'a')));
    expect(new Set(results.map(({ result }) => result)).size).toBe(300);
    expect(value('a')).toBe(300);
    // Two each side by side, and one that is alone.
    expect(tries).toBeLessThanOrEqual(900);
  });

  it('what is refused twice is not overtaken by what is asked for after it', async () => {
    await put('a', 0);
    const order: string[] = [];
    let refusals = 0;
    const slow = wrapped({
      txn: async (txn: Txn) => {
        if (txn.token?.startsWith('first') === true && refusals < 3) {
          refusals += 1;
          await put('a', 100 * refusals);
        }
        return store.txn(txn);
      },
      latest: <T>(key: string) => store.get<T>(key),
    });
    const decide = (name: string) => (draft: Draft) => {
      draft.put('a', { n: (draft.get<Counter>('a')?.n ?? 0) + 1 });
      return name;
    };
    const run = (name: string) => transact(slow, decide(name), { token: name }).then(() => order.push(name));
    const first = run('first');
    await until(() => refusals === 3, { what: 'it was refused often', everyMs: 1 });
    await Promise.all([first, run('second')]);
    expect([order, value('a')]).toEqual([['first', 'second'], 302]);
  });

  it('an empty draft commits nothing', async () => {
    await put('a', 1);
    expect(await transact(store, (draft) => draft.get<Counter>('a')?.n)).toEqual({ result: 1, rev: 1 });
    expect(store.rev).toBe(1);
  });

  it('a refusal, or an answer without a write, waits for the commit that it rests on', async () => {
    const order: string[] = [];
    const first = increment(store, 'a').then(() => order.push('committed'));
    const refused = transact(store, (draft) => {
      if (draft.get('a') !== undefined) throw new CloudError('AlreadyExists', 'taken');
      draft.put('a', { n: 9 });
    }).catch((error: unknown) => order.push((error as CloudError).code));
    const read = transact(store, (draft) => draft.get<Counter>('a')?.n).then(({ result }) =>
      order.push(`read ${result}`),
    );
    await Promise.all([first, refused, read]);
    expect(order).toEqual(['committed', 'AlreadyExists', 'read 1']);
  });

  it('decides on committed state alone where it is told to', async () => {
    const first = increment(store, 'a');
    const seen: number[] = [];
    const settled = transact(
      store,
      (draft) => {
        seen.push(draft.replica.range('a').length, draft.get<Counter>('a')?.n ?? 0);
        draft.put('b', { n: 1 });
      },
      { settled: true },
    );
    await Promise.all([first, settled]);
    expect(seen).toEqual([1, 1]);
  });

  it('names each attempt, so that an answer that was lost does not make it happen twice', async () => {
    const tokens: (string | undefined)[] = [];
    let raced = false;
    const racing = wrapped({
      async txn(txn: Txn) {
        tokens.push(txn.token);
        if (!raced) await put('a', 1);
        raced = true;
        return store.txn(txn);
      },
    });
    await transact(racing, (draft) => draft.put('b', { n: draft.get<Counter>('a')?.n ?? 0 }), { token: 'op-1' });
    expect(tokens).toEqual(['op-1.0', 'op-1.1']);
  });
});
