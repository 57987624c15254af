import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EtcdRange } from '../../../../../src/adapters/store/etcd/etcd-api.ts';
import type { EtcdStore } from '../../../../../src/adapters/store/etcd/etcd-store.ts';
import { ModelBench, told } from './model-bench.ts';

describe('following etcd', () => {
  let bench: ModelBench;
  let store: EtcdStore;
  beforeEach(async () => {
    bench = new ModelBench({ watchBatch: 10 });
    store = await bench.open('a');
  });
  afterEach(() => bench.close());

  const numbers = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, n) => `k${(from + n) % 7} ${from + n}`);
  const writeNumbers = (from: number, count: number): void => {
    for (let n = from; n < from + count; n += 1) bench.write(`k${n % 7}`, n);
  };
  /** Cuts what is told and counts the answers that got through. */
  const cutAt = (...which: number[]): { answers: number } => {
    const seen = { answers: 0 };
    bench.model.watchFaults = () => {
      seen.answers += 1;
      return which.includes(seen.answers) ? 'cut' : undefined;
    };
    return seen;
  };
  const away = async (during: () => void): Promise<void> => {
    bench.model.partition('a');
    bench.model.cutWatches('a');
    during();
    await bench.clock.advance(3_000);
    bench.model.heal('a');
  };

  it.each([
    ['the moment it is told that the watch stands', [1]],
    ['right after that', [2]],
    ['between batches', [3, 5, 9]],
    ['each time for a while', [1, 2, 3, 4, 5, 6, 7]],
  ])('cut at %s: every event once, in order', async (_, cuts) => {
    const seen = told(store);
    cutAt(...cuts);
    await away(() => writeNumbers(0, 100));
    await bench.clock.advance(20_000);
    expect(seen).toEqual(numbers(0, 100));
    await bench.through(store.barrier());
    expect(store.health()).toMatchObject({ ok: true, keys: 7 });
  });

  it('history that is compacted away meanwhile is made up for, with deletions', async () => {
    writeNumbers(0, 7);
    await bench.through(store.barrier());
    const seen = told(store);
    await away(() => {
      bench.remove('k0');
      writeNumbers(7 + 1, 3);
      bench.model.compact(bench.model.state.revision);
    });
    await bench.clock.advance(10_000);
    expect(seen.sort()).toEqual(['k0 gone', 'k1 8', 'k2 9', 'k3 10']);
    expect(store.health()).toMatchObject({ ok: true, keys: 6 });
    expect(store.health().restored).toBeUndefined();
  });

  it('what changes while pages are read is neither lost nor told twice', async () => {
    for (let n = 0; n < 4_500; n += 1) bench.write(`p${String(n).padStart(5, '0')}`, 0);
    await bench.through(store.barrier());
    const seen = told(store);
    let pages = 0;
    bench.model.faults = ({ name, request }) => {
      if (name === 'range' && (request as EtcdRange).limit !== undefined) {
        pages += 1;
        bench.write('p00000', pages);
        bench.write(`q${pages}`, pages);
        bench.remove(`p0400${pages}`);
      }
      return undefined;
    };
    await away(() => {
      bench.write('first', 1);
      bench.model.compact(bench.model.state.revision);
    });
    await bench.clock.advance(10_000);
    const other = await bench.open('b');
    expect(pages).toBeGreaterThanOrEqual(3);
    await bench.through(store.barrier());
    expect(store.range('')).toEqual(other.range(''));
    const counts = new Map<string, number>();
    for (const line of seen) counts.set(line, (counts.get(line) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > 1)).toEqual([]);
    expect(seen).toContain('p04001 gone');
  }, 60_000);

  it('an event that etcd left out is found by the comparison, and mended', async () => {
    bench.write('a', 1);
    await bench.through(store.barrier());
    bench.model.losesEvent = ({ kind }) => kind === 'delete';
    bench.remove('a');
    await bench.clock.advance(60_000);
    expect(store.get('a')?.value).toBe(1);
    const seen = told(store);
    await bench.clock.advance(600_000);
    expect([store.get('a'), seen]).toEqual([undefined, ['a gone']]);
    expect(bench.said.some((line) => line.includes('was not what etcd has'))).toBe(true);
  });

  it('a revision that is missing in a row is looked into at once', async () => {
    await bench.clock.advance(120_000);
    bench.write('a', 1);
    await bench.through(store.barrier());
    bench.model.losesEvent = ({ kind }) => kind === 'delete';
    bench.remove('a');
    bench.write('b', 1);
    await bench.clock.advance(5_000);
    expect([store.get('a'), store.get('b')?.value]).toEqual([undefined, 1]);
  });

  it('other programs’ keys in the same etcd hold up no barrier and no health', async () => {
    const op = { kind: 'put' as const, key: 'other/x', value: '1' };
    for (let n = 0; n < 3; n += 1) {
      bench.model.state.txn({ compare: [], success: [op], failure: [] });
      await bench.through(store.barrier());
      await bench.clock.advance(5_000);
    }
    bench.write('a', 1);
    await bench.through(store.barrier());
    expect(store.get('a')?.value).toBe(1);
    expect(store.health()).toMatchObject({ ok: true, keys: 1 });
    expect(store.health().staleMs).toBeUndefined();
  });

  it('what is not JSON is not seen, and told of', async () => {
    const op = { kind: 'put' as const, key: 'novactl/d/broken', value: '{' };
    bench.model.state.txn({ compare: [], success: [op], failure: [] });
    bench.write('a', 1);
    await bench.through(store.barrier());
    expect(store.range('').map(({ key }) => key)).toEqual(['a']);
    expect(bench.said.join()).toContain('does not hold JSON');
  });

  it('health: quiet is current; cut off is stale, with its age, until it is back', async () => {
    bench.write('a', 1);
    await bench.clock.advance(120_000);
    expect(store.health()).toEqual({ engine: 'etcd', ok: true, rev: store.rev, keys: 1 });
    bench.model.partition('a');
    await bench.clock.advance(30_000);
    const { ok, problem, staleMs = 0 } = store.health();
    expect([ok, problem?.startsWith('etcd does not answer')]).toEqual([false, true]);
    expect(staleMs).toBeGreaterThan(25_000);
    expect(staleMs).toBeLessThan(33_000);
    bench.model.heal('a');
    await bench.clock.advance(10_000);
    expect(store.health()).toEqual({ engine: 'etcd', ok: true, rev: store.rev, keys: 1 });
  });

  it('a barrier without a majority is refused, and a watch that hangs is replaced', async () => {
    bench.model.quorum = false;
    await expect(bench.through(store.barrier())).rejects.toMatchObject({ code: 'Unavailable' });
    bench.model.quorum = true;
    await bench.through(store.barrier());
    // Only the watch is dead: what it is owed never comes.
    bench.model.losesEvent = () => true;
    bench.write('a', 1);
    await bench.clock.advance(3_000);
    bench.model.losesEvent = () => false;
    await bench.clock.advance(20_000);
    expect(store.get('a')?.value).toBe(1);
  });
});
