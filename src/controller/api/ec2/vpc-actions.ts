import { CloudError } from '../../../base/errors.ts';
import { askedPage } from './actions/security-groups.ts';
import { tagSpecifications } from './common-params.ts';
import type { Ec2Action, Ec2Actions, Ec2Call } from './ec2-action.ts';
import { given } from './group-trees.ts';
import { aclTree, dhcpTree, internetGatewayTree, subnetTree, vpcTree } from './network-trees.ts';
import type { Params } from './params.ts';

/** Asked for with a value that is what this cloud does anyway, or left out; any other is refused. */
export function onlyAsItIs(params: Params, is: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(is)) {
    const asked = params.text(name);
    if (asked === undefined || asked === '' || asked.toLowerCase() === value) continue;
    throw new CloudError(
      'UnsupportedOperation',
      `${name}: this cloud has ${JSON.stringify(value)} alone, not ${JSON.stringify(asked.slice(0, 64))}; leave it out`,
      { details: { parameter: name } },
    );
  }
}

/** Asks for what this cloud does not have at all. */
export function refuseAny(params: Params, names: readonly string[], what: string): void {
  const name = names.find((one) => params.has(one));
  if (name === undefined) return;
  throw new CloudError('UnsupportedOperation', `${name}: there are no ${what} in this cloud; leave it out`, {
    details: { parameter: name },
  });
}

const NO_IPV6 = [
  'Ipv6CidrBlock',
  'Ipv6Pool',
  'Ipv6IpamPoolId',
  'Ipv6NetmaskLength',
  'Ipv4IpamPoolId',
  'Ipv4NetmaskLength',
  'OutpostArn',
];

const createVpc: Ec2Action = async (call) => {
  const { params } = call;
  refuseAny(params, NO_IPV6, 'IPv6 networks and address pools');
  onlyAsItIs(params, { InstanceTenancy: 'default', AmazonProvidedIpv6CidrBlock: 'false' });
  const Tags = tagSpecifications(params)['vpc'];
  const { vpc } = await call.run('CreateVpc', { CidrBlock: params.need('CidrBlock'), ...given({ Tags }) });
  return { vpc: vpcTree(call, vpc) };
};

const createSubnet: Ec2Action = async (call) => {
  const { params } = call;
  refuseAny(params, NO_IPV6, 'IPv6 networks and address pools');
  onlyAsItIs(params, { Ipv6Native: 'false' });
  const { subnet } = await call.run('CreateSubnet', {
    VpcId: params.need('VpcId'),
    CidrBlock: params.need('CidrBlock'),
    ...given({
      // The zones' ids are their names.
      AvailabilityZone: params.text('AvailabilityZone') ?? params.text('AvailabilityZoneId'),
      Tags: tagSpecifications(params)['subnet'],
    }),
  });
  return { subnet: subnetTree(call, subnet) };
};

/** EC2's names of attributes, and those of the operation. */
const VPC_ATTRIBUTES = {
  enableDnsSupport: true,
  enableDnsHostnames: true,
  enableNetworkAddressUsageMetrics: false,
} as const;

const describeVpcAttribute: Ec2Action = async (call) => {
  const { params } = call;
  const vpcId = params.need('VpcId');
  const attribute = params.need('Attribute');
  if (!Object.hasOwn(VPC_ATTRIBUTES, attribute)) {
    throw params.bad('Attribute', `must be one of ${Object.keys(VPC_ATTRIBUTES).join(', ')}`);
  }
  await call.run('DescribeVpcs', { VpcIds: [vpcId] });
  return { vpcId, [attribute]: { value: VPC_ATTRIBUTES[attribute as keyof typeof VPC_ATTRIBUTES] } };
};

/** `Name.Value=true`, as the attributes of these two actions are written. */
const flag = (params: Params, name: string): boolean | undefined => params.struct(name)?.bool('Value');

const modifyVpcAttribute: Ec2Action = async ({ params, run }) => {
  await run('ModifyVpcAttribute', {
    VpcId: params.need('VpcId'),
    ...given({
      EnableDnsSupport: flag(params, 'EnableDnsSupport'),
      EnableDnsHostnames: flag(params, 'EnableDnsHostnames'),
      EnableNetworkAddressUsageMetrics: flag(params, 'EnableNetworkAddressUsageMetrics'),
    }),
  });
  return { return: true };
};

const modifySubnetAttribute: Ec2Action = async ({ params, run }) => {
  await run('ModifySubnetAttribute', {
    SubnetId: params.need('SubnetId'),
    ...given({
      MapPublicIpOnLaunch: flag(params, 'MapPublicIpOnLaunch'),
      AssignIpv6AddressOnCreation: flag(params, 'AssignIpv6AddressOnCreation'),
    }),
  });
  return { return: true };
};

const describe = (ids: string, call: Ec2Call) => ({ ids: call.params.list(ids), page: askedPage(call) });

export const vpcActions: Ec2Actions = {
  CreateVpc: createVpc,
  CreateDefaultVpc: async (call) => ({ vpc: vpcTree(call, (await call.run('CreateDefaultVpc', {})).vpc) }),
  DeleteVpc: async ({ params, run }) => {
    await run('DeleteVpc', { VpcId: params.need('VpcId') });
    return { return: true };
  },
  DescribeVpcs: async (call) => {
    const { ids, page } = describe('VpcId', call);
    const { vpcs, nextToken } = await call.run('DescribeVpcs', { ...given({ VpcIds: ids }), ...page });
    return { vpcSet: vpcs.map((vpc) => vpcTree(call, vpc)), nextToken };
  },
  DescribeVpcAttribute: describeVpcAttribute,
  ModifyVpcAttribute: modifyVpcAttribute,
  CreateSubnet: createSubnet,
  DeleteSubnet: async ({ params, run }) => {
    await run('DeleteSubnet', { SubnetId: params.need('SubnetId') });
    return { return: true };
  },
  DescribeSubnets: async (call) => {
    const { ids, page } = describe('SubnetId', call);
    const { subnets, nextToken } = await call.run('DescribeSubnets', { ...given({ SubnetIds: ids }), ...page });
    return { subnetSet: subnets.map((subnet) => subnetTree(call, subnet)), nextToken };
  },
  ModifySubnetAttribute: modifySubnetAttribute,
  DescribeNetworkAcls: async (call) => {
    const { ids, page } = describe('NetworkAclId', call);
    const { networkAcls, nextToken } = await call.run('DescribeNetworkAcls', {
      ...given({ NetworkAclIds: ids }),
      ...page,
    });
    return { networkAclSet: networkAcls.map((acl) => aclTree(call, acl)), nextToken };
  },
  DescribeDhcpOptions: async (call) => {
    const { ids, page } = describe('DhcpOptionsId', call);
    const { dhcpOptions, nextToken } = await call.run('DescribeDhcpOptions', {
      ...given({ DhcpOptionsIds: ids }),
      ...page,
    });
    return { dhcpOptionsSet: dhcpOptions.map((options) => dhcpTree(call, options)), nextToken };
  },
  CreateInternetGateway: async (call) => {
    const Tags = tagSpecifications(call.params)['internet-gateway'];
    const { internetGateway } = await call.run('CreateInternetGateway', given({ Tags }));
    return { internetGateway: internetGatewayTree(call, internetGateway) };
  },
  DeleteInternetGateway: async ({ params, run }) => {
    await run('DeleteInternetGateway', { InternetGatewayId: params.need('InternetGatewayId') });
    return { return: true };
  },
  DescribeInternetGateways: async (call) => {
    const { ids, page } = describe('InternetGatewayId', call);
    const { internetGateways, nextToken } = await call.run('DescribeInternetGateways', {
      ...given({ InternetGatewayIds: ids }),
      ...page,
    });
    return { internetGatewaySet: internetGateways.map((one) => internetGatewayTree(call, one)), nextToken };
  },
};
