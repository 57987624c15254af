import { ID_PREFIX } from '../../base/ids.ts';
import { privateDnsName } from '../../domain/addressing.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { NetworkRecord } from '../../domain/records.ts';
import { interfaceId, networkIdOf, partId } from '../../domain/vpc-ids.ts';
import { tieId, type VpcRecord, type VpcRouteTable, type VpcSubnet } from '../../domain/vpcs.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ReadContext } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import { tagsIn } from './group-views.ts';
import { gatewaysOf } from './internet-gateways.ts';
import { addressRoom } from './project-network.ts';
import { publicAddressOf } from './public-address-of.ts';
import { groupsOfInstance } from './security-groups.ts';
import { firstVpc, type NetworkCloud, vpcIdOf, vpcsOf } from './vpcs.ts';

export type VpcView = OperationOutput<'DescribeVpcs'>['vpcs'][number];
export type SubnetView = OperationOutput<'DescribeSubnets'>['subnets'][number];
export type RouteTableView = OperationOutput<'DescribeRouteTables'>['routeTables'][number];
export type InternetGatewayView = OperationOutput<'DescribeInternetGateways'>['internetGateways'][number];
export type InterfaceView = OperationOutput<'DescribeNetworkInterfaces'>['networkInterfaces'][number];
export type AclView = OperationOutput<'DescribeNetworkAcls'>['networkAcls'][number];
export type DhcpView = OperationOutput<'DescribeDhcpOptions'>['dhcpOptions'][number];

/** What describing looks at, and whose. */
export interface Sight {
  readonly draft: Draft;
  readonly cloud: NetworkCloud;
  readonly projectId: string;
  /** Of subnets that were made for none: those of the region, the first of which is meant. */
  readonly zones?: readonly string[] | undefined;
}

/** What a request looks at. */
export function sightOf(draft: Draft, { cloud, principal }: Pick<ReadContext, 'cloud' | 'principal'>): Sight {
  return { draft, cloud, projectId: principal.projectId, zones: principal.zones };
}

function zoneOf({ cloud, zones }: Sight, { zone }: VpcSubnet): string {
  const { zone: own } = cloud.policy;
  return zone ?? (zones === undefined || zones.includes(own) ? own : (zones[0] ?? own));
}

export function vpcView({ draft, cloud, projectId }: Sight, vpc: VpcRecord): VpcView {
  return {
    vpcId: vpc.id,
    cidrBlock: vpc.cidr,
    isDefault: vpc.isDefault === true,
    dhcpOptionsId: dhcpOptionsId({ draft, cloud, projectId }, vpc),
    projectId,
    tags: tagsIn(draft, vpc.id),
  };
}

/** All networks of a cloud tell their guests the same, so a project has one set of options. */
function dhcpOptionsId({ draft, cloud, projectId }: Sight, vpc: VpcRecord): string {
  return partId((firstVpc(draft, cloud, projectId) ?? vpc).id, 'dhcpOptions');
}

export function subnetViews(sight: Sight): SubnetView[] {
  return vpcsOf(sight.draft, sight.cloud, sight.projectId).flatMap((vpc) =>
    vpc.subnets.map((subnet) => subnetView(sight, vpc, subnet)),
  );
}

export function subnetView(sight: Sight, vpc: VpcRecord, subnet: VpcSubnet): SubnetView {
  const { draft, projectId } = sight;
  const networkId = networkIdOf(subnet.id);
  return {
    subnetId: subnet.id,
    vpcId: vpc.id,
    networkId,
    cidrBlock: subnet.cidr,
    availabilityZone: zoneOf(sight, subnet),
    availableIpAddressCount: addressRoom(subnet.cidr) - draft.replica.count(KEYS.address(networkId, '')),
    defaultForAz: vpc.isDefault === true,
    projectId,
    tags: tagsIn(draft, subnet.id),
  };
}

export function routeTableViews(sight: Sight): RouteTableView[] {
  return vpcsOf(sight.draft, sight.cloud, sight.projectId).flatMap((vpc) =>
    vpc.routeTables.map((table) => routeTableView(sight, vpc, table)),
  );
}

export function routeTableView({ draft, projectId }: Sight, vpc: VpcRecord, table: VpcRouteTable): RouteTableView {
  const main = { routeTableAssociationId: mainAssociation(vpc, table), main: true };
  return {
    routeTableId: table.id,
    vpcId: vpc.id,
    routes: [
      { destinationCidrBlock: vpc.cidr, gatewayId: 'local', state: 'active', origin: 'CreateRouteTable' },
      ...table.routes.map(({ cidr, gatewayId }) => ({
        destinationCidrBlock: cidr,
        gatewayId,
        state: vpc.internetGatewayId === gatewayId ? ('active' as const) : ('blackhole' as const),
        origin: 'CreateRoute' as const,
      })),
    ],
    associations: [
      ...(table.isMain === true ? [main] : []),
      ...table.associations.map(({ id, subnetId }) => ({ routeTableAssociationId: id, main: false, subnetId })),
    ],
    projectId,
    tags: tagsIn(draft, table.id),
  };
}

/** What makes a table the main one of its VPC has an id too. */
export function mainAssociation(vpc: VpcRecord, table: VpcRouteTable): string {
  return tieId(ID_PREFIX.routeTableAssociation, vpc.id, table.id);
}

export function internetGatewayViews({ draft, cloud, projectId }: Sight): InternetGatewayView[] {
  return gatewaysOf(draft, cloud, projectId).map(({ id, vpcId }) => ({
    internetGatewayId: id,
    ...(vpcId === undefined ? {} : { vpcId }),
    projectId,
    tags: tagsIn(draft, id),
  }));
}

export function aclViews({ draft, cloud, projectId }: Sight): AclView[] {
  return vpcsOf(draft, cloud, projectId).map((vpc) => {
    const networkAclId = partId(vpc.id, 'networkAcl');
    return {
      networkAclId,
      vpcId: vpc.id,
      associations: vpc.subnets.map((subnet) => ({
        networkAclAssociationId: tieId(ID_PREFIX.networkAclAssociation, networkAclId, subnet.id),
        subnetId: subnet.id,
      })),
      projectId,
      tags: tagsIn(draft, networkAclId),
    };
  });
}

export function dhcpViews(sight: Sight): DhcpView[] {
  const { draft, cloud, projectId } = sight;
  const [vpc] = vpcsOf(draft, cloud, projectId);
  if (vpc === undefined) return [];
  const id = dhcpOptionsId(sight, vpc);
  return [
    {
      dhcpOptionsId: id,
      domainName: cloud.policy.domain,
      // EC2's word for the network's own resolver, which is what guests are told.
      domainNameServers: ['AmazonProvidedDNS'],
      projectId,
      tags: tagsIn(draft, id),
    },
  ];
}

/** Each instance has one, from its beginning to its end. */
export function interfaceViews({ draft, cloud, projectId }: Sight): InterfaceView[] {
  const { replica } = draft;
  return replica
    .range<InstanceRecord>(PREFIX.instance)
    .filter(({ value }) => value.projectId === projectId && value.state !== 'terminated')
    .map(({ value }) => {
      const { id, nic } = value;
      const networkInterfaceId = interfaceId(id);
      const association = publicAddressOf(replica, id);
      return {
        networkInterfaceId,
        instanceId: id,
        attachmentId: tieId('eni-attach', networkInterfaceId, id),
        attachTimeMs: value.createdAtMs,
        attached: value.state !== 'pending',
        subnetId: partId(nic.networkId, 'subnet'),
        vpcId: vpcIdOf((key) => replica.get<NetworkRecord>(key)?.value as never, projectId, nic.networkId),
        availabilityZone: value.zone,
        macAddress: nic.mac,
        privateIpAddress: nic.address,
        privateDnsName: privateDnsName(nic.address, cloud.policy.domain),
        ...(association === undefined ? {} : { association }),
        groups: groupsOfInstance(replica, cloud, value),
        projectId,
        tags: tagsIn(draft, networkInterfaceId),
      };
    });
}
