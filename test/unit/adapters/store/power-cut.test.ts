import { describe, expect, it } from 'vitest';
import { openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { isCode } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import type { Store, Txn } from '../../../../src/ports/store.ts';
import { PowerCut, SimDisk } from '../../../support/sim-disk.ts';

const clock = new SystemClock();

/** Small marks: several segments and snapshots in a few dozen transactions. */
function open(files: SimDisk): Promise<Store> {
  return openFileStore({
    ...{ dir: '/sim', clock, random: new SeededRandom(1), logger: silentLogger, files },
    ...{ snapshotOps: 25, segmentBytes: 2000, closeSnapshotOps: 10 },
  });
}

const TXNS: readonly Txn[] = Array.from({ length: 120 }, (_, n) => ({
  token: `t${n}`,
  puts: [
    { key: `k${n % 7}`, value: { n, pad: 'x'.repeat((n * 37) % 300) } },
    { key: `pair/${n % 5}`, value: n },
  ],
  dels: [`k${(n + 3) % 7}`],
}));

/** The state after the first `rev` transactions: they are submitted in order, so that transaction n has revision n + 1. */
function model(rev: number): Map<string, unknown> {
  const state = new Map<string, unknown>();
  for (const { puts = [], dels = [] } of TXNS.slice(0, rev)) {
    for (const { key, value } of puts) state.set(key, value);
    for (const key of dels) state.delete(key);
  }
  return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Submits what is left, four at a time; tells the highest revision that was acknowledged. */
async function work(files: SimDisk): Promise<number> {
  let acked = 0;
  const store = await open(files);
  acked = store.rev;
  const submit = async (txn: Txn): Promise<void> => {
    const result = await store.txn(txn);
    if (result.ok) acked = Math.max(acked, result.rev);
  };
  for (let n = store.rev; n < TXNS.length; n += 4) {
    const results = await Promise.allSettled(TXNS.slice(n, n + 4).map(submit));
    if (results.some(({ status }) => status === 'rejected')) break;
  }
  await store.close().catch((error: unknown) => {
    if (!(error instanceof PowerCut)) throw error;
  });
  return acked;
}

async function workUntilCut(files: SimDisk): Promise<number> {
  try {
    return await work(files);
  } catch (error) {
    if (error instanceof PowerCut || isCode(error, 'StoragePoisoned')) return 0;
    throw error;
  }
}

/** What is there is a prefix of the history that holds all that was acknowledged, and the tokens still answer. */
async function check(store: Store, acked: number): Promise<void> {
  expect(store.rev).toBeGreaterThanOrEqual(acked);
  expect(new Map(store.range('').map(({ key, value }) => [key, value]))).toEqual(model(store.rev));
  for (let n = 0; n < store.rev; n += 13) expect(await store.txn(TXNS[n] ?? {})).toEqual({ ok: true, rev: n + 1 });
}

async function stepsOfWholeRun(): Promise<number> {
  const files = new SimDisk({ random: new SeededRandom(0) });
  expect(await work(files)).toBe(TXNS.length);
  return files.steps;
}

describe('file store on a disk that loses what was not synced', () => {
  it('survives a power cut at each step', { timeout: 60_000 }, async () => {
    const steps = await stepsOfWholeRun();
    expect(steps).toBeGreaterThan(100);
    for (let cutAt = 1; cutAt <= steps; cutAt += 1) {
      const random = new SeededRandom(cutAt);
      const files = new SimDisk({ random, cutAt });
      const acked = await workUntilCut(files);
      const store = await open(files.afterPowerCut({ random }));
      await check(store, acked).catch((error: unknown) => {
        throw new Error(`power cut at step ${cutAt} of ${steps}`, { cause: error });
      });
      await store.close();
    }
  });

  it('survives a kill at each step', { timeout: 60_000 }, async () => {
    const steps = await stepsOfWholeRun();
    for (let cutAt = 1; cutAt <= steps; cutAt += 1) {
      const random = new SeededRandom(cutAt);
      const files = new SimDisk({ random, cutAt });
      const acked = await workUntilCut(files);
      const restarted = files.afterKill({ random });
      const store = await open(restarted);
      await check(store, acked);
      // What this start has served or acknowledged is not lost either when the power goes soon after.
      for (const txn of TXNS.slice(store.rev, store.rev + (cutAt % 3))) await store.txn(txn);
      const again = await open(restarted.afterPowerCut({ random }));
      await check(again, store.rev);
      await again.close();
    }
  });

  it(
    'survives cut after cut, also in the recovery, and ends where an undisturbed run ends',
    { timeout: 60_000 },
    async () => {
      for (let seed = 1; seed <= 60; seed += 1) {
        const random = new SeededRandom(seed);
        let files = new SimDisk({ random, cutAt: 1 + Math.floor(random.unit() * 100) });
        let acked = 0;
        let cuts = 0;
        while (acked < TXNS.length) {
          acked = Math.max(acked, await workUntilCut(files));
          if (acked === TXNS.length) break;
          cuts += 1;
          const cutAt = cuts > 30 ? Infinity : 1 + Math.floor(random.unit() * 40);
          files = random.unit() < 0.7 ? files.afterPowerCut({ random, cutAt }) : files.afterKill({ random, cutAt });
        }
        const store = await open(files.afterKill({ random }));
        await check(store, TXNS.length).catch((error: unknown) => {
          throw new Error(`seed ${seed}`, { cause: error });
        });
        await store.close();
      }
    },
  );

  it.each([
    ['before the temporary file', 'open', 'replica.json.tmp'],
    ['in the temporary file', 'write', 'replica.json.tmp'],
    ['before its sync', 'datasync', 'replica.json.tmp'],
    ['before the current file becomes the previous one', 'rename', 'replica.json'],
    ['before the temporary file becomes the current one', 'rename', 'replica.json.tmp'],
    ['before the folder is synced', 'syncDir', '/sim'],
    ['before the journal is deleted', 'remove', 'journal.'],
  ])('survives an end in a snapshot: %s', async (_, operation, name) => {
    for (const after of ['afterKill', 'afterPowerCut'] as const) {
      const random = new SeededRandom(3);
      const files = new SimDisk({ random });
      let snapshots = 0;
      let dead = false;
      files.before = (step, file) => {
        if (step === 'open' && file.endsWith('replica.json.tmp')) snapshots += 1;
        // The third snapshot: there are two generations and journals to be deleted.
        dead ||=
          snapshots >= 3 &&
          step === operation &&
          file.includes(name) &&
          !(name === 'replica.json' && file.endsWith('.tmp'));
        if (dead) throw new PowerCut();
      };
      const acked = await workUntilCut(files);
      expect(dead).toBe(true);
      expect(acked).toBeGreaterThan(20);
      const store = await open(files[after]({ random }));
      await check(store, acked);
      await store.close();
    }
  });

  it('keeps what a restart after a failed sync has read, through a power cut later', async () => {
    const random = new SeededRandom(7);
    const files = new SimDisk({ random });
    const put = (key: string): Txn => ({ puts: [{ key, value: key.repeat(3000) }] });
    const store = await open(files);
    await store.txn(put('a'));
    files.before = (operation) => {
      if (operation === 'datasync') throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    };
    await expect(store.txn(put('b'))).rejects.toMatchObject({ code: 'StoragePoisoned' });
    await store.close();
    const restarted = files.afterKill({ random });
    const again = await open(restarted);
    expect(again.range('').map(({ key }) => key)).toEqual(['a', 'b']);
    await again.txn(put('c'));
    // No close: the power goes. What the restart served as committed must be there.
    const last = await open(restarted.afterPowerCut({ random }));
    expect(last.range('').map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    await last.close();
  });
});
