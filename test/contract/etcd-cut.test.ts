import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EtcdStore } from '../../src/adapters/store/etcd/etcd-store.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Change } from '../../src/ports/store.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { etcdMissing } from '../support/etcd-node.ts';
import { freshPrefix, openStoreOn, subjectOn, twoOn } from '../support/etcd-stores.ts';
import { until } from '../support/until.ts';
import { countUp, soloWriters } from './etcd-load.ts';
import { twoStoresContract } from './store-two.ts';
import { okRev, put, storeContract } from './store.ts';

const QUOTA_BYTES = 96 * 1024 * 1024;
const missing = etcdMissing();
let cluster: EtcdCluster;
let proxies: CuttingProxy[] = [];
let started: EtcdCluster | undefined;
let prefix = '';
let opened: EtcdStore[] = [];
const folders: string[] = [];

beforeAll(async () => {
  if (missing !== undefined) return;
  started = await EtcdCluster.start({ quotaBytes: QUOTA_BYTES });
  cluster = started;
  proxies = await Promise.all([0, 1, 2].map((index) => CuttingProxy.start(cluster.clientPort(index))));
});

afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await started?.destroy();
  for (const dir of folders) await rm(dir, { recursive: true, force: true });
});

function there(skip: (reason: string) => void): EtcdCluster {
  if (missing !== undefined) skip(missing);
  if (started === undefined) throw new Error('the cluster did not start');
  return started;
}

storeContract('[real] etcd x3', ({ historyLength, skip }) => subjectOn(there(skip), historyLength));
twoStoresContract('[real] etcd x3', (ctx) => twoOn(there((reason) => ctx.skip(reason))));

/** Straight to the nodes. */
async function direct(dir?: string): Promise<EtcdStore> {
  const store = await openStoreOn(cluster.access(), { prefix, ...(dir === undefined ? {} : { dir }) });
  opened.push(store);
  return store;
}

/** Over the proxies. */
async function proxied(dir?: string): Promise<EtcdStore> {
  const endpoints = proxies.map((proxy, index) => cluster.endpoint(index, proxy.port));
  const store = await openStoreOn(cluster.access(endpoints), { prefix, ...(dir === undefined ? {} : { dir }) });
  opened.push(store);
  return store;
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'nv-etcd-copy-'));
  folders.push(dir);
  return dir;
}

const all = (what: (proxy: CuttingProxy) => void): void => proxies.forEach(what);

/** What a watcher is told, as text: revision, key, value. */
function told(store: EtcdStore): string[] {
  const seen: string[] = [];
  const note = ({ rev, ops }: Change): void => {
    for (const { key, value } of ops)
      seen.push(`${rev} ${key} ${value === undefined ? 'gone' : JSON.stringify(value)}`);
  };
  store.watch('', store.rev + 1, note);
  return seen;
}

describe('[real] etcd x3 with everything against it', () => {
  beforeEach((ctx) => {
    there((reason) => ctx.skip(reason));
    prefix = freshPrefix();
    opened = [];
  });
  afterEach(async () => {
    all((proxy) => {
      proxy.cutNever();
      proxy.pass();
    });
    await Promise.all(opened.map((store) => store.close()));
  });

  it('480 increments by 8 writers through connections that are cut are 480', async () => {
    const stores = await Promise.all([proxied(), proxied(), proxied(), proxied()]);
    const random = new SeededRandom(480);
    all((proxy) => proxy.cutAtRandom(random, { least: 500, most: 30_000 }));
    const tally = await countUp(stores, { writers: 8, each: 60 });
    all((proxy) => proxy.cutNever());
    const check = await direct();
    const counts = stores.map((store) => store.counts);
    const sum = (name: keyof EtcdStore['counts']): number => counts.reduce((total, each) => total + each[name], 0);
    console.info(
      `480 increments: ${sum('unknown')} unknown (${sum('resolvedApplied')} had applied, ${sum('leftUnknown')} left to the caller), ` +
        `${sum('conflicts')} conflicts, ${sum('transportErrors')} transport errors, ${proxies.reduce((cuts, proxy) => cuts + proxy.seen.cuts, 0)} cuts`,
    );
    expect(check.get('counter')?.value).toBe(480);
    expect(tally.acknowledged).toBe(480);
    expect(sum('unknown')).toBeGreaterThan(0);
  }, 60_000);

  it('5,000 events with cuts while they are caught up with arrive once each, in order', async () => {
    const follower = await proxied();
    const seen = told(follower);
    all((proxy) => proxy.refuse());
    const writer = await direct();
    const expected = told(writer);
    for (let n = 0; n < 2_500; n += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          writer.txn({
            puts: [
              { key: `k${(n + i) % 700}`, value: n + i },
              { key: `l${n + i}`, value: 'x'.repeat(150) },
            ],
          }),
        ),
      );
    }
    const random = new SeededRandom(5000);
    const before = proxies.reduce((cuts, proxy) => cuts + proxy.seen.cuts, 0);
    all((proxy) => proxy.cutAtRandom(random, { least: 50_000, most: 800_000 }));
    all((proxy) => proxy.pass());
    await until(() => seen.length >= expected.length, { what: 'all events are told', timeoutMs: 40_000 });
    const cuts = proxies.reduce((sum, proxy) => sum + proxy.seen.cuts, 0) - before;
    console.info(`5,000 events: caught up over ${cuts} cuts`);
    expect(expected).toHaveLength(5_000);
    expect(seen).toEqual(expected);
    expect(cuts).toBeGreaterThan(0);
  }, 60_000);

  it('deletions are told after a compaction that came in the way', async () => {
    const writer = await direct();
    await writer.txn({ puts: Array.from({ length: 50 }, (_, n) => ({ key: `old${n}`, value: n })) });
    const follower = await proxied();
    const seen = told(follower);
    all((proxy) => proxy.refuse());
    await writer.txn({ dels: Array.from({ length: 50 }, (_, n) => `old${n}`) });
    for (let n = 0; n < 2_000; n += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(writer, `new${(n + i) % 20}`, n + i)));
    }
    await cluster.compact();
    all((proxy) => proxy.pass());
    await follower.barrier();
    expect(follower.range('')).toEqual(writer.range(''));
    expect(seen.filter((line) => line.endsWith('gone'))).toHaveLength(50);
    expect(follower.health()).toMatchObject({ ok: true, keys: 20 });
    expect(follower.health().restored).toBeUndefined();
  }, 40_000);

  it('the lease of a process that is killed lapses, and others see it', async () => {
    const victim = await proxied();
    const lease = await victim.lease(2_000);
    okRev(await victim.txn({ puts: [{ key: 'alive/x', value: 1, lease }] }));
    const witness = await direct();
    expect([witness.count('alive/'), lease.fresh]).toEqual([1, true]);
    all((proxy) => proxy.hold());
    const cutMs = performance.now();
    await until(() => witness.count('alive/') === 0, { what: 'the lease lapses', timeoutMs: 15_000 });
    console.info(`lease of 2 s: gone ${Math.round(performance.now() - cutMs)} ms after the cut`);
    expect(lease.fresh).toBe(false);
    await until(() => (victim.health().staleMs ?? 0) > 2_000, { what: 'the one cut off says that it is stale' });
    expect(victim.get('alive/x')?.value).toBe(1);
    expect(victim.health().ok).toBe(false);
    all((proxy) => proxy.pass());
    await until(() => lease.lost.aborted, { what: 'it hears that its lease is over', timeoutMs: 15_000 });
    await victim.barrier();
    await until(() => victim.health().ok, { what: 'it is current again' });
    expect(victim.count('alive/')).toBe(0);
  }, 60_000);

  it.each([
    ['killed', 3_000, (leader: number) => cluster.kill(leader), (leader: number) => cluster.start(leader)],
    ['frozen', 5_000, (leader: number) => cluster.stop(leader), (leader: number) => void cluster.cont(leader)],
  ])(
    'the leader is %s for %i ms under load: no wrong answer',
    async (what, forMs, hurt, mend) => {
      const stores = await Promise.all([direct(), direct()]);
      const leader = await cluster.leader();
      const load = soloWriters(stores, 8);
      await until(() => load.done() > 100, { what: 'the load runs' });
      await hurt(leader);
      const hurtMs = performance.now();
      await until(() => performance.now() - hurtMs > forMs && load.sinceMs(hurtMs) > 50, {
        what: 'the load goes on without it',
        timeoutMs: 30_000,
      });
      await Promise.resolve(mend(leader));
      const { wrong, gapMs, acknowledged } = await load.stop();
      console.info(`leader ${what}: ${acknowledged.size} writers went on, longest pause ${Math.round(gapMs)} ms`);
      expect(wrong).toEqual([]);
      const check = await direct();
      for (const [key, value] of acknowledged) expect([key, check.get(key)?.value]).toEqual([key, value]);
      await cluster.settled();
    },
    90_000,
  );

  it('no space: changes are refused at once, reads answer, and it heals', async () => {
    const store = await direct();
    await put(store, 'a', 1);
    const puts = Array.from({ length: 15 }, (_, n) => ({ key: `fill${n}`, value: 'x'.repeat(65_000) }));
    const full = async (): Promise<unknown> => {
      for (let n = 0; n < 200; n += 1) {
        try {
          await Promise.all([0, 1, 2, 3].map(() => store.txn({ puts })));
        } catch (error) {
          return error;
        }
      }
      return undefined;
    };
    expect(await full()).toMatchObject({ code: 'Unavailable', details: { reason: 'noSpace' } });
    const startMs = performance.now();
    await expect(put(store, 'b', 1)).rejects.toMatchObject({ code: 'Unavailable', details: { reason: 'noSpace' } });
    expect(performance.now() - startMs).toBeLessThan(5_000);
    await store.barrier();
    expect(store.get('a')?.value).toBe(1);
    await until(() => store.health().problem?.includes('no space'), { what: 'health tells of it' });
    await cluster.makeRoom();
    await until(() => put(store, 'b', 2).catch(() => undefined), {
      what: 'changes are taken again',
      timeoutMs: 20_000,
    });
    expect(store.get('b')?.value).toBe(2);
  }, 90_000);

  it('restored from a backup and gone on beyond: it is told, differences are emitted, until accepted', async () => {
    const dir = await folder();
    const writer = await direct();
    await put(writer, 'kept', 1);
    const file = await cluster.snapshot();
    const follower = await proxied(dir);
    await put(writer, 'lost', 1);
    await put(writer, 'kept', 2);
    await follower.barrier();
    const seen = told(follower);
    const known = follower.rev;
    all((proxy) => proxy.refuse());
    await writer.close();
    await cluster.restore(file);
    const after = await direct();
    for (let n = 0; n < 10; n += 1) await put(after, 'other', n);
    expect(after.rev).toBeGreaterThan(known);
    all((proxy) => proxy.pass());
    await until(() => follower.get('other')?.value === 9, {
      what: 'the restored state is followed',
      timeoutMs: 20_000,
    });
    expect(follower.health().restored).toMatchObject({ knownRev: known });
    expect(seen.map((line) => line.slice(line.indexOf(' ') + 1)).sort()).toEqual(['kept 1', 'lost gone', 'other 9']);
    expect(follower.range('')).toEqual(after.range(''));
    await follower.close();

    const again = await direct(dir);
    expect(again.health().restored).toMatchObject({ knownRev: known });
    await again.acceptHistory();
    expect(again.health().restored).toBeUndefined();
    await again.close();
    expect((await direct(dir)).health().restored).toBeUndefined();
  }, 90_000);
});
