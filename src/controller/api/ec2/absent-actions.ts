import type { AbsentKind } from '../../../messages/operations/network-views.ts';
import { pageParams } from './common-params.ts';
import type { Ec2Action, Ec2Actions } from './ec2-action.ts';

interface Absent {
  readonly kind: AbsentKind;
  /** The parameter that names what is asked for. */
  readonly ids: string;
  /** The element that would hold what there is. */
  readonly set: string;
  /** Another parameter that names what is asked for. */
  readonly names?: string;
  /** Parameters of the action that can't change that there is nothing. */
  readonly also?: readonly string[];
}

/**
 * What EC2 has, clients ask about, and this cloud has none of: the truthful answer is an empty list, and to an id the code that EC2 has for one that is
 * not there.
 */
const ABSENT: Readonly<Record<string, Absent>> = {
  DescribeCapacityReservations: {
    kind: 'capacity-reservation',
    ids: 'CapacityReservationId',
    set: 'capacityReservationSet',
  },
  DescribeCarrierGateways: { kind: 'carrier-gateway', ids: 'CarrierGatewayId', set: 'carrierGatewaySet' },
  DescribeCustomerGateways: { kind: 'customer-gateway', ids: 'CustomerGatewayId', set: 'customerGatewaySet' },
  DescribeEgressOnlyInternetGateways: {
    kind: 'egress-only-internet-gateway',
    ids: 'EgressOnlyInternetGatewayId',
    set: 'egressOnlyInternetGatewaySet',
  },
  DescribeFleets: { kind: 'fleet', ids: 'FleetId', set: 'fleetSet' },
  DescribeFlowLogs: { kind: 'flow-log', ids: 'FlowLogId', set: 'flowLogSet' },
  DescribeHosts: { kind: 'dedicated-host', ids: 'HostId', set: 'hostSet' },
  DescribeIamInstanceProfileAssociations: {
    kind: 'iam-instance-profile-association',
    ids: 'AssociationId',
    set: 'iamInstanceProfileAssociationSet',
  },
  DescribeLaunchTemplates: {
    kind: 'launch-template',
    ids: 'LaunchTemplateId',
    names: 'LaunchTemplateName',
    set: 'launchTemplates',
  },
  DescribeManagedPrefixLists: { kind: 'managed-prefix-list', ids: 'PrefixListId', set: 'prefixListSet' },
  DescribeNatGateways: { kind: 'nat-gateway', ids: 'NatGatewayId', set: 'natGatewaySet' },
  DescribePlacementGroups: {
    kind: 'placement-group',
    ids: 'GroupName',
    names: 'GroupId',
    set: 'placementGroupSet',
  },
  DescribePrefixLists: { kind: 'prefix-list', ids: 'PrefixListId', set: 'prefixListSet' },
  DescribeReservedInstances: {
    kind: 'reserved-instances',
    ids: 'ReservedInstancesId',
    set: 'reservedInstancesSet',
    also: ['OfferingClass', 'OfferingType'],
  },
  DescribeSpotFleetRequests: {
    kind: 'spot-fleet-request',
    ids: 'SpotFleetRequestId',
    set: 'spotFleetRequestConfigSet',
  },
  DescribeSpotInstanceRequests: {
    kind: 'spot-instance-request',
    ids: 'SpotInstanceRequestId',
    set: 'spotInstanceRequestSet',
  },
  DescribeTransitGateways: { kind: 'transit-gateway', ids: 'TransitGatewayIds', set: 'transitGatewaySet' },
  DescribeVpcEndpoints: { kind: 'vpc-endpoint', ids: 'VpcEndpointId', set: 'vpcEndpointSet' },
  DescribeVpcPeeringConnections: {
    kind: 'vpc-peering-connection',
    ids: 'VpcPeeringConnectionId',
    set: 'vpcPeeringConnectionSet',
  },
  DescribeVpnConnections: { kind: 'vpn-connection', ids: 'VpnConnectionId', set: 'vpnConnectionSet' },
  DescribeVpnGateways: { kind: 'vpn-gateway', ids: 'VpnGatewayId', set: 'vpnGatewaySet' },
};

function absentAction({ kind, ids, names = '', set, also = [] }: Absent): Ec2Action {
  return async ({ params, run }) => {
    // Whatever they say, nothing passes them.
    pageParams(params);
    for (const name of also) params.text(name);
    const named = names === '' ? [] : (params.list(names) ?? []);
    await run('DescribeAbsent', { Kind: kind, Parameter: ids, Ids: [...(params.list(ids) ?? []), ...named] });
    return { [set]: [] };
  };
}

export const absentActions: Ec2Actions = Object.fromEntries(
  Object.entries(ABSENT).map(([name, absent]) => [name, absentAction(absent)]),
);
