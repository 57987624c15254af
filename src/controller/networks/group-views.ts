import { KEYS } from '../../domain/keys.ts';
import type { TagsRecord } from '../../domain/records.ts';
import type { GroupRule, SecurityGroupRecord } from '../../domain/security-groups.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ListFields, Listing } from '../operations/listing.ts';
import type { Draft } from '../state/draft.ts';
import type { Tags } from '../tags/resource-tags.ts';

export type GroupView = OperationOutput<'DescribeSecurityGroups'>['securityGroups'][number];
export type RuleView = GroupView['rules'][number];

/** The tags of a resource, as the draft has them; unguarded. */
export function tagsIn(draft: Draft, resourceId: string): Tags {
  return draft.peek<TagsRecord>(KEYS.tags(resourceId))?.tags ?? {};
}

export function groupView(draft: Draft, group: SecurityGroupRecord): GroupView {
  const { id, name, description, projectId, vpcId, rules } = group;
  return {
    groupId: id,
    groupName: name,
    description,
    projectId,
    vpcId,
    rules: rules.map((rule) => ruleView(draft, group, rule)),
    tags: tagsIn(draft, id),
  };
}

export function ruleView(draft: Draft, { id, projectId, vpcId }: SecurityGroupRecord, rule: GroupRule): RuleView {
  const { peer } = rule;
  return {
    securityGroupRuleId: rule.id,
    groupId: id,
    isEgress: rule.direction === 'egress',
    ipProtocol: rule.protocol,
    fromPort: rule.fromPort ?? -1,
    toPort: rule.toPort ?? -1,
    ...('groupId' in peer ? { referencedGroupId: peer.groupId } : peer),
    vpcId,
    projectId,
    ...(rule.description === undefined ? {} : { description: rule.description }),
    tags: tagsIn(draft, rule.id),
  };
}

/** EC2's filters of one direction's rules, which all begin with `ip-permission.` or `egress.ip-permission.`. */
function ruleFields(prefix: string, isEgress: boolean): ListFields<GroupView> {
  const of = (pick: (rule: RuleView) => string | undefined) => (group: GroupView) =>
    group.rules.filter((rule) => rule.isEgress === isEgress).flatMap((rule) => pick(rule) ?? []);
  return {
    [`${prefix}.cidr`]: of((rule) => rule.cidrIpv4),
    [`${prefix}.ipv6-cidr`]: of((rule) => rule.cidrIpv6),
    [`${prefix}.from-port`]: of((rule) => String(rule.fromPort)),
    [`${prefix}.to-port`]: of((rule) => String(rule.toPort)),
    [`${prefix}.group-id`]: of((rule) => rule.referencedGroupId),
    [`${prefix}.group-name`]: () => undefined,
    [`${prefix}.prefix-list-id`]: () => undefined,
    [`${prefix}.protocol`]: of((rule) => rule.ipProtocol),
    [`${prefix}.user-id`]: of((rule) => (rule.referencedGroupId === undefined ? undefined : rule.projectId)),
  };
}

export const GROUP_LISTING: Listing<GroupView> = {
  parameter: 'GroupId',
  notFound: 'InvalidGroup.NotFound',
  idOf: (group) => group.groupId,
  tagsOf: (group) => group.tags,
  fields: {
    description: (group) => group.description,
    'group-id': (group) => group.groupId,
    'group-name': (group) => group.groupName,
    'owner-id': (group) => group.projectId,
    'vpc-id': (group) => group.vpcId,
    ...ruleFields('ip-permission', false),
    ...ruleFields('egress.ip-permission', true),
  },
};

export const RULE_LISTING: Listing<RuleView> = {
  parameter: 'SecurityGroupRuleId',
  notFound: 'InvalidSecurityGroupRuleId.NotFound',
  idOf: (rule) => rule.securityGroupRuleId,
  tagsOf: (rule) => rule.tags,
  fields: {
    'group-id': (rule) => rule.groupId,
    'security-group-rule-id': (rule) => rule.securityGroupRuleId,
  },
};
