import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EtcdApi, EtcdTxn } from '../../../../src/adapters/store/etcd/etcd-api.ts';
import { isCode } from '../../../../src/base/errors.ts';
import { CuttingProxy } from '../../../support/cutting-proxy.ts';
import { EtcdCluster } from '../../../support/etcd-cluster.ts';
import { etcdMissing } from '../../../support/etcd-node.ts';
import { dialEtcd, EtcdListener, PATIENT, put, write } from '../../../support/etcd-probe.ts';
import { until } from '../../../support/until.ts';

/** One member is enough for what the wire carries, and never without a leader; etcd-members.test.ts is about several. */
const missing = etcdMissing();
let cluster: EtcdCluster;
let etcd: EtcdApi;
let proxy: CuttingProxy;
const open: { close(): void }[] = [];

/** Through the proxy. */
function dialProxy(): EtcdApi {
  const near = dialEtcd(cluster.access([cluster.endpoint(0, proxy.port)]));
  open.push(near);
  return near;
}

const listen = (near: EtcdApi, startRevision: number): EtcdListener =>
  new EtcdListener(near, { key: 'm/', rangeEnd: 'm0', startRevision });

/** Waits until calls get through again. */
async function answers(near: EtcdApi): Promise<void> {
  const ask = (): Promise<boolean> =>
    near.range({ key: 'any' }, { timeoutMs: 2_000 }).then(
      () => true,
      () => false,
    );
  await until(ask, { what: 'calls get through again', timeoutMs: 30_000 });
}

beforeAll(async () => {
  if (missing !== undefined) return;
  cluster = await EtcdCluster.start({ nodes: 1 });
  etcd = dialEtcd(cluster.access());
  proxy = await CuttingProxy.start(cluster.clientPort(0));
});

afterAll(async () => {
  for (const each of open) each.close();
  etcd?.close();
  await proxy?.close();
  await cluster?.destroy();
});

const real = (name: string, body: () => Promise<void>): void =>
  it(`${name} [real]`, async (ctx) => {
    if (missing !== undefined) ctx.skip(missing);
    else await body();
  });

/** Writes `key` where the compare holds, reads it where not. */
const guarded = (key: string, compare: EtcdTxn['compare'][number]): EtcdTxn => ({
  compare: [compare],
  success: [put(key, 'changed')],
  failure: [{ kind: 'range', key }],
});

describe('guards', () => {
  real('a stale revision is refused and a fresh one accepted', async () => {
    const first = await write(etcd, put('g/rev', 'one'));
    const second = await write(etcd, put('g/rev', 'two'));
    const stale = await etcd.txn(guarded('g/rev', { key: 'g/rev', modRevision: first }), PATIENT);
    expect(stale.succeeded).toBe(false);
    expect(stale.ranges).toEqual([
      [{ key: 'g/rev', value: 'two', createRevision: first, modRevision: second, lease: '0' }],
    ]);
    const fresh = await etcd.txn(guarded('g/rev', { key: 'g/rev', modRevision: second }), PATIENT);
    expect(fresh.succeeded).toBe(true);
    expect(fresh.header.revision).toBe(second + 1);
    const ahead = await etcd.txn(guarded('g/rev', { key: 'g/rev', modRevision: second + 100 }), PATIENT);
    expect(ahead.succeeded).toBe(false);
  });

  real('absent and existing keys are told apart, also after a delete', async () => {
    const outcomes = async (): Promise<boolean[]> => {
      const ask = async (compare: EtcdTxn['compare'][number]): Promise<boolean> =>
        (await etcd.txn({ compare: [compare], success: [], failure: [] }, PATIENT)).succeeded;
      return [await ask({ key: 'g/there', modRevision: 0 }), await ask({ key: 'g/there', exists: true })];
    };
    expect(await outcomes()).toEqual([true, false]);
    await write(etcd, put('g/there', 'x'));
    expect(await outcomes()).toEqual([false, true]);
    await write(etcd, { kind: 'delete', key: 'g/there' });
    expect(await outcomes()).toEqual([true, false]);
  });

  real('all must hold, and the ranges of the branch come in their order', async () => {
    const rev = await write(etcd, put('g/a', 'é€😀'), put('g/b', ''));
    const compare = [
      { key: 'g/a', modRevision: rev },
      { key: 'g/b', modRevision: rev },
      { key: 'g/none', exists: true as const },
    ];
    const ranges = ['g/b', 'g/none', 'g/a'].map((key) => ({ kind: 'range' as const, key }));
    const refused = await etcd.txn({ compare, success: [put('g/a', 'no')], failure: ranges }, PATIENT);
    expect(refused.succeeded).toBe(false);
    expect(refused.ranges.map((kvs) => kvs.map(({ value }) => value))).toEqual([[''], [], ['é€😀']]);
    const taken = await etcd.txn(
      { compare: compare.slice(0, 2), success: [{ kind: 'delete', key: 'g/b' }, ...ranges], failure: [] },
      PATIENT,
    );
    expect(taken.succeeded).toBe(true);
    expect(taken.ranges.map((kvs) => kvs.length)).toEqual([0, 0, 1]);
  });
});

describe('ranges', () => {
  real('are paged at one revision, whatever is written meanwhile', async () => {
    const keys = Array.from({ length: 25 }, (_, index) => `r/${String(index).padStart(2, '0')}`);
    const revision = await write(etcd, ...keys.map((key) => put(key, 'old')));
    const seen: string[] = [];
    for (let key = 'r/', more = true; more;) {
      const page = await etcd.range({ key, rangeEnd: 'r0', limit: 10, revision }, PATIENT);
      expect(page.kvs.every(({ value, modRevision }) => value === 'old' && modRevision === revision)).toBe(true);
      seen.push(...page.kvs.map((kv) => kv.key));
      key = `${seen.at(-1) ?? ''}\0`;
      more = page.more;
      await write(etcd, put('r/05', 'new'), { kind: 'delete', key: 'r/24' });
    }
    expect(seen).toEqual(keys);
    const now = await etcd.range({ key: 'r/', rangeEnd: 'r0', countOnly: true }, PATIENT);
    expect(now).toMatchObject({ count: 24, kvs: [], more: false });
    const names = await etcd.range({ key: 'r/05', keysOnly: true }, PATIENT);
    expect(names.kvs).toMatchObject([{ key: 'r/05', value: '' }]);
  });

  real('of a forgotten revision, and of one that is not there yet, say so', async () => {
    const old = await write(etcd, put('r/gone', '1'));
    const now = await write(etcd, put('r/gone', '2'));
    await cluster.compact(now);
    const failed = await etcd.range({ key: 'r/gone', revision: old }, PATIENT).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'Unavailable', details: { compacted: true } });
    const early = await etcd.range({ key: 'r/gone', revision: now + 999 }, PATIENT).catch((error: unknown) => error);
    expect(early).toMatchObject({ code: 'Unavailable', details: { reason: 'futureRevision' } });
  });
});

describe('limits', () => {
  const many = (count: number): EtcdTxn => ({
    compare: [],
    success: Array.from({ length: count }, (_, index) => put(`l/${count}-${index}`, 'x')),
    failure: [],
  });

  real('128 operations are taken and 129 refused, with nothing written', async () => {
    expect((await etcd.txn(many(128), PATIENT)).succeeded).toBe(true);
    await expect(etcd.txn(many(129), PATIENT)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    expect((await etcd.range({ key: 'l/129-', rangeEnd: 'l/129.' }, PATIENT)).count).toBe(0);
  });

  real('requests that are too large are refused, and large answers are taken', async () => {
    const letters = (mib: number): string => 'x'.repeat(mib * 1024 * 1024);
    for (const mib of [1.6, 5]) {
      await expect(write(etcd, put('l/large', letters(mib)))).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    }
    const parts = Array.from({ length: 8 }, (_, index) => `l/part-${index}`);
    for (const key of parts) await write(etcd, put(key, letters(1.2)));
    const all = await etcd.range({ key: 'l/part-', rangeEnd: 'l/part.' }, PATIENT);
    expect(all.kvs.map(({ key, value }) => [key, value.length])).toEqual(
      parts.map((key) => [key, letters(1.2).length]),
    );
  });
});

describe('watch', () => {
  real('over more than a thousand transactions: all, in order, none parted', async () => {
    const before = (await etcd.range({ key: 'w/' }, PATIENT)).header.revision;
    const revisions: number[] = [];
    for (let batch = 0; batch < 24; batch += 1) {
      const writes = Array.from({ length: 50 }, (_, index) => {
        const value = String(batch * 50 + index);
        return write(etcd, put('w/a', value), put('w/b', value), put('other', value));
      });
      revisions.push(...(await Promise.all(writes)));
    }
    const watch = new EtcdListener(etcd, { key: 'w/', rangeEnd: 'w0', startRevision: before + 1 });
    await until(() => watch.events.length >= 2400, { what: 'all events are there', timeoutMs: 30_000 });
    await write(etcd, { kind: 'delete', key: 'w/a' });
    await until(() => watch.events.length > 2400, { what: 'the delete is there', timeoutMs: 30_000 });
    watch.close();
    const seen = watch.events.map(({ kv }) => kv.modRevision);
    expect(seen.slice(0, 2400)).toEqual(revisions.toSorted((a, b) => a - b).flatMap((rev) => [rev, rev]));
    expect(watch.events.at(-1)).toMatchObject({ kind: 'delete', kv: { key: 'w/a', value: '' } });
    const whole = watch.answers.flatMap(({ events }) => [...new Set(events.map(({ kv }) => kv.modRevision))]);
    expect(new Set(whole).size).toBe(whole.length);
    expect(watch.ends).toEqual([]);
  });

  real('from a forgotten revision ends and says from where on there is history', async () => {
    const from = await write(etcd, put('w/old', '1'));
    const now = await write(etcd, put('w/old', '2'));
    await cluster.compact(now);
    const watch = new EtcdListener(etcd, { key: 'w/', rangeEnd: 'w0', startRevision: from });
    await until(() => watch.ends.length > 0, { what: 'the watch ends' });
    expect(watch.answers.at(-1)).toMatchObject({ canceled: true, compactRevision: now, events: [] });
    expect(watch.ends).toHaveLength(1);
  });

  real('that is closed says nothing more', async () => {
    const [watch, witness] = ['w/', 'w/'].map(
      (key) => new EtcdListener(etcd, { key, rangeEnd: 'w0', startRevision: 0 }),
    );
    await until(() => watch?.created === true && witness?.created === true, { what: 'both are made' });
    watch?.close();
    await write(etcd, put('w/late', 'x'));
    await until(() => witness?.events.length === 1, { what: 'the other one has it' });
    witness?.close();
    expect([watch?.events, watch?.ends]).toEqual([[], []]);
  });
});

describe('leases', () => {
  real('hold keys while they are kept alive, and take them along when revoked', async () => {
    const lease = await etcd.leaseGrant(60, PATIENT);
    expect(lease.ttlS).toBe(60);
    const rev = await write(etcd, put('lease/a', 'x', lease.id), put('lease/b', 'y', lease.id));
    expect((await etcd.range({ key: 'lease/a' }, PATIENT)).kvs).toMatchObject([{ lease: lease.id }]);
    expect(await etcd.leaseKeepAlive(lease.id, PATIENT)).toEqual({ ttlS: 60 });
    const watch = new EtcdListener(etcd, { key: 'lease/', rangeEnd: 'lease0', startRevision: rev + 1 });
    await etcd.leaseRevoke(lease.id, PATIENT);
    await until(() => watch.events.length === 2, { what: 'both keys are deleted' });
    watch.close();
    expect(watch.events.map(({ kind, kv }) => [kind, kv.key, kv.modRevision])).toEqual([
      ['delete', 'lease/a', rev + 1],
      ['delete', 'lease/b', rev + 1],
    ]);
    expect(await etcd.leaseKeepAlive(lease.id, PATIENT)).toEqual({ ttlS: 0 });
    await etcd.leaseRevoke(lease.id, PATIENT);
    const late = await write(etcd, put('lease/c', 'z', lease.id)).catch((error: unknown) => error);
    expect(late).toMatchObject({ code: 'Unavailable', details: { reason: 'leaseGone' } });
  });

  real('lapse when nobody keeps them', async () => {
    const lease = await etcd.leaseGrant(1, PATIENT);
    await write(etcd, put('lapse/a', 'x', lease.id));
    const gone = async (): Promise<boolean> => (await etcd.range({ key: 'lapse/a' }, PATIENT)).count === 0;
    await until(gone, { what: 'the key is gone', timeoutMs: 15_000 });
    expect(await etcd.leaseKeepAlive(lease.id, PATIENT)).toEqual({ ttlS: 0 });
  });
});

describe('when the line breaks', () => {
  real('a change whose answer is lost has happened once, and nobody says that it failed', async () => {
    const near = dialProxy();
    const before = await write(near, put('m/lost', '0'));
    proxy.swallowAnswers();
    const swallowed = proxy.seen.swallowedBytes;
    const lost = write(near, put('m/lost', '1')).catch((error: unknown) => error);
    await until(() => proxy.seen.swallowedBytes > swallowed, { what: 'an answer is on its way' });
    const value = async (): Promise<string | undefined> => (await etcd.range({ key: 'm/lost' }, PATIENT)).kvs[0]?.value;
    await until(async () => (await value()) === '1', { what: 'the change is there' });
    proxy.cut();
    expect(await lost).toMatchObject({ code: 'Unavailable' });
    proxy.pass();
    await answers(near);
    // Nothing else writes here: a second try of the lost write would be one revision more.
    expect(await write(near, put('m/lost', '2'))).toBe(before + 2);
  });

  real('a watch that is cut while it catches up ends, with all that came before in order', async () => {
    const from = (await write(etcd, put('m/cut', 'x'))) + 1;
    for (let batch = 0; batch < 6; batch += 1) {
      await Promise.all(Array.from({ length: 50 }, () => write(etcd, put('m/cut', 'x'.repeat(1_000)))));
    }
    proxy.cutAfter(100_000);
    const cut = listen(dialProxy(), from);
    await until(() => cut.ends.length === 1, { what: 'the watch ends' });
    proxy.cutNever();
    const revisions = cut.events.map(({ kv }) => kv.modRevision);
    expect(revisions).toEqual(revisions.map((_, index) => from + index));
    const rest = listen(dialProxy(), from + revisions.length);
    await until(() => revisions.length + rest.events.length === 300, { what: 'the rest comes', timeoutMs: 30_000 });
    expect(rest.events[0]?.kv.modRevision).toBe(from + revisions.length);
  });

  real('nothing passes: calls end at their deadline; refused: at once', async () => {
    const near = dialProxy();
    await write(near, put('m/held', '1'));
    proxy.hold();
    const held = await near.range({ key: 'm/held' }, { timeoutMs: 500 }).catch((error: unknown) => error);
    expect(held).toMatchObject({ code: 'Unavailable' });
    proxy.pass();
    await answers(near);
    proxy.refuse();
    const refused = await near.range({ key: 'm/held' }, PATIENT).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'Unavailable' });
    proxy.pass();
    await answers(near);
  });
});

describe('closing', () => {
  real('ends what is under way and refuses what comes', async () => {
    const other = dialEtcd(cluster.access());
    const watch = new EtcdListener(other, { key: 'c/', rangeEnd: 'c0', startRevision: 0 });
    await until(() => watch.created, { what: 'the watch is made' });
    const underWay = other.range({ key: 'c/' }, PATIENT).catch((error: unknown) => error);
    other.close();
    expect(isCode(await underWay, 'Unavailable')).toBe(true);
    await expect(other.range({ key: 'c/' }, PATIENT)).rejects.toMatchObject({ code: 'Unavailable' });
    await until(() => watch.ends.length === 1, { what: 'the watch ends' });
  });
});
