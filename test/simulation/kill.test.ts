import { afterEach, describe, expect, it } from 'vitest';
import { randomBelow } from '../../src/base/random.ts';
import { isCode } from '../../src/base/errors.ts';
import { MortalCloud } from '../support/mortal-cloud.ts';
import type { SimCloud } from '../support/sim-cloud.ts';
import { expectWorldAsRecorded } from '../support/world.ts';

const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);

/** Most seeds run three instances, some so many that RunInstances takes several transactions. */
const countOf = (seed: number): number => (seed % 6 === 0 ? 25 : 3);

let mortal: MortalCloud;
afterEach(() => mortal.dispose());

/** What a user does, again from the start in every life of the cloud: with the same token, to the same instances. */
async function script(sim: SimCloud, count: number): Promise<void> {
  const { instances } = await sim.run({ MinCount: count, MaxCount: count, ClientToken: 'mine' });
  const [first = '', second = ''] = instances.map((row) => row.instanceId);
  await settle(
    sim,
    'running',
    instances.map((row) => row.instanceId),
  );
  await sim.call('TerminateInstances', { InstanceIds: [first] });
  await sim.call('StopInstances', { InstanceIds: [second] }).catch((error: unknown) => {
    if (!isCode(error, 'IncorrectInstanceState')) throw error;
  });
  await settle(sim, 'terminated', [first]);
  await settle(sim, 'stopped', [second]);
}

/** Past the state, for one that has gone further in an earlier life. */
async function settle(sim: SimCloud, state: string, ids: readonly string[]): Promise<void> {
  const order = ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'];
  const there = (id: string): boolean => {
    const record = sim.record(id);
    return record.work === undefined && order.indexOf(record.state) >= order.indexOf(state);
  };
  while (!ids.every(there)) await sim.clock.sleep(200);
}

/** One life: until the script has ended or the process died. */
async function live(sim: SimCloud, count: number): Promise<boolean> {
  let ended = false;
  let failed: unknown;
  script(sim, count).then(
    () => (ended = true),
    (error: unknown) => {
      if (!mortal.dead) failed = error;
    },
  );
  for (let round = 0; round < 600 && !ended && !mortal.dead && failed === undefined; round += 1)
    await mortal.clock.advance(200);
  if (failed !== undefined) throw failed as Error;
  return ended;
}

describe('a process that is killed at any moment', () => {
  it.each(SEEDS)('[sim] leaves what the next one finishes (seed %i)', async (seed) => {
    const count = countOf(seed);
    mortal = new MortalCloud(seed, { host: { guest: { bootMs: 0, shutdownMs: 300, obeysAcpi: true } } });
    let sim = await mortal.start();
    const host = mortal.world.host('node1');
    host.addForeignDomain('debian');
    const deaths = 1 + randomBelow(mortal.random, 5);
    for (let death = 0; death < deaths; death += 1) {
      mortal.dieAfter(1 + randomBelow(mortal.random, 20 * count));
      const ended = await live(sim, count);
      mortal.dieAfter(undefined);
      if (ended && !mortal.dead) break;
      expect(mortal.dead, 'the script ends or the process dies').toBe(true);
      sim = await mortal.start();
    }
    expect(await live(sim, count), mortal.deaths.join('; ')).toBe(true);
    expect(sim.records(), 'the same token makes no new instance').toHaveLength(count);
    const inState = (state: string): number => sim.records().filter((record) => record.state === state).length;
    expect([inState('running'), inState('stopped'), inState('terminated')]).toEqual([count - 2, 1, 1]);
    for (const domain of host.domains.all()) expect(domain.starts, `${domain.name} was started once`).toBe(1);
    await mortal.clock.advance(60_000);
    expectWorldAsRecorded(sim, ['debian']);
    const { hosts } = await sim.call('DescribeHosts', {});
    expect(hosts[0]?.orphans).toEqual(['debian']);
  });
});
