import { afterEach, describe, expect, it } from 'vitest';
import { completeReservations } from '../../../../src/controller/instances/reservations.ts';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import { PREFIX } from '../../../../src/domain/keys.ts';
import type { VolumeRecord } from '../../../../src/domain/volume.ts';
import { volumesSettled } from '../../../support/settled-volumes.ts';
import type { Run, SimCloud } from '../../../support/sim-cloud.ts';
import { ADMIN, startSimCloud } from '../../../support/sim-cloud.ts';
import { until } from '../../../support/until.ts';

let sim: SimCloud;
afterEach(async () => {
  expect(checkRecords(sim.store.range<unknown>(''))).toEqual([]);
  await sim.close();
});

const DATA = { Device: '/dev/sdf', Size: 2 };
const KEPT = { Device: 'vdg', Size: 3, DeleteOnTermination: false };

async function launch(input: Run = { BlockDeviceMapping: [DATA, KEPT] }): Promise<{ id: string; operationId: string }> {
  const { instances, operationId } = await sim.run(input);
  return { id: instances[0]?.instanceId ?? '', operationId };
}

const records = (): VolumeRecord[] => sim.store.range<VolumeRecord>(PREFIX.volume).map(({ value }) => value);
const operation = async (id: string) =>
  (await sim.call('DescribeOperations', { OperationIds: [id] })).operations[0] ?? expect.fail('no operation');

/** Nothing of volumes, neither recorded nor there nor counted. */
async function expectNone(): Promise<void> {
  await volumesSettled(sim);
  expect(records()).toEqual([]);
  expect(sim.world.volumes.volumes.size).toBe(0);
  expect(sim.store.count('instance-volumes/')).toBe(0);
  const { quotas } = await sim.call('DescribeQuotas', {});
  expect(quotas.flatMap(({ kind, used }) => (/^(volumes|gigabytes)$/.test(kind) ? [used] : []))).toEqual([0, 0]);
}

describe('volumes of a launch', () => {
  it('[sim] are made, attached and shown; those that are to go with the instance do', async () => {
    sim = await startSimCloud();
    const { id, operationId } = await launch({ BlockDeviceMapping: [DATA, KEPT], VolumeTags: { use: 'db' } });
    const { instances } = await sim.call('DescribeInstances', {});
    expect(instances[0]?.blockDevices).toMatchObject([
      { deviceName: '/dev/sdf', status: 'attaching', deleteOnTermination: true },
      { deviceName: 'vdg', status: 'attaching', deleteOnTermination: false },
    ]);
    await sim.settled('running');
    await volumesSettled(sim);
    expect((await operation(operationId)).status).toBe('succeeded');
    const { volumes } = await sim.call('DescribeVolumes', {});
    expect(volumes.toSorted((a, b) => a.sizeGib - b.sizeGib)).toMatchObject([
      { state: 'in-use', sizeGib: 2, attachment: { instanceId: id, state: 'attached' }, tags: { use: 'db' } },
      { state: 'in-use', sizeGib: 3, attachment: { instanceId: id, state: 'attached' }, tags: { use: 'db' } },
    ]);
    const there = [...sim.world.volumes.volumes.values()].map(({ at }) => at);
    expect(there).toEqual([
      { instanceId: id, device: '/dev/sdf' },
      { instanceId: id, device: 'vdg' },
    ]);
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await sim.settled('terminated');
    await volumesSettled(sim);
    expect(records()).toMatchObject([{ sizeGib: 3, state: 'available' }]);
    expect(sim.world.volumes.volumes.size).toBe(1);
  });

  it('[sim] of a repeated token are the same', async () => {
    sim = await startSimCloud();
    const once = { BlockDeviceMapping: [DATA], ClientToken: 'once' };
    const [a, b] = await Promise.all([launch(once), launch(once)]);
    expect(b).toEqual(a);
    await sim.settled('running');
    await volumesSettled(sim);
    expect(records()).toHaveLength(1);
    expect(sim.world.volumes.counts.get('ensureVolume')).toBe(1);
  });

  it('[sim] of a snapshot have its data, and its size where none is given', async () => {
    sim = await startSimCloud();
    const { volume } = await sim.call('CreateVolume', { Size: 4 });
    await volumesSettled(sim);
    sim.world.volumes.write(volume.volumeId, 'rows');
    const { snapshot } = await sim.call('CreateSnapshot', { VolumeId: volume.volumeId });
    await volumesSettled(sim);
    const from = { Device: '/dev/sdf', SnapshotId: snapshot.snapshotId };
    await expect(launch({ BlockDeviceMapping: [{ ...from, Size: 3 }] })).rejects.toThrow(
      'BlockDeviceMapping.Ebs.VolumeSize: 3 GiB is less than the 4 GiB',
    );
    sim.world.volumes.inject({ call: 'ensureVolume', how: 'hang' });
    const { id } = await launch({ BlockDeviceMapping: [from] });
    await expect(sim.call('DeleteSnapshot', { SnapshotId: snapshot.snapshotId })).rejects.toMatchObject({
      code: 'InvalidSnapshot.InUse',
    });
    sim.world.volumes.release();
    await sim.settled('running');
    await volumesSettled(sim);
    const made = [...sim.world.volumes.volumes.values()].find(({ at }) => at?.instanceId === id);
    expect(made).toMatchObject({ data: 'rows', sizeGib: 4 });
  });

  it('[sim] of 25 instances are each its own, also when their maker dies among them', async () => {
    sim = await startSimCloud({ hosts: ['node1', 'node2'] });
    const { store } = sim.cloud.context;
    const txn = store.txn.bind(store);
    let left = 2;
    store.txn = (one) =>
      one.puts?.some(({ key }) => key.startsWith('reservation/')) === true && (left -= 1) < 0
        ? new Promise(() => undefined)
        : txn(one);
    const input = { ImageId: 'still', InstanceType: 'm1.nano', MinCount: 25, MaxCount: 25 };
    void sim.cloud.controller.executor.change('RunInstances', { ...input, BlockDeviceMapping: [DATA, KEPT] }, ADMIN);
    await until(() => left < 0, { what: 'the third transaction is tried' });
    expect(checkRecords(store.range<unknown>(''))).toEqual([]);
    store.txn = txn;
    await completeReservations(sim.cloud.context);
    const instances = await sim.settled('running');
    await volumesSettled(sim);
    expect(instances).toHaveLength(25);
    const slots = records().map(({ attachment }) => `${attachment?.instanceId} ${attachment?.device}`);
    expect(new Set(slots).size).toBe(50);
    expect(records().every(({ state }) => state === 'in-use')).toBe(true);
  });
});

describe('snapshots of all volumes of an instance', () => {
  it('[sim] are one of each, but for those that are left out; with the tags of their volumes', async () => {
    sim = await startSimCloud();
    const { id } = await launch({ BlockDeviceMapping: [DATA, KEPT], VolumeTags: { use: 'db' } });
    await sim.settled('running');
    await volumesSettled(sim);
    const before = sim.store.rev;
    const [data = '', kept = ''] = records()
      .toSorted((a, b) => a.sizeGib - b.sizeGib)
      .map((volume) => volume.id);
    const ask = { InstanceId: id, CopyTags: true, Tags: { day: '1' } };
    await expect(sim.call('CreateSnapshots', { ...ask, ExcludeVolumeIds: [data, kept] })).rejects.toThrow('no volumes');
    const stranger = 'vol-0123456789abcdef0';
    await expect(sim.call('CreateSnapshots', { ...ask, ExcludeVolumeIds: [stranger] })).rejects.toThrow(stranger);
    expect(sim.store.rev).toBe(before);
    const { snapshots, operationId } = await sim.call('CreateSnapshots', ask);
    expect(snapshots.map(({ volumeId }) => volumeId).toSorted()).toEqual([data, kept].toSorted());
    expect(snapshots[0]?.tags).toEqual({ use: 'db', day: '1' });
    await sim.call('CreateSnapshots', { InstanceId: id, ExcludeVolumeIds: [data] });
    await volumesSettled(sim);
    expect((await operation(operationId)).status).toBe('succeeded');
    expect(sim.world.volumes.snapshots.size).toBe(3);
  });
});

describe('a launch with volumes that goes wrong', () => {
  it('[sim] waits for them, and can be ended while it does', async () => {
    sim = await startSimCloud();
    sim.world.volumes.inject({ call: 'ensureVolume', how: 'hang' });
    const { id } = await launch();
    await until(() => records().some(({ state }) => state === 'in-use'), { what: 'the other volume is made' });
    expect(sim.record(id).state).toBe('pending');
    expect(sim.world.volumes.counts.get('attach')).toBeUndefined();
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await sim.settled('terminated');
    sim.world.volumes.release();
    // Nobody has ever seen what is on them.
    await expectNone();
  });

  it('[sim] ends with the reason when one of them can’t be made, and leaves none', async () => {
    sim = await startSimCloud({ config: { instances: { maxAttempts: 2 } } });
    sim.world.volumes.inject({ call: 'ensureVolume', how: 'fail', times: 2 });
    const { id, operationId } = await launch({ BlockDeviceMapping: [KEPT] });
    await sim.settled('terminated');
    const { code, message } = sim.record(id).stateReason ?? { code: '', message: '' };
    expect(code).toBe('Server.InternalError');
    expect(message).toMatch(/^its volume vol-\w+ \(vdg\) could not be made: .*injected failure of ensureVolume/);
    expect(await operation(operationId)).toMatchObject({ status: 'failed', error: { code: 'HostError' } });
    await expectNone();
  });

  it('[sim] leaves none when the instance itself can’t be started', async () => {
    sim = await startSimCloud();
    sim.world.host('node1').calls.inject({ call: 'define', how: 'fail', code: 'InvalidParameterValue' });
    const { operationId } = await launch();
    await sim.settled('terminated');
    await expectNone();
    expect((await operation(operationId)).status).toBe('failed');
  });

  it('[sim] keeps a volume that can’t be attached, as after AttachVolume, and says so', async () => {
    sim = await startSimCloud({ config: { instances: { maxAttempts: 2 } } });
    sim.world.volumes.inject({ call: 'attach', how: 'fail', times: 2 });
    const { id, operationId } = await launch({ BlockDeviceMapping: [DATA] });
    await sim.settled('running');
    await volumesSettled(sim);
    expect(records()).toMatchObject([{ state: 'available' }]);
    expect((await operation(operationId)).error?.message).toMatch(/attach failed 2 times/);
    expect(sim.record(id).state).toBe('running');
  });

  it('[sim] whose volume is detached by force before it is made runs without it', async () => {
    sim = await startSimCloud();
    sim.world.volumes.inject({ call: 'ensureVolume', how: 'hang' });
    await launch({ BlockDeviceMapping: [DATA] });
    await sim.call('DetachVolume', { VolumeId: records()[0]?.id ?? '', Force: true });
    await sim.settled('running');
    sim.world.volumes.release();
    await volumesSettled(sim);
    expect(records()).toMatchObject([{ state: 'available' }]);
  });
});

describe('what a launch with volumes is refused for', () => {
  it('[sim] devices, sizes, numbers, roles; and nothing is stored', async () => {
    sim = await startSimCloud();
    const before = sim.store.rev;
    const refused = (BlockDeviceMapping: Run['BlockDeviceMapping'], more: Run = {}) =>
      expect(sim.run({ BlockDeviceMapping, ...more })).rejects;
    await refused([DATA, { ...DATA, Device: 'xvdf' }]).toThrow('xvdf and /dev/sdf are the same device');
    await refused([{ ...DATA, Device: '/dev/sda' }]).toThrow('/dev/sda is no device that a volume may have');
    await refused([{ Device: '/dev/sdf' }]).toThrow('BlockDeviceMapping.Ebs.VolumeSize: is needed, in GiB');
    await refused([{ ...DATA, Size: 20_000 }]).toThrow('1 to 16384');
    await refused([DATA, KEPT, { ...DATA, Device: 'sdh' }], { MinCount: 90, MaxCount: 90 }).toThrow(
      'more than the 200',
    );
    await refused([{ Device: 'sdf', SnapshotId: 'snap-0123456789abcdef0' }]).toMatchObject({
      code: 'InvalidSnapshot.NotFound',
    });
    const developer = { principal: { ...ADMIN.principal, roles: ['developer'] } };
    await expect(sim.run({ BlockDeviceMapping: [DATA] }, developer)).rejects.toMatchObject({
      code: 'UnauthorizedOperation',
    });
    Object.defineProperty(sim.cloud.context, 'volumes', { value: undefined });
    await refused([DATA]).toMatchObject({ code: 'UnsupportedOperation' });
    expect(sim.store.rev).toBe(before);
  });

  it('[sim] the quota, of which each counts; fewer instances where it has no room for all', async () => {
    sim = await startSimCloud();
    const own = { principal: { ...ADMIN.principal, name: 'ann', projectId: 'lab' } };
    await sim.store.txn({ puts: [{ key: 'quota/lab/', value: { v: 1, limits: { volumes: 5, gigabytes: 100 } } }] });
    const ask = { BlockDeviceMapping: [DATA, KEPT] };
    await expect(sim.run({ ...ask, MinCount: 3, MaxCount: 3 }, own)).rejects.toMatchObject({
      code: 'VolumeLimitExceeded',
    });
    expect(records()).toEqual([]);
    const { instances } = await sim.run({ ...ask, MinCount: 1, MaxCount: 3 }, own);
    expect(instances).toHaveLength(2);
    await sim.settled('running');
    await volumesSettled(sim);
    expect(records()).toHaveLength(4);
  });
});
