import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openFileStore } from '../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Store, Txn } from '../../src/ports/store.ts';
import { ADMIN, startSimCloud } from '../support/sim-cloud.ts';
import type { SimCloud } from '../support/sim-cloud.ts';
import { until } from '../support/until.ts';
import type { Bench, BenchContext, BenchRow } from './bench-row.ts';
import { benchRow } from './bench-row.ts';

const HOSTS = 100;
/** Concurrency -> calls measured. */
const RUNS: readonly (readonly [concurrency: number, calls: number])[] = [
  [1, 1000],
  [16, 4000],
  [64, 8000],
];
/** Large hosts and one large subnet, so that nothing is refused. */
const CONFIG = {
  network: { fixedRange: '10.0.0.0/8', subnetPrefix: 16 },
  scheduler: { cpuAllocationRatio: 64 },
};
const HOST = { cpus: 256, memoryMib: 1_048_576, diskGib: 100_000 };

async function openStore(dir: string): Promise<Store> {
  const clock = new SystemClock();
  return openFileStore({ dir, clock, random: new SystemRandom(), logger: silentLogger });
}

/** Calls `work` so many times, so many at once; calls a second. */
async function rate(concurrency: number, calls: number, work: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const began = performance.now();
  const lane = async (): Promise<void> => {
    while (next < calls) {
      next += 1;
      await work(next);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return (calls * 1000) / (performance.now() - began);
}

const runOne = (sim: SimCloud): Promise<unknown> =>
  sim.cloud.controller.executor.change('RunInstances', { ImageId: 'still', InstanceType: 'm1.nano' }, ADMIN);

/** The store's own share: transactions of the same keys and bytes, without anybody who decides them. */
async function bareRate(dir: string, sample: Txn, concurrency: number, calls: number): Promise<number> {
  const store = await openStore(dir);
  const { puts = [], guards = [] } = sample;
  const result = await rate(concurrency, calls, (index) =>
    store.txn({
      token: `bare-${concurrency}-${index}`,
      guards: guards.map(({ key }) => ({ key: `${key}/${index}`, absent: true }) as const),
      puts: puts.map(({ key, value }) => ({ key: `${key}/${index}`, value })),
    }),
  );
  await store.close();
  return result;
}

async function startCloud(dir: string): Promise<{ sim: SimCloud; sample: () => Txn }> {
  const store = await openStore(join(dir, 'state'));
  let last: Txn = {};
  const recording = new Proxy(store, {
    get(target, name) {
      if (name !== 'txn') {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      }
      return (txn: Txn) => {
        if (txn.puts?.some((put) => put.key.startsWith('reservation/')) === true) last = txn;
        return target.txn(txn);
      };
    },
  });
  const hosts = Array.from({ length: HOSTS }, (_, index) => `node${index}`);
  const sim = await startSimCloud({ store: recording, stateDir: dir, hosts, host: HOST, config: CONFIG });
  return { sim, sample: () => last };
}

/** Durable RunInstances decisions of one process, reconcilers and workers at work beside them, against bare transactions of the same size. */
export async function decisionsBench(context: BenchContext): Promise<readonly BenchRow[]> {
  // Not the folder for temporary files, which may be in memory.
  const dir = mkdtempSync('/var/tmp/novactl-bench-');
  const rows: BenchRow[] = [];
  try {
    const { sim, sample } = await startCloud(dir);
    await rate(16, 500, () => runOne(sim));
    for (const [concurrency, calls] of RUNS) {
      context.progress(`${calls} RunInstances at concurrency ${concurrency}`);
      const began = performance.now();
      const cpuBefore = process.threadCpuUsage();
      const value = await rate(concurrency, calls, () => runOne(sim));
      await until(() => sim.records().every((record) => record.state === 'running'), {
        what: 'every instance runs',
        timeoutMs: 120_000,
        everyMs: 20,
      });
      const running = (calls * 1000) / (performance.now() - began);
      const cpu = process.threadCpuUsage(cpuBefore);
      const baseline = await bareRate(join(dir, `bare-${concurrency}`), sample(), concurrency, calls);
      rows.push(
        benchRow({
          name: `decisions.run-instances-at-${concurrency}`,
          value,
          unit: '1/s',
          baseline,
          ...(concurrency === 64 ? { goal: { of: 'value', atLeast: 2000 } as const } : {}),
          note: `durable RunInstances of 1 in process, ${HOSTS} simulated hosts, reconcilers and workers on; baseline: bare transactions of the same ${sample().puts?.length ?? 0} puts`,
        }),
        benchRow({
          name: `decisions.until-running-at-${concurrency}`,
          value: running,
          unit: '1/s',
          note: 'the same instances from the first call until the last one runs',
        }),
        benchRow({
          name: `decisions.cpu-at-${concurrency}`,
          value: (cpu.user + cpu.system) / calls,
          unit: 'us',
          note: 'CPU of the main thread for each of them, whatever else the machine does',
        }),
      );
    }
    await sim.close();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return rows;
}

export const bench: Bench = decisionsBench;
