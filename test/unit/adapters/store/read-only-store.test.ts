import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { openReadOnlyStore } from '../../../../src/adapters/store/read-only-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import type { Store } from '../../../../src/ports/store.ts';
import { until } from '../../../support/until.ts';

const clock = new SystemClock();
let dir: string;
const opened: Store[] = [];

async function writer(
  tunables: { snapshotOps?: number; closeSnapshotOps?: number; segmentBytes?: number } = {},
): Promise<Store> {
  const store = await openFileStore({ dir, clock, random: new SeededRandom(1), logger: silentLogger, ...tunables });
  opened.push(store);
  return store;
}

async function reader(): Promise<Store> {
  const store = await openReadOnlyStore({ dir, clock, logger: silentLogger });
  if (store === undefined) throw new Error('there is no state');
  opened.push(store);
  return store;
}

const put = (store: Store, key: string, value: number) => store.txn({ puts: [{ key, value }] });
/** Names, sizes and times of all files: what a reader must leave as they are. */
const trace = (): string[] =>
  readdirSync(dir).map((name) => {
    const { size, mtimeMs, ino } = statSync(join(dir, name));
    return `${name} ${size} ${mtimeMs} ${ino}`;
  });
const segment = (): string =>
  join(
    dir,
    readdirSync(dir)
      .filter((name) => /^journal\./.test(name))
      .sort()
      .at(-1) ?? '',
  );

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-view-'));
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  rmSync(dir, { recursive: true });
});

describe('a read-only view of the state folder', () => {
  it('is not there where there is no state, and makes none', async () => {
    expect(await openReadOnlyStore({ dir, clock, logger: silentLogger })).toBeUndefined();
    expect(await openReadOnlyStore({ dir: join(dir, 'none'), clock, logger: silentLogger })).toBeUndefined();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('shows what its owner has written, beside him and after him, and leaves every file as it is', async () => {
    const owner = await writer();
    await put(owner, 'a/1', 1);
    await put(owner, 'a/2', 2);
    await owner.txn({ dels: ['a/1'] });
    const before = trace();
    const view = await reader();
    expect(view.range('a/').map(({ key, value, rev }) => [key, value, rev])).toEqual([['a/2', 2, 2]]);
    expect(view.rev).toBe(owner.rev);
    await owner.close();
    await view.barrier();
    expect(view.rev).toBe(3);
    expect(trace().filter((line) => !line.startsWith('store.'))).toEqual(
      before.filter((line) => !line.startsWith('store.')),
    );
    await expect(put(view, 'a/3', 3)).rejects.toThrow('can not write');
  });

  it('follows the journal: each change once, whole and in order', async () => {
    const owner = await writer({ segmentBytes: 200 });
    await put(owner, 'a/0', 0);
    const view = await reader();
    const seen: string[] = [];
    view.watch('a/', view.rev + 1, (change) => seen.push(`${change.rev} ${change.ops.map(({ key }) => key).join()}`));
    const wanted: string[] = [];
    for (let number = 1; number <= 40; number += 1) {
      const result = await owner.txn({
        puts: [
          { key: `a/${number}`, value: 1 },
          { key: `b/${number}`, value: 1 },
        ],
      });
      wanted.push(`${result.ok ? result.rev : 'refused'} a/${number}`);
    }
    await until(() => seen.length >= wanted.length, { what: 'all changes were seen' });
    expect(seen).toEqual(wanted);
  });

  it('goes on when a snapshot takes the place of the journal that it was reading', async () => {
    const owner = await writer({ snapshotOps: 10 });
    await put(owner, 'a/0', 0);
    const view = await reader();
    const last = new Map<string, unknown>();
    view.watch('a/', view.rev + 1, ({ ops }) => ops.forEach(({ key, value }) => last.set(key, value)));
    for (let number = 1; number <= 200; number += 1) await put(owner, `a/${number % 7}`, number);
    await owner.txn({ dels: ['a/3'] });
    await until(() => view.rev === owner.rev, { what: 'the view has caught up' });
    expect(view.range('a/')).toEqual(owner.range('a/'));
    expect([last.get('a/4'), last.get('a/3')]).toEqual([200, undefined]);
  });

  it('catches up after it has slept over several generations', async () => {
    const first = await writer();
    await put(first, 'a/1', 1);
    await put(first, 'gone', 1);
    const view = await reader();
    for (let generation = 0; generation < 3; generation += 1) {
      await (generation === 0 ? first : await writer()).close();
      const owner = await writer({ snapshotOps: 5, closeSnapshotOps: 1 });
      for (let number = 0; number < 20; number += 1) await put(owner, `a/${number}`, generation);
      await owner.txn({ dels: ['gone'] });
      await owner.close();
    }
    await view.barrier();
    const owner = await writer();
    expect(view.rev).toBe(owner.rev);
    expect(view.range('')).toEqual(owner.range(''));
  });

  it('takes a torn end for what is not written yet, and reads on once its owner has cut it off', async () => {
    const owner = await writer();
    await put(owner, 'a', 1);
    await put(owner, 'b', 2);
    await owner.close();
    const whole = readFileSync(segment()).length;
    appendFileSync(segment(), readFileSync(segment()).subarray(0, 20));
    const view = await reader();
    expect([view.rev, view.get('b')?.value]).toEqual([2, 2]);
    truncateSync(segment(), whole);
    await put(await writer(), 'c', 3);
    await view.barrier();
    expect(view.get('c')?.value).toBe(3);
  });

  it('names the place of damage that is not at the end', async () => {
    const owner = await writer();
    for (const key of ['a', 'b', 'c']) await put(owner, key, 1);
    await owner.close();
    const bytes = readFileSync(segment());
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    writeFileSync(segment(), bytes);
    const before = trace();
    await expect(reader()).rejects.toMatchObject({ code: 'CorruptState', details: { offset: 0 } });
    expect(trace()).toEqual(before);
  });
});
