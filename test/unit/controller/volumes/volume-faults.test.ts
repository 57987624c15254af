import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import type { Store } from '../../../../src/ports/store.ts';
import { createSimulatedHosts } from '../../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { volumeRecord, volumesSettled } from '../../../support/settled-volumes.ts';
import type { SimCloud } from '../../../support/sim-cloud.ts';
import { startSimCloud } from '../../../support/sim-cloud.ts';
import { until } from '../../../support/until.ts';

/** What the cloud says of volumes and what there is are the same. */
async function expectAsRecorded(sim: SimCloud): Promise<void> {
  await volumesSettled(sim);
  const { volumes } = await sim.call('DescribeVolumes', {});
  const said = volumes.map((row) => [row.volumeId, row.sizeGib, row.attachment?.instanceId]);
  const there = (await sim.world.volumes.inventory()).volumes.map((row) => [row.volumeId, row.sizeGib, row.instanceId]);
  expect(there.toSorted()).toEqual(said.toSorted());
  expect(checkRecords(sim.store.range<unknown>(''))).toEqual([]);
}

/** The state on disk: it is not closed with a process. */
function unclosed(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'close') return () => Promise.resolve();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

describe('volumes and what goes wrong', () => {
  it('[sim] an answer that is lost, or a call that fails, is asked again, and done once', async () => {
    const sim = await startSimCloud();
    const { volumes } = sim.world;
    const { instances } = await sim.run();
    await sim.settled('running');
    const InstanceId = instances[0]?.instanceId ?? '';
    volumes.inject({ call: 'ensureVolume', how: 'lose' });
    volumes.inject({ call: 'attach', how: 'fail' });
    const { volume } = await sim.call('CreateVolume', { Size: 1 });
    await expectAsRecorded(sim);
    expect(volumes.counts.get('ensureVolume')).toBe(2);
    await sim.call('AttachVolume', { VolumeId: volume.volumeId, InstanceId, Device: '/dev/sdf' });
    await until(() => volumeRecord(sim, volume.volumeId)?.retry, { what: 'the first try failed', everyMs: 5 });
    const { volumes: shown } = await sim.call('DescribeVolumes', {});
    expect(shown[0]?.lastError).toBe('injected failure of attach');
    await expectAsRecorded(sim);
    expect(volumes.counts.get('attach')).toBe(1);
    await sim.close();
  });

  it('[sim] a step that never works ends in error, and the volume can be deleted', async () => {
    const sim = await startSimCloud({ config: { instances: { maxAttempts: 2 } } });
    sim.world.volumes.inject({ call: 'ensureVolume', how: 'fail', times: 2 });
    const { volume, operationId } = await sim.call('CreateVolume', { Size: 1 });
    await volumesSettled(sim);
    const { volumes } = await sim.call('DescribeVolumes', {});
    expect(volumes).toMatchObject([{ state: 'error', status: 'impaired' }]);
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [operationId] });
    expect(operations[0]).toMatchObject({ status: 'failed', error: { code: 'HostError' } });
    await sim.call('DeleteVolume', { VolumeId: volume.volumeId });
    await expectAsRecorded(sim);
    expect(sim.store.count('volume/')).toBe(0);
    await sim.close();
  });

  it('[sim] what was under way when the process ended is done by the next', async () => {
    const clock = new SystemClock();
    const world = createSimulatedHosts({ clock });
    const store = createMemoryStore({ clock, random: new SeededRandom(7) });
    const kept = unclosed(store);
    const stateDir = mkdtempSync(join(tmpdir(), 'novactl-volumes-'));
    const first = await startSimCloud({ world, store: kept, stateDir });
    const { instances } = await first.run();
    await first.settled('running');
    const InstanceId = instances[0]?.instanceId ?? '';
    const { volume: a } = await first.call('CreateVolume', { Size: 1 });
    await volumesSettled(first);
    world.volumes.inject({ call: 'ensureVolume', how: 'hang' });
    world.volumes.inject({ call: 'attach', how: 'hang' });
    await first.call('CreateVolume', { Size: 2 });
    await first.call('AttachVolume', { VolumeId: a.volumeId, InstanceId, Device: '/dev/sdf' });
    const closing = first.close();
    const second = await startSimCloud({ world, store: kept, stateDir, seed: 2 });
    await expectAsRecorded(second);
    // The calls of the one that is gone come late, and change nothing more.
    world.volumes.release();
    await closing;
    await expectAsRecorded(second);
    expect(volumeRecord(second, a.volumeId)?.attachment?.state).toBe('attached');
    await second.close();
    await store.close();
    rmSync(stateDir, { recursive: true });
  });

  it('[sim] 30 lives side by side leave what they said', async () => {
    const sim = await startSimCloud();
    const { instances } = await sim.run({ MinCount: 3, MaxCount: 3 });
    await sim.settled('running');
    for (const call of ['ensureVolume', 'attach', 'detach', 'removeVolume'] as const) {
      sim.world.volumes.inject({ call, how: 'lose', times: 3 });
    }
    const live = async (index: number): Promise<void> => {
      const { volume } = await sim.call('CreateVolume', { Size: 1 + (index % 3) });
      const { volumeId: VolumeId } = volume;
      await until(() => volumeRecord(sim, VolumeId)?.state === 'available', {
        what: `${VolumeId} is there`,
        everyMs: 5,
      });
      const InstanceId = instances[index % 3]?.instanceId ?? '';
      const Device = `/dev/sd${String.fromCharCode(99 + Math.floor(index / 3))}`;
      await sim.call('AttachVolume', { VolumeId, InstanceId, Device });
      if (index % 2 === 0) await sim.call('DetachVolume', { VolumeId, Force: true });
      if (index % 5 === 0) await sim.call('CreateSnapshot', { VolumeId });
    };
    await Promise.all(Array.from({ length: 30 }, (_, index) => live(index)));
    await expectAsRecorded(sim);
    await sim.call('TerminateInstances', { InstanceIds: instances.map(({ instanceId }) => instanceId) });
    await sim.settled('terminated');
    await expectAsRecorded(sim);
    const { volumes } = await sim.call('DescribeVolumes', {});
    expect(volumes.map(({ state }) => state)).toEqual(volumes.map(() => 'available'));
    expect(sim.store.count('instance-volumes/')).toBe(0);
    await sim.close();
  });
});
