import { PREFIX } from '../../domain/keys.ts';
import type { Demand } from '../../domain/placement.ts';
import type { HostRecord, InstanceTemplate, NetworkRecord } from '../../domain/records.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { ensureProjectNetwork } from '../networks/project-network.ts';
import { resolveGroups } from '../networks/security-groups.ts';
import { networkForSubnet, vpcIdOf } from '../networks/vpcs.ts';
import type { ReadContext } from '../operations/handler.ts';
import { badParameter } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';

type Input = OperationParsed<'PlanInstances'>;

/** The network that the instances are to be in: that of the subnet that was asked for, else the project's first. */
export function launchNetwork(draft: Draft, { cloud, principal, nowMs }: ReadContext, input: Input): NetworkRecord {
  const source = { ...cloud, nowMs };
  if (input.SubnetId === undefined) return ensureProjectNetwork(draft, principal.projectId, source);
  return networkForSubnet(draft, principal.projectId, input.SubnetId, source);
}

/** The groups that were asked for by name or id; none asked for: nothing is recorded, which means the default one. */
export function launchGroups(
  draft: Draft,
  { cloud, principal, nowMs }: ReadContext,
  { SecurityGroupIds: ids, SecurityGroups: names }: Input,
  network: NetworkRecord,
): Pick<InstanceTemplate, 'groupIds'> {
  if ((ids?.length ?? 0) + (names?.length ?? 0) === 0) return {};
  const vpcId = vpcIdOf((key) => draft.peek(key), principal.projectId, network.id);
  return { groupIds: resolveGroups(draft, principal.projectId, { ids, names }, { ...cloud, nowMs, vpcId }) };
}

/** What the instances need of a host, with the zone that they are to be in. */
export function launchDemand(
  draft: Draft,
  { cloud, principal }: ReadContext,
  { AvailabilityZone: asked, network }: Input & { readonly network?: NetworkRecord },
  size: Demand,
): Demand {
  const zone = asked ?? network?.zone;
  if (network?.zone !== undefined && asked !== undefined && asked !== network.zone) {
    throw badParameter('AvailabilityZone', `the subnet is in ${network.zone}, not in ${asked}`);
  }
  const demand: Demand = {
    vcpus: size.vcpus,
    memoryMib: size.memoryMib,
    diskGib: size.diskGib,
    ...(size.architecture === undefined ? {} : { architecture: size.architecture }),
  };
  if (zone === undefined) return principal.zones === undefined ? demand : { ...demand, zones: principal.zones };
  const known = principal.zones ?? zonesOf(draft, cloud.policy.zone);
  if (!known.includes(zone))
    throw badParameter('AvailabilityZone', `there is no zone ${zone}; there are: ${known.join(', ')}`);
  return { ...demand, zones: [zone] };
}

/** The configured zone, and those of the hosts. */
export function zonesOf({ replica }: Pick<Draft, 'replica'>, own: string): string[] {
  return [...new Set([own, ...replica.range<HostRecord>(PREFIX.host).map(({ value }) => value.zone)])].toSorted();
}
