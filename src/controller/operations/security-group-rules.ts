import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { needCapability } from '../../domain/capabilities.ts';
import { KEYS } from '../../domain/keys.ts';
import {
  type GroupRule,
  referencedGroups,
  ruleIdentity,
  RULES_PER_DIRECTION,
  type SecurityGroupRecord,
} from '../../domain/security-groups.ts';
import type { OperationName, OperationParsed } from '../../messages/operations/index.ts';
import { type Direction, noPrefixList, type Permission, rulesIn, ruleText } from '../networks/group-permissions.ts';
import { ruleView } from '../networks/group-views.ts';
import { useNetworks } from '../networks/security-groups.ts';
import { firstVpc, keepVpc } from '../networks/vpcs.ts';
import type { Draft } from '../state/draft.ts';
import { dropTags, putTags } from '../tags/resource-tags.ts';
import type { ChangeContext, ChangeHandler } from './handler.ts';
import { wantedGroup } from './security-groups.ts';

type Authorize = 'AuthorizeSecurityGroupIngress' | 'AuthorizeSecurityGroupEgress';
type Revoke = 'RevokeSecurityGroupIngress' | 'RevokeSecurityGroupEgress';
type Update = 'UpdateSecurityGroupRuleDescriptionsIngress' | 'UpdateSecurityGroupRuleDescriptionsEgress';

/** Writes the group with other rules; that of a VPC's default is made so, and the VPC with it. */
function keepRules(
  draft: Draft,
  context: ChangeContext,
  group: SecurityGroupRecord,
  rules: readonly GroupRule[],
): void {
  const { cloud, nowMs } = context;
  if (group.isDefault === true) {
    const vpc = firstVpc(draft, cloud, group.projectId);
    if (vpc?.id === group.vpcId && vpc.createdAtMs === 0) keepVpc(draft, cloud, vpc, nowMs);
  }
  draft.put(KEYS.securityGroup(group.projectId, group.id), { ...group, rules } satisfies SecurityGroupRecord);
  if (referencedGroups(rules).length > 0) useNetworks(draft, group.projectId, nowMs);
}

function groupToChange(
  draft: Draft,
  context: ChangeContext,
  input: { GroupId?: string | undefined; GroupName?: string | undefined },
  operation: OperationName,
): SecurityGroupRecord {
  needCapability(context.cloud.policy.capabilities, 'security-groups', operation);
  return wantedGroup(draft, context, input);
}

function needPermissions<T>(parameter: string, given: readonly T[] | undefined): readonly T[] {
  if (given !== undefined && given.length > 0) return given;
  throw new CloudError('MissingParameter', `${parameter}: at least one is needed`, { details: { parameter } });
}

function authorize<N extends Authorize>(name: N, direction: Direction): ChangeHandler<Authorize> {
  return {
    decide(draft, input, context) {
      const { cloud, operationId } = context;
      const group = groupToChange(draft, context, input, name);
      const permissions = needPermissions('IpPermissions', input.IpPermissions);
      const unnamed = rulesIn({ draft, cloud, group }, direction, permissions);
      const known = new Set(group.rules.map(ruleIdentity));
      const double = unnamed.find((rule) => known.has(ruleIdentity(rule)));
      if (double !== undefined) throw duplicate(group, ruleText(double));
      const rules = unnamed.map((rule) => ({ id: newId('securityGroupRule', cloud.random), ...rule }));
      const all = [...group.rules, ...rules];
      refuseTooMany(group, all, direction);
      keepRules(draft, context, group, all);
      for (const { id } of rules) {
        putTags(draft, { projectId: group.projectId, resourceId: id, kind: 'security-group-rule' }, input.Tags ?? {});
      }
      return {
        output: { rules: rules.map((rule) => ruleView(draft, group, rule)), operationId },
        targets: [group.id],
      };
    },
  };
}

function duplicate({ id }: SecurityGroupRecord, text: string): CloudError {
  return new CloudError('InvalidPermission.Duplicate', `IpPermissions: ${id} has the rule ${text} already`, {
    details: { parameter: 'IpPermissions' },
  });
}

function refuseTooMany({ id }: SecurityGroupRecord, rules: readonly GroupRule[], direction: Direction): void {
  const count = rules.filter((rule) => rule.direction === direction).length;
  if (count <= RULES_PER_DIRECTION) return;
  throw new CloudError(
    'RulesPerSecurityGroupLimitExceeded',
    `IpPermissions: ${id} would have ${count} ${direction} rules; at most ${RULES_PER_DIRECTION} are allowed`,
    { details: { parameter: 'IpPermissions' } },
  );
}

function revoke<N extends Revoke>(name: N, direction: Direction): ChangeHandler<Revoke> {
  return {
    decide(draft, input, context) {
      const { operationId } = context;
      const group = groupToChange(draft, context, input, name);
      const gone = rulesToRevoke(draft, context, group, direction, input);
      const ids = new Set(gone.map(({ id }) => id));
      const views = gone.map((rule) => ruleView(draft, group, rule));
      keepRules(
        draft,
        context,
        group,
        group.rules.filter(({ id }) => !ids.has(id)),
      );
      for (const id of ids) if (draft.peek(KEYS.tags(id)) !== undefined) dropTags(draft, id);
      return { output: { rules: views, operationId }, targets: [group.id] };
    },
  };
}

function rulesToRevoke(
  draft: Draft,
  { cloud }: ChangeContext,
  group: SecurityGroupRecord,
  direction: Direction,
  { IpPermissions, SecurityGroupRuleIds }: OperationParsed<Revoke>,
): GroupRule[] {
  if (SecurityGroupRuleIds !== undefined && SecurityGroupRuleIds.length > 0) {
    return SecurityGroupRuleIds.map((id) => ruleWithId(group, id, direction));
  }
  return matching(group, rulesIn({ draft, cloud, group }, direction, needPermissions('IpPermissions', IpPermissions)));
}

/** The group's own rules that are the given ones. Errors: 'InvalidPermission.NotFound'. */
function matching(group: SecurityGroupRecord, wanted: readonly Omit<GroupRule, 'id'>[]): GroupRule[] {
  return wanted.map((rule) => {
    const found = group.rules.find((one) => ruleIdentity(one) === ruleIdentity(rule));
    if (found !== undefined) return found;
    throw new CloudError('InvalidPermission.NotFound', `IpPermissions: ${group.id} has no rule ${ruleText(rule)}`, {
      details: { parameter: 'IpPermissions' },
    });
  });
}

function ruleWithId(group: SecurityGroupRecord, ruleId: string, direction?: Direction): GroupRule {
  const found = group.rules.find(({ id }) => id === ruleId);
  if (found !== undefined && (direction === undefined || found.direction === direction)) return found;
  throw new CloudError(
    'InvalidSecurityGroupRuleId.NotFound',
    `SecurityGroupRuleId: ${group.id} has no${direction === undefined ? '' : ` ${direction}`} rule ${ruleId}`,
    { details: { parameter: 'SecurityGroupRuleId' } },
  );
}

/** The rule with another description; an empty one is none. */
function described({ description: _, ...rule }: GroupRule, description: string | undefined): GroupRule {
  return description === undefined || description === '' ? rule : { ...rule, description };
}

function updateDescriptions<N extends Update>(name: N, direction: Direction): ChangeHandler<Update> {
  return {
    decide(draft, input, context) {
      const { cloud, operationId } = context;
      const group = groupToChange(draft, context, input, name);
      const { IpPermissions = [], SecurityGroupRuleDescriptions = [] } = input;
      if (IpPermissions.length + SecurityGroupRuleDescriptions.length === 0) needPermissions('IpPermissions', []);
      const wanted = rulesIn({ draft, cloud, group }, direction, IpPermissions);
      const found = matching(group, wanted);
      const changes = new Map<string, string | undefined>(
        found.map(({ id }, index) => [id, wanted[index]?.description] as const),
      );
      for (const { SecurityGroupRuleId, Description } of SecurityGroupRuleDescriptions) {
        changes.set(ruleWithId(group, SecurityGroupRuleId, direction).id, Description);
      }
      const rules = group.rules.map((rule) => (changes.has(rule.id) ? described(rule, changes.get(rule.id)) : rule));
      keepRules(draft, context, group, rules);
      return { output: { operationId }, targets: [group.id] };
    },
  };
}

type Update1 = OperationParsed<'ModifySecurityGroupRules'>['SecurityGroupRules'][number]['SecurityGroupRule'];

/** A rule in EC2's newer form, which has one peer, as a permission. */
function permissionOf(rule: Update1): Permission {
  const { IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6, ReferencedGroupId, PrefixListId, Description } = rule;
  if (PrefixListId !== undefined) throw noPrefixList(PrefixListId);
  const peers = [CidrIpv4, CidrIpv6, ReferencedGroupId].filter((peer) => peer !== undefined).length;
  if (peers !== 1) {
    throw new CloudError(
      'InvalidParameterCombination',
      `SecurityGroupRule: needs exactly one of CidrIpv4, CidrIpv6 and ReferencedGroupId, not ${peers}`,
      { details: { parameter: 'SecurityGroupRule' } },
    );
  }
  const Text = Description === undefined ? {} : { Description };
  return {
    IpProtocol,
    ...(FromPort === undefined ? {} : { FromPort }),
    ...(ToPort === undefined ? {} : { ToPort }),
    ...(CidrIpv4 === undefined ? {} : { IpRanges: [{ CidrIp: CidrIpv4, ...Text }] }),
    ...(CidrIpv6 === undefined ? {} : { Ipv6Ranges: [{ CidrIpv6, ...Text }] }),
    ...(ReferencedGroupId === undefined ? {} : { UserIdGroupPairs: [{ GroupId: ReferencedGroupId, ...Text }] }),
  };
}

export const modifySecurityGroupRules: ChangeHandler<'ModifySecurityGroupRules'> = {
  decide(draft, input, context) {
    const { cloud, operationId } = context;
    const group = groupToChange(draft, context, input, 'ModifySecurityGroupRules');
    const changed = new Map<string, GroupRule>();
    for (const { SecurityGroupRuleId, SecurityGroupRule } of input.SecurityGroupRules) {
      const { id, direction } = ruleWithId(group, SecurityGroupRuleId);
      const [rule] = rulesIn({ draft, cloud, group }, direction, [permissionOf(SecurityGroupRule)]);
      if (rule !== undefined) changed.set(id, { id, ...rule });
    }
    const rules = group.rules.map((rule) => changed.get(rule.id) ?? rule);
    const seen = new Set<string>();
    for (const rule of rules) {
      if (seen.has(ruleIdentity(rule))) throw duplicate(group, ruleText(rule));
      seen.add(ruleIdentity(rule));
    }
    keepRules(draft, context, group, rules);
    return { output: { operationId }, targets: [group.id] };
  },
};

export const authorizeSecurityGroupIngress = authorize('AuthorizeSecurityGroupIngress', 'ingress');
export const authorizeSecurityGroupEgress = authorize('AuthorizeSecurityGroupEgress', 'egress');
export const revokeSecurityGroupIngress = revoke('RevokeSecurityGroupIngress', 'ingress');
export const revokeSecurityGroupEgress = revoke('RevokeSecurityGroupEgress', 'egress');
export const updateSecurityGroupRuleDescriptionsIngress = updateDescriptions(
  'UpdateSecurityGroupRuleDescriptionsIngress',
  'ingress',
);
export const updateSecurityGroupRuleDescriptionsEgress = updateDescriptions(
  'UpdateSecurityGroupRuleDescriptionsEgress',
  'egress',
);
