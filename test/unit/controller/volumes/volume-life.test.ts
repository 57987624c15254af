import { afterEach, describe, expect, it } from 'vitest';
import { jsonLogger } from '../../../../src/base/logger.ts';
import { volumesOfInstance } from '../../../../src/controller/volumes/volumes-of-instance.ts';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import type { OperationInput } from '../../../../src/messages/operations/index.ts';
import { volumeRecord, volumesSettled } from '../../../support/settled-volumes.ts';
import type { SimCloud } from '../../../support/sim-cloud.ts';
import { ADMIN, startSimCloud, STRANGER } from '../../../support/sim-cloud.ts';

let sim: SimCloud;
afterEach(async () => {
  expect(checkRecords(sim.store.range<unknown>(''))).toEqual([]);
  await sim.close();
});

async function makeVolume(input: Partial<OperationInput<'CreateVolume'>> = {}): Promise<string> {
  const { volume } = await sim.call('CreateVolume', { Size: 10, ...input });
  expect(volume.state).toBe('creating');
  await volumesSettled(sim);
  return volume.volumeId;
}

async function makeInstance(): Promise<string> {
  const { instances } = await sim.run();
  await sim.settled('running');
  return instances[0]?.instanceId ?? '';
}

const shown = async (volumeId: string) =>
  (await sim.call('DescribeVolumes', { VolumeIds: [volumeId] })).volumes[0] ?? expect.fail('not shown');

const at = (volumeId: string) => sim.world.volumes.volumes.get(volumeId)?.at;

async function status(operationId: string): Promise<string | undefined> {
  return (await sim.call('DescribeOperations', { OperationIds: [operationId] })).operations[0]?.status;
}

describe('a volume', () => {
  it('[sim] is made, attached, detached and deleted, and its operations end with it', async () => {
    sim = await startSimCloud();
    const made = await sim.call('CreateVolume', { Size: 3, Tags: { Name: 'data' } });
    await volumesSettled(sim);
    const { volumeId } = made.volume;
    expect(await status(made.operationId)).toBe('succeeded');
    expect(await shown(volumeId)).toMatchObject({ state: 'available', sizeGib: 3, tags: { Name: 'data' } });
    const instanceId = await makeInstance();

    const attach = await sim.call('AttachVolume', { VolumeId: volumeId, InstanceId: instanceId, Device: '/dev/sdf' });
    expect(attach.attachment.state).toBe('attaching');
    await volumesSettled(sim);
    expect(await status(attach.operationId)).toBe('succeeded');
    expect(await shown(volumeId)).toMatchObject({ state: 'in-use', attachment: { instanceId, state: 'attached' } });
    expect(at(volumeId)).toEqual({ instanceId, device: '/dev/sdf' });
    expect(volumesOfInstance(sim.store, instanceId)).toMatchObject([
      { volumeId, device: '/dev/sdf', state: 'attached' },
    ]);
    await expect(sim.call('DeleteVolume', { VolumeId: volumeId })).rejects.toMatchObject({ code: 'VolumeInUse' });

    const detach = await sim.call('DetachVolume', { VolumeId: volumeId });
    expect(detach.attachment.state).toBe('detaching');
    await volumesSettled(sim);
    expect(await status(detach.operationId)).toBe('succeeded');
    expect(await shown(volumeId)).toMatchObject({ state: 'available' });
    expect(at(volumeId)).toBeUndefined();
    expect(volumesOfInstance(sim.store, instanceId)).toEqual([]);

    await sim.call('DeleteVolume', { VolumeId: volumeId });
    await volumesSettled(sim);
    expect(sim.world.volumes.volumes.size).toBe(0);
    expect(sim.store.count('tags/')).toBe(0);
    await expect(shown(volumeId)).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
  });

  it('[sim] goes with its instance by the word of those alone who may delete it', async () => {
    sim = await startSimCloud();
    const InstanceId = await makeInstance();
    const volumeId = await makeVolume();
    await sim.call('AttachVolume', { VolumeId: volumeId, InstanceId, Device: '/dev/sdf' });
    await volumesSettled(sim);
    const say = (goes: boolean, role: string) =>
      sim.call(
        'ModifyInstanceAttribute',
        { InstanceId, DeleteOnTermination: { '/dev/sdf': goes } },
        { principal: { name: 'dora', projectId: 'admin', roles: [role, 'member'], from: 'test' } },
      );
    await expect(say(true, 'developer')).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    await say(true, 'sysadmin');
    expect(volumeRecord(sim, volumeId)?.attachment?.deleteOnTermination).toBe(true);
    await say(false, 'developer');
    expect(volumeRecord(sim, volumeId)?.attachment?.deleteOnTermination).toBe(false);
  });

  it('[sim] is detached when its instance ends, and goes with it where that was said', async () => {
    sim = await startSimCloud();
    const instanceId = await makeInstance();
    const stays = await makeVolume();
    const goes = await makeVolume();
    await sim.call('AttachVolume', { VolumeId: stays, InstanceId: instanceId, Device: '/dev/sdf' });
    await sim.call('AttachVolume', {
      ...{ VolumeId: goes, InstanceId: instanceId, Device: '/dev/sdg' },
      DeleteOnTermination: true,
    });
    await volumesSettled(sim);
    await sim.call('TerminateInstances', { InstanceIds: [instanceId] });
    await sim.settled('terminated');
    await volumesSettled(sim);
    expect(await shown(stays)).toMatchObject({ state: 'available' });
    expect(volumeRecord(sim, goes)).toBeUndefined();
    expect([...sim.world.volumes.volumes.keys()]).toEqual([stays]);
    expect(volumesOfInstance(sim.store, instanceId)).toEqual([]);
  });

  it('[sim] that was being attached when its instance ended says so in the operation', async () => {
    const errors: string[] = [];
    const logger = jsonLogger({ level: 'error', nowMs: () => 0, write: (line) => errors.push(line) });
    sim = await startSimCloud({ logger });
    const instanceId = await makeInstance();
    const volumeId = await makeVolume();
    sim.world.volumes.inject({ call: 'attach', how: 'hang' });
    const { operationId } = await sim.call('AttachVolume', {
      ...{ VolumeId: volumeId, InstanceId: instanceId, Device: '/dev/sdf' },
    });
    await sim.call('TerminateInstances', { InstanceIds: [instanceId] });
    await sim.settled('terminated');
    expect(volumeRecord(sim, volumeId)?.attachment?.state).toBe('detaching');
    sim.world.volumes.release();
    await volumesSettled(sim);
    expect(await status(operationId)).toBe('failed');
    expect(at(volumeId)).toBeUndefined();
    expect(errors).toEqual([]);
  });

  it('[sim] goes only where it fits: project, zone, state and a free device', async () => {
    sim = await startSimCloud();
    const instanceId = await makeInstance();
    const [a, b] = [await makeVolume(), await makeVolume()];
    const attach = (VolumeId: string, Device: string, meta = {}) =>
      sim.call('AttachVolume', { VolumeId, InstanceId: instanceId, Device }, meta);
    const developer = { principal: { ...ADMIN.principal, roles: ['developer'] } };
    await attach(a, '/dev/sdf');
    await volumesSettled(sim);
    await expect(attach(b, '/dev/xvdf')).rejects.toThrow(`/dev/xvdf of ${instanceId} is in use by ${a}`);
    await expect(attach(b, '/dev/sda1')).rejects.toThrow('Device: /dev/sda1 is no device that a volume may have');
    await expect(attach(a, '/dev/sdh')).rejects.toMatchObject({ code: 'VolumeInUse' });
    await expect(
      attach(b, '/dev/sdh', { principal: { ...STRANGER.principal, roles: ['sysadmin'] } }),
    ).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    await expect(attach(b, '/dev/sdh', developer)).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    await expect(sim.call('DetachVolume', { VolumeId: a, InstanceId: 'i-00000000000000000' })).rejects.toMatchObject({
      code: 'InvalidAttachment.NotFound',
    });
    await expect(sim.call('DetachVolume', { VolumeId: b })).rejects.toMatchObject({ code: 'IncorrectState' });
    await sim.call('StopInstances', { InstanceIds: [instanceId], Force: true });
    await sim.settled('stopped');
    await attach(b, '/dev/sdg');
    await volumesSettled(sim);
    expect(volumesOfInstance(sim.store, instanceId).map(({ volumeId }) => volumeId)).toEqual([a, b]);
    await sim.call('TerminateInstances', { InstanceIds: [instanceId] });
    await sim.settled('terminated');
    await volumesSettled(sim);
    await expect(attach(b, '/dev/sdf')).rejects.toMatchObject({ code: 'IncorrectState' });
  });

  it('[sim] of another zone is not attached', async () => {
    sim = await startSimCloud({ hosts: [] });
    const add = (Name: string, Zone: string) =>
      sim.call('AddHost', { Name, Zone, Transport: { kind: 'simulated', name: Name } });
    await add('node1', 'nova');
    await add('node2', 'east');
    await sim.call('SetHostState', { Host: 'node2', State: 'maintenance' });
    const instanceId = await makeInstance();
    const volumeId = await makeVolume({ AvailabilityZone: 'east' });
    await expect(
      sim.call('AttachVolume', { VolumeId: volumeId, InstanceId: instanceId, Device: '/dev/sdf' }),
    ).rejects.toMatchObject({ code: 'InvalidVolume.ZoneMismatch' });
    await expect(makeVolume({ AvailabilityZone: 'west' })).rejects.toMatchObject({ code: 'InvalidZone.NotFound' });
    const own = { principal: { ...ADMIN.principal, zones: ['nova'] } };
    expect((await sim.call('DescribeVolumes', {}, own)).volumes).toEqual([]);
    await expect(sim.call('DeleteVolume', { VolumeId: volumeId }, own)).rejects.toMatchObject({
      code: 'InvalidVolume.NotFound',
    });
  });

  it('[sim] grows, also while it is attached, and never shrinks', async () => {
    sim = await startSimCloud();
    const volumeId = await makeVolume();
    sim.world.volumes.inject({ call: 'grow', how: 'hang' });
    const { modification } = await sim.call('ModifyVolume', { VolumeId: volumeId, Size: 12 });
    expect(modification).toMatchObject({ state: 'modifying', originalSizeGib: 10, targetSizeGib: 12 });
    expect((await shown(volumeId)).sizeGib).toBe(10);
    await expect(sim.call('ModifyVolume', { VolumeId: volumeId, Size: 13 })).rejects.toMatchObject({
      code: 'IncorrectState',
    });
    sim.world.volumes.release();
    await volumesSettled(sim);
    expect(await shown(volumeId)).toMatchObject({ sizeGib: 12, modification: { state: 'completed' } });
    await expect(sim.call('ModifyVolume', { VolumeId: volumeId, Size: 11 })).rejects.toThrow('volumes only grow');
    const { modifications } = await sim.call('DescribeVolumesModifications', { VolumeIds: [volumeId] });
    expect(modifications).toMatchObject([{ volumeId, targetSizeGib: 12, state: 'completed' }]);
  });
});

describe('what is refused', () => {
  it('[sim] a cloud without volumes stores nothing', async () => {
    sim = await startSimCloud();
    const { cloud } = sim;
    Object.defineProperty(cloud.context, 'volumes', { value: undefined });
    const before = sim.store.rev;
    await expect(sim.call('CreateVolume', { Size: 1 })).rejects.toMatchObject({ code: 'UnsupportedOperation' });
    expect(sim.store.rev).toBe(before);
  });

  it('[sim] encryption, no size, unknown types', async () => {
    sim = await startSimCloud();
    await expect(sim.call('CreateVolume', { Size: 1, Encrypted: true })).rejects.toThrow('not encrypted');
    await expect(sim.call('CreateVolume', {})).rejects.toMatchObject({ code: 'MissingParameter' });
    await expect(sim.call('CreateVolume', { Size: 0 })).rejects.toThrow('1 to 16384');
    expect(sim.store.count('volume/')).toBe(0);
  });

  it('[sim] more than the quota, also of 20 clients at once', async () => {
    sim = await startSimCloud();
    const own = { principal: { ...ADMIN.principal, name: 'ann', projectId: 'lab' } };
    await sim.store.txn({ puts: [{ key: 'quota/lab/', value: { v: 1, limits: { volumes: 5, gigabytes: 40 } } }] });
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, () => sim.call('CreateVolume', { Size: 10 }, own)),
    );
    const refused = made.filter((one) => one.status === 'rejected');
    expect(made.length - refused.length).toBe(4);
    expect(refused.map(({ reason }) => (reason as { code: string }).code)).toEqual(
      refused.map(() => 'VolumeLimitExceeded'),
    );
    await volumesSettled(sim);
    const { volumes } = await sim.call('DescribeVolumes', {}, own);
    expect(volumes).toHaveLength(4);
    await sim.call('DeleteVolume', { VolumeId: volumes[0]?.volumeId ?? '' }, own);
    await volumesSettled(sim);
    await sim.call('CreateVolume', { Size: 10 }, own);
    await volumesSettled(sim);
  });
});
