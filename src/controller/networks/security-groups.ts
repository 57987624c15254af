import { CloudError } from '../../base/errors.ts';
import { needCapability } from '../../domain/capabilities.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import {
  DEFAULT_GROUP,
  defaultGroup,
  defaultGroupId,
  type GroupNameRecord,
  type SecurityGroupRecord,
  vpcOfDefaultGroup,
} from '../../domain/security-groups.ts';
import type { VpcRecord } from '../../domain/vpcs.ts';
import type { Replica } from '../../ports/store.ts';
import type { Draft } from '../state/draft.ts';
import { firstVpc, type NetworkCloud, vpcIdOf, vpcsOf } from './vpcs.ts';

/** Groups of an instance are at most so many, as EC2 has it. */
const GROUPS_PER_INSTANCE = 5;

export interface GroupName {
  readonly groupId: string;
  readonly groupName: string;
}

/** Whether this cloud has groups at all. */
export function hasGroups({ policy }: Pick<NetworkCloud, 'policy'>): boolean {
  return policy.capabilities.includes('security-groups');
}

/** The group, or undefined. That of a VPC's default is there without being stored. */
export function groupOf(
  draft: Draft,
  cloud: NetworkCloud,
  projectId: string,
  groupId: string,
): SecurityGroupRecord | undefined {
  if (!hasGroups(cloud)) return undefined;
  const stored = draft.get<SecurityGroupRecord>(KEYS.securityGroup(projectId, groupId));
  if (stored !== undefined) return stored;
  const vpcId = vpcOfDefaultGroup(groupId);
  if (defaultGroupId(vpcId) !== groupId) return undefined;
  const first = firstVpc(draft, cloud, projectId);
  const vpc = first?.id === vpcId ? first : draft.get<VpcRecord>(KEYS.vpc(projectId, vpcId));
  return vpc === undefined ? undefined : defaultGroup(vpc);
}

/** The group of that name in the VPC, or undefined. */
export function groupNamed(
  draft: Draft,
  cloud: NetworkCloud,
  projectId: string,
  vpcId: string,
  name: string,
): SecurityGroupRecord | undefined {
  if (name === DEFAULT_GROUP) return groupOf(draft, cloud, projectId, defaultGroupId(vpcId));
  const named = draft.get<GroupNameRecord>(KEYS.securityGroupName(vpcId, name));
  return named === undefined ? undefined : groupOf(draft, cloud, projectId, named.groupId);
}

/** All groups of a project. The range is not guarded. */
export function groupsIn(draft: Draft, cloud: NetworkCloud, projectId: string): SecurityGroupRecord[] {
  if (!hasGroups(cloud)) return [];
  const stored = draft.replica
    .range<SecurityGroupRecord>(`${PREFIX.securityGroup}${projectId}/`)
    .map(({ value }) => value);
  const known = new Set(stored.map(({ id }) => id));
  const defaults = vpcsOf(draft, cloud, projectId).map((vpc) => defaultGroup(vpc));
  return [...stored, ...defaults.filter(({ id }) => !known.has(id))];
}

/**
 * Ids of the groups that something in a VPC is to have; nothing asked for: the VPC's default group, and none where this cloud has no groups. In the
 * transaction of what begins to use them. Errors: 'UnsupportedOperation', 'InvalidGroup.NotFound', 'InvalidGroupId.Malformed',
 * 'InvalidParameterCombination' (a group of another VPC), 'InvalidParameterValue' (too many).
 */
export function resolveGroups(
  draft: Draft,
  projectId: string,
  wanted: { readonly ids?: readonly string[] | undefined; readonly names?: readonly string[] | undefined },
  source: NetworkCloud & { readonly nowMs: number; readonly vpcId: string },
): string[] {
  const { ids = [], names = [] } = wanted;
  if (ids.length + names.length === 0) return hasGroups(source) ? [defaultGroupId(source.vpcId)] : [];
  needCapability(source.policy.capabilities, 'security-groups', 'SecurityGroupId');
  const groups = [
    ...ids.map((id) => groupOf(draft, source, projectId, wellFormed(id)) ?? noGroup('SecurityGroupId', id)),
    ...names.map((name) => groupNamed(draft, source, projectId, source.vpcId, name) ?? noGroup('SecurityGroup', name)),
  ];
  const alien = groups.find(({ vpcId }) => vpcId !== source.vpcId);
  if (alien !== undefined) {
    throw new CloudError(
      'InvalidParameterCombination',
      `SecurityGroupId: ${alien.id} is of ${alien.vpcId}, and what is to have it is in ${source.vpcId}; name groups of that VPC`,
      { details: { parameter: 'SecurityGroupId' } },
    );
  }
  const found = [...new Set(groups.map(({ id }) => id))];
  if (found.length > GROUPS_PER_INSTANCE) {
    throw new CloudError(
      'InvalidParameterValue',
      `SecurityGroupId: at most ${GROUPS_PER_INSTANCE} groups, not ${found.length}`,
      {
        details: { parameter: 'SecurityGroupId' },
      },
    );
  }
  useNetworks(draft, projectId, source.nowMs);
  return found;
}

/** Tells whoever is about to delete a group, subnet or VPC of the project that it may have a new user. */
export function useNetworks(draft: Draft, projectId: string, nowMs: number): void {
  draft.put(KEYS.networkUse(projectId), { v: 1, atMs: nowMs });
}

/** The ids of an instance's groups. */
export function groupIdsOf(
  get: <T>(key: string) => T | undefined,
  cloud: Pick<NetworkCloud, 'policy'>,
  record: InstanceRecord,
): readonly string[] {
  if (!hasGroups(cloud)) return [];
  return record.groupIds ?? [defaultGroupId(vpcIdOf(get, record.projectId, record.nic.networkId))];
}

/** An instance's groups, with their names; one that was deleted since (the instance is terminated) is left out. */
export function groupsOfInstance(
  replica: Pick<Replica, 'get'>,
  cloud: Pick<NetworkCloud, 'policy'>,
  record: InstanceRecord,
): GroupName[] {
  const get = <T>(key: string): T | undefined => replica.get<T>(key)?.value;
  const vpcId = vpcIdOf(get, record.projectId, record.nic.networkId);
  return groupIdsOf(get, cloud, record).flatMap((groupId) => {
    const stored = get<SecurityGroupRecord>(KEYS.securityGroup(record.projectId, groupId));
    if (stored === undefined && groupId !== defaultGroupId(vpcId)) return [];
    return [{ groupId, groupName: stored?.name ?? DEFAULT_GROUP }];
  });
}

/** Errors: 'InvalidGroupId.Malformed'. */
export function wellFormed(groupId: string): string {
  if (/^sg-[0-9a-f]{8,17}$/.test(groupId)) return groupId;
  throw new CloudError(
    'InvalidGroupId.Malformed',
    `GroupId: ${JSON.stringify(groupId.slice(0, 64))} is no id of a security group; it must look like sg-0123456789abcdef0`,
    { details: { parameter: 'GroupId' } },
  );
}

export function noGroup(parameter: string, idOrName: string): never {
  throw new CloudError(
    'InvalidGroup.NotFound',
    `${parameter}: there is no security group ${JSON.stringify(idOrName.slice(0, 255))}`,
    { details: { parameter } },
  );
}
