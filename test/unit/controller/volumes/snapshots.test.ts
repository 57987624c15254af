import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import { volumeRecord, volumesSettled } from '../../../support/settled-volumes.ts';
import type { SimCloud } from '../../../support/sim-cloud.ts';
import { ADMIN, startSimCloud } from '../../../support/sim-cloud.ts';

let sim: SimCloud;
let volumeId: string;
beforeEach(async () => {
  sim = await startSimCloud({ hosts: [] });
  const { volume } = await sim.call('CreateVolume', { Size: 4 });
  volumeId = volume.volumeId;
  await volumesSettled(sim);
  sim.world.volumes.write(volumeId, 'first');
});
afterEach(async () => {
  expect(checkRecords(sim.store.range<unknown>(''))).toEqual([]);
  await sim.close();
});

const OTHER = { principal: { ...ADMIN.principal, name: 'bob', projectId: 'other', roles: ['manager'] } };

async function makeSnapshot(): Promise<string> {
  const { snapshot } = await sim.call('CreateSnapshot', { VolumeId: volumeId, Description: 'of a test' });
  expect(snapshot).toMatchObject({ state: 'pending', progress: 0 });
  await volumesSettled(sim);
  return snapshot.snapshotId;
}

describe('a snapshot', () => {
  it('[sim] keeps what was on the volume then, and volumes are made of it', async () => {
    const SnapshotId = await makeSnapshot();
    sim.world.volumes.write(volumeId, 'second');
    const { snapshots } = await sim.call('DescribeSnapshots', { SnapshotIds: [SnapshotId] });
    expect(snapshots).toMatchObject([{ state: 'completed', progress: 100, volumeId, volumeSizeGib: 4 }]);
    const { volume } = await sim.call('CreateVolume', { SnapshotId });
    await volumesSettled(sim);
    expect(volume).toMatchObject({ sizeGib: 4, snapshotId: SnapshotId });
    expect(sim.world.volumes.volumes.get(volume.volumeId)?.data).toBe('first');
    await expect(sim.call('CreateVolume', { SnapshotId, Size: 3 })).rejects.toThrow('less than the 4 GiB');
    const { snapshot } = await sim.call('CopySnapshot', { SourceSnapshotId: SnapshotId });
    await volumesSettled(sim);
    await sim.call('DeleteSnapshot', { SnapshotId });
    await volumesSettled(sim);
    expect([...sim.world.volumes.snapshots]).toEqual([[snapshot.snapshotId, 'first']]);
    await expect(sim.call('CreateVolume', { SnapshotId })).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' });
  });

  it('[sim] is not deleted while a volume is being made of it, nor a volume before it is made', async () => {
    const SnapshotId = await makeSnapshot();
    sim.world.volumes.inject({ call: 'ensureVolume', how: 'hang' });
    await sim.call('CreateVolume', { SnapshotId });
    await expect(sim.call('DeleteSnapshot', { SnapshotId })).rejects.toMatchObject({ code: 'InvalidSnapshot.InUse' });
    sim.world.volumes.inject({ call: 'ensureSnapshot', how: 'hang' });
    const late = await sim.call('CreateSnapshot', { VolumeId: volumeId });
    await sim.call('DeleteVolume', { VolumeId: volumeId });
    expect(volumeRecord(sim, volumeId)?.pendingSnapshots).toEqual([late.snapshot.snapshotId]);
    expect(sim.world.volumes.volumes.has(volumeId)).toBe(true);
    sim.world.volumes.release();
    await volumesSettled(sim);
    expect(sim.world.volumes.volumes.has(volumeId)).toBe(false);
    expect(sim.world.volumes.snapshots.get(late.snapshot.snapshotId)).toBe('first');
    await sim.call('DeleteSnapshot', { SnapshotId });
    await volumesSettled(sim);
  });

  it('[sim] that was deleted while it was being made leaves nothing', async () => {
    sim.world.volumes.inject({ call: 'ensureSnapshot', how: 'hang' });
    const { snapshot, operationId } = await sim.call('CreateSnapshot', { VolumeId: volumeId });
    await sim.call('DeleteSnapshot', { SnapshotId: snapshot.snapshotId });
    sim.world.volumes.release();
    await volumesSettled(sim);
    // Nobody waits for it for ever.
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [operationId] });
    expect(operations).toMatchObject([{ status: 'failed', pending: [] }]);
    expect(sim.world.volumes.snapshots.size).toBe(0);
    expect(sim.store.count('snapshot/')).toBe(0);
    expect(volumeRecord(sim, volumeId)?.pendingSnapshots).toBeUndefined();
  });

  it('[sim] is seen and used by those whom its owner lets', async () => {
    const SnapshotId = await makeSnapshot();
    const seenBy = async (input: object = {}) =>
      (await sim.call('DescribeSnapshots', input, OTHER)).snapshots.map((row) => row.snapshotId);
    expect(await seenBy()).toEqual([]);
    await expect(sim.call('CreateVolume', { SnapshotId }, OTHER)).rejects.toMatchObject({
      code: 'InvalidSnapshot.NotFound',
    });
    await sim.call('ModifySnapshotAttribute', { SnapshotId, Add: ['other'] });
    expect(await seenBy()).toEqual([SnapshotId]);
    expect(await seenBy({ OwnerIds: ['self'] })).toEqual([]);
    expect(await seenBy({ RestorableByUserIds: ['self'] })).toEqual([SnapshotId]);
    expect(await seenBy({ RestorableByUserIds: ['all'] })).toEqual([]);
    await sim.call('CreateVolume', { SnapshotId }, OTHER);
    await expect(sim.call('DeleteSnapshot', { SnapshotId }, OTHER)).rejects.toMatchObject({
      code: 'InvalidSnapshot.NotFound',
    });
    await sim.call('ModifySnapshotAttribute', { SnapshotId, Public: true, Remove: ['other'] });
    expect(await seenBy({ RestorableByUserIds: ['all'] })).toEqual([SnapshotId]);
    await sim.call('ModifySnapshotAttribute', { SnapshotId, Reset: true });
    expect(await seenBy()).toEqual([]);
    await volumesSettled(sim);
  });

  it('[sim] is of its region, and copied into another', async () => {
    const SnapshotId = await makeSnapshot();
    const east = { principal: { ...ADMIN.principal, projectId: 'admin@east', ownProjectOnly: true } };
    const inEast = async (input: object = {}): Promise<string[]> =>
      (await sim.call('DescribeSnapshots', input, east)).snapshots.map((row) => row.snapshotId);
    await sim.call('ModifySnapshotAttribute', { SnapshotId, Public: true });
    expect(await inEast()).toEqual([]);
    await expect(sim.call('CopySnapshot', { SourceSnapshotId: SnapshotId }, east)).rejects.toMatchObject({
      code: 'InvalidSnapshot.NotFound',
    });
    const copied = await sim.call('CopySnapshot', { SourceSnapshotId: SnapshotId, SourceRegion: 'nova' }, east);
    await volumesSettled(sim);
    const { snapshotId } = copied.snapshot;
    expect(sim.world.volumes.snapshots.get(snapshotId)).toBe('first');
    expect(await inEast({ OwnerIds: ['self'] })).toEqual([snapshotId]);
    expect(await inEast({ Filters: [{ Name: 'owner-id', Values: ['admin'] }] })).toEqual([snapshotId]);
    expect(await inEast({ Filters: [{ Name: 'owner-id', Values: ['admin@east'] }] })).toEqual([snapshotId]);
  });

  it('[sim] is found by filters and in pages', async () => {
    const ids = [await makeSnapshot(), await makeSnapshot(), await makeSnapshot()].toSorted();
    const Filters = [{ Name: 'description', Values: ['of a *'] }];
    const first = await sim.call('DescribeSnapshots', { Filters, MaxResults: 2 });
    const rest = await sim.call('DescribeSnapshots', { Filters, NextToken: first.nextToken ?? '' });
    expect([...first.snapshots, ...rest.snapshots].map((row) => row.snapshotId)).toEqual(ids);
    const none = await sim.call('DescribeSnapshots', { Filters: [{ Name: 'status', Values: ['error'] }] });
    expect(none.snapshots).toEqual([]);
    await expect(sim.call('DescribeSnapshots', { Filters: [{ Name: 'colour', Values: ['red'] }] })).rejects.toThrow(
      'there is no filter "colour"',
    );
  });
});
