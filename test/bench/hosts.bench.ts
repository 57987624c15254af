import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeStillImage } from '../support/still-image.ts';
import { until } from '../support/until.ts';
import { LabCloud } from '../system/support/lab-cloud.ts';
import { namespaceHostsMissing } from '../system/support/namespace-host.ts';
import { BareDomains } from './bare-domains.ts';
import { benchRow, type Bench, type BenchRow } from './bench-row.ts';
import { cpuSeconds } from './process-cpu.ts';
import { median, spreadOf } from './spread.ts';

/** Fewer, while one works on what is measured. */
const GUESTS = Number(process.env['NOVACTL_BENCH_GUESTS'] ?? 50);
const PAIRS = Number(process.env['NOVACTL_BENCH_PAIRS'] ?? 3);
const IDLE_SECONDS = Number(process.env['NOVACTL_BENCH_IDLE_SECONDS'] ?? 60);
const LISTS = 10;
/** As many as one call takes. */
const IDS_PER_CALL = 40;

type Progress = (text: string) => void;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

interface HostRow {
  readonly name: string;
  readonly state: string;
}

async function hostStates(system: LabCloud): Promise<string[]> {
  const { hosts } = await system.json<{ hosts: HostRow[] }>('host', 'list');
  return hosts.map(({ state }) => state);
}

async function runStill(system: LabCloud, count: number): Promise<string[]> {
  const words = ['--image', 'still', '--type', 'm1.nano', '--count', String(count), '--wait', '--timeout', '600s'];
  const { instances } = await system.json<{ instances: { instanceId: string }[] }>('run-instance', ...words);
  return instances.map(({ instanceId }) => instanceId);
}

async function terminate(system: LabCloud, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += IDS_PER_CALL) {
    const some = ids.slice(from, from + IDS_PER_CALL);
    await system.ok('instance', 'terminate', '--yes', '--wait', '--timeout', '600s', ...some);
  }
}

/** One instance a host that stays: with it stand bridge, DHCP and cached image, as on hosts that are in use. */
async function settleIn(system: LabCloud): Promise<void> {
  const image = join(system.cloud.dir, 'still.raw');
  writeStillImage(image);
  await system.ok('image', 'import', image, '--name', 'still');
  for (const { name } of system.lab.hosts) {
    const others = system.lab.hosts.map((host) => host.name).filter((other) => other !== name);
    for (const other of others) await system.ok('host', 'disable', other);
    await runStill(system, 1);
    for (const other of others) await system.ok('host', 'enable', other);
  }
}

/** Milliseconds until all run, by virsh alone, the hosts side by side; the daemon is off meanwhile. */
async function byVirsh(system: LabCloud): Promise<number> {
  await system.cloud.stop();
  const { hosts } = system.lab;
  const each = hosts.map((_, index) =>
    Array.from({ length: GUESTS }, (_unused, number) => number).filter((number) => number % hosts.length === index),
  );
  const bare: BareDomains[] = [];
  try {
    for (const [index, host] of hosts.entries())
      bare.push(await BareDomains.prepare(host, each[index] ?? [], system.cloud.dir));
    return await timed(() => Promise.all(bare.map((domains) => domains.start())));
  } finally {
    for (const domains of bare) await domains.remove();
    await system.cloud.start();
    await until(async () => (await hostStates(system)).every((state) => state === 'up'), {
      what: 'the hosts are up',
      timeoutMs: 60_000,
      everyMs: 250,
    });
  }
}

/** Milliseconds of each, in pairs. The instances of the last pair stay. */
async function startAll(system: LabCloud, progress: Progress): Promise<{ ours: number[]; bare: number[] }> {
  const ours: number[] = [];
  const bare: number[] = [];
  for (let pair = 1; pair <= PAIRS; pair += 1) {
    bare.push(await byVirsh(system));
    let ids: string[] = [];
    ours.push(await timed(async () => (ids = await runStill(system, GUESTS))));
    const [a = 0, b = 0] = [ours.at(-1), bare.at(-1)];
    progress(`pair ${pair}: ${a.toFixed(0)} ms, by virsh ${b.toFixed(0)} ms; load ${load()}`);
    if (pair < PAIRS) await terminate(system, ids);
  }
  return { ours, bare };
}

const load = (): string => loadavg()[0]?.toFixed(1) ?? '?';

/** Processor time of the daemon while nobody asks it for anything, in percent of one core. */
async function idlePercent(pid: number): Promise<number> {
  let before = cpuSeconds(pid);
  // What the starts left to do is over.
  await until(
    () => {
      const used = cpuSeconds(pid) - before;
      before += used;
      return used < 0.1;
    },
    { what: 'the daemon has come to rest', timeoutMs: 60_000, everyMs: 2000 },
  );
  const began = performance.now();
  before = cpuSeconds(pid);
  await sleep(IDLE_SECONDS * 1000);
  return ((cpuSeconds(pid) - before) / ((performance.now() - began) / 1000)) * 100;
}

/** Seconds from the moment that a host loses its power until the cloud says so. */
async function untilDown(system: LabCloud): Promise<number> {
  const off = system.lab.host(0).powerOff();
  const seconds = timed(() =>
    until(async () => (await hostStates(system)).includes('down'), {
      what: 'the host is known to be down',
      timeoutMs: 120_000,
      everyMs: 100,
    }),
  );
  await off;
  return (await seconds) / 1000;
}

async function measure(system: LabCloud, progress: Progress): Promise<BenchRow[]> {
  await settleIn(system);
  progress(`${GUESTS} still guests over ${system.lab.hosts.length} hosts, ${PAIRS} pairs; load ${load()}`);
  const { ours, bare } = await startAll(system, progress);
  const running = GUESTS + system.lab.hosts.length;
  const listing = await spreadOf(LISTS, () => system.ok('instance', 'list', '--json'));
  progress(`${IDLE_SECONDS} s of rest; load ${load()}`);
  const idle = await idlePercent(system.cloud.pid);
  progress('power off');
  const downSeconds = await untilDown(system);
  return [
    benchRow({
      name: `hosts.start-${GUESTS}`,
      value: median(ours),
      unit: 'ms',
      baseline: median(bare),
      goal: { of: 'ratio', atMost: 1.2 },
      note: `run-instance --count ${GUESTS} --wait, median of ${PAIRS}; baseline: qemu-img and virsh over kept SSH connections, hosts side by side`,
    }),
    benchRow({
      name: 'hosts.idle-cpu',
      value: idle,
      unit: '%',
      goal: { of: 'value', atMost: 1 },
      note: `of one core, over ${IDLE_SECONDS} s, ${running} instances on ${system.lab.hosts.length} hosts`,
    }),
    benchRow({
      name: 'hosts.instance-list',
      value: listing.medianMs,
      unit: 'ms',
      note: `${running} instances, process start included, median of ${LISTS}`,
    }),
    benchRow({
      name: 'hosts.power-lost-to-down',
      value: downSeconds,
      unit: 's',
      note: 'the host is silent from one moment to the next; a closed connection is known at once',
    }),
  ];
}

/** A cloud of two hosts over SSH: starting many guests against virsh alone, its cost at rest, how soon a dead host is known. */
export const bench: Bench = async ({ progress }) => {
  const missing = namespaceHostsMissing();
  if (missing !== undefined) throw new Error(`hosts bench: ${missing}`);
  const system = await LabCloud.start('daemon');
  try {
    return await measure(system, progress);
  } finally {
    await system.destroy();
  }
};
