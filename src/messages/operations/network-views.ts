import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Filter, MaxResults, NextToken, Tags } from './fields.ts';

/** EC2's view of a project's networks. An id that is not there is refused where it is looked up. */
export const PartId = z.string().min(1).max(64);
const Ids = z.array(PartId).max(1000).optional();
const owned = { projectId: z.string(), tags: Tags };

export const VpcView = z.object({
  vpcId: z.string(),
  cidrBlock: z.string(),
  isDefault: z.boolean(),
  dhcpOptionsId: z.string(),
  ...owned,
});

export const SubnetView = z.object({
  subnetId: z.string(),
  vpcId: z.string(),
  networkId: z.string(),
  cidrBlock: z.string(),
  availabilityZone: z.string(),
  availableIpAddressCount: z.int(),
  defaultForAz: z.boolean(),
  ...owned,
});

export const RouteTableView = z.object({
  routeTableId: z.string(),
  vpcId: z.string(),
  routes: z.array(
    z.object({
      destinationCidrBlock: z.string(),
      /** `local`, or an internet gateway. */
      gatewayId: z.string(),
      /** blackhole: the gateway is not there, or attached to no VPC. */
      state: z.enum(['active', 'blackhole']),
      origin: z.enum(['CreateRouteTable', 'CreateRoute']),
    }),
  ),
  associations: z.array(
    z.object({ routeTableAssociationId: z.string(), main: z.boolean(), subnetId: z.string().optional() }),
  ),
  ...owned,
});

export const InternetGatewayView = z.object({
  internetGatewayId: z.string(),
  vpcId: z.string().optional(),
  ...owned,
});

export const NetworkInterfaceView = z.object({
  networkInterfaceId: z.string(),
  instanceId: z.string(),
  attachmentId: z.string(),
  attachTimeMs: z.number(),
  attached: z.boolean(),
  subnetId: z.string(),
  vpcId: z.string(),
  availabilityZone: z.string(),
  macAddress: z.string(),
  privateIpAddress: z.string(),
  privateDnsName: z.string(),
  association: z.object({ publicIp: z.string(), allocationId: z.string(), associationId: z.string() }).optional(),
  groups: z.array(z.object({ groupId: z.string(), groupName: z.string() })),
  ...owned,
});

export const NetworkAclView = z.object({
  networkAclId: z.string(),
  vpcId: z.string(),
  associations: z.array(z.object({ networkAclAssociationId: z.string(), subnetId: z.string() })),
  ...owned,
});

export const DhcpOptionsView = z.object({
  dhcpOptionsId: z.string(),
  domainName: z.string(),
  domainNameServers: z.array(z.string()),
  ...owned,
});

const list = <N extends string, P extends string, R extends string, V extends z.ZodType>(
  name: N,
  summary: string,
  names: { readonly ids: P; readonly rows: R },
  view: V,
) =>
  defineOperation({
    name,
    summary,
    kind: 'unary',
    changes: false,
    access: 'member',
    input: z.strictObject({
      ...({ [names.ids]: Ids } as Record<P, typeof Ids>),
      Filters: z.array(Filter).max(200).optional(),
      MaxResults: MaxResults.optional(),
      NextToken: NextToken.optional(),
    }),
    output: z.object({
      ...({ [names.rows]: z.array(view) } as Record<R, z.ZodArray<V>>),
      nextToken: z.string().optional(),
      rev: z.int(),
    }),
  });

export const DescribeVpcs = list(
  'DescribeVpcs',
  "list the project's networks as VPCs",
  { ids: 'VpcIds', rows: 'vpcs' },
  VpcView,
);
export const DescribeSubnets = list(
  'DescribeSubnets',
  'list subnets of VPCs',
  { ids: 'SubnetIds', rows: 'subnets' },
  SubnetView,
);
export const DescribeRouteTables = list(
  'DescribeRouteTables',
  'list route tables of VPCs',
  { ids: 'RouteTableIds', rows: 'routeTables' },
  RouteTableView,
);
export const DescribeInternetGateways = list(
  'DescribeInternetGateways',
  'list internet gateways',
  { ids: 'InternetGatewayIds', rows: 'internetGateways' },
  InternetGatewayView,
);
export const DescribeNetworkInterfaces = list(
  'DescribeNetworkInterfaces',
  "list instances' interfaces",
  { ids: 'NetworkInterfaceIds', rows: 'networkInterfaces' },
  NetworkInterfaceView,
);
export const DescribeNetworkAcls = list(
  'DescribeNetworkAcls',
  'list network ACLs; each VPC has one, which lets all through',
  { ids: 'NetworkAclIds', rows: 'networkAcls' },
  NetworkAclView,
);
export const DescribeDhcpOptions = list(
  'DescribeDhcpOptions',
  'list what instances are told by DHCP',
  { ids: 'DhcpOptionsIds', rows: 'dhcpOptions' },
  DhcpOptionsView,
);

/** What EC2 has and this cloud has none of. */
export const ABSENT_KINDS = [
  'capacity-reservation',
  'carrier-gateway',
  'customer-gateway',
  'dedicated-host',
  'egress-only-internet-gateway',
  'fleet',
  'flow-log',
  'iam-instance-profile-association',
  'launch-template',
  'managed-prefix-list',
  'nat-gateway',
  'placement-group',
  'prefix-list',
  'reserved-instances',
  'spot-fleet-request',
  'spot-instance-request',
  'transit-gateway',
  'vpc-endpoint',
  'vpc-peering-connection',
  'vpn-connection',
  'vpn-gateway',
] as const;
export type AbsentKind = (typeof ABSENT_KINDS)[number];

export const DescribeAbsent = defineOperation({
  name: 'DescribeAbsent',
  summary: 'say that there is nothing of a kind that this cloud has none of; an id asked for is refused',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    Kind: z.enum(ABSENT_KINDS),
    /** The parameter that names ids, for the refusal. */
    Parameter: z.string().max(64).optional(),
    Ids,
  }),
  output: z.object({ rev: z.int() }),
});
