import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EtcdStore } from '../../../../../src/adapters/store/etcd/etcd-store.ts';
import type { EtcdTxn } from '../../../../../src/adapters/store/etcd/etcd-api.ts';
import type { CloudError } from '../../../../../src/base/errors.ts';
import type { CallFault, ModelCall } from '../../../../support/etcd-model.ts';
import { ModelBench } from './model-bench.ts';

describe('a transaction on etcd', () => {
  let bench: ModelBench;
  let store: EtcdStore;
  beforeEach(async () => {
    bench = new ModelBench();
    store = await bench.open('a');
  });
  afterEach(() => bench.close());

  /** The next transaction that writes `key` meets this, once. */
  const strike = (key: string, fault: CallFault): void => {
    bench.model.faults = ({ name, request }: ModelCall) => {
      if (name !== 'txn') return undefined;
      const writes = (request as EtcdTxn).success.some((op) => op.kind === 'put' && op.key.endsWith(`d/${key}`));
      if (!writes) return undefined;
      bench.model.faults = () => undefined;
      return fault;
    };
  };
  const take = { guards: [{ key: 'a', absent: true } as const], puts: [{ key: 'a', value: 'mine' }] };

  it.each([undefined, 'a token of the caller'])(
    'whose answer is lost is not a conflict with itself (token: %s)',
    async (token) => {
      strike('a', { kind: 'lostAnswer' });
      const result = await bench.through(store.txn({ ...take, ...(token === undefined ? {} : { token }) }));
      expect(result).toEqual({ ok: true, rev: store.get('a')?.rev });
      expect(store.counts).toMatchObject({ unknown: 1, resolvedApplied: 1, leftUnknown: 0, conflicts: 0 });
    },
  );

  it('whose request is lost is made once', async () => {
    strike('a', { kind: 'lostRequest' });
    expect((await bench.through(store.txn(take))).ok).toBe(true);
    expect(store.counts).toMatchObject({ unknown: 1, resolvedApplied: 0, conflicts: 0 });
  });

  it('that was told to be a conflict has no effect later, though its first request still lies in a queue', async () => {
    strike('a', { kind: 'lateEffect', ms: 10_000 });
    const answer = store.txn(take);
    await bench.clock.settle();
    bench.write('a', 'theirs');
    expect(await bench.through(answer)).toMatchObject({ ok: false });
    bench.remove('a');
    await bench.clock.advance(20_000);
    expect(store.get('a')).toBeUndefined();
    expect((await bench.through(store.txn(take))).ok).toBe(true);
  });

  it('the same with a token: it may be brought again and then has its effect', async () => {
    strike('a', { kind: 'lateEffect', ms: 10_000 });
    const answer = store.txn({ ...take, token: 't' });
    await bench.clock.settle();
    bench.write('a', 'theirs');
    expect(await bench.through(answer)).toMatchObject({ ok: false });
    bench.remove('a');
    await bench.clock.advance(20_000);
    expect(store.get('a')).toBeUndefined();
    const again = await bench.through(store.txn({ ...take, token: 't' }));
    expect(again).toEqual({ ok: true, rev: store.get('a')?.rev });
    expect(await bench.through(store.txn({ ...take, token: 't' }))).toEqual(again);
  });

  it('without a majority ends after 15 s as unknown; the token tells later', async () => {
    await bench.through(store.txn({ token: 'before', puts: [{ key: 'b', value: 1 }] }));
    bench.model.quorum = false;
    const startMs = bench.clock.nowMs();
    const answer = store.txn({ ...take, token: 't' });
    await expect(bench.through(answer)).rejects.toMatchObject({ code: 'Unavailable', details: { outcome: 'unknown' } });
    expect(bench.clock.nowMs() - startMs).toBeGreaterThan(13_000);
    expect(bench.clock.nowMs() - startMs).toBeLessThanOrEqual(15_100);
    bench.model.quorum = true;
    expect(await bench.through(store.txn({ ...take, token: 't' }))).toMatchObject({ ok: true });
    expect(store.counts.leftUnknown).toBe(1);
  });

  it('without a majority and before its first contact is known to have changed nothing', async () => {
    bench.model.quorum = false;
    await expect(bench.through(store.txn(take))).rejects.toMatchObject({ details: { outcome: 'none' } });
  });

  it('is refused at once where there is no space, and reads and barriers go on', async () => {
    bench.model.state.noSpace = true;
    const startMs = bench.clock.nowMs();
    await expect(bench.through(store.txn(take))).rejects.toMatchObject({ details: { reason: 'noSpace' } });
    expect(bench.clock.nowMs() - startMs).toBeLessThan(1_000);
    await bench.through(store.barrier());
    expect(store.health()).toMatchObject({ ok: false, problem: expect.stringContaining('no space') as string });
    bench.model.state.noSpace = false;
    expect((await bench.through(store.txn(take))).ok).toBe(true);
    await bench.clock.advance(31_000);
    expect(store.health().ok).toBe(true);
  });

  it('goes on after a pause in which all of the process’s leases have ended', async () => {
    expect((await bench.through(store.txn(take))).ok).toBe(true);
    expect((await bench.through(store.txn({ token: 'u', puts: [{ key: 'b', value: 1 }] }))).ok).toBe(true);
    for (const { id } of bench.model.state.leases()) bench.model.endLease(id);
    expect((await bench.through(store.txn({ puts: [{ key: 'c', value: 1 }] }))).ok).toBe(true);
    expect((await bench.through(store.txn({ token: 'v', puts: [{ key: 'd', value: 1 }] }))).ok).toBe(true);
    expect(store.counts.conflicts).toBe(0);
  });

  it('of many at once that find their lease over, all take the same new one', async () => {
    const three = (): Promise<unknown> =>
      bench.through(Promise.all(['a', 'b', 'c'].map((key) => store.txn({ puts: [{ key, value: 1 }] }))));
    await three();
    for (const { id } of bench.model.state.leases()) bench.model.endLease(id);
    await three();
    expect(bench.model.state.leases()).toHaveLength(1);
  });

  it('that waited for others until its time was over is known to have changed nothing', async () => {
    await bench.through(store.txn({ puts: [{ key: 'first', value: 1 }] }));
    bench.model.quorum = false;
    const all = Array.from({ length: 65 }, (_, n) => store.txn({ puts: [{ key: `k${n}`, value: n }] }));
    const ends = (await bench.through(Promise.allSettled(all))).map((end) =>
      end.status === 'rejected' ? (end.reason as CloudError).details?.['outcome'] : 'made',
    );
    expect([ends[0], ends.at(-1)]).toEqual(['unknown', 'none']);
  });

  it('leaves no heap of tokens: what names transactions is used again, or goes after its time', async () => {
    const names = (): number => bench.model.state.range({ key: 'novactl/t/', rangeEnd: 'novactl/t0' }).count;
    for (let n = 0; n < 20; n += 1) await bench.through(store.txn({ puts: [{ key: 'a', value: n }] }));
    expect(names()).toBe(1);
    for (let n = 0; n < 5; n += 1) await bench.through(store.txn({ token: `t${n}`, puts: [{ key: 'a', value: n }] }));
    expect(names()).toBe(6);
    await bench.clock.advance(14 * 60_000);
    expect(names()).toBe(6);
    await bench.clock.advance(20 * 60_000);
    expect(names()).toBe(1);
  }, 60_000);
});

describe('a lease on etcd', () => {
  let bench: ModelBench;
  beforeEach(() => (bench = new ModelBench()));
  afterEach(() => bench.close());

  it('is not fresh before anybody else could see it lapse, and is lost when etcd says so', async () => {
    const [store, other] = [await bench.open('a'), await bench.open('b')];
    const lease = await bench.through(store.lease(9_000));
    await bench.through(store.txn({ puts: [{ key: 'alive/x', value: 1, lease }] }));
    await bench.clock.advance(60_000);
    expect([lease.fresh, other.count('alive/')]).toEqual([true, 1]);
    bench.model.partition('a');
    let unfreshMs = 0;
    for (let ms = 0; ms < 20_000 && other.count('alive/') === 1; ms += 100) {
      await bench.clock.advance(100);
      if (!lease.fresh && unfreshMs === 0) unfreshMs = ms;
    }
    expect(other.count('alive/')).toBe(0);
    expect(unfreshMs).toBeGreaterThan(0);
    expect(lease.lost.aborted).toBe(false);
    bench.model.heal('a');
    await bench.clock.advance(2_000);
    expect([lease.lost.aborted, lease.fresh]).toEqual([true, false]);
    await expect(bench.through(store.txn({ puts: [{ key: 'alive/x', value: 2, lease }] }))).rejects.toMatchObject({
      details: { reason: 'leaseGone' },
    });
  });

  it('outlives renewals that fail, and a time without a leader', async () => {
    const store = await bench.open('a');
    const lease = await bench.through(store.lease(9_000));
    await bench.through(store.txn({ puts: [{ key: 'alive/x', value: 1, lease }] }));
    bench.model.faults = ({ name }) => (name === 'leaseKeepAlive' ? { kind: 'lostRequest' } : undefined);
    await bench.clock.advance(5_000);
    bench.model.faults = () => undefined;
    await bench.clock.advance(10_000);
    expect([lease.fresh, store.count('alive/')]).toEqual([true, 1]);
    bench.model.quorum = false;
    await bench.clock.advance(20_000);
    expect([lease.fresh, lease.lost.aborted]).toEqual([false, false]);
    bench.model.quorum = true;
    await bench.clock.advance(5_000);
    expect([lease.fresh, store.count('alive/')]).toEqual([true, 1]);
  });
});
