/**
 * A cloud of simulated hosts in one all-in-one with the file engine, in a process of its own: `node test/bench/scale-cloud.ts HOSTS INSTANCES`.
 * Prints its figures as one JSON object. What the simulated hosts themselves need of memory and processor is in them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { openStore } from '../../src/launch/open-store.ts';
import { ConfigSchema } from '../../src/launch/config/schema.ts';
import { createSimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimCloud } from '../support/sim-cloud.ts';
import { startSimCloud } from '../support/sim-cloud.ts';
import { inLanes } from './lanes.ts';

export interface ScaleFigures {
  readonly hostsPerS: number;
  readonly fillPerS: number;
  readonly firstPageMs: number;
  readonly runCallsPerS: number;
  readonly rssMib: number;
  readonly idleCpuPercent: number;
  readonly restartMs: number;
}

const [hostCount = 0, instanceCount = 0] = process.argv.slice(2).map(Number);
/** One RunInstances call each, of one instance. */
const CALLS = Math.min(2000, instanceCount / 2);
const LANES = 16;
const FILL_PER_CALL = 50;
const IDLE_MS = 60_000;
const PAGES = 200;

const config = {
  network: { fixedRange: '10.0.0.0/8', subnetPrefix: 16 },
  scheduler: { cpuAllocationRatio: 64 },
};
const stateDir = mkdtempSync(join(tmpdir(), 'novactl-scale-'));
const clock = new SystemClock();
const world = createSimulatedHosts({ clock, options: { cpus: 64, memoryMib: 65_536, diskGib: 10_000 } });

async function open(): Promise<SimCloud> {
  const parsed = ConfigSchema.parse({ drivers: 'simulated', ...config, stateDir });
  const onPoison = (error: Error): never => {
    throw error;
  };
  const store = await openStore(parsed, { clock, random: new SystemRandom(), logger: silentLogger, onPoison });
  return startSimCloud({ config, stateDir, store, world, hosts: [] });
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
const perSecond = (count: number, sinceMs: number): number => (count * 1000) / (performance.now() - sinceMs);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function firstPage(sim: SimCloud): Promise<number> {
  const times: number[] = [];
  for (let page = 0; page < PAGES; page += 1) {
    const began = performance.now();
    const { instances } = await sim.call('DescribeInstances', { MaxResults: 100 });
    if (instances.length !== 100) throw new Error(`${instances.length} instances on the first page`);
    times.push(performance.now() - began);
  }
  return median(times);
}

async function idle(): Promise<number> {
  const before = process.cpuUsage();
  await clock.sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1000 / IDLE_MS) * 100;
}

async function measure(): Promise<ScaleFigures> {
  let sim = await open();
  let began = performance.now();
  await inLanes(LANES, hostCount, (index) => sim.addHost(`node${index}`));
  const hostsPerS = perSecond(hostCount, began);
  say(`${hostCount} hosts`);
  const filled = instanceCount - CALLS;
  began = performance.now();
  await inLanes(2, Math.ceil(filled / FILL_PER_CALL), () =>
    sim.run({ MinCount: FILL_PER_CALL, MaxCount: FILL_PER_CALL }),
  );
  await sim.settled('running');
  const fillPerS = perSecond(filled, began);
  say(`${filled} instances`);
  began = performance.now();
  await inLanes(LANES, CALLS, () => sim.run());
  const runCallsPerS = perSecond(CALLS, began);
  await sim.settled('running');
  say(`${sim.records().length} instances run`);
  const firstPageMs = await firstPage(sim);
  globalThis.gc?.();
  const rssMib = process.memoryUsage().rss / 2 ** 20;
  const idleCpuPercent = await idle();
  await sim.cloud.close();
  began = performance.now();
  sim = await open();
  await sim.call('DescribeInstances', { MaxResults: 100 });
  const restartMs = performance.now() - began;
  await sim.cloud.close();
  return { hostsPerS, fillPerS, firstPageMs, runCallsPerS, rssMib, idleCpuPercent, restartMs };
}

try {
  process.stdout.write(`${JSON.stringify(await measure())}\n`);
} finally {
  rmSync(stateDir, { recursive: true, force: true });
}
