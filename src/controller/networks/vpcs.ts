import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { NetworkRecord } from '../../domain/records.ts';
import { networkIdOf, partId } from '../../domain/vpc-ids.ts';
import { defaultVpc, type VpcRecord, type VpcRouteTable, type VpcSubnet } from '../../domain/vpcs.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Draft } from '../state/draft.ts';
import { ensureProjectNetwork, firstNetwork } from './project-network.ts';

/** What of the cloud the networks' parts need; the controller's context is one. */
export type NetworkCloud = Pick<ControllerContext, 'cloudId' | 'policy' | 'random'>;

/** The VPCs of a project, its default one first. The range is not guarded. */
export function vpcsOf(draft: Draft, cloud: NetworkCloud, projectId: string): VpcRecord[] {
  const stored = draft.replica
    .range<VpcRecord>(`${PREFIX.vpc}${projectId}/`)
    .flatMap(({ key }) => draft.peek<VpcRecord>(key) ?? []);
  const first = firstVpc(draft, cloud, projectId);
  return first === undefined ? stored : [first, ...stored.filter(({ id }) => id !== first.id)];
}

/** The project's default VPC: its first network, also where that is not made yet. Undefined: no subnet is left for it. */
export function firstVpc(draft: Draft, cloud: NetworkCloud, projectId: string): VpcRecord | undefined {
  const network = firstNetwork(draft, projectId, cloud);
  if (network === undefined) return undefined;
  const derived = defaultVpc(network);
  return draft.get<VpcRecord>(KEYS.vpc(projectId, derived.id)) ?? derived;
}

/** Errors: 'InvalidVpcID.NotFound'. */
export function vpcOf(draft: Draft, cloud: NetworkCloud, projectId: string, vpcId: string): VpcRecord {
  const stored = draft.get<VpcRecord>(KEYS.vpc(projectId, vpcId));
  if (stored !== undefined) return stored;
  const first = firstVpc(draft, cloud, projectId);
  if (first?.id === vpcId) return first;
  throw new CloudError('InvalidVpcID.NotFound', `VpcId: there is no VPC ${vpcId} in project ${projectId}`, {
    details: { parameter: 'VpcId' },
  });
}

/** Writes the VPC, and makes the project's first network if it is that and was only planned. */
export function keepVpc(draft: Draft, cloud: NetworkCloud, vpc: VpcRecord, nowMs: number): VpcRecord {
  const made = vpc.isDefault === true ? madeDefault(draft, cloud, vpc, nowMs) : vpc;
  draft.put(KEYS.vpc(vpc.projectId, vpc.id), made);
  return made;
}

function madeDefault(draft: Draft, cloud: NetworkCloud, vpc: VpcRecord, nowMs: number): VpcRecord {
  const { createdAtMs } = ensureProjectNetwork(draft, vpc.projectId, { ...cloud, nowMs });
  return { ...vpc, createdAtMs };
}

/**
 * The network that instances of a subnet are in: the project's first one (made if it was only planned) or one that was made as a subnet of a VPC. In a
 * transaction of what begins to use it. Its `zone`, where it has one, is the zone that the subnet was made for. Errors: 'InvalidSubnetID.NotFound'.
 */
export function networkForSubnet(
  draft: Draft,
  projectId: string,
  subnetId: string,
  source: NetworkCloud & { readonly nowMs: number },
): NetworkRecord {
  const networkId = networkIdOf(subnetId);
  const isSubnet = partId(networkId, 'subnet') === subnetId;
  const made = isSubnet ? draft.get<NetworkRecord>(KEYS.subnetNetwork(projectId, networkId)) : undefined;
  if (made !== undefined) {
    draft.put(KEYS.networkUse(projectId), { v: 1, atMs: source.nowMs });
    return made;
  }
  if (isSubnet && firstNetwork(draft, projectId, source)?.id === networkId) {
    return ensureProjectNetwork(draft, projectId, source);
  }
  throw noSubnet(projectId, subnetId);
}

export function noSubnet(projectId: string, subnetId: string): CloudError {
  return new CloudError(
    'InvalidSubnetID.NotFound',
    `SubnetId: there is no subnet ${subnetId} in project ${projectId}`,
    {
      details: { parameter: 'SubnetId' },
    },
  );
}

/** The network with this id, as an instance's nic names it. */
export function networkOf(
  get: <T>(key: string) => T | undefined,
  projectId: string,
  networkId: string,
): NetworkRecord | undefined {
  const first = get<NetworkRecord>(KEYS.network(projectId));
  return first?.id === networkId ? first : get<NetworkRecord>(KEYS.subnetNetwork(projectId, networkId));
}

/** The VPC of the network that an instance's nic names: a network that is no subnet of another is a VPC of its own. */
export function vpcIdOf(get: <T>(key: string) => T | undefined, projectId: string, networkId: string): string {
  return networkOf(get, projectId, networkId)?.vpcId ?? partId(networkId, 'vpc');
}

/** A subnet with the VPC that it is in. Errors: 'InvalidSubnetID.NotFound'. */
export function subnetOf(
  draft: Draft,
  { cloud, projectId }: { readonly cloud: NetworkCloud; readonly projectId: string },
  subnetId: string,
): { vpc: VpcRecord; subnet: VpcSubnet } {
  for (const vpc of vpcsOf(draft, cloud, projectId)) {
    const subnet = vpc.subnets.find((one) => one.id === subnetId);
    if (subnet === undefined) continue;
    // With a guard: it is about to be changed.
    draft.get(KEYS.vpc(projectId, vpc.id));
    return { vpc, subnet };
  }
  throw noSubnet(projectId, subnetId);
}

/** A route table with its VPC. Errors: 'InvalidRouteTableID.NotFound'. */
export function routeTableOf(
  draft: Draft,
  { cloud, projectId }: { readonly cloud: NetworkCloud; readonly projectId: string },
  routeTableId: string,
): { vpc: VpcRecord; table: VpcRouteTable } {
  for (const vpc of vpcsOf(draft, cloud, projectId)) {
    const table = vpc.routeTables.find((one) => one.id === routeTableId);
    if (table === undefined) continue;
    // With a guard: it is about to be changed.
    draft.get(KEYS.vpc(projectId, vpc.id));
    return { vpc, table };
  }
  throw new CloudError(
    'InvalidRouteTableID.NotFound',
    `RouteTableId: there is no route table ${routeTableId} in project ${projectId}`,
    { details: { parameter: 'RouteTableId' } },
  );
}
