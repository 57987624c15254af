import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { needCapability } from '../../domain/capabilities.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import {
  allOut,
  DEFAULT_GROUP,
  type GroupNameRecord,
  referencedGroups,
  type SecurityGroupRecord,
} from '../../domain/security-groups.ts';
import { GROUP_LISTING, groupView, RULE_LISTING } from '../networks/group-views.ts';
import {
  groupIdsOf,
  groupNamed,
  groupOf,
  groupsIn,
  noGroup,
  useNetworks,
  wellFormed,
} from '../networks/security-groups.ts';
import { firstVpc, keepVpc, vpcOf } from '../networks/vpcs.ts';
import { Draft } from '../state/draft.ts';
import { dropTags, putTags } from '../tags/resource-tags.ts';
import { claimQuota, quotaOwner, releaseQuota } from '../users/quota.ts';
import type { ChangeContext, ChangeHandler, ReadHandler } from './handler.ts';
import { badParameter } from './handler.ts';
import { listed } from './listing.ts';

/** A group's rules and their tags go in one transaction, which has room for so many. */
const TAGGED_RULES = 80;

interface WhichGroup {
  readonly GroupId?: string | undefined;
  readonly GroupName?: string | undefined;
}

export const createSecurityGroup: ChangeHandler<'CreateSecurityGroup'> = {
  decide(draft, input, context) {
    const { cloud, nowMs, operationId, principal } = context;
    const { projectId } = principal;
    needCapability(cloud.policy.capabilities, 'security-groups', 'CreateSecurityGroup');
    const name = allowedName(input.GroupName);
    const vpcId = vpcFor(draft, context, input.VpcId);
    const nameKey = KEYS.securityGroupName(vpcId, name);
    if (draft.get(nameKey) !== undefined) {
      throw new CloudError(
        'InvalidGroup.Duplicate',
        `GroupName: ${vpcId} has a group ${JSON.stringify(name)} already; choose another name`,
        { details: { parameter: 'GroupName' } },
      );
    }
    const owner = quotaOwner(principal);
    claimQuota(draft, owner, { groups: 1 });
    const group: SecurityGroupRecord = {
      v: 1,
      id: newId('securityGroup', cloud.random),
      ...owner,
      vpcId,
      name,
      description: input.Description,
      rules: [allOut(newId('securityGroupRule', cloud.random))],
      createdAtMs: nowMs,
    };
    draft.put(KEYS.securityGroup(projectId, group.id), group);
    draft.put(nameKey, { v: 1, groupId: group.id } satisfies GroupNameRecord);
    putTags(draft, { projectId, resourceId: group.id, kind: 'security-group' }, input.Tags ?? {});
    useNetworks(draft, projectId, nowMs);
    return { output: { group: groupView(draft, group), operationId }, targets: [group.id] };
  },
};

function allowedName(name: string): string {
  if (name === DEFAULT_GROUP) {
    throw new CloudError('InvalidGroup.Reserved', `GroupName: "${DEFAULT_GROUP}" is the name of each VPC's own group`, {
      details: { parameter: 'GroupName' },
    });
  }
  if (name.startsWith('sg-')) throw badParameter('GroupName', 'must not begin with "sg-", as ids do');
  return name;
}

/** The VPC that was asked for, or the project's default one, which is made with its first group. */
function vpcFor(draft: Draft, { cloud, principal, nowMs }: ChangeContext, vpcId: string | undefined): string {
  const { projectId } = principal;
  const vpc = vpcId === undefined ? firstVpc(draft, cloud, projectId) : vpcOf(draft, cloud, projectId, vpcId);
  if (vpc === undefined) throw badParameter('VpcId', 'the project has no network, and no subnet is left for one');
  if (vpc.createdAtMs === 0) keepVpc(draft, cloud, vpc, nowMs);
  return vpc.id;
}

export const deleteSecurityGroup: ChangeHandler<'DeleteSecurityGroup'> = {
  settled: true,
  decide(draft, input, context) {
    const { cloud, operationId, principal } = context;
    const { projectId } = principal;
    needCapability(cloud.policy.capabilities, 'security-groups', 'DeleteSecurityGroup');
    const group = wantedGroup(draft, context, input);
    if (group.isDefault === true) {
      throw new CloudError('CannotDelete', `GroupId: ${group.id} is the default group of ${group.vpcId}, which stays`, {
        details: { parameter: 'GroupId' },
      });
    }
    // Whoever begins to use a group meanwhile writes this key.
    draft.get(KEYS.networkUse(projectId));
    const user = userOf(draft, context, group);
    if (user !== undefined) {
      throw new CloudError('DependencyViolation', `GroupId: ${group.id} is used by ${user}; take it away there first`, {
        details: { parameter: 'GroupId', user },
      });
    }
    const tagged = group.rules.map(({ id }) => id).filter((id) => draft.peek(KEYS.tags(id)) !== undefined);
    if (tagged.length > TAGGED_RULES) {
      throw new CloudError(
        'DependencyViolation',
        `GroupId: ${group.id} has ${tagged.length} rules with tags, and at most ${TAGGED_RULES} go with it; revoke some first`,
      );
    }
    for (const id of [group.id, ...tagged]) dropTags(draft, id);
    releaseQuota(draft, group, { groups: 1 });
    draft.del(KEYS.securityGroup(projectId, group.id));
    draft.del(KEYS.securityGroupName(group.vpcId, group.name));
    return { output: { groupId: group.id, operationId }, targets: [group.id] };
  },
};

/** The first instance that has the group, or the first group with a rule that names it. */
function userOf(draft: Draft, { cloud }: ChangeContext, { id, projectId }: SecurityGroupRecord): string | undefined {
  const get = <T>(key: string): T | undefined => draft.peek<T>(key);
  const instance = draft.replica
    .range<InstanceRecord>(PREFIX.instance)
    .find(
      ({ value }) =>
        value.projectId === projectId && value.state !== 'terminated' && groupIdsOf(get, cloud, value).includes(id),
    );
  if (instance !== undefined) return instance.value.id;
  return groupsIn(draft, cloud, projectId).find(
    (other) => other.id !== id && referencedGroups(other.rules).includes(id),
  )?.id;
}

/** The group that a change is about. Errors: 'InvalidGroup.NotFound', 'MissingParameter'. */
export function wantedGroup(draft: Draft, { cloud, principal }: ChangeContext, input: WhichGroup): SecurityGroupRecord {
  const { projectId } = principal;
  const { GroupId, GroupName } = input;
  if (GroupId !== undefined) {
    const group = groupOf(draft, cloud, projectId, wellFormed(GroupId)) ?? noGroup('GroupId', GroupId);
    if (GroupName === undefined || GroupName === group.name) return group;
    throw badParameter('GroupName', `${GroupId} is named ${JSON.stringify(group.name)}`);
  }
  if (GroupName === undefined) {
    throw new CloudError('MissingParameter', 'GroupId: is needed, or GroupName', { details: { parameter: 'GroupId' } });
  }
  const vpc = firstVpc(draft, cloud, projectId);
  const named = vpc === undefined ? undefined : groupNamed(draft, cloud, projectId, vpc.id, GroupName);
  return named ?? noGroup('GroupName', GroupName);
}

export const describeSecurityGroups: ReadHandler<'DescribeSecurityGroups'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  const draft = new Draft(store);
  const { GroupIds, GroupNames } = input;
  for (const id of GroupIds ?? []) wellFormed(id);
  const groups = groupsIn(draft, cloud, principal.projectId).map((group) => groupView(draft, group));
  for (const name of GroupNames ?? []) {
    if (!groups.some(({ groupName }) => groupName === name)) noGroup('GroupName', name);
  }
  // Ids and names are alternatives.
  const named = groups
    .filter(({ groupName }) => GroupNames?.includes(groupName) === true)
    .map(({ groupId }) => groupId);
  const ids = GroupIds === undefined && GroupNames === undefined ? undefined : [...(GroupIds ?? []), ...named];
  const { rows, ...page } = listed(groups, { ...input, ids }, GROUP_LISTING);
  return { securityGroups: rows, ...page, rev: store.rev };
};

export const describeSecurityGroupRules: ReadHandler<'DescribeSecurityGroupRules'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  const draft = new Draft(store);
  const rules = groupsIn(draft, cloud, principal.projectId).flatMap((group) => groupView(draft, group).rules);
  const { rows, ...page } = listed(rules, { ...input, ids: input.SecurityGroupRuleIds }, RULE_LISTING);
  return { rules: rows, ...page, rev: store.rev };
};
