import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGrpcEtcd } from '../../src/adapters/store/etcd/grpc-etcd.ts';
import { openEtcdStore } from '../../src/adapters/store/etcd/etcd-store.ts';
import { openFileStore } from '../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Store } from '../../src/ports/store.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import type { Bench, BenchRow } from './bench-row.ts';
import { benchRow } from './bench-row.ts';

const clock = new SystemClock();
const random = new SystemRandom();
const common = { clock, random, logger: silentLogger };
const MEASURE_MS = 5000;
const LANES = [1, 16, 64];
const WATCHED = 300;

interface Times {
  readonly perS: number;
  readonly p50: number;
  readonly p99: number;
}

const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;

/** Creates keys of 512 bytes, each guarded by its absence, as an instance's record is. */
async function transactions(store: Store, lanes: number): Promise<Times> {
  const times: number[] = [];
  const began = performance.now();
  let made = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - began < MEASURE_MS) {
      const key = `bench/${lanes}/${(made += 1)}`;
      const sent = performance.now();
      const { ok } = await store.txn({
        guards: [{ key, absent: true }],
        puts: [{ key, value: { note: 'x'.repeat(490) } }],
      });
      if (!ok) throw new Error(`${key} was there already`);
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const perS = (times.length * 1000) / (performance.now() - began);
  times.sort((a, b) => a - b);
  return { perS, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** From the moment that one process commits to the moment that a watcher of another one has it. */
async function watchLatency(writer: Store, reader: Store): Promise<{ p50: number; p99: number }> {
  const times: number[] = [];
  for (let n = 0; n < WATCHED; n += 1) {
    const key = `watched/${n}`;
    const seen = new Promise<number>((resolve) => {
      const watch = reader.watch(key, reader.rev + 1, () => {
        watch.close();
        resolve(performance.now());
      });
    });
    const sent = performance.now();
    await writer.txn({ puts: [{ key, value: n }] });
    times.push((await seen) - sent);
  }
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

async function measure(store: Store, progress: (text: string) => void, name: string): Promise<Map<number, Times>> {
  const found = new Map<number, Times>();
  for (const lanes of LANES) {
    progress(`${name}, ${lanes} at a time`);
    found.set(lanes, await transactions(store, lanes));
  }
  return found;
}

function rows(engine: string, found: ReadonlyMap<number, Times>, baseline?: ReadonlyMap<number, Times>): BenchRow[] {
  const note = 'guarded creation of 512 bytes' + (baseline === undefined ? '' : '; baseline: the file engine');
  return [...found].flatMap(([lanes, { perS, p50, p99 }]) => {
    const file = baseline?.get(lanes);
    return [
      benchRow({
        name: `engines.${engine}-txn-at-${lanes}`,
        value: perS,
        unit: '1/s',
        ...(file && { baseline: file.perS }),
        note,
      }),
      benchRow({
        name: `engines.${engine}-p50-at-${lanes}`,
        value: p50,
        unit: 'ms',
        ...(file && { baseline: file.p50 }),
        note,
      }),
      benchRow({
        name: `engines.${engine}-p99-at-${lanes}`,
        value: p99,
        unit: 'ms',
        ...(file && { baseline: file.p99 }),
        note,
      }),
    ];
  });
}

export const bench: Bench = async ({ progress }) => {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-engines-'));
  const cluster = await EtcdCluster.start();
  const open = (): Promise<Store> =>
    openEtcdStore({ ...common, api: createGrpcEtcd({ ...common, ...cluster.access() }), prefix: 'bench/' });
  try {
    const file = await openFileStore({ ...common, dir: join(dir, 'state') });
    const byFile = await measure(file, progress, 'file');
    await file.close();
    const [writer, reader] = [await open(), await open()];
    const byEtcd = await measure(writer, progress, 'etcd, three nodes on this disk');
    progress('watch');
    const { p50, p99 } = await watchLatency(writer, reader);
    await Promise.all([writer.close(), reader.close()]);
    const note = 'from the call of one process to the watcher of another; the commit itself is in it';
    return [
      ...rows('file', byFile),
      ...rows('etcd', byEtcd, byFile),
      benchRow({ name: 'engines.etcd-watch-p50', value: p50, unit: 'ms', note }),
      benchRow({ name: 'engines.etcd-watch-p99', value: p99, unit: 'ms', note }),
    ];
  } finally {
    await cluster.destroy();
    rmSync(dir, { recursive: true, force: true });
  }
};
