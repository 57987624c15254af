import { CloudError } from '../../../base/errors.ts';
import type { Ec2Actions } from './ec2-action.ts';

/**
 * Actions of EC2's networks that clients know and this cloud never carries out, by the reason that they are told. Nothing is stored for them: the
 * answer is UnsupportedOperation, where an action that nobody here has heard of is InvalidAction.
 */
const REFUSED: readonly { readonly why: string; readonly actions: readonly string[] }[] = [
  {
    why: 'each instance has the one interface and the one private address that it began with',
    actions: [
      'AssignPrivateIpAddresses',
      'AttachNetworkInterface',
      'CreateNetworkInterface',
      'DeleteNetworkInterface',
      'DetachNetworkInterface',
      'ResetNetworkInterfaceAttribute',
      'UnassignPrivateIpAddresses',
    ],
  },
  {
    why: 'no instance type here has CPU credits',
    actions: ['DescribeInstanceCreditSpecifications', 'ModifyInstanceCreditSpecification'],
  },
  {
    why: 'networks are of IPv4 alone, with one range of addresses each',
    actions: [
      'AssignIpv6Addresses',
      'AssociateSubnetCidrBlock',
      'AssociateVpcCidrBlock',
      'CreateEgressOnlyInternetGateway',
      'DeleteEgressOnlyInternetGateway',
      'DisassociateSubnetCidrBlock',
      'DisassociateVpcCidrBlock',
      'UnassignIpv6Addresses',
    ],
  },
  {
    why: 'each VPC has one network ACL, which lets all through; use security groups',
    actions: [
      'CreateNetworkAcl',
      'CreateNetworkAclEntry',
      'DeleteNetworkAcl',
      'DeleteNetworkAclEntry',
      'ReplaceNetworkAclAssociation',
      'ReplaceNetworkAclEntry',
    ],
  },
  {
    why: 'what instances are told by DHCP is one setting of the whole cloud (network.dns, network.domain)',
    actions: ['AssociateDhcpOptions', 'CreateDhcpOptions', 'DeleteDhcpOptions'],
  },
  {
    why: 'instances reach the outside by their host, so there are no NAT gateways to make',
    actions: ['CreateNatGateway', 'DeleteNatGateway'],
  },
  {
    why: "there are no ways between VPCs, nor to others' networks",
    actions: [
      'AcceptVpcPeeringConnection',
      'AttachVpnGateway',
      'CreateCustomerGateway',
      'CreateTransitGateway',
      'CreateTransitGatewayVpcAttachment',
      'CreateVpcEndpoint',
      'CreateVpcPeeringConnection',
      'CreateVpnConnection',
      'CreateVpnGateway',
      'DeleteCustomerGateway',
      'DeleteVpcEndpoints',
      'DeleteVpcPeeringConnection',
      'DeleteVpnConnection',
      'DeleteVpnGateway',
      'DetachVpnGateway',
      'EnableVgwRoutePropagation',
      'ModifyVpcEndpoint',
    ],
  },
  {
    why: 'traffic is not recorded',
    actions: ['CreateFlowLogs', 'DeleteFlowLogs'],
  },
  {
    why: 'rules and routes name networks; there are no prefix lists',
    actions: ['CreateManagedPrefixList', 'DeleteManagedPrefixList', 'ModifyManagedPrefixList'],
  },
  {
    why: "placement is the scheduler's, and there is no market of instances",
    actions: [
      'AllocateHosts',
      'CancelSpotInstanceRequests',
      'CreateCapacityReservation',
      'CreateFleet',
      'CreateLaunchTemplate',
      'CreateLaunchTemplateVersion',
      'CreatePlacementGroup',
      'DeleteLaunchTemplate',
      'DeletePlacementGroup',
      'PurchaseReservedInstancesOffering',
      'ReleaseHosts',
      'RequestSpotFleet',
      'RequestSpotInstances',
    ],
  },
  {
    why: 'there are VPCs alone, as in EC2 since EC2-Classic ended',
    actions: ['AttachClassicLinkVpc', 'DetachClassicLinkVpc', 'DisableVpcClassicLink', 'EnableVpcClassicLink'],
  },
];

export const REFUSED_ACTIONS: Ec2Actions = Object.fromEntries(
  REFUSED.flatMap(({ why, actions }) =>
    actions.map((name) => [name, () => Promise.reject(new CloudError('UnsupportedOperation', `${name}: ${why}`))]),
  ),
);
