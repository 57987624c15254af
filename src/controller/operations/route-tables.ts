import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { needCapability } from '../../domain/capabilities.ts';
import { ipv4Network } from '../../domain/group-rules.ts';
import {
  ROUTE_TABLES_PER_VPC,
  ROUTES_PER_TABLE,
  type VpcRecord,
  type VpcRoute,
  type VpcRouteTable,
} from '../../domain/vpcs.ts';
import { gatewayOf } from '../networks/internet-gateways.ts';
import { mainAssociation, routeTableView } from '../networks/vpc-views.ts';
import { noSubnet, routeTableOf, vpcsOf } from '../networks/vpcs.ts';
import type { Draft } from '../state/draft.ts';
import { dropTags, putTags } from '../tags/resource-tags.ts';
import type { ChangeContext, ChangeHandler } from './handler.ts';
import { badParameter } from './handler.ts';
import { changeableVpc, keepChanged } from './vpcs.ts';

export const createRouteTable: ChangeHandler<'CreateRouteTable'> = {
  decide(draft, input, context) {
    const { cloud, operationId, principal } = context;
    const { projectId } = principal;
    const vpc = changeableVpc(draft, context, input.VpcId, 'CreateRouteTable');
    if (vpc.routeTables.length >= ROUTE_TABLES_PER_VPC) {
      throw new CloudError('RouteTableLimitExceeded', `VpcId: a VPC may have ${ROUTE_TABLES_PER_VPC} route tables`);
    }
    const table: VpcRouteTable = { id: newId('routeTable', cloud.random), routes: [], associations: [] };
    const changed = { ...vpc, routeTables: [...vpc.routeTables, table] };
    keepChanged(draft, context, changed);
    putTags(draft, { projectId, resourceId: table.id, kind: 'route-table' }, input.Tags ?? {});
    return {
      output: { routeTable: routeTableView({ draft, cloud, projectId }, changed, table), operationId },
      targets: [table.id],
    };
  },
};

export const deleteRouteTable: ChangeHandler<'DeleteRouteTable'> = {
  decide(draft, input, context) {
    const { vpc, table } = changeableTable(draft, context, input.RouteTableId, 'DeleteRouteTable');
    const [inUse] = table.associations;
    if (table.isMain === true || inUse !== undefined) {
      const why = inUse === undefined ? `the main one of ${vpc.id}` : `that of ${inUse.subnetId}`;
      throw new CloudError('DependencyViolation', `RouteTableId: ${table.id} is ${why}`, {
        details: { parameter: 'RouteTableId' },
      });
    }
    keepChanged(draft, context, { ...vpc, routeTables: vpc.routeTables.filter(({ id }) => id !== table.id) });
    dropTags(draft, table.id);
    return { output: { operationId: context.operationId }, targets: [table.id] };
  },
};

function changeableTable(draft: Draft, { cloud, principal }: ChangeContext, id: string, operation: string) {
  needCapability(cloud.policy.capabilities, 'networks', operation);
  return routeTableOf(draft, { cloud, projectId: principal.projectId }, id);
}

/** The VPC with one of its tables changed. */
function withTable(vpc: VpcRecord, table: VpcRouteTable): VpcRecord {
  return { ...vpc, routeTables: vpc.routeTables.map((one) => (one.id === table.id ? table : one)) };
}

export const associateRouteTable: ChangeHandler<'AssociateRouteTable'> = {
  decide(draft, { RouteTableId, SubnetId }, context) {
    const { cloud, operationId } = context;
    const { vpc, table } = changeableTable(draft, context, RouteTableId, 'AssociateRouteTable');
    if (!vpc.subnets.some(({ id }) => id === SubnetId)) throw noSubnet(`${vpc.projectId}, in ${vpc.id}`, SubnetId);
    const taken = vpc.routeTables.find((one) => one.associations.some(({ subnetId }) => subnetId === SubnetId));
    const known = taken?.associations.find(({ subnetId }) => subnetId === SubnetId);
    if (known !== undefined && taken?.id === table.id) {
      return { output: { associationId: known.id, operationId }, targets: [table.id] };
    }
    if (taken !== undefined) {
      throw new CloudError(
        'Resource.AlreadyAssociated',
        `SubnetId: ${SubnetId} has ${taken.id}; disassociate that first`,
        {
          details: { parameter: 'SubnetId' },
        },
      );
    }
    const association = { id: newId('routeTableAssociation', cloud.random), subnetId: SubnetId };
    keepChanged(draft, context, withTable(vpc, { ...table, associations: [...table.associations, association] }));
    return { output: { associationId: association.id, operationId }, targets: [table.id, SubnetId] };
  },
};

/** The table that an association is of; `subnetId` is absent for what makes a table the main one. */
function associationOf(
  draft: Draft,
  { cloud, principal }: ChangeContext,
  associationId: string,
): { tableId: string; subnetId?: string } {
  for (const vpc of vpcsOf(draft, cloud, principal.projectId)) {
    for (const table of vpc.routeTables) {
      const found = table.associations.find(({ id }) => id === associationId);
      if (found !== undefined) return { tableId: table.id, subnetId: found.subnetId };
      if (table.isMain === true && mainAssociation(vpc, table) === associationId) return { tableId: table.id };
    }
  }
  throw new CloudError('InvalidAssociationID.NotFound', `AssociationId: there is no association ${associationId}`, {
    details: { parameter: 'AssociationId' },
  });
}

function withoutAssociation(table: VpcRouteTable, associationId: string): VpcRouteTable {
  return { ...table, associations: table.associations.filter(({ id }) => id !== associationId) };
}

export const disassociateRouteTable: ChangeHandler<'DisassociateRouteTable'> = {
  decide(draft, { AssociationId }, context) {
    needCapability(context.cloud.policy.capabilities, 'networks', 'DisassociateRouteTable');
    const { tableId, subnetId } = associationOf(draft, context, AssociationId);
    if (subnetId === undefined) {
      throw badParameter('AssociationId', `${AssociationId} makes ${tableId} the main route table; replace it instead`);
    }
    const { vpc, table } = changeableTable(draft, context, tableId, 'DisassociateRouteTable');
    keepChanged(draft, context, withTable(vpc, withoutAssociation(table, AssociationId)));
    return { output: { operationId: context.operationId }, targets: [tableId, subnetId] };
  },
};

export const replaceRouteTableAssociation: ChangeHandler<'ReplaceRouteTableAssociation'> = {
  decide(draft, { AssociationId, RouteTableId }, context) {
    const { cloud, operationId } = context;
    const { vpc, table } = changeableTable(draft, context, RouteTableId, 'ReplaceRouteTableAssociation');
    const { tableId, subnetId } = associationOf(draft, context, AssociationId);
    if (!vpc.routeTables.some(({ id }) => id === tableId)) {
      throw badParameter('RouteTableId', `${table.id} is of another VPC than ${tableId}`);
    }
    const association = { id: newId('routeTableAssociation', cloud.random) };
    const routeTables = vpc.routeTables.map((one): VpcRouteTable => {
      if (subnetId === undefined) {
        const { isMain: _, ...plain } = one;
        return one.id === table.id ? { ...plain, isMain: true } : plain;
      }
      const left = withoutAssociation(one, AssociationId);
      return one.id === table.id
        ? { ...left, associations: [...left.associations, { ...association, subnetId }] }
        : left;
    });
    keepChanged(draft, context, { ...vpc, routeTables });
    const associationId = subnetId === undefined ? mainAssociation(vpc, table) : association.id;
    return { output: { associationId, operationId }, targets: [table.id] };
  },
};

/** Whether a table's routes may have one to a destination: what of the VPC itself is routed can't be changed. */
function refuseLocal(vpc: VpcRecord, cidr: string): void {
  if (cidr !== vpc.cidr) return;
  throw badParameter('DestinationCidrBlock', `${cidr} is ${vpc.id} itself, whose route is always "local"`);
}

function routeTo({ routes, id }: VpcRouteTable, cidr: string): VpcRoute {
  const found = routes.find((route) => route.cidr === cidr);
  if (found !== undefined) return found;
  throw new CloudError('InvalidRoute.NotFound', `DestinationCidrBlock: ${id} has no route to ${cidr}`, {
    details: { parameter: 'DestinationCidrBlock' },
  });
}

/** A gateway that is attached to the table's VPC. */
function usableGateway(draft: Draft, { cloud }: ChangeContext, vpc: VpcRecord, gatewayId: string): string {
  const gateway = gatewayOf(draft, cloud, vpc.projectId, gatewayId);
  if (gateway.vpcId === vpc.id) return gateway.id;
  throw badParameter('GatewayId', `${gateway.id} is not attached to ${vpc.id}; attach it first`);
}

export const createRoute: ChangeHandler<'CreateRoute'> = {
  decide(draft, input, context) {
    const { vpc, table } = changeableTable(draft, context, input.RouteTableId, 'CreateRoute');
    const cidr = ipv4Network(input.DestinationCidrBlock);
    refuseLocal(vpc, cidr);
    const gatewayId = usableGateway(draft, context, vpc, input.GatewayId);
    const known = table.routes.find((route) => route.cidr === cidr);
    if (known !== undefined && known.gatewayId !== gatewayId) {
      throw new CloudError(
        'RouteAlreadyExists',
        `DestinationCidrBlock: ${table.id} has a route to ${cidr}; replace it`,
        {
          details: { parameter: 'DestinationCidrBlock' },
        },
      );
    }
    if (table.routes.length >= ROUTES_PER_TABLE) {
      throw new CloudError('RouteLimitExceeded', `RouteTableId: a table may have ${ROUTES_PER_TABLE} routes`);
    }
    const routes = known === undefined ? [...table.routes, { cidr, gatewayId }] : table.routes;
    keepChanged(draft, context, withTable(vpc, { ...table, routes }));
    return { output: { operationId: context.operationId }, targets: [table.id] };
  },
};

export const replaceRoute: ChangeHandler<'ReplaceRoute'> = {
  decide(draft, input, context) {
    const { vpc, table } = changeableTable(draft, context, input.RouteTableId, 'ReplaceRoute');
    const { cidr } = routeTo(table, ipv4Network(input.DestinationCidrBlock));
    const gatewayId = usableGateway(draft, context, vpc, input.GatewayId);
    const routes = table.routes.map((route) => (route.cidr === cidr ? { cidr, gatewayId } : route));
    keepChanged(draft, context, withTable(vpc, { ...table, routes }));
    return { output: { operationId: context.operationId }, targets: [table.id] };
  },
};

export const deleteRoute: ChangeHandler<'DeleteRoute'> = {
  decide(draft, input, context) {
    const { vpc, table } = changeableTable(draft, context, input.RouteTableId, 'DeleteRoute');
    const { cidr } = routeTo(table, ipv4Network(input.DestinationCidrBlock));
    const routes = table.routes.filter((route) => route.cidr !== cidr);
    keepChanged(draft, context, withTable(vpc, { ...table, routes }));
    return { output: { operationId: context.operationId }, targets: [table.id] };
  },
};
