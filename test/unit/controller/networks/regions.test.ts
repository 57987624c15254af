import { afterEach, describe, expect, it } from 'vitest';
import { xmlText } from '../../../../src/base/xml.ts';
import type { CallMeta } from '../../../../src/controller/operations/handler.ts';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import { ec2, textsOf } from '../../../support/ec2-tables.ts';
import { ADMIN, type SimCloud, startSimCloud } from '../../../support/sim-cloud.ts';

let sim: SimCloud;
afterEach(() => sim.close());

const EAST: Partial<CallMeta> = {
  principal: { ...ADMIN.principal, userName: 'admin', projectId: 'admin@east', zones: ['east-a', 'east-b'] },
};

describe('a project in another region', () => {
  it('[sim] has networks and groups of its own there, in the zones of the region', async () => {
    sim = await startSimCloud();
    const here = textsOf(await ec2(sim, 'DescribeVpcs'), 'vpcSet', 'vpcId');
    const meta = EAST;
    const there = textsOf(await ec2(sim, 'DescribeVpcs', {}, { meta }), 'vpcSet', 'vpcId');
    expect(there).toHaveLength(1);
    expect(there).not.toEqual(here);
    const zones = textsOf(await ec2(sim, 'DescribeSubnets', {}, { meta }), 'subnetSet', 'availabilityZone');
    expect(zones).toEqual(['east-a']);
    const VpcId = xmlText(await ec2(sim, 'CreateVpc', { CidrBlock: '10.0.0.0/16' }, { meta }), 'vpc', 'vpcId') ?? '';
    const subnet = { VpcId, CidrBlock: '10.0.1.0/24' };
    const made = await ec2(sim, 'CreateSubnet', { ...subnet, AvailabilityZone: 'east-b' }, { meta });
    expect(xmlText(made, 'subnet', 'availabilityZone')).toBe('east-b');
    await expect(
      ec2(sim, 'CreateSubnet', { ...subnet, CidrBlock: '10.0.2.0/24', AvailabilityZone: 'nova' }, { meta }),
    ).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    await ec2(sim, 'CreateSecurityGroup', { GroupName: 'web', GroupDescription: 'x' }, { meta });
    const named = { 'GroupName.1': 'web' };
    await expect(ec2(sim, 'DescribeSecurityGroups', named)).rejects.toMatchObject({ code: 'InvalidGroup.NotFound' });
    const own = await ec2(sim, 'DescribeSecurityGroups', named, { meta });
    const ownerId = xmlText(own, 'securityGroupInfo', 'item', 'ownerId') ?? '';
    // The account is the same in all regions, and owner-id finds what is of this one.
    expect(textsOf(await ec2(sim, 'DescribeVpcs'), 'vpcSet', 'ownerId')).toEqual([ownerId]);
    const byOwner = { 'Filter.1.Name': 'owner-id', 'Filter.1.Value.1': ownerId };
    const found = await ec2(sim, 'DescribeSecurityGroups', byOwner, { meta });
    expect(textsOf(found, 'securityGroupInfo', 'groupName').toSorted()).toEqual(['default', 'default', 'web']);
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  });
});
