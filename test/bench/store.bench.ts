import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Low } from 'lowdb';
import { JSONFile } from 'lowdb/node';
import { openFileStore } from '../../src/adapters/store/file-store.ts';
import { encodeFrame } from '../../src/adapters/store/frame.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Store } from '../../src/ports/store.ts';
import { type Bench, type BenchRow, benchRow } from './bench-row.ts';

const ROUNDS = 5;
const ROUND_MS = 700;
const KEYS = 100_000;
const clock = new SystemClock();

/** An instance's record, about 512 bytes as JSON. */
function record(n: number): object {
  const id = `i-${n.toString(16).padStart(17, '0')}`;
  return {
    id,
    state: 'running',
    host: 'h-1',
    tags: ['a', 'b'],
    networks: [{ mac: '02:00:00:00:00:01', address: '10.0.0.2' }],
    note: 'x'.repeat(360),
  };
}

function open(dir: string, tunables: object = {}): Promise<Store> {
  return openFileStore({
    dir,
    clock,
    random: new SystemRandom(),
    logger: silentLogger,
    closeSnapshotOps: Infinity,
    ...tunables,
  });
}

/** Commits a second of `concurrency` callers, each with one transaction under way. */
async function commits(store: Store, concurrency: number, round: number): Promise<number> {
  let done = 0;
  const startMs = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - startMs < ROUND_MS) {
      done += 1;
      const key = `instance/${concurrency}/${done % 5000}`;
      await store.txn({ token: `${concurrency}/${round}/${done}`, puts: [{ key, value: record(done) as never }] });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return done / ((performance.now() - startMs) / 1000);
}

/** The same bytes in the same batches, appended and fdatasynced by a bare loop: what the disk gives. */
async function bareLoop(dir: string, concurrency: number): Promise<number> {
  const text = `{"rev":1000,"token":"256/1/1000","ops":[{"k":"instance/256/1000","v":${JSON.stringify(record(1))}}]}`;
  const batch = encodeFrame(Array<string>(concurrency).fill(text), 1000, Date.now());
  const file = await fs.open(path.join(dir, `bare.${concurrency}`), 'w');
  let done = 0;
  let position = 0;
  const startMs = performance.now();
  while (performance.now() - startMs < ROUND_MS) {
    await file.write(batch, 0, batch.length, position);
    await file.datasync();
    position += batch.length;
    done += concurrency;
  }
  const perSecond = done / ((performance.now() - startMs) / 1000);
  await file.close();
  return perSecond;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Rounds of both take turns, so that a disk that is slow for a while is slow for both. */
async function commitRows(dir: string, progress: (text: string) => void): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [concurrency, atLeast] of [
    [1, 0.7],
    [16, 0.7],
    [256, 0.1],
  ] as const) {
    progress(`commits at ${concurrency}`);
    const store = await open(path.join(dir, `commits-${concurrency}`), {
      snapshotOps: Infinity,
      snapshotBytes: Infinity,
    });
    const values: number[] = [];
    const baselines: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      baselines.push(await bareLoop(dir, concurrency));
      values.push(await commits(store, concurrency, round));
    }
    await store.close();
    const note =
      'one put of 512 B each, with a token; baseline: bare write + fdatasync of ready-made batches of so many (at 256 the processor is the limit, not the disk)';
    rows.push(
      benchRow({
        name: `store.commits-at-${concurrency}`,
        value: median(values),
        unit: '1/s',
        baseline: median(baselines),
        goal: { of: 'ratio', atLeast },
        note,
      }),
    );
  }
  return rows;
}

async function fill(store: Store, count: number): Promise<void> {
  for (let n = 0; n < count; n += 2000) {
    const batches = Array.from({ length: 20 }, (_, batch) => n + batch * 100).filter((from) => from < count);
    await Promise.all(
      batches.map((from) =>
        store.txn({
          puts: Array.from({ length: Math.min(100, count - from) }, (_, i) => ({
            key: `k/${from + i}`,
            value: record(from + i) as never,
          })),
        }),
      ),
    );
  }
}

/**
 * How long the work took, and the longest turn of the event loop meanwhile, in processor time of this thread: what other programs on
 * the machine take is not ours to answer for.
 */
async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; blockMs: number; result: T }> {
  const cpuUs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return user + system;
  };
  let running = true;
  let lastUs = cpuUs();
  let mostUs = 0;
  const turn = (): void => {
    const nowUs = cpuUs();
    mostUs = Math.max(mostUs, nowUs - lastUs);
    lastUs = nowUs;
    if (running) setImmediate(turn);
  };
  const startMs = performance.now();
  setImmediate(turn);
  const result = await work();
  const ms = performance.now() - startMs;
  await new Promise((resolve) => setImmediate(resolve));
  running = false;
  return { ms, blockMs: mostUs / 1000, result };
}

/** Commits go on, one after the other, until the snapshot is there. */
async function untilSnapshot(store: Store, file: string): Promise<number> {
  let n = 0;
  for (; !existsSync(file); n += 1) await store.txn({ puts: [{ key: `k/${n}`, value: record(n) as never }] });
  return n;
}

async function snapshotRows(dir: string, progress: (text: string) => void): Promise<BenchRow[]> {
  progress('100 000 records: fill');
  const folder = path.join(dir, 'large');
  const store = await open(folder, { snapshotOps: KEYS, snapshotBytes: Infinity, snapshotMs: Infinity });
  await fill(store, KEYS - 1);
  progress('100 000 records: snapshot');
  const ours = await timed(() => untilSnapshot(store, path.join(folder, 'replica.json')));
  const data = Object.fromEntries(store.range('').map(({ key, value }) => [key, value]));
  await store.close();
  progress('100 000 records: plain lowdb');
  const plain = new Low<object>(new JSONFile<object>(path.join(dir, 'plain.json')), {});
  plain.data = data;
  const theirs = await timed(() => plain.write());
  const note = '100 000 records of 512 B while commits go on; baseline: lowdb with its own JSONFile, no fsync';
  return [
    benchRow({
      name: 'store.snapshot-block',
      value: ours.blockMs,
      unit: 'ms',
      baseline: theirs.blockMs,
      goal: { of: 'value', atMost: 20 },
      note: `longest turn of the event loop, processor time; ${note}`,
    }),
    benchRow({
      name: 'store.snapshot',
      value: ours.ms,
      unit: 'ms',
      baseline: theirs.ms,
      goal: { of: 'ratio', atMost: 2 },
      note: `${note}; ${ours.result} commits meanwhile`,
    }),
    ...(await recoveryRows(dir, folder, progress)),
  ];
}

async function reopen(folder: string): Promise<number> {
  const startMs = performance.now();
  const store = await open(folder);
  const ms = performance.now() - startMs;
  if (store.count('k/') < KEYS - 1) throw new Error(`only ${store.count('k/')} keys came back`);
  await store.close();
  return ms;
}

async function recoveryRows(dir: string, folder: string, progress: (text: string) => void): Promise<BenchRow[]> {
  progress('100 000 records: recovery');
  const fromJournal = path.join(dir, 'journal-only');
  const store = await open(fromJournal, { snapshotOps: Infinity, snapshotBytes: Infinity });
  await fill(store, KEYS);
  await store.close();
  const startMs = performance.now();
  JSON.parse(await fs.readFile(path.join(folder, 'replica.json'), 'utf8'));
  const parseMs = performance.now() - startMs;
  const note = '100 000 records; baseline: JSON.parse of the snapshot file';
  const goal = { of: 'ratio', atMost: 4 } as const;
  return [
    benchRow({
      name: 'store.recover-snapshot',
      value: await reopen(folder),
      unit: 'ms',
      baseline: parseMs,
      goal,
      note,
    }),
    benchRow({
      name: 'store.recover-journal',
      value: await reopen(fromJournal),
      unit: 'ms',
      baseline: parseMs,
      goal,
      note,
    }),
  ];
}

export const storeBench: Bench = async ({ progress }) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'novactl-bench-'));
  try {
    return [...(await commitRows(dir, progress)), ...(await snapshotRows(dir, progress))];
  } finally {
    await fs.rm(dir, { recursive: true });
  }
};

export const bench = storeBench;
