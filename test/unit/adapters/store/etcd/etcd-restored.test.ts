import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openReadOnlyStore } from '../../../../../src/adapters/store/read-only-store.ts';
import type { EtcdRange } from '../../../../../src/adapters/store/etcd/etcd-api.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { silentLogger } from '../../../../../src/base/logger.ts';
import { ModelBench, told } from './model-bench.ts';

describe('another history behind etcd', () => {
  let bench: ModelBench;
  beforeEach(() => (bench = new ModelBench()));
  afterEach(() => bench.close());

  it.each([
    ['an older copy', '1001', 0],
    ['an older copy that has gone on beyond', '1001', 20],
    ['the same revision in another cluster', '2002', 2],
  ])('%s is told of, and its records take the place', async (_, clusterId, more) => {
    const store = await bench.open('a');
    bench.write('kept', 1);
    const copy = bench.model.copy();
    bench.write('lost', 1);
    bench.write('kept', 2);
    await bench.through(store.barrier());
    const known = store.rev;
    const seen = told(store);
    bench.model.restore(copy, clusterId);
    for (let n = 0; n < more; n += 1) bench.write('other', n);
    await bench.pass(5_000);
    expect(store.health().restored).toMatchObject({ knownRev: known });
    expect(seen).toEqual(expect.arrayContaining(['lost gone', 'kept 1']));
    expect([store.get('lost'), store.get('kept')?.value]).toEqual([undefined, 1]);
    expect(store.rev).toBe(bench.model.state.revision);
    bench.write('kept', 3);
    await bench.through(store.barrier());
    expect([store.get('kept')?.value, seen.at(-1)]).toEqual([3, 'kept 3']);
    await bench.pass(60_000);
    expect(store.health().restored).toMatchObject({ knownRev: known });
    await store.acceptHistory();
    bench.model.cutWatches();
    await bench.pass(60_000);
    expect(store.health().restored).toBeUndefined();
  });

  it('nobody who asks for what is committed is answered from the old one', async () => {
    const store = await bench.open('a');
    const copy = bench.model.copy();
    for (let n = 0; n < 5; n += 1) bench.write('lost', n);
    await bench.through(store.barrier());
    expect(store.get('lost')).toBeDefined();
    bench.model.restore(copy);
    await bench.through(store.barrier());
    expect([store.get('lost'), store.health().restored?.rev]).toEqual([undefined, store.rev]);
  });

  it('a cut, a compaction and a new leader are not taken for it', async () => {
    const store = await bench.open('a');
    bench.write('a', 1);
    await bench.through(store.barrier());
    bench.model.cutWatches();
    bench.model.compact(bench.model.state.revision);
    await bench.pass(5_000);
    bench.remove('a');
    bench.model.partition('a');
    bench.model.cutWatches();
    bench.write('b', 1);
    bench.model.compact(bench.model.state.revision);
    bench.model.heal('a');
    bench.model.quorum = false;
    await bench.pass(5_000);
    bench.model.quorum = true;
    await bench.pass(20_000);
    expect(store.range('').map(({ key }) => key)).toEqual(['b']);
    expect(store.health().restored).toBeUndefined();
  });
});

describe('the copy of etcd on disk', () => {
  let bench: ModelBench;
  let dir: string;
  beforeEach(async () => {
    bench = new ModelBench();
    dir = await mkdtemp(path.join(os.tmpdir(), 'novactl-etcd-'));
  });
  afterEach(async () => {
    await bench.close();
    await rm(dir, { recursive: true, force: true });
  });
  const listings = (): { count: number } => {
    const seen = { count: 0 };
    bench.model.faults = ({ name, request }) => {
      if (name === 'range' && (request as EtcdRange).limit !== undefined) seen.count += 1;
      return undefined;
    };
    return seen;
  };
  const fill = async (): Promise<void> => {
    const store = await bench.open('a', { dir });
    for (let n = 0; n < 30; n += 1) {
      await bench.through(store.txn({ puts: [{ key: `k${n % 9}`, value: n }], dels: [`k${(n + 1) % 9}`] }));
    }
    await bench.through(store.close());
  };

  it('is a warm start: what is there is not read again, what came since is', async () => {
    await fill();
    bench.write('since', 1);
    bench.remove('k2');
    const seen = listings();
    const store = await bench.open('a', { dir });
    const fresh = await bench.open('b');
    expect(store.range('')).toEqual(fresh.range(''));
    expect([store.get('since')?.value, seen.count]).toEqual([1, 1]);
  });

  it('answers reads while etcd can’t be reached, as stale, and is current once it can', async () => {
    await fill();
    bench.model.partition('a');
    const store = await bench.open('a', { dir });
    expect(store.count('k')).toBeGreaterThan(0);
    expect(store.health()).toMatchObject({ ok: false });
    expect(store.health().staleMs).toBeGreaterThan(2_000);
    bench.model.heal('a');
    bench.write('since', 1);
    await bench.pass(15_000);
    expect([store.get('since')?.value, store.health().ok]).toEqual([1, true]);
  });

  it('without a copy and without etcd there is no store, and the folder is free again', async () => {
    bench.model.partition('a');
    await expect(bench.open('a', { dir })).rejects.toMatchObject({ code: 'Unavailable' });
    bench.model.heal('a');
    expect((await bench.open('a', { dir })).health().ok).toBe(true);
  });

  it('is read by whoever reads the file engine’s folder', async () => {
    const store = await bench.open('a', { dir });
    for (let n = 0; n < 10; n += 1) await bench.through(store.txn({ puts: [{ key: `k${n}`, value: n }] }));
    await bench.through(store.close());
    const reader = await openReadOnlyStore({ dir, clock: new SystemClock(), logger: silentLogger });
    expect(reader?.range('')).toEqual(store.range(''));
    await reader?.close();
  });

  it('that is damaged is made anew', async () => {
    await fill();
    for (const name of await readdir(dir)) {
      if (/^(journal|replica)/.test(name)) await writeFile(path.join(dir, name), 'what is this');
    }
    const store = await bench.open('a', { dir });
    const expected = store.range('');
    expect(expected.length).toBeGreaterThan(0);
    await bench.through(store.close());
    const seen = listings();
    const again = await bench.open('a', { dir });
    expect([again.range(''), seen.count]).toEqual([expected, 0]);
  });

  it('of a history that is no more says so at the start, and goes on saying it until accepted', async () => {
    const copy = bench.model.copy();
    await fill();
    bench.model.restore(copy);
    for (let n = 0; n < 60; n += 1) bench.write('other', n);
    const store = await bench.open('a', { dir });
    expect(store.health().restored?.reason).toContain('revision');
    expect(store.range('').map(({ key }) => key)).toEqual(['other']);
    await bench.through(store.close());
    const again = await bench.open('a', { dir });
    expect(again.health().restored).toEqual(store.health().restored);
    await again.acceptHistory();
    await bench.through(again.close());
    expect((await bench.open('a', { dir })).health().restored).toBeUndefined();
  });

  it('whose disk fails is an alarm and stops nothing', async () => {
    const store = await bench.open('a', { dir });
    await bench.through(store.txn({ puts: [{ key: 'a', value: 1 }] }));
    // The folder goes from under it: the next segment or snapshot can't be made.
    await rm(dir, { recursive: true });
    bench.model.cutWatches();
    bench.model.compact(bench.model.state.revision);
    bench.write('b', 1);
    bench.model.compact(bench.model.state.revision);
    await bench.pass(5_000);
    expect((await bench.through(store.txn({ puts: [{ key: 'c', value: 1 }] }))).ok).toBe(true);
    expect(store.health()).toMatchObject({ ok: true, keys: 3 });
  });
});
