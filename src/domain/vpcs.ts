import { ID_PREFIX, sha256Hex } from '../base/ids.ts';
import type { NetworkRecord } from './records.ts';
import { partId } from './vpc-ids.ts';

/** A subnet of a VPC: a network of its own (`NetworkRecord`, with the same hex digits in its id). */
export interface VpcSubnet {
  readonly id: string;
  readonly cidr: string;
  /** Absent: that of the project's region. */
  readonly zone?: string;
}

/** Where a route leads: to an internet gateway. `local` routes are not stored: each table has that of its VPC. */
export interface VpcRoute {
  readonly cidr: string;
  readonly gatewayId: string;
}

export interface VpcRouteTable {
  readonly id: string;
  readonly isMain?: true;
  readonly routes: readonly VpcRoute[];
  /** Subnets that were given this table; the others have the main one. */
  readonly associations: readonly { readonly id: string; readonly subnetId: string }[];
}

/**
 * A VPC with what belongs to it, in one record, so that whatever is changed in it is checked against the rest of it. That of a project's first
 * network is made with its first change; until then it is `defaultVpc`.
 */
export interface VpcRecord {
  readonly v: 1;
  readonly id: string;
  readonly projectId: string;
  readonly cidr: string;
  readonly isDefault?: true;
  readonly subnets: readonly VpcSubnet[];
  readonly routeTables: readonly VpcRouteTable[];
  readonly internetGatewayId?: string;
  readonly createdAtMs: number;
}

export interface InternetGatewayRecord {
  readonly v: 1;
  readonly id: string;
  readonly projectId: string;
  /** Attached to it. */
  readonly vpcId?: string;
  readonly createdAtMs: number;
}

export const SUBNETS_PER_VPC = 100;
export const ROUTE_TABLES_PER_VPC = 50;
export const ROUTES_PER_TABLE = 50;
export const VPCS_PER_PROJECT = 20;
export const INTERNET_GATEWAYS_PER_PROJECT = 20;
export const ANYWHERE = '0.0.0.0/0';

/** The id of the first network of a project: the same before it is made as after, so that clients may be told of it before anybody needs it. */
export function firstNetworkId(cloudId: string, projectId: string): string {
  return `${ID_PREFIX.network}-${sha256Hex(`${cloudId}/${projectId}`).slice(0, 17)}`;
}

/** As much of a project's first network as is known before it is made. */
export type FirstNetwork = Pick<NetworkRecord, 'id' | 'projectId' | 'cidr' | 'gateway' | 'createdAtMs'>;

/** The VPC that a project's first network is, as it is before anybody changed it: one subnet, one route table, a way out. */
export function defaultVpc(network: FirstNetwork): VpcRecord {
  const { id, projectId, cidr, createdAtMs } = network;
  const internetGatewayId = partId(id, 'internetGateway');
  return {
    v: 1,
    id: partId(id, 'vpc'),
    projectId,
    cidr,
    isDefault: true,
    subnets: [{ id: partId(id, 'subnet'), cidr }],
    routeTables: [
      {
        id: partId(id, 'routeTable'),
        isMain: true,
        routes: [{ cidr: ANYWHERE, gatewayId: internetGatewayId }],
        associations: [],
      },
    ],
    internetGatewayId,
    createdAtMs,
  };
}

/** The id of what ties a part of a VPC to another (`rtbassoc-`, `aclassoc-`, `vpc-cidr-assoc-`), where it is not stored. */
export function tieId(prefix: string, ...ids: readonly string[]): string {
  return `${prefix}-${sha256Hex(ids.join('/')).slice(0, 17)}`;
}
