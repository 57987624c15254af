import { askedPage } from './actions/security-groups.ts';
import { tagSpecifications } from './common-params.ts';
import type { Ec2Action, Ec2Actions, Ec2Call } from './ec2-action.ts';
import { given } from './group-trees.ts';
import { routeTableTree } from './network-trees.ts';
import { refuseAny } from './vpc-actions.ts';

/** Where EC2's routes may lead beside an internet gateway. */
const OTHER_TARGETS = [
  'CarrierGatewayId',
  'CoreNetworkArn',
  'EgressOnlyInternetGatewayId',
  'InstanceId',
  'LocalGatewayId',
  'LocalTarget',
  'NatGatewayId',
  'NetworkInterfaceId',
  'OdbNetworkArn',
  'TransitGatewayId',
  'VpcEndpointId',
  'VpcPeeringConnectionId',
];
const OTHER_DESTINATIONS = ['DestinationIpv6CidrBlock', 'DestinationPrefixListId'];

function destination({ params }: Ec2Call): { RouteTableId: string; DestinationCidrBlock: string } {
  refuseAny(params, OTHER_DESTINATIONS, 'routes but to IPv4 networks');
  return { RouteTableId: params.need('RouteTableId'), DestinationCidrBlock: params.need('DestinationCidrBlock') };
}

const route =
  (name: 'CreateRoute' | 'ReplaceRoute'): Ec2Action =>
  async (call) => {
    refuseAny(call.params, OTHER_TARGETS, 'routes but by internet gateways');
    await call.run(name, { ...destination(call), GatewayId: call.params.need('GatewayId') });
    return { return: true };
  };

const changeGateway =
  (name: 'AttachInternetGateway' | 'DetachInternetGateway'): Ec2Action =>
  async ({ params, run }) => {
    await run(name, { InternetGatewayId: params.need('InternetGatewayId'), VpcId: params.need('VpcId') });
    return { return: true };
  };

export const routeActions: Ec2Actions = {
  AttachInternetGateway: changeGateway('AttachInternetGateway'),
  DetachInternetGateway: changeGateway('DetachInternetGateway'),
  CreateRouteTable: async (call) => {
    const { params } = call;
    const Tags = tagSpecifications(params)['route-table'];
    const { routeTable } = await call.run('CreateRouteTable', { VpcId: params.need('VpcId'), ...given({ Tags }) });
    return { routeTable: routeTableTree(call, routeTable) };
  },
  DeleteRouteTable: async ({ params, run }) => {
    await run('DeleteRouteTable', { RouteTableId: params.need('RouteTableId') });
    return { return: true };
  },
  DescribeRouteTables: async (call) => {
    const { routeTables, nextToken } = await call.run('DescribeRouteTables', {
      ...given({ RouteTableIds: call.params.list('RouteTableId') }),
      ...askedPage(call),
    });
    return { routeTableSet: routeTables.map((table) => routeTableTree(call, table)), nextToken };
  },
  AssociateRouteTable: async ({ params, run }) => {
    refuseAny(params, ['GatewayId', 'PublicIpv4Pool'], 'route tables of gateways');
    const { associationId } = await run('AssociateRouteTable', {
      RouteTableId: params.need('RouteTableId'),
      SubnetId: params.need('SubnetId'),
    });
    return { associationId, associationState: { state: 'associated' } };
  },
  DisassociateRouteTable: async ({ params, run }) => {
    await run('DisassociateRouteTable', { AssociationId: params.need('AssociationId') });
    return { return: true };
  },
  ReplaceRouteTableAssociation: async ({ params, run }) => {
    const { associationId } = await run('ReplaceRouteTableAssociation', {
      AssociationId: params.need('AssociationId'),
      RouteTableId: params.need('RouteTableId'),
    });
    return { newAssociationId: associationId, associationState: { state: 'associated' } };
  },
  CreateRoute: route('CreateRoute'),
  ReplaceRoute: route('ReplaceRoute'),
  DeleteRoute: async (call) => {
    await call.run('DeleteRoute', destination(call));
    return { return: true };
  },
};
