import { createMemoryBus } from '../../src/adapters/bus/memory-bus.ts';
import { openRabbitBus } from '../../src/adapters/bus/rabbit-bus.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { PrivateRabbit, rabbitMissing } from '../support/private-rabbit.ts';
import { type Bench, type BenchFigure, type BenchRow, benchRow } from './bench-row.ts';
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

const CONCURRENCIES = [1, 32, 256] as const;
const ECHO = 'the body as JSON there and back, a turn of the event loop each way';

async function compare(
  name: string,
  concurrency: number,
  works: { readonly work: () => Promise<unknown>; readonly baseline: () => Promise<unknown> },
  said: Pick<BenchFigure, 'note' | 'goal'>,
): Promise<BenchRow> {
  const values: number[] = [];
  const baselines: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    baselines.push(await rate(concurrency, works.baseline));
    values.push(await rate(concurrency, works.work));
  }
  return benchRow({ name, value: median(values), unit: '1/s', baseline: median(baselines), ...said });
}

const parts = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger };

async function serveOn(bus: Bus): Promise<void> {
  await bus.serve('t', { echo: async (body) => body, note: async () => undefined }, { prefetch: 256 });
}

const callOn = (bus: Bus) => (): Promise<unknown> => bus.call('t', 'echo', BODY, { timeoutMs: 30_000 });
/** With a turn of the event loop after each: in process nothing would be handled meanwhile, and the queue would fill. */
const castOn = (bus: Bus) => async (): Promise<void> => {
  await bus.cast('t', 'note', BODY);
  await new Promise((resolve) => setImmediate(resolve));
};

export const memoryBusBench: Bench = async ({ progress }) => {
  const bus = createMemoryBus(parts);
  const rows: BenchRow[] = [];
  try {
    await serveOn(bus);
    for (const concurrency of CONCURRENCIES) {
      progress(`calls and casts in process at ${concurrency}`);
      const calls = { work: callOn(bus), baseline: bareEcho };
      const goal = { of: 'ratio', atLeast: 0.3 } as const;
      rows.push(
        await compare(`bus.memory-calls-at-${concurrency}`, concurrency, calls, { note: `baseline: ${ECHO}`, goal }),
      );
      const casts = { work: castOn(bus), baseline: bareEcho };
      rows.push(await compare(`bus.memory-casts-at-${concurrency}`, concurrency, casts, { note: `baseline: ${ECHO}` }));
    }
  } finally {
    await bus.close();
  }
  return rows;
};

/** Two processes' ends of one broker with one node on this machine; a cast is confirmed by a quorum queue. */
export const rabbitBusBench: Bench = async ({ progress }) => {
  const missing = rabbitMissing();
  if (missing !== undefined) throw new Error(missing);
  progress('a broker of its own starts');
  const rabbit = await PrivateRabbit.start();
  const memory = createMemoryBus(parts);
  const buses: Bus[] = [memory];
  const rows: BenchRow[] = [];
  try {
    const { url, vhost, user, password } = rabbit;
    const open = async (): Promise<Bus> => {
      const bus = await openRabbitBus({ ...parts, endpoints: [url], vhost, user, password, name: 'bench' });
      buses.push(bus);
      return bus;
    };
    const [client, server] = [await open(), await open()];
    await Promise.all([serveOn(memory), serveOn(server)]);
    const note = 'one node, one disk; baseline: the bus in one process';
    for (const concurrency of CONCURRENCIES) {
      progress(`calls and casts over RabbitMQ at ${concurrency}`);
      const calls = { work: callOn(client), baseline: callOn(memory) };
      rows.push(await compare(`bus.rabbitmq-calls-at-${concurrency}`, concurrency, calls, { note }));
      const casts = { work: castOn(client), baseline: castOn(memory) };
      rows.push(await compare(`bus.rabbitmq-casts-at-${concurrency}`, concurrency, casts, { note }));
    }
  } finally {
    for (const bus of buses.toReversed()) await bus.close();
    await rabbit.destroy();
  }
  return rows;
};

export const bench: Bench = async (context) => [...(await memoryBusBench(context)), ...(await rabbitBusBench(context))];
