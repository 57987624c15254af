import { describe, expect, it } from 'vitest';
import type { BusFaults } from '../../src/adapters/bus/bus-faults.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startSimCloud } from '../support/sim-cloud.ts';
import { expectWorldAsRecorded } from '../support/world.ts';

/** A bus that is bad between controller and workers; what a user asks for gets through. */
const between = (faults: BusFaults): BusFaults => ({
  ...faults,
  applies: (hop) => hop.type !== 'operation' && !hop.type.startsWith('host-'),
});

const CASES: readonly (readonly [string, BusFaults])[] = [
  ['loses a third', { drop: 0.33 }],
  ['says everything twice', { double: 1 }],
  ['is late by up to 20 s', { delay: 0.5, maxDelayMs: 20_000 }],
  ['mixes the order', { reorder: 1 }],
  ['does all of that', { drop: 0.2, double: 0.3, delay: 0.3, maxDelayMs: 20_000, reorder: 0.3 }],
];

async function converge(clock: ManualClock, done: () => boolean): Promise<void> {
  for (let round = 0; round < 120 && !done(); round += 1) await clock.advance(5000);
}

describe.each(CASES)('a bus that %s', (_what, faults) => {
  it.each([1, 2, 3])('[sim] does not keep instances from becoming what they shall (seed %i)', async (seed) => {
    const clock = new ManualClock();
    const live: BusFaults = {};
    const sim = await startSimCloud({ clock, seed, hosts: ['node1', 'node2'], faults: live });
    Object.assign(live, between(faults));
    const { instances } = await sim.run({ MinCount: 12, MaxCount: 12 });
    const ids = instances.map((row) => row.instanceId);
    const resting = (): boolean => sim.records().every((record) => record.work === undefined);
    // Half of them are ended at once, whatever has become of their start.
    await sim.call('TerminateInstances', { InstanceIds: ids.slice(0, 6) });
    await converge(clock, resting);
    await sim.call('StopInstances', { InstanceIds: ids.slice(6, 9) });
    await sim.call('RebootInstances', { InstanceIds: ids.slice(9, 11) });
    await converge(clock, resting);
    expect(
      sim
        .records()
        .map((record) => [ids.indexOf(record.id), record.state])
        .sort((a, b) => Number(a[0]) - Number(b[0])),
    ).toEqual(
      ['terminated', 'terminated', 'terminated', 'terminated', 'terminated', 'terminated']
        .concat(['stopped', 'stopped', 'stopped', 'running', 'running', 'running'])
        .map((state, index) => [index, state]),
    );
    // Messages that are still on their way change nothing any more.
    await clock.advance(60_000);
    expectWorldAsRecorded(sim);
    Object.assign(live, { drop: 0, double: 0, delay: 0, reorder: 0 });
    const closing = sim.close();
    await clock.advance(20_000);
    await closing;
  });
});
