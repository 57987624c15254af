import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EtcdApi, EtcdRangeAnswer } from '../../../../src/adapters/store/etcd/etcd-api.ts';
import { isCode } from '../../../../src/base/errors.ts';
import { EtcdCluster } from '../../../support/etcd-cluster.ts';
import { etcdMissing } from '../../../support/etcd-node.ts';
import { dialEtcd, EtcdListener, put } from '../../../support/etcd-probe.ts';
import { until } from '../../../support/until.ts';

/** Three members, of which some die, freeze or lose the others. Each test leaves them whole. */
const missing = etcdMissing();
let cluster: EtcdCluster;
const open = new Set<{ close(): void }>();

const keep = <T extends { close(): void }>(thing: T): T => {
  open.add(thing);
  return thing;
};
const dial = (endpoints: readonly string[] = cluster.endpoints): EtcdApi => keep(dialEtcd(cluster.access(endpoints)));
const listen = (etcd: EtcdApi, startRevision: number): EtcdListener =>
  new EtcdListener(etcd, { key: 'm/', rangeEnd: 'm0', startRevision });

beforeAll(async () => {
  if (missing !== undefined) return;
  cluster = await EtcdCluster.start();
});

afterEach(async () => {
  for (const each of open) each.close();
  open.clear();
  if (missing !== undefined) return;
  await cluster.startAll();
});

afterAll(async () => {
  await cluster?.destroy();
});

const real = (name: string, body: () => Promise<void>): void =>
  it(`${name} [real]`, async (ctx) => {
    if (missing !== undefined) ctx.skip(missing);
    else await body();
  }, 120_000);

/**
 * Asks until it is answered; how often it was not. Nothing but Unavailable may come in between. On a busy machine the members may elect a leader
 * at any time, so whatever must succeed asks like this.
 */
async function surely<T extends object>(
  ask: () => Promise<T>,
): Promise<{ readonly answer: T; readonly failures: number }> {
  let failures = 0;
  const once = async (): Promise<T | undefined> => {
    try {
      return await ask();
    } catch (error) {
      if (!isCode(error, 'Unavailable')) throw error;
      failures += 1;
      return undefined;
    }
  };
  const answer = await until(once, { what: 'etcd answers', timeoutMs: 45_000, everyMs: 50 });
  return { answer, failures };
}

async function read(etcd: EtcdApi, key: string, timeoutMs = 2_000): Promise<EtcdRangeAnswer & { failures: number }> {
  const { answer, failures } = await surely(() => etcd.range({ key }, { timeoutMs }));
  return { ...answer, failures };
}

/** Once, however often it has to ask; the revision. */
async function write(etcd: EtcdApi, key: string, value: string): Promise<number> {
  const { kvs } = await read(etcd, key);
  const compare = [{ key, modRevision: kvs[0]?.modRevision ?? 0 }];
  await surely(() => etcd.txn({ compare, success: [put(key, value)], failure: [] }, { timeoutMs: 2_000 }));
  const now = await read(etcd, key);
  return now.kvs[0]?.modRevision ?? 0;
}

describe('when a member dies', () => {
  real('calls go on at another one, and watches elsewhere miss nothing', async () => {
    const leader = await cluster.leader();
    const all = dial();
    const from = (await write(all, 'm/first', '1')) + 1;
    const watches = cluster.endpoints.map((endpoint) => listen(dial([endpoint]), from));
    await until(() => watches.every(({ created }) => created), { what: 'all watches are made' });
    await cluster.kill(leader);
    const rev = await write(all, 'm/second', '2');
    await until(() => watches[leader]?.ends.length === 1, { what: 'the watch of the dead member ends' });
    const others = watches.filter((_, index) => index !== leader);
    const informed = (watch: EtcdListener): boolean => watch.ends.length === 1 || watch.events.length > 0;
    await until(() => others.every(informed), { what: 'the others hear of it, or know that they ended' });
    for (const watch of others.filter(({ ends }) => ends.length === 0)) {
      expect(watch.events.map(({ kv }) => kv.modRevision)).toEqual([rev]);
    }
    expect(watches[leader]?.events).toEqual([]);
  });

  real('a minority says that it has no leader, and its watches end', async () => {
    const leader = await cluster.leader();
    const [survivor = 0, ...others] = [0, 1, 2].filter((index) => index !== leader);
    const etcd = dial([cluster.endpoint(survivor)]);
    await write(etcd, 'm/quorum', '1');
    const watch = listen(etcd, 0);
    await until(() => watch.created, { what: 'the watch is made' });
    for (const index of [leader, ...others]) await cluster.kill(index);
    await until(() => watch.ends.length === 1, { what: 'the watch ends', timeoutMs: 30_000 });
    const failure = await etcd
      .txn({ compare: [], success: [put('m/quorum', '2')], failure: [] }, { timeoutMs: 2_000 })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'Unavailable' });
    const again = listen(etcd, 0);
    await until(() => again.ends.length === 1, { what: 'a new watch ends, too', timeoutMs: 30_000 });
    await cluster.startAll();
    expect((await read(etcd, 'm/quorum')).kvs[0]?.value).toBe('1');
  });
});

describe('when a member stands still', () => {
  real('calls end at their deadline and go on elsewhere, watches end by themselves', async () => {
    const leader = await cluster.leader();
    const frozen = (leader + 1) % 3;
    const alone = dial([cluster.endpoint(frozen)]);
    await write(alone, 'm/frozen', '1');
    const [old, both] = [listen(alone, 0), dial([frozen, leader].map((index) => cluster.endpoint(index)))];
    await until(() => old.created, { what: 'the watch is made' });
    await cluster.stop(frozen);
    const late = await alone.range({ key: 'm/frozen' }, { timeoutMs: 700 }).catch((error: unknown) => error);
    expect(late).toMatchObject({ code: 'Unavailable' });
    expect((await read(both, 'm/frozen', 700)).kvs[0]?.value).toBe('1');
    const young = listen(alone, 0);
    await until(() => young.ends.length === 1 && old.ends.length === 1, {
      what: 'both watches end',
      timeoutMs: 45_000,
    });
    expect([young.answers, old.events]).toEqual([[], []]);
    cluster.cont(frozen);
    expect((await read(alone, 'm/frozen')).kvs[0]?.value).toBe('1');
  });
});

describe('a backup that is put back', () => {
  real('brings the older state, and the same cluster with a lower revision', async () => {
    const etcd = dial();
    await write(etcd, 'm/backup', 'old');
    const file = await cluster.snapshot();
    await write(etcd, 'm/backup', 'new');
    const newer = await read(etcd, 'm/backup');
    await cluster.restore(file);
    const older = await read(etcd, 'm/backup');
    expect(older.kvs[0]?.value).toBe('old');
    expect(older.header.clusterId).toBe(newer.header.clusterId);
    expect(older.header.revision).toBeLessThan(newer.header.revision);
    await cluster.restore(file, 'another-token');
    const another = await read(etcd, 'm/backup');
    expect(another.header.clusterId).not.toBe(newer.header.clusterId);
  });
});
