import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Name, Tags } from './fields.ts';
import { InternetGatewayView, PartId, RouteTableView, SubnetView, VpcView } from './network-views.ts';

const Cidr = z.string().min(1).max(64);
const done = { operationId: z.string() };

const change = <N extends string, I extends z.ZodRawShape, O extends z.ZodRawShape>(
  name: N,
  summary: string,
  input: I,
  output: O,
) =>
  defineOperation({
    name,
    summary,
    kind: 'unary',
    changes: true,
    access: 'netadmin',
    input: z.strictObject(input),
    output: z.object({ ...output, ...done }),
  });

export const CreateVpc = change(
  'CreateVpc',
  'make a VPC, in which subnets can be made',
  { CidrBlock: Cidr, Tags: Tags.optional() },
  { vpc: VpcView },
);

export const CreateDefaultVpc = change(
  'CreateDefaultVpc',
  "make the project's first network, which is otherwise made by its first instance",
  {},
  { vpc: VpcView },
);

export const DeleteVpc = change(
  'DeleteVpc',
  'delete a VPC; refused while something is in it',
  { VpcId: PartId },
  { vpcId: z.string() },
);

/** What is so already succeeds; whatever else is refused, since networks have it one way only. */
export const ModifyVpcAttribute = change(
  'ModifyVpcAttribute',
  'ask for what a VPC does already',
  {
    VpcId: PartId,
    EnableDnsSupport: z.boolean().optional(),
    EnableDnsHostnames: z.boolean().optional(),
    EnableNetworkAddressUsageMetrics: z.boolean().optional(),
  },
  {},
);

export const CreateSubnet = change(
  'CreateSubnet',
  "make a subnet in a VPC's range",
  { VpcId: PartId, CidrBlock: Cidr, AvailabilityZone: Name.optional(), Tags: Tags.optional() },
  { subnet: SubnetView },
);

export const DeleteSubnet = change(
  'DeleteSubnet',
  'delete a subnet; refused while an instance is in it',
  { SubnetId: PartId },
  { subnetId: z.string() },
);

/** As ModifyVpcAttribute. */
export const ModifySubnetAttribute = change(
  'ModifySubnetAttribute',
  'ask for what a subnet does already',
  {
    SubnetId: PartId,
    MapPublicIpOnLaunch: z.boolean().optional(),
    AssignIpv6AddressOnCreation: z.boolean().optional(),
  },
  {},
);

export const CreateInternetGateway = change(
  'CreateInternetGateway',
  'make an internet gateway',
  { Tags: Tags.optional() },
  { internetGateway: InternetGatewayView },
);

export const DeleteInternetGateway = change(
  'DeleteInternetGateway',
  'delete an internet gateway that is attached to no VPC',
  { InternetGatewayId: PartId },
  {},
);

const gatewayAndVpc = { InternetGatewayId: PartId, VpcId: PartId };

export const AttachInternetGateway = change(
  'AttachInternetGateway',
  'attach an internet gateway to a VPC',
  gatewayAndVpc,
  {},
);

export const DetachInternetGateway = change(
  'DetachInternetGateway',
  'detach an internet gateway from its VPC',
  gatewayAndVpc,
  {},
);

export const CreateRouteTable = change(
  'CreateRouteTable',
  'make a route table in a VPC',
  { VpcId: PartId, Tags: Tags.optional() },
  { routeTable: RouteTableView },
);

export const DeleteRouteTable = change(
  'DeleteRouteTable',
  'delete a route table that no subnet has',
  { RouteTableId: PartId },
  {},
);

export const AssociateRouteTable = change(
  'AssociateRouteTable',
  'give a subnet a route table of its VPC',
  { RouteTableId: PartId, SubnetId: PartId },
  { associationId: z.string() },
);

export const ReplaceRouteTableAssociation = change(
  'ReplaceRouteTableAssociation',
  'give a subnet another route table, or make another one the main one',
  { AssociationId: PartId, RouteTableId: PartId },
  { associationId: z.string() },
);

export const DisassociateRouteTable = change(
  'DisassociateRouteTable',
  'give a subnet the main route table again',
  { AssociationId: PartId },
  {},
);

const route = {
  RouteTableId: PartId,
  DestinationCidrBlock: Cidr,
  GatewayId: PartId,
};

export const CreateRoute = change('CreateRoute', 'add a route by an internet gateway', route, {});
export const ReplaceRoute = change('ReplaceRoute', 'lead a route elsewhere', route, {});
export const DeleteRoute = change(
  'DeleteRoute',
  'take a route away',
  { RouteTableId: PartId, DestinationCidrBlock: Cidr },
  {},
);
