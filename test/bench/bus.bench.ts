import { createMemoryBus } from '../../src/adapters/bus/memory-bus.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { type Bench, type BenchRow, benchRow } from './bench-row.ts';
import { median } from './spread.ts';

const ROUNDS = 5;
const ROUND_MS = 500;
const BODY = { instanceId: 'i-0123456789abcdef0', generation: 3, epoch: 7, note: 'x'.repeat(200) };

/** How many times a second `concurrency` callers get through `work`. */
async function rate(concurrency: number, work: () => Promise<unknown>): Promise<number> {
  let done = 0;
  const startMs = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - startMs < ROUND_MS) {
      await work();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return done / ((performance.now() - startMs) / 1000);
}

/** What any bus in this process must do at least: copy the body there and back, each way in a turn of its own. */
async function bareEcho(): Promise<void> {
  const there = JSON.stringify(BODY);
  await new Promise((resolve) => setImmediate(resolve));
  const back = JSON.stringify(JSON.parse(there));
  await new Promise((resolve) => setImmediate(resolve));
  JSON.parse(back);
}

async function compare(
  name: string,
  concurrency: number,
  work: () => Promise<unknown>,
  atLeast: number,
): Promise<BenchRow> {
  const values: number[] = [];
  const baselines: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    baselines.push(await rate(concurrency, bareEcho));
    values.push(await rate(concurrency, work));
  }
  const note = 'baseline: the body as JSON there and back, a turn of the event loop each way';
  return benchRow({
    name,
    value: median(values),
    unit: '1/s',
    baseline: median(baselines),
    goal: { of: 'ratio', atLeast },
    note,
  });
}

export const memoryBusBench: Bench = async ({ progress }) => {
  const bus: Bus = createMemoryBus({ clock: new SystemClock(), random: new SystemRandom() });
  const rows: BenchRow[] = [];
  try {
    await bus.serve('t', { echo: async (body) => body, note: async () => undefined }, { prefetch: 64 });
    for (const concurrency of [1, 32]) {
      progress(`calls at ${concurrency}`);
      const call = (): Promise<unknown> => bus.call('t', 'echo', BODY, { timeoutMs: 5000 });
      rows.push(await compare(`bus.memory-calls-at-${concurrency}`, concurrency, call, 0.3));
    }
  } finally {
    await bus.close();
  }
  return rows;
};

export const bench = memoryBusBench;
