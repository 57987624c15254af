import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { rm } from 'node:fs/promises';
import { CommitQueue } from '../../../../src/adapters/objects/commit-queue.ts';
import { IndexDb } from '../../../../src/adapters/objects/index-db.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { newDir } from './open-objects.ts';

describe('the commits of the object store [real]', () => {
  let dir: string;
  let index: IndexDb;
  let clock: SystemClock;
  let commits: CommitQueue;
  beforeEach(async () => {
    dir = await newDir();
    index = IndexDb.open({ dir });
    clock = new SystemClock();
    commits = new CommitQueue({ index, clock, logger: silentLogger, dir });
  });
  afterEach(async () => {
    index.close();
    await rm(dir, { recursive: true });
  });

  const add = (id: number): number => index.run('INSERT INTO usage VALUES (?, 0, 0, 0, 0)', id);
  const ids = (): unknown[] =>
    index.all<{ bucket: number }>('SELECT bucket FROM usage ORDER BY 1').map((row) => row.bucket);

  it('are one for all changes that wait, and what one of them throws is its own', async () => {
    const exec = vi.spyOn(index.db, 'exec');
    const order: string[] = [];
    const done = await Promise.allSettled([
      commits.run((after) => {
        after(() => order.push(`effect of 1 with ${index.db.isTransaction ? 'an open' : 'a closed'} transaction`));
        return add(1);
      }),
      commits.run((after) => {
        after(() => order.push('never'));
        add(2);
        throw new Error('not two');
      }),
      commits.run(() => add(3)).then(() => order.push('answer of 3')),
    ]);
    expect(done.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(ids()).toEqual([1, 3]);
    expect(order).toEqual(['effect of 1 with a closed transaction', 'answer of 3']);
    expect(exec.mock.calls.filter(([sql]) => sql === 'COMMIT')).toHaveLength(1);
  });

  it('of a thousand that take no time share one sync', async () => {
    vi.spyOn(clock, 'monotonicMs').mockReturnValue(0);
    const exec = vi.spyOn(index.db, 'exec');
    await Promise.all(Array.from({ length: 1000 }, (_, n) => commits.run(() => add(n + 1))));
    expect(ids()).toHaveLength(1000);
    expect(exec.mock.calls.filter(([sql]) => sql === 'COMMIT')).toHaveLength(1);
  });

  it('that take long are several transactions, in order, and each is answered after its own', async () => {
    let nowMs = 0;
    vi.spyOn(clock, 'monotonicMs').mockImplementation(() => nowMs);
    const seen: unknown[] = [];
    const slow = async (id: number): Promise<void> => {
      await commits.run(() => {
        nowMs += 8;
        return add(id);
      });
      seen.push([id, ids().length]);
    };
    await Promise.all(Array.from({ length: 7 }, (_, n) => slow(n + 1)));
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7].map((id) => [id, id <= 3 ? 3 : id <= 6 ? 6 : 7]));
  });

  it('one whose end nobody knows ends all: nothing more is taken, and nothing is answered as done', async () => {
    const real = index.db.exec.bind(index.db);
    const failing = vi.spyOn(index.db, 'exec').mockImplementation((sql) => {
      if (sql === 'COMMIT') throw Object.assign(new Error('disk I/O error'), { errcode: 10 });
      real(sql);
    });
    const first = await Promise.allSettled([commits.run(() => add(1)), commits.run(() => add(2))]);
    expect(first.map((one) => (one.status === 'rejected' ? (one.reason as { code: string }).code : 'done'))).toEqual([
      'Unavailable',
      'Unavailable',
    ]);
    failing.mockRestore();
    expect(commits.poisoned).toBe(true);
    await expect(commits.run(() => add(3))).rejects.toMatchObject({ code: 'Unavailable' });
    expect(ids()).toEqual([]);
  });

  it('that found no room are refused and not there, and the next one is taken', async () => {
    const real = index.db.exec.bind(index.db);
    const failing = vi.spyOn(index.db, 'exec').mockImplementation((sql) => {
      if (sql === 'COMMIT') throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
      real(sql);
    });
    await expect(commits.run(() => add(1))).rejects.toMatchObject({ code: 'Unavailable' });
    failing.mockRestore();
    await commits.run(() => add(2));
    expect(ids()).toEqual([2]);
  });

  it('that wait behind those that found no room are refused with them, begun or not', async () => {
    let nowMs = 0;
    vi.spyOn(clock, 'monotonicMs').mockImplementation(() => (nowMs += 8));
    const real = index.db.exec.bind(index.db);
    const failing = vi.spyOn(index.db, 'exec').mockImplementation((sql) => {
      if (sql === 'COMMIT') throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
      real(sql);
    });
    const all = await Promise.allSettled([1, 2, 3, 4, 5, 6, 7].map((id) => commits.run(() => add(id))));
    expect(all.map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 'rejected'));
    expect(failing.mock.calls.filter(([sql]) => sql === 'COMMIT')).toHaveLength(1);
    failing.mockRestore();
    await commits.run(() => add(8));
    expect(ids()).toEqual([8]);
  });

  it('that wait when it is closed are made, and none after', async () => {
    const waiting = commits.run(() => add(1));
    commits.close();
    await waiting;
    await expect(commits.run(() => add(2))).rejects.toMatchObject({ code: 'Unavailable' });
    expect(ids()).toEqual([1]);
  });
});
