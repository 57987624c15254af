import { PREFIX } from '../../src/domain/keys.ts';
import type { OperationInput } from '../../src/messages/operations/index.ts';
import type { SimCloud } from '../support/sim-cloud.ts';
import { startSimCloud } from '../support/sim-cloud.ts';
import type { Bench, BenchContext, BenchRow } from './bench-row.ts';
import { benchRow } from './bench-row.ts';

const INSTANCES = 10_000;
const PER_CALL = 100;
const PAGE = 100;
const ROUNDS = 200;

/** The middle of so many measurements, in ms. */
async function medianMs(rounds: number, work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
}

async function fill(sim: SimCloud): Promise<void> {
  for (let made = 0; made < INSTANCES; made += PER_CALL) {
    await sim.run({ MinCount: PER_CALL, MaxCount: PER_CALL, Name: `batch-${made / PER_CALL}` });
  }
  await sim.settled('running');
}

/** Reading instances through the gateway, as every edge does, out of a cloud of 10 000. */
export async function pagesBench(context: BenchContext): Promise<readonly BenchRow[]> {
  context.progress(`making ${INSTANCES} instances`);
  const sim = await startSimCloud({
    host: { cpus: 1024, memoryMib: 4_194_304, diskGib: 100_000 },
    config: { network: { fixedRange: '10.0.0.0/8', subnetPrefix: 16 }, scheduler: { cpuAllocationRatio: 64 } },
  });
  await fill(sim);
  const describe = (input: OperationInput<'DescribeInstances'>) => (): Promise<unknown> =>
    sim.call('DescribeInstances', input);
  const bare = await medianMs(ROUNDS, () => sim.store.range(PREFIX.instance, { limit: PAGE }));
  const first = await medianMs(ROUNDS, describe({ MaxResults: PAGE }));
  const filter = { Name: 'tag:Name', Values: ['batch-99'] };
  const filtered = await medianMs(20, describe({ MaxResults: PAGE, Filters: [filter] }));
  await sim.close();
  return [
    benchRow({
      name: `pages.first-${PAGE}-of-${INSTANCES}`,
      value: first,
      unit: 'ms',
      baseline: bare,
      goal: { of: 'value', atMost: 20 },
      note: 'DescribeInstances through the gateway, median; baseline: the bare range of the store',
    }),
    benchRow({
      name: `pages.filtered-${PAGE}-of-${INSTANCES}`,
      value: filtered,
      unit: 'ms',
      note: 'the same with a filter that one instance in a hundred passes',
    }),
  ];
}

export const bench: Bench = pagesBench;
