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

/** What the instances need of a host, with the zones that they may be in. */
export function launchDemand(
  draft: Draft,
  { cloud, principal }: ReadContext,
  { AvailabilityZones, network }: Input & { readonly network?: NetworkRecord },
  { vcpus, memoryMib, diskGib, architecture }: Demand,
): Demand {
  const asked = AvailabilityZones ?? principal.zones;
  const zones = network?.zone === undefined ? asked : zoneOfSubnet(network.zone, asked);
  const demand = { vcpus, memoryMib, diskGib, ...(architecture === undefined ? {} : { architecture }) };
  if (zones === undefined) return demand;
  const known = zonesOf(draft, cloud.policy.zone);
  const unknown = asked?.find((zone) => !known.includes(zone));
  // Of several some may be without a host yet; a single one is somebody's word.
  if (asked?.length === 1 && unknown !== undefined) {
    throw badParameter('AvailabilityZones', `there is no zone ${unknown}; there are: ${known.join(', ')}`);
  }
  return { ...demand, zones };
}

function zoneOfSubnet(zone: string, asked: readonly string[] | undefined): string[] {
  if (asked !== undefined && !asked.includes(zone)) {
    throw badParameter('AvailabilityZones', `the subnet is in ${zone}, not in ${asked.join(' or ')}`);
  }
  return [zone];
}

/** The configured zone, and those of the hosts. */
export function zonesOf({ replica }: Pick<Draft, 'replica'>, own: string): string[] {
  return [...new Set([own, ...replica.range<HostRecord>(PREFIX.host).map(({ value }) => value.zone)])].toSorted();
}
