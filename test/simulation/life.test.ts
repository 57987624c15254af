import { afterEach, describe, expect, it } from 'vitest';
import type { SimCloud } from '../support/sim-cloud.ts';
import { startSimCloud } from '../support/sim-cloud.ts';

let sim: SimCloud;
afterEach(() => sim.close());

describe('an instance from its call to its end', () => {
  it('[sim] runs, stops, starts, reboots and is terminated; nothing of it is left on the host', async () => {
    sim = await startSimCloud();
    const host = sim.world.host('node1');
    const { instances, operationId } = await sim.run();
    expect(instances).toMatchObject([{ state: 'pending', instanceType: 'm1.nano', hostName: 'node1' }]);
    const id = instances[0]?.instanceId ?? '';
    await sim.settled('running');
    expect(host.domains.named(id)).toMatchObject({ power: 'running', starts: 1 });
    expect(host.guarded).toEqual(new Set([sim.record(id).nic.tap]));
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [operationId] });
    expect(operations[0]).toMatchObject({ status: 'succeeded', pending: [], targets: [id] });
    const steps = (operations[0]?.steps ?? []).map((step) => step.step);
    expect(steps.sort()).toEqual(['define', 'disk', 'guard', 'image', 'look', 'network', 'port', 'seed', 'start']);

    await sim.call('StopInstances', { InstanceIds: [id] });
    await sim.settled('stopped');
    expect(host.domains.named(id)).toMatchObject({ power: 'shutoff', reason: 'shutdown' });
    await sim.call('StartInstances', { InstanceIds: [id] });
    await sim.settled('running');
    await sim.call('RebootInstances', { InstanceIds: [id] });
    await sim.settled('running');
    expect(host.domains.named(id)).toMatchObject({ power: 'running', starts: 3 });

    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await sim.settled('terminated');
    expect(host.domains.all()).toEqual([]);
    expect([host.networks.size, host.taps.size, host.guarded.size, host.disks.size]).toEqual([0, 0, 0, 0]);
  });
});
