import type { ErrorCode } from '../../base/error-codes.ts';
import type { AbsentKind } from '../../messages/operations/network-views.ts';
import {
  aclViews,
  type AclView,
  dhcpViews,
  type DhcpView,
  interfaceViews,
  type InterfaceView,
  internetGatewayViews,
  type InternetGatewayView,
  routeTableViews,
  type RouteTableView,
  type Sight,
  sightOf,
  subnetViews,
  type SubnetView,
  vpcView,
  type VpcView,
} from '../networks/vpc-views.ts';
import { vpcsOf } from '../networks/vpcs.ts';
import { Draft } from '../state/draft.ts';
import type { Tags } from '../tags/resource-tags.ts';
import type { ReadContext, ReadHandler } from './handler.ts';
import { type Asked, type ListFields, listed, type Listing, notFoundById } from './listing.ts';

interface Owned {
  readonly projectId: string;
  readonly tags: Tags;
}

const ALL = 'available';

/** A listing with the filter that all have. */
function listing<V extends Owned>(
  parameter: string,
  notFound: ErrorCode,
  idOf: (row: V) => string,
  fields: ListFields<V>,
): Listing<V> {
  return {
    parameter,
    notFound,
    idOf,
    tagsOf: ({ tags }) => tags,
    fields: { ...fields, 'owner-id': ({ projectId }) => projectId },
  };
}

const VPCS = listing<VpcView>('VpcId', 'InvalidVpcID.NotFound', (row) => row.vpcId, {
  cidr: (row) => row.cidrBlock,
  'cidr-block': (row) => row.cidrBlock,
  'cidr-block-association.cidr-block': (row) => row.cidrBlock,
  'cidr-block-association.state': () => 'associated',
  'dhcp-options-id': (row) => row.dhcpOptionsId,
  'is-default': (row) => String(row.isDefault),
  isDefault: (row) => String(row.isDefault),
  'instance-tenancy': () => 'default',
  state: () => ALL,
  'vpc-id': (row) => row.vpcId,
});

const SUBNETS = listing<SubnetView>('SubnetId', 'InvalidSubnetID.NotFound', (row) => row.subnetId, {
  'availability-zone': (row) => row.availabilityZone,
  availabilityZone: (row) => row.availabilityZone,
  'availability-zone-id': (row) => row.availabilityZone,
  'available-ip-address-count': (row) => String(row.availableIpAddressCount),
  cidr: (row) => row.cidrBlock,
  'cidr-block': (row) => row.cidrBlock,
  cidrBlock: (row) => row.cidrBlock,
  'default-for-az': (row) => String(row.defaultForAz),
  defaultForAz: (row) => String(row.defaultForAz),
  'map-public-ip-on-launch': () => 'false',
  state: () => ALL,
  'subnet-id': (row) => row.subnetId,
  'vpc-id': (row) => row.vpcId,
});

const ROUTE_TABLES = listing<RouteTableView>(
  'RouteTableId',
  'InvalidRouteTableID.NotFound',
  (row) => row.routeTableId,
  {
    'association.main': (row) => row.associations.map(({ main }) => String(main)),
    'association.route-table-association-id': (row) => row.associations.map((one) => one.routeTableAssociationId),
    'association.route-table-id': (row) => row.associations.map(() => row.routeTableId),
    'association.subnet-id': (row) => row.associations.flatMap(({ subnetId }) => subnetId ?? []),
    'route-table-id': (row) => row.routeTableId,
    'route.destination-cidr-block': (row) => row.routes.map((route) => route.destinationCidrBlock),
    'route.gateway-id': (row) => row.routes.map(({ gatewayId }) => gatewayId),
    'route.nat-gateway-id': () => undefined,
    'route.origin': (row) => row.routes.map(({ origin }) => origin),
    'route.state': (row) => row.routes.map(({ state }) => state),
    'vpc-id': (row) => row.vpcId,
  },
);

const INTERNET_GATEWAYS = listing<InternetGatewayView>(
  'InternetGatewayId',
  'InvalidInternetGatewayID.NotFound',
  (row) => row.internetGatewayId,
  {
    'attachment.state': ({ vpcId }) => (vpcId === undefined ? undefined : ALL),
    'attachment.vpc-id': (row) => row.vpcId,
    'internet-gateway-id': (row) => row.internetGatewayId,
  },
);

const INTERFACES = listing<InterfaceView>(
  'NetworkInterfaceId',
  'InvalidNetworkInterfaceID.NotFound',
  (row) => row.networkInterfaceId,
  {
    'addresses.association.public-ip': (row) => row.association?.publicIp,
    'addresses.primary': () => 'true',
    'addresses.private-ip-address': (row) => row.privateIpAddress,
    'association.allocation-id': (row) => row.association?.allocationId,
    'association.association-id': (row) => row.association?.associationId,
    'association.public-ip': (row) => row.association?.publicIp,
    'attachment.attachment-id': (row) => row.attachmentId,
    'attachment.device-index': () => '0',
    'attachment.instance-id': (row) => row.instanceId,
    'attachment.instance-owner-id': (row) => row.projectId,
    'attachment.status': (row) => (row.attached ? 'attached' : 'attaching'),
    'availability-zone': (row) => row.availabilityZone,
    description: () => '',
    'group-id': (row) => row.groups.map(({ groupId }) => groupId),
    'group-name': (row) => row.groups.map(({ groupName }) => groupName),
    'interface-type': () => 'interface',
    'mac-address': (row) => row.macAddress,
    'network-interface-id': (row) => row.networkInterfaceId,
    'private-dns-name': (row) => row.privateDnsName,
    'private-ip-address': (row) => row.privateIpAddress,
    'requester-managed': () => 'false',
    'source-dest-check': () => 'true',
    status: () => 'in-use',
    'subnet-id': (row) => row.subnetId,
    'vpc-id': (row) => row.vpcId,
  },
);

const ACLS = listing<AclView>('NetworkAclId', 'InvalidNetworkAclID.NotFound', (row) => row.networkAclId, {
  'association.association-id': (row) => row.associations.map((one) => one.networkAclAssociationId),
  'association.network-acl-id': (row) => row.networkAclId,
  'association.subnet-id': (row) => row.associations.map(({ subnetId }) => subnetId),
  default: () => 'true',
  'network-acl-id': (row) => row.networkAclId,
  'vpc-id': (row) => row.vpcId,
});

const DHCP_OPTIONS = listing<DhcpView>('DhcpOptionsId', 'InvalidDhcpOptionsID.NotFound', (row) => row.dhcpOptionsId, {
  'dhcp-options-id': (row) => row.dhcpOptionsId,
  key: () => ['domain-name', 'domain-name-servers'],
  value: (row) => [row.domainName, ...row.domainNameServers],
});

/** The rows that were asked for, out of what the project has. */
function find<V>(
  context: ReadContext,
  rowsOf: (sight: Sight) => readonly V[],
  how: Listing<V>,
  asked: Asked,
): { rows: V[]; rest: { nextToken?: string; rev: number } } {
  const { store } = context.cloud;
  const all = rowsOf(sightOf(new Draft(store), context));
  const { rows, ...page } = listed(all, asked, how);
  return { rows, rest: { ...page, rev: store.rev } };
}

const vpcViews = (sight: Sight): VpcView[] =>
  vpcsOf(sight.draft, sight.cloud, sight.projectId).map((vpc) => vpcView(sight, vpc));

export const describeVpcs: ReadHandler<'DescribeVpcs'> = (context, input) => {
  const { rows: vpcs, rest } = find(context, vpcViews, VPCS, { ...input, ids: input.VpcIds });
  return { vpcs, ...rest };
};

export const describeSubnets: ReadHandler<'DescribeSubnets'> = (context, input) => {
  const { rows: subnets, rest } = find(context, subnetViews, SUBNETS, { ...input, ids: input.SubnetIds });
  return { subnets, ...rest };
};

export const describeRouteTables: ReadHandler<'DescribeRouteTables'> = (context, input) => {
  const asked = { ...input, ids: input.RouteTableIds };
  const { rows: routeTables, rest } = find(context, routeTableViews, ROUTE_TABLES, asked);
  return { routeTables, ...rest };
};

export const describeInternetGateways: ReadHandler<'DescribeInternetGateways'> = (context, input) => {
  const asked = { ...input, ids: input.InternetGatewayIds };
  const { rows: internetGateways, rest } = find(context, internetGatewayViews, INTERNET_GATEWAYS, asked);
  return { internetGateways, ...rest };
};

export const describeNetworkInterfaces: ReadHandler<'DescribeNetworkInterfaces'> = (context, input) => {
  const asked = { ...input, ids: input.NetworkInterfaceIds };
  const { rows: networkInterfaces, rest } = find(context, interfaceViews, INTERFACES, asked);
  return { networkInterfaces, ...rest };
};

export const describeNetworkAcls: ReadHandler<'DescribeNetworkAcls'> = (context, input) => {
  const { rows: networkAcls, rest } = find(context, aclViews, ACLS, { ...input, ids: input.NetworkAclIds });
  return { networkAcls, ...rest };
};

export const describeDhcpOptions: ReadHandler<'DescribeDhcpOptions'> = (context, input) => {
  const asked = { ...input, ids: input.DhcpOptionsIds };
  const { rows: dhcpOptions, rest } = find(context, dhcpViews, DHCP_OPTIONS, asked);
  return { dhcpOptions, ...rest };
};

/** What is said of an id of what there is none of. */
const ABSENT: Readonly<Record<AbsentKind, ErrorCode>> = {
  'capacity-reservation': 'InvalidCapacityReservationId.NotFound',
  'carrier-gateway': 'InvalidCarrierGatewayID.NotFound',
  'customer-gateway': 'InvalidCustomerGatewayID.NotFound',
  'dedicated-host': 'InvalidHostID.NotFound',
  'egress-only-internet-gateway': 'InvalidEgressOnlyInternetGatewayId.NotFound',
  fleet: 'InvalidFleetId.NotFound',
  'flow-log': 'InvalidFlowLogId.NotFound',
  'iam-instance-profile-association': 'InvalidAssociationID.NotFound',
  'launch-template': 'InvalidLaunchTemplateId.NotFound',
  'managed-prefix-list': 'InvalidPrefixListId.NotFound',
  'nat-gateway': 'NatGatewayNotFound',
  'placement-group': 'InvalidPlacementGroup.Unknown',
  'prefix-list': 'InvalidPrefixListId.NotFound',
  'reserved-instances': 'InvalidReservedInstancesId',
  'spot-fleet-request': 'InvalidSpotFleetRequestId.NotFound',
  'spot-instance-request': 'InvalidSpotInstanceRequestID.NotFound',
  'transit-gateway': 'InvalidTransitGatewayID.NotFound',
  'vpc-endpoint': 'InvalidVpcEndpointId.NotFound',
  'vpc-peering-connection': 'InvalidVpcPeeringConnectionID.NotFound',
  'vpn-connection': 'InvalidVpnConnectionID.NotFound',
  'vpn-gateway': 'InvalidVpnGatewayID.NotFound',
};

export const describeAbsent: ReadHandler<'DescribeAbsent'> = ({ cloud }, { Kind, Parameter = 'Ids', Ids = [] }) => {
  if (Ids.length > 0) throw notFoundById({ parameter: Parameter, notFound: ABSENT[Kind] }, Ids);
  return { rev: cloud.store.rev };
};
