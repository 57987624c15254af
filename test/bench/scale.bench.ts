import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Bench, BenchContext, BenchRow } from './bench-row.ts';
import { benchRow } from './bench-row.ts';
import type { ScaleFigures } from './scale-cloud.ts';

/** OpenNebula's published limit of one zone, and a tenth of it, to show the growth. */
const SIZES = [
  { hosts: 125, instances: 2000 },
  { hosts: 1250, instances: 20_000 },
] as const;

const UNITS: Readonly<
  Record<keyof ScaleFigures, { name: string; unit: string; goal?: { atMost?: number; atLeast?: number }; note: string }>
> = {
  hostsPerS: { name: 'add-hosts', unit: '1/s', note: 'AddHost, 16 at a time' },
  fillPerS: {
    name: 'fill',
    unit: '1/s',
    note: 'instances from RunInstances (50 a call, two calls at a time) to running',
  },
  firstPageMs: {
    name: 'first-page',
    unit: 'ms',
    goal: { atMost: 20 },
    note: 'DescribeInstances, 100 a page, median of 200, with all instances there',
  },
  runCallsPerS: {
    name: 'run-calls',
    unit: '1/s',
    goal: { atLeast: 200 },
    note: 'RunInstances calls of one instance, 16 at a time, all reconcilers on',
  },
  rssMib: { name: 'rss', unit: 'MiB', goal: { atMost: 1536 }, note: 'with the simulated hosts in it' },
  idleCpuPercent: {
    name: 'idle-cpu',
    unit: '%',
    goal: { atMost: 5 },
    note: 'of one core, over a minute, with the simulated hosts',
  },
  restartMs: {
    name: 'restart',
    unit: 'ms',
    goal: { atMost: 10_000 },
    note: 'from opening the state folder to the first page of instances',
  },
};

/** One all-in-one with as many hosts and instances as others say that their whole zone holds. */
export async function scaleBench(context: BenchContext): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  let smaller: ScaleFigures | undefined;
  for (const { hosts, instances } of SIZES) {
    context.progress(`${hosts} hosts, ${instances} instances`);
    const figures = await cloudOf(hosts, instances, context);
    for (const [key, { name, unit, goal, note }] of Object.entries(UNITS)) {
      const figure = key as keyof ScaleFigures;
      rows.push(
        benchRow({
          name: `scale.${name}-${hosts}-${instances}`,
          value: figures[figure],
          unit,
          ...(smaller && { baseline: smaller[figure] }),
          ...(goal && { goal: { of: 'value', ...goal } }),
          note: smaller === undefined ? note : `${note}; baseline: a tenth of the size`,
        }),
      );
    }
    smaller = figures;
  }
  return rows;
}

async function cloudOf(hosts: number, instances: number, context: BenchContext): Promise<ScaleFigures> {
  const script = join(import.meta.dirname, 'scale-cloud.ts');
  const child = spawn(process.execPath, ['--expose-gc', script, String(hosts), String(instances)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.setEncoding('utf8').on('data', (line: string) => context.progress(line.trim()));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', reject);
  });
  const out = await text(child.stdout);
  const code = await ended;
  if (code !== 0) throw new Error(`the cloud of ${hosts} hosts ended with ${String(code)}`);
  return JSON.parse(out) as ScaleFigures;
}

export const bench: Bench = scaleBench;
