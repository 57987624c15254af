import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type FilePort, systemFiles } from '../../../../src/adapters/store/file-port.ts';
import type { CloudError } from '../../../../src/base/errors.ts';
import { KIB, MIB } from '../../../../src/base/units.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { until } from '../../../support/until.ts';
import { contents, fill, filled, openAt, scratchDir } from './open-store.ts';

type Hook = (operation: string, file: string) => Promise<void> | void;

/** The real file system, with a hook before each step that writes. */
function hooked(hook: Hook): FilePort {
  return {
    ...systemFiles,
    async open(file, options) {
      await hook('open', file);
      const real = await systemFiles.open(file, options);
      return {
        async write(data, position) {
          await hook('write', file);
          await real.write(data, position);
        },
        async datasync() {
          await hook('datasync', file);
          await real.datasync();
        },
        truncate: (bytes) => real.truncate(bytes),
        close: () => real.close(),
      };
    },
    async rename(from, to) {
      await hook('rename', from);
      await systemFiles.rename(from, to);
    },
    async syncDir(dir) {
      await hook('syncDir', dir);
      await systemFiles.syncDir(dir);
    },
  };
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

describe('file store: a disk that fails', () => {
  it.each([
    ['write', 'EIO'],
    ['write', 'ENOSPC'],
    ['datasync', 'EIO'],
  ])(
    '%s gives %s: no answer is ok, everything after is refused, a restart reads the disk again',
    async (operation, code) => {
      const dir = await scratchDir();
      let broken = false;
      const poisons: CloudError[] = [];
      const files = hooked((step, file) => {
        if (broken && step === operation && file.includes('journal')) throw failure(code);
      });
      const store = await openAt(dir, { files, onPoison: (error) => poisons.push(error) });
      await fill(store, 3);
      const seen: number[] = [];
      store.watch('', store.rev + 1, ({ rev }) => seen.push(rev));
      broken = true;
      const txns = Array.from({ length: 5 }, (_, n) => store.txn({ puts: [{ key: `lost${n}`, value: n }] }));
      const results = await Promise.allSettled(txns);
      expect(results.map((result) => result.status === 'rejected' && (result.reason as CloudError).code)).toEqual(
        Array(5).fill('StoragePoisoned'),
      );
      broken = false;
      await expect(store.txn({ puts: [{ key: 'k', value: 1 }] })).rejects.toMatchObject({ code: 'StoragePoisoned' });
      await expect(store.barrier()).rejects.toMatchObject({ code: 'StoragePoisoned' });
      expect(contents(store)).toEqual(filled(3));
      expect([seen, store.health().ok, store.health().problem]).toEqual([[], false, expect.stringContaining(code)]);
      expect(poisons.map((error) => error.code)).toEqual(['StoragePoisoned']);
      await store.close();
      const again = await openAt(dir);
      // Whether the batch reached the disk is unknown; if so, all of it.
      expect([3, 8]).toContain(again.rev);
      expect(contents(again)).toMatchObject(filled(3));
      expect([0, 5]).toContain(again.count('lost'));
      await again.close();
    },
  );

  it('what waits behind a failing sync fails with it, answers that depend on it too', async () => {
    let armed = false;
    let fail: (() => void) | undefined;
    const files = hooked(async (step) => {
      if (!armed || step !== 'datasync') return;
      await new Promise<void>((resolve) => (fail = resolve));
      throw failure('EIO');
    });
    const store = await openAt(await scratchDir(), { files });
    armed = true;
    const txn = { token: 't', puts: [{ key: 'a', value: 1 }] };
    const first = store.txn(txn);
    await until(() => fail, { what: 'the sync is under way', everyMs: 2 });
    // Nothing that is not durable is told to anybody: not by reads, not by conflicts, not by repeated tokens.
    expect(store.get('a')).toBeUndefined();
    const behind = [
      first,
      store.txn(txn),
      store.txn({ guards: [{ key: 'a', absent: true }] }),
      store.txn({ puts: [{ key: 'b', value: 1 }] }),
      store.barrier(),
    ];
    fail?.();
    const results = await Promise.allSettled(behind);
    const codes = results.map((result) => result.status === 'rejected' && (result.reason as CloudError).code);
    expect(codes).toEqual(Array(5).fill('StoragePoisoned'));
    await store.close();
  });

  it('a snapshot that fails harms nothing and is tried again', async () => {
    const dir = await scratchDir();
    let broken = true;
    const files = hooked((step, file) => {
      if (broken && step === 'write' && file.includes('replica')) throw failure('ENOSPC');
    });
    const store = await openAt(dir, { files, snapshotOps: 10 });
    await fill(store, 35);
    expect((await readdir(dir)).filter((name) => name.startsWith('replica'))).toEqual([]);
    expect(store.health().ok).toBe(true);
    broken = false;
    await fill(store, 20, 35);
    await until(async () => (await readdir(dir)).includes('replica.json'), { what: 'a snapshot is there' });
    await store.close();
    const again = await openAt(dir);
    expect(contents(again)).toEqual(filled(55));
    await again.close();
  });
});

describe('file store: a slow disk', () => {
  it(
    'with syncs of 500 ms nothing is seen early, and those who wait share the next sync',
    { timeout: 30_000 },
    async () => {
      const dir = await scratchDir();
      let syncs = 0;
      let slow = false;
      const files = hooked(async (step, file) => {
        if (!slow || step !== 'datasync' || !file.includes('journal')) return;
        syncs += 1;
        await new Promise((resolve) => setTimeout(resolve, 500));
      });
      const store = await openAt(dir, { files });
      await fill(store, 1);
      slow = true;
      const seen: number[] = [];
      store.watch('', store.rev + 1, ({ rev }) => seen.push(rev));
      const startMs = performance.now();
      const first = store.txn({ puts: [{ key: 'a', value: 1 }] });
      await until(() => syncs === 1, { what: 'the first sync is under way', everyMs: 2 });
      const rest = Array.from({ length: 200 }, (_, n) => store.txn({ puts: [{ key: `b${n}`, value: n }] }));
      expect([store.get('a'), seen, store.rev]).toEqual([undefined, [], 1]);
      expect((await first).ok).toBe(true);
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(490);
      expect([store.get('a')?.value, seen, store.count('b')]).toEqual([1, [2], 0]);
      await Promise.all(rest);
      expect([syncs, store.count('b'), seen.length]).toEqual([2, 200, 201]);
      await store.close();
    },
  );

  it('a full queue is refused, not kept in memory', async () => {
    const dir = await scratchDir();
    let release: (() => void) | undefined;
    let gate = false;
    const files = hooked(async (step, file) => {
      if (gate && step === 'datasync' && file.includes('journal'))
        await new Promise<void>((resolve) => (release = resolve));
    });
    const store = await openAt(dir, { files });
    await fill(store, 1);
    gate = true;
    const first = store.txn({ puts: [{ key: 'a', value: 1 }] });
    await until(() => release, { what: 'the sync is under way', everyMs: 2 });
    const taken = Array.from({ length: 10_000 }, (_, n) => store.txn({ puts: [{ key: `b${n}`, value: n }] }));
    await expect(store.txn({ puts: [{ key: 'one too many', value: 1 }] })).rejects.toMatchObject({
      code: 'Unavailable',
    });
    gate = false;
    release?.();
    await Promise.all([first, ...taken]);
    expect((await store.txn({ puts: [{ key: 'again', value: 1 }] })).ok).toBe(true);
    expect(store.count('')).toBe(10_003);
    await store.close();
  });
});

describe('file store: a disk that fills', () => {
  const marks = { softFreeBytes: 100 * MIB, hardFreeBytes: 10 * MIB, bookkeepingPrefixes: ['op/'] };

  it('refuses growth below the first mark, everything below the second, and recovers by itself', async () => {
    let free = 200 * MIB;
    const clock = new ManualClock();
    const files: FilePort = { ...systemFiles, freeBytes: () => Promise.resolve(free) };
    const store = await openAt(await scratchDir(), { files, clock, ...marks });
    await fill(store, 3);
    const attempt = (txn: Parameters<typeof store.txn>[0]): Promise<string> =>
      store.txn(txn).then(
        ({ ok }) => (ok ? 'ok' : 'conflict'),
        (error: CloudError) => error.code,
      );
    const grow = { puts: [{ key: 'new', value: 1 }] };
    const update = {
      puts: [
        { key: 'k0', value: 1 },
        { key: 'op/1', value: 'terminate' },
      ],
    };
    const release = { puts: [{ key: 'quarantine', value: 1 }], dels: ['k1'] };
    expect(store.health().ok).toBe(true);
    free = 50 * MIB;
    await clock.advance(1000);
    expect([await attempt(grow), await attempt(update), await attempt(release)]).toEqual(['Unavailable', 'ok', 'ok']);
    expect(store.health()).toMatchObject({ ok: false, problem: expect.stringContaining('50.0 MiB free') as string });
    free = 9 * MIB;
    await clock.advance(1000);
    expect([await attempt(grow), await attempt(update), await attempt(release)]).toEqual(Array(3).fill('Unavailable'));
    free = 200 * MIB;
    await clock.advance(1000);
    expect([await attempt(grow), store.health().ok]).toEqual(['ok', true]);
    await store.close();
  });

  it('counts what it writes between two looks at the disk', async () => {
    const clock = new ManualClock();
    const files: FilePort = { ...systemFiles, freeBytes: () => Promise.resolve(101 * MIB) };
    const store = await openAt(await scratchDir(), { files, clock, ...marks });
    const big = 'x'.repeat(60 * KIB);
    let refused = 0;
    for (let n = 0; n < 40; n += 1) {
      await store.txn({ puts: [{ key: `k${n}`, value: big }] }).catch(() => (refused += 1));
    }
    expect(store.count('k')).toBeGreaterThanOrEqual(17);
    expect(refused).toBeGreaterThanOrEqual(20);
    await store.close();
  });

  it('a snapshot does not take the last of the disk', async () => {
    const dir = await scratchDir();
    const files: FilePort = { ...systemFiles, freeBytes: () => Promise.resolve(101 * MIB) };
    const store = await openAt(dir, {
      files,
      softFreeBytes: 0,
      hardFreeBytes: 101 * MIB - 100 * KIB,
      snapshotOps: 5,
      closeSnapshotOps: 1,
    });
    for (let n = 0; n < 4; n += 1) await store.txn({ puts: [{ key: `k${n}`, value: 'x'.repeat(30 * KIB) }] });
    await store.close();
    expect((await readdir(dir)).filter((name) => name.startsWith('replica'))).toEqual([]);
    const again = await openAt(dir);
    expect(again.count('k')).toBe(4);
    await again.close();
  });
});
