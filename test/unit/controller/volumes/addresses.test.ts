import { afterEach, describe, expect, it } from 'vitest';
import { MetadataDirectory } from '../../../../src/controller/api/metadata-directory.ts';
import { publicAddressOf } from '../../../../src/controller/networks/public-address-of.ts';
import { freePublicAddress } from '../../../../src/controller/networks/public-addresses.ts';
import { Draft } from '../../../../src/controller/state/draft.ts';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import type { SimCloud } from '../../../support/sim-cloud.ts';
import { ADMIN, startSimCloud } from '../../../support/sim-cloud.ts';

let sim: SimCloud;
afterEach(async () => {
  expect(checkRecords(sim.store.range<unknown>(''))).toEqual([]);
  await sim.close();
});

const OTHER = { principal: { ...ADMIN.principal, name: 'bob', projectId: 'other', roles: ['manager'] } };

async function makeInstances(count: number): Promise<string[]> {
  const { instances } = await sim.run({ MinCount: count, MaxCount: count });
  await sim.settled('running');
  return instances.map(({ instanceId }) => instanceId);
}

const allocate = async (input: object = {}) => (await sim.call('AllocateAddress', input)).address;

describe('public addresses', () => {
  it('[sim] 20 clients at once never share one', async () => {
    sim = await startSimCloud({ hosts: [], config: { network: { publicRange: '203.0.113.0/27' } } });
    const given = await Promise.all(Array.from({ length: 20 }, () => allocate()));
    expect(new Set(given.map(({ publicIp }) => publicIp)).size).toBe(20);
    expect(new Set(given.map(({ allocationId }) => allocationId)).size).toBe(20);
    for (const { publicIp } of given) expect(publicIp).toMatch(/^203\.0\.113\.([1-9]|[12]\d|30)$/);
    expect(sim.store.count('public-address/')).toBe(20);
  });

  it('[sim] are given only if nobody else has them meanwhile, whatever process that is in', async () => {
    sim = await startSimCloud({ hosts: [] });
    const draft = new Draft(sim.store);
    const address = freePublicAddress(draft, '203.0.113.0/24', sim.random);
    expect(draft.guards).toEqual([{ key: `public-address/${address}`, absent: true }]);
  });

  it('[sim] are given until there is none, and again when one comes back', async () => {
    sim = await startSimCloud({ hosts: [], config: { network: { publicRange: '203.0.113.0/29' } } });
    const given = await Promise.allSettled(Array.from({ length: 9 }, () => allocate()));
    const refused = given.flatMap((one) => (one.status === 'rejected' ? [one.reason as { code: string }] : []));
    expect(refused.map(({ code }) => code)).toEqual(refused.map(() => 'InsufficientAddressCapacity'));
    expect(refused).toHaveLength(3);
    await expect(allocate({ Address: '203.0.113.1' })).rejects.toMatchObject({ code: 'InvalidIPAddress.InUse' });
    await sim.call('ReleaseAddress', { PublicIp: '203.0.113.1' });
    expect(await allocate({ Address: '203.0.113.1' })).toMatchObject({ publicIp: '203.0.113.1' });
    await expect(allocate({ Address: '203.0.113.7' })).rejects.toThrow('is not of the pool');
  });

  it('[sim] go to an instance, move where that is allowed, and come back when it ends', async () => {
    sim = await startSimCloud();
    const [one = '', two = ''] = await makeInstances(2);
    const [a, b] = [await allocate({ Tags: { Name: 'web' } }), await allocate()];
    const associate = async (AllocationId: string, InstanceId: string, more: object = {}) =>
      (await sim.call('AssociateAddress', { AllocationId, InstanceId, ...more })).address;
    const { associationId = '' } = await associate(a.allocationId, one);
    expect(publicAddressOf(sim.store, one)).toEqual({
      ...{ publicIp: a.publicIp, allocationId: a.allocationId, associationId },
    });
    expect((await associate(a.allocationId, one)).associationId).toBe(associationId);
    const metadata = new MetadataDirectory(sim.cloud.context);
    const guest = await metadata.lookup(sim.record(one).nic.address);
    expect(guest).toMatchObject({ instanceId: one, publicIpv4: a.publicIp });
    metadata.close();
    const taken = { code: 'Resource.AlreadyAssociated' };
    await expect(associate(a.allocationId, two)).rejects.toMatchObject(taken);
    await expect(associate(b.allocationId, one)).rejects.toMatchObject(taken);
    await expect(sim.call('ReleaseAddress', { AllocationId: a.allocationId })).rejects.toMatchObject({
      code: 'InvalidIPAddress.InUse',
    });

    const moved = await associate(a.allocationId, two, { AllowReassociation: true });
    expect(moved.associationId).not.toBe(associationId);
    expect(publicAddressOf(sim.store, one)).toBeUndefined();
    expect(publicAddressOf(sim.store, two)?.publicIp).toBe(a.publicIp);
    await expect(sim.call('DisassociateAddress', { AssociationId: associationId })).rejects.toMatchObject({
      code: 'InvalidAssociationID.NotFound',
    });

    await sim.call('TerminateInstances', { InstanceIds: [two] });
    await sim.settled('terminated', [two]);
    expect(publicAddressOf(sim.store, two)).toBeUndefined();
    const { addresses } = await sim.call('DescribeAddresses', { PublicIps: [a.publicIp] });
    expect(addresses).toMatchObject([{ allocationId: a.allocationId, tags: { Name: 'web' } }]);
    expect(addresses[0]).not.toHaveProperty('instanceId');
    await expect(associate(a.allocationId, two)).rejects.toMatchObject({ code: 'InvalidInstanceID.NotFound' });
    await sim.call('ReleaseAddress', { AllocationId: a.allocationId });
    expect(sim.store.count('tags/')).toBe(0);
    await expect(sim.call('DescribeAddresses', { PublicIps: [a.publicIp] })).rejects.toMatchObject({
      code: 'InvalidAddress.NotFound',
    });
  });

  it('[sim] one instance gets one of many that are asked for at once', async () => {
    sim = await startSimCloud();
    const [instanceId = ''] = await makeInstances(1);
    const given = await Promise.all(Array.from({ length: 8 }, () => allocate()));
    const asked = await Promise.allSettled(
      given.map(({ allocationId }) =>
        sim.call('AssociateAddress', { AllocationId: allocationId, InstanceId: instanceId }),
      ),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { addresses } = await sim.call('DescribeAddresses', {
      Filters: [{ Name: 'instance-id', Values: [instanceId] }],
    });
    expect(addresses.map(({ publicIp }) => publicIp)).toEqual([publicAddressOf(sim.store, instanceId)?.publicIp]);
  });

  it("[sim] of another project are nobody else's, and quotas hold", async () => {
    sim = await startSimCloud({ hosts: [] });
    const { publicIp, allocationId } = await allocate();
    expect((await sim.call('DescribeAddresses', {}, OTHER)).addresses).toEqual([]);
    await expect(sim.call('ReleaseAddress', { AllocationId: allocationId }, OTHER)).rejects.toMatchObject({
      code: 'InvalidAllocationID.NotFound',
    });
    await expect(sim.call('ReleaseAddress', { PublicIp: publicIp }, OTHER)).rejects.toMatchObject({
      code: 'InvalidAddress.NotFound',
    });
    await expect(sim.call('ReleaseAddress', {})).rejects.toMatchObject({ code: 'MissingParameter' });
    await expect(sim.call('ReleaseAddress', { PublicIp: publicIp, AllocationId: allocationId })).rejects.toMatchObject({
      code: 'InvalidParameterCombination',
    });
    await sim.store.txn({ puts: [{ key: 'quota/other/', value: { v: 1, limits: { addresses: 2 } } }] });
    const asked = await Promise.allSettled(Array.from({ length: 6 }, () => sim.call('AllocateAddress', {}, OTHER)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  });

  it('[sim] the old domain moves at once and is released while it is in use', async () => {
    sim = await startSimCloud();
    const [one = '', two = ''] = await makeInstances(2);
    const { publicIp } = await allocate({ Domain: 'standard' });
    await sim.call('AssociateAddress', { PublicIp: publicIp, InstanceId: one });
    await sim.call('AssociateAddress', { PublicIp: publicIp, InstanceId: two });
    expect(publicAddressOf(sim.store, one)).toBeUndefined();
    await sim.call('ReleaseAddress', { PublicIp: publicIp });
    expect(publicAddressOf(sim.store, two)).toBeUndefined();
    expect(sim.store.count('instance-address/')).toBe(0);
  });
});
