import { afterEach, describe, expect, it } from 'vitest';
import { type XmlElement, xmlText } from '../../../../../src/base/xml.ts';
import { contains, parseCidr, parseIpv4 } from '../../../../../src/domain/addressing.ts';
import { checkRecords } from '../../../../../src/domain/check-records.ts';
import { KEYS, PREFIX } from '../../../../../src/domain/keys.ts';
import type { NetworkRecord } from '../../../../../src/domain/records.ts';
import { ec2, itemsOf, NETWORK_TABLES, plain, textsOf } from '../../../../support/ec2-tables.ts';
import { type SimCloud, startSimCloud } from '../../../../support/sim-cloud.ts';

let sim: SimCloud;
afterEach(() => sim.close());

const text = async (action: string, given: Record<string, string>, ...path: string[]): Promise<string> =>
  xmlText(await ec2(sim, action, given), ...path) ?? '';

const failure = async (action: string, given: Record<string, string>): Promise<string> => {
  const error: unknown = await ec2(sim, action, given).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return (error as { code?: string } | undefined)?.code ?? 'no error';
};

const newVpc = (cidr = '10.20.0.0/16'): Promise<string> => text('CreateVpc', { CidrBlock: cidr }, 'vpc', 'vpcId');
const newSubnet = (vpcId: string, cidr: string): Promise<string> =>
  text('CreateSubnet', { VpcId: vpcId, CidrBlock: cidr }, 'subnet', 'subnetId');
const sets = async (action: string, set: string, given: Record<string, string> = {}): Promise<XmlElement[]> =>
  itemsOf(await ec2(sim, action, given), set);
const of = (vpcId: string): Record<string, string> => ({ 'Filter.1.Name': 'vpc-id', 'Filter.1.Value.1': vpcId });

describe('the default VPC', () => {
  it('[sim] is described before anything needs it, changes nothing for that, and is the same when it is made', async () => {
    sim = await startSimCloud();
    const before = sim.store.rev;
    const vpcId = await text(
      'DescribeVpcs',
      { 'Filter.1.Name': 'is-default', 'Filter.1.Value.1': 'true' },
      'vpcSet',
      'item',
      'vpcId',
    );
    const cidr = await text('DescribeVpcs', {}, 'vpcSet', 'item', 'cidrBlock');
    const looks = async (): Promise<unknown> => {
      const actions = [
        'DescribeVpcs',
        'DescribeSubnets',
        'DescribeRouteTables',
        'DescribeInternetGateways',
        'DescribeNetworkAcls',
        'DescribeDhcpOptions',
        'DescribeSecurityGroups',
      ];
      return Promise.all(actions.map(async (action) => plain(await ec2(sim, action))));
    };
    const planned = await looks();
    expect(sim.store.rev).toBe(before);
    expect(sim.store.count(PREFIX.network)).toBe(0);
    expect(await text('CreateDefaultVpc', {}, 'vpc', 'vpcId')).toBe(vpcId);
    expect(sim.store.get<NetworkRecord>(KEYS.network('admin'))?.value.cidr).toBe(cidr);
    expect(await looks()).toEqual(planned);
    expect(await failure('CreateDefaultVpc', {})).toBe('DefaultVpcAlreadyExists');
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  });

  it('[sim] is where an instance of no subnet is, with all its parts', async () => {
    sim = await startSimCloud();
    const [subnet] = await sets('DescribeSubnets', 'subnetSet');
    const subnetId = xmlText(subnet ?? fail(), 'subnetId') ?? '';
    const free = Number(xmlText(subnet ?? fail(), 'availableIpAddressCount'));
    const { instances } = await sim.run();
    const [instance] = instances;
    expect(instance).toMatchObject({ subnetId });
    const [nic] = await sets('DescribeNetworkInterfaces', 'networkInterfaceSet', {
      'Filter.1.Name': 'attachment.instance-id',
      'Filter.1.Value.1': instance?.instanceId ?? '',
    });
    expect(plain(nic ?? fail())).toMatchObject({
      subnetId,
      privateIpAddress: instance?.privateIpAddress,
      macAddress: instance?.macAddress,
      status: 'in-use',
      groupSet: [{ groupName: 'default' }],
      attachment: { instanceId: instance?.instanceId, deviceIndex: '0' },
    });
    const id = xmlText(nic ?? fail(), 'networkInterfaceId') ?? '';
    expect(
      await text(
        'DescribeNetworkInterfaceAttribute',
        { NetworkInterfaceId: id, Attribute: 'groupSet' },
        'groupSet',
        'item',
        'groupName',
      ),
    ).toBe('default');
    const [after] = await sets('DescribeSubnets', 'subnetSet');
    expect(xmlText(after ?? fail(), 'availableIpAddressCount')).toBe(String(free - 1));
    const [routes] = await sets('DescribeRouteTables', 'routeTableSet');
    const gateway = await text('DescribeInternetGateways', {}, 'internetGatewaySet', 'item', 'internetGatewayId');
    expect(itemsOf(routes ?? fail(), 'routeSet').map((route) => xmlText(route, 'gatewayId'))).toEqual([
      'local',
      gateway,
    ]);
    await sim.settled('running');
  });

  it('[sim] stays: what is its own can be neither deleted nor detached', async () => {
    sim = await startSimCloud();
    const VpcId = await text('DescribeVpcs', {}, 'vpcSet', 'item', 'vpcId');
    const SubnetId = await text('DescribeSubnets', {}, 'subnetSet', 'item', 'subnetId');
    const InternetGatewayId = await text(
      'DescribeInternetGateways',
      {},
      'internetGatewaySet',
      'item',
      'internetGatewayId',
    );
    const RouteTableId = await text('DescribeRouteTables', {}, 'routeTableSet', 'item', 'routeTableId');
    expect(await failure('DeleteVpc', { VpcId })).toBe('OperationNotPermitted');
    expect(await failure('DeleteSubnet', { SubnetId })).toBe('OperationNotPermitted');
    expect(await failure('DetachInternetGateway', { InternetGatewayId, VpcId })).toBe('OperationNotPermitted');
    expect(await failure('DeleteRouteTable', { RouteTableId })).toBe('DependencyViolation');
  });
});

describe('VPCs and subnets', () => {
  it('[sim] are made, and instances of a subnet are in it', async () => {
    sim = await startSimCloud();
    const vpcId = await newVpc();
    const subnetId = await newSubnet(vpcId, '10.20.3.0/24');
    const GroupName = 'app';
    const groupId = await text('CreateSecurityGroup', { GroupName, GroupDescription: 'x', VpcId: vpcId }, 'groupId');
    const { instances } = await sim.run({ SubnetId: subnetId, SecurityGroupIds: [groupId], MinCount: 2, MaxCount: 2 });
    const records = await sim.settled('running');
    const cidr = parseCidr('10.20.3.0/24');
    for (const { nic } of records) expect(contains(cidr, parseIpv4(nic.address) ?? -1)).toBe(true);
    expect(instances.map((one) => [one.vpcId, one.subnetId])).toEqual([
      [vpcId, subnetId],
      [vpcId, subnetId],
    ]);
    // What the host was told is the subnet's own bridge and range.
    const network = sim.store.range<NetworkRecord>(`${PREFIX.network}admin/`)[0]?.value;
    expect(network).toMatchObject({ vpcId, cidr: '10.20.3.0/24', gateway: '10.20.3.1' });
    expect(sim.store.get(KEYS.network('admin'))).toBeUndefined();
    expect(checkRecords(sim.store.range(''))).toEqual([]);
    expect(await failure('DeleteSubnet', { SubnetId: subnetId })).toBe('DependencyViolation');
    expect(await failure('DeleteVpc', { VpcId: vpcId })).toBe('DependencyViolation');
    await sim.call('TerminateInstances', { InstanceIds: records.map(({ id }) => id) });
    await sim.settled('terminated');
    await ec2(sim, 'DeleteSubnet', { SubnetId: subnetId });
    expect(await failure('DeleteVpc', { VpcId: vpcId })).toBe('DependencyViolation');
    await ec2(sim, 'DeleteSecurityGroup', { GroupId: groupId });
    await ec2(sim, 'DeleteVpc', { VpcId: vpcId });
    expect(sim.store.count(PREFIX.vpc)).toBe(0);
    expect(await failure('DescribeVpcs', { 'VpcId.1': vpcId })).toBe('InvalidVpcID.NotFound');
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  });

  it('[sim] that are deleted while an instance begins in one: one of both is refused', async () => {
    sim = await startSimCloud();
    const vpcId = await newVpc();
    const subnetId = await newSubnet(vpcId, '10.20.3.0/24');
    const both = await Promise.allSettled([
      sim.run({ SubnetId: subnetId }),
      ec2(sim, 'DeleteSubnet', { SubnetId: subnetId }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await sim.settled('running');
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  });

  it('[sim] that are made at once never overlap', async () => {
    sim = await startSimCloud();
    const vpcId = await newVpc();
    const all = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => newSubnet(vpcId, index % 2 === 0 ? '10.20.0.0/24' : '10.20.0.0/25')),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await sets('DescribeSubnets', 'subnetSet', of(vpcId))).toHaveLength(1);
  });

  it.each([
    ['CreateVpc', { CidrBlock: '10.0.0.0/8' }, 'InvalidVpc.Range'],
    ['CreateVpc', { CidrBlock: '10.0.0.1/16' }, 'InvalidParameterValue'],
    ['CreateVpc', { CidrBlock: '10.0.0.0/16', InstanceTenancy: 'dedicated' }, 'UnsupportedOperation'],
    ['CreateVpc', { CidrBlock: '10.0.0.0/16', AmazonProvidedIpv6CidrBlock: 'true' }, 'UnsupportedOperation'],
    ['CreateSubnet', { VpcId: 'VPC', CidrBlock: '10.20.0.0/29' }, 'InvalidSubnet.Range'],
    ['CreateSubnet', { VpcId: 'VPC', CidrBlock: '10.21.0.0/24' }, 'InvalidSubnet.Range'],
    ['CreateSubnet', { VpcId: 'VPC', CidrBlock: '10.20.7.128/25' }, 'InvalidSubnet.Conflict'],
    ['CreateSubnet', { VpcId: 'VPC', CidrBlock: '10.20.8.0/24', AvailabilityZone: 'mars' }, 'InvalidParameterValue'],
    ['CreateSubnet', { VpcId: 'vpc-00000000000000000', CidrBlock: '10.20.8.0/24' }, 'InvalidVpcID.NotFound'],
    ['DeleteVpc', { VpcId: 'vpc-00000000000000000' }, 'InvalidVpcID.NotFound'],
    ['DeleteSubnet', { SubnetId: 'subnet-00000000000000000' }, 'InvalidSubnetID.NotFound'],
    ['ModifyVpcAttribute', { VpcId: 'VPC', 'EnableDnsSupport.Value': 'false' }, 'UnsupportedOperation'],
    ['ModifyVpcAttribute', { VpcId: 'VPC' }, 'MissingParameter'],
    ['ModifySubnetAttribute', { SubnetId: 'SUBNET', 'MapPublicIpOnLaunch.Value': 'true' }, 'UnsupportedOperation'],
    ['DescribeVpcAttribute', { VpcId: 'VPC', Attribute: 'colour' }, 'InvalidParameterValue'],
    ['DescribeVpcs', { 'Filter.1.Name': 'colour', 'Filter.1.Value.1': 'red' }, 'InvalidParameterValue'],
    ['DescribeSubnets', { 'SubnetId.1': 'subnet-00000000000000000' }, 'InvalidSubnetID.NotFound'],
    ['DescribeRouteTables', { 'RouteTableId.1': 'rtb-00000000000000000' }, 'InvalidRouteTableID.NotFound'],
    [
      'DescribeInternetGateways',
      { 'InternetGatewayId.1': 'igw-00000000000000000' },
      'InvalidInternetGatewayID.NotFound',
    ],
    [
      'DescribeNetworkInterfaces',
      { 'NetworkInterfaceId.1': 'eni-00000000000000000' },
      'InvalidNetworkInterfaceID.NotFound',
    ],
    ['DescribeNetworkAcls', { 'NetworkAclId.1': 'acl-00000000000000000' }, 'InvalidNetworkAclID.NotFound'],
    ['DescribeDhcpOptions', { 'DhcpOptionsId.1': 'dopt-00000000000000000' }, 'InvalidDhcpOptionsID.NotFound'],
    ['DescribeNatGateways', { 'NatGatewayId.1': 'nat-00000000000000000' }, 'NatGatewayNotFound'],
    ['DescribeLaunchTemplates', { 'LaunchTemplateName.1': 'web' }, 'InvalidLaunchTemplateId.NotFound'],
    [
      'CreateRoute',
      { RouteTableId: 'rtb-00000000000000000', DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-1' },
      'InvalidRouteTableID.NotFound',
    ],
    [
      'CreateRoute',
      { RouteTableId: 'rtb-0', DestinationCidrBlock: '0.0.0.0/0', NatGatewayId: 'nat-1' },
      'UnsupportedOperation',
    ],
    [
      'AttachInternetGateway',
      { InternetGatewayId: 'igw-00000000000000000', VpcId: 'VPC' },
      'InvalidInternetGatewayID.NotFound',
    ],
    ['DisassociateRouteTable', { AssociationId: 'rtbassoc-00000000000000000' }, 'InvalidAssociationID.NotFound'],
  ] as readonly [string, Record<string, string>, string][])(
    '[sim] %s %j is %s, and stores nothing',
    async (action, given, code) => {
      sim = await startSimCloud();
      const names: Readonly<Record<string, string>> = { VPC: await newVpc() };
      const subnet = await newSubnet(names['VPC'] ?? '', '10.20.7.0/24');
      const before = sim.store.rev;
      const whole = Object.entries(given).map(
        ([name, value]) => [name, value === 'SUBNET' ? subnet : (names[value] ?? value)] as const,
      );
      expect(await failure(action, Object.fromEntries(whole))).toBe(code);
      expect(sim.store.rev).toBe(before);
    },
  );

  it('[sim] already are what may be asked of them', async () => {
    sim = await startSimCloud();
    const VpcId = await newVpc();
    const SubnetId = await newSubnet(VpcId, '10.20.7.0/24');
    expect(await text('ModifyVpcAttribute', { VpcId, 'EnableDnsHostnames.Value': 'true' }, 'return')).toBe('true');
    expect(
      await text('DescribeVpcAttribute', { VpcId, Attribute: 'enableDnsHostnames' }, 'enableDnsHostnames', 'value'),
    ).toBe('true');
    expect(await text('ModifySubnetAttribute', { SubnetId, 'MapPublicIpOnLaunch.Value': 'false' }, 'return')).toBe(
      'true',
    );
  });
});

describe('ways out of a VPC', () => {
  it('[sim] gateways are attached to one VPC, routes lead by what is attached, and both go in their order', async () => {
    sim = await startSimCloud();
    const VpcId = await newVpc();
    const SubnetId = await newSubnet(VpcId, '10.20.7.0/24');
    const InternetGatewayId = await text('CreateInternetGateway', {}, 'internetGateway', 'internetGatewayId');
    const RouteTableId = await text('CreateRouteTable', { VpcId }, 'routeTable', 'routeTableId');
    const route = { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', GatewayId: InternetGatewayId };
    expect(await failure('CreateRoute', route)).toBe('InvalidParameterValue');
    await ec2(sim, 'AttachInternetGateway', { InternetGatewayId, VpcId });
    expect(await failure('AttachInternetGateway', { InternetGatewayId, VpcId })).toBe('Resource.AlreadyAssociated');
    await ec2(sim, 'CreateRoute', route);
    expect(await failure('CreateRoute', { ...route, DestinationCidrBlock: '10.20.0.0/16' })).toBe(
      'InvalidParameterValue',
    );
    const AssociationId = await text('AssociateRouteTable', { RouteTableId, SubnetId }, 'associationId');
    const table = async (): Promise<unknown> =>
      plain((await sets('DescribeRouteTables', 'routeTableSet', { 'RouteTableId.1': RouteTableId }))[0] ?? fail());
    expect(await table()).toMatchObject({
      routeSet: [
        { destinationCidrBlock: '10.20.0.0/16', gatewayId: 'local', state: 'active' },
        { destinationCidrBlock: '0.0.0.0/0', gatewayId: InternetGatewayId, state: 'active', origin: 'CreateRoute' },
      ],
      associationSet: [
        {
          routeTableAssociationId: AssociationId,
          main: 'false',
          subnetId: SubnetId,
          associationState: { state: 'associated' },
        },
      ],
    });
    expect(await failure('DeleteRouteTable', { RouteTableId })).toBe('DependencyViolation');
    expect(await failure('DeleteInternetGateway', { InternetGatewayId })).toBe('DependencyViolation');
    await ec2(sim, 'DetachInternetGateway', { InternetGatewayId, VpcId });
    expect(await table()).toMatchObject({ routeSet: [{}, { state: 'blackhole' }] });
    expect(await failure('DetachInternetGateway', { InternetGatewayId, VpcId })).toBe('Gateway.NotAttached');
    await ec2(sim, 'DeleteRoute', { RouteTableId, DestinationCidrBlock: '0.0.0.0/0' });
    expect(await failure('DeleteRoute', { RouteTableId, DestinationCidrBlock: '0.0.0.0/0' })).toBe(
      'InvalidRoute.NotFound',
    );
    await ec2(sim, 'DisassociateRouteTable', { AssociationId });
    await ec2(sim, 'DeleteRouteTable', { RouteTableId });
    await ec2(sim, 'DeleteInternetGateway', { InternetGatewayId });
    await ec2(sim, 'DeleteSubnet', { SubnetId });
    await ec2(sim, 'DeleteVpc', { VpcId });
    expect(
      sim.store.range('').filter(({ key }) => /^(vpc|internet-gateway|security-group|tags|network\/)/.test(key)),
    ).toEqual([]);
  });

  it('[sim] a table takes the place of another, for a subnet and as the main one', async () => {
    sim = await startSimCloud();
    const VpcId = await newVpc();
    const SubnetId = await newSubnet(VpcId, '10.20.7.0/24');
    const [main] = await sets('DescribeRouteTables', 'routeTableSet', of(VpcId));
    const mainAssociation = xmlText(main ?? fail(), 'associationSet', 'item', 'routeTableAssociationId') ?? '';
    const first = await text('CreateRouteTable', { VpcId }, 'routeTable', 'routeTableId');
    const second = await text('CreateRouteTable', { VpcId }, 'routeTable', 'routeTableId');
    const AssociationId = await text('AssociateRouteTable', { RouteTableId: first, SubnetId }, 'associationId');
    expect(await failure('AssociateRouteTable', { RouteTableId: second, SubnetId })).toBe('Resource.AlreadyAssociated');
    await text('ReplaceRouteTableAssociation', { AssociationId, RouteTableId: second }, 'newAssociationId');
    await text(
      'ReplaceRouteTableAssociation',
      { AssociationId: mainAssociation, RouteTableId: first },
      'newAssociationId',
    );
    const bySubnet = { 'Filter.1.Name': 'association.subnet-id', 'Filter.1.Value.1': SubnetId };
    expect(textsOf(await ec2(sim, 'DescribeRouteTables', bySubnet), 'routeTableSet', 'routeTableId')).toEqual([second]);
    const byMain = { ...of(VpcId), 'Filter.2.Name': 'association.main', 'Filter.2.Value.1': 'true' };
    expect(textsOf(await ec2(sim, 'DescribeRouteTables', byMain), 'routeTableSet', 'routeTableId')).toEqual([first]);
    expect(await failure('DisassociateRouteTable', { AssociationId: mainAssociation })).toBe(
      'InvalidAssociationID.NotFound',
    );
  });
});

describe('where hosts have no such thing', () => {
  it('[sim] every change is refused and nothing stored, and reads say what there is', async () => {
    sim = await startSimCloud({ config: { drivers: 'real' }, hosts: [] });
    const VpcId = await text('DescribeVpcs', {}, 'vpcSet', 'item', 'vpcId');
    const SubnetId = await text('DescribeSubnets', {}, 'subnetSet', 'item', 'subnetId');
    const RouteTableId = await text('DescribeRouteTables', {}, 'routeTableSet', 'item', 'routeTableId');
    expect(await sets('DescribeSecurityGroups', 'securityGroupInfo')).toEqual([]);
    const before = sim.store.rev;
    const changes: readonly (readonly [string, Record<string, string>])[] = [
      ['CreateSecurityGroup', { GroupName: 'x', GroupDescription: 'x' }],
      ['DeleteSecurityGroup', { GroupName: 'x' }],
      ['AuthorizeSecurityGroupIngress', { GroupName: 'default', IpProtocol: '-1', CidrIp: '0.0.0.0/0' }],
      ['RevokeSecurityGroupEgress', { GroupName: 'default', 'SecurityGroupRuleId.1': 'sgr-1' }],
      ['CreateVpc', { CidrBlock: '10.0.0.0/16' }],
      ['DeleteVpc', { VpcId }],
      ['CreateSubnet', { VpcId, CidrBlock: '10.0.0.0/24' }],
      ['DeleteSubnet', { SubnetId }],
      ['CreateInternetGateway', {}],
      ['CreateRouteTable', { VpcId }],
      ['AssociateRouteTable', { RouteTableId, SubnetId }],
    ];
    for (const [action, given] of changes)
      expect([action, await failure(action, given)]).toEqual([action, 'UnsupportedOperation']);
    expect(sim.store.rev).toBe(before);
  });
});

describe('what this cloud has none of', () => {
  it('[sim] is an empty list, and the tables have sixty actions', async () => {
    sim = await startSimCloud();
    const empty = [
      'DescribeNatGateways',
      'DescribeVpcEndpoints',
      'DescribeVpcPeeringConnections',
      'DescribeHosts',
      'DescribePlacementGroups',
      'DescribeSpotInstanceRequests',
      'DescribeReservedInstances',
      'DescribeFlowLogs',
      'DescribeIamInstanceProfileAssociations',
    ];
    for (const action of empty) {
      const [set, ...more] = (
        await ec2(sim, action, { 'Filter.1.Name': 'state', 'Filter.1.Value.1': 'x', MaxResults: '5' })
      ).children.filter(({ name }) => name !== 'requestId');
      expect([action, set?.name.length !== 0, set?.children, more]).toEqual([action, true, [], []]);
    }
    expect(Object.keys(NETWORK_TABLES).length).toBeGreaterThanOrEqual(60);
  });
});

function fail(): never {
  throw new Error('there is none');
}
