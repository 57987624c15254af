import { CloudError } from '../../../../base/errors.ts';
import type { OperationInput } from '../../../../messages/operations/index.ts';
import { pageParams, tagSet, tagSpecifications } from '../common-params.ts';
import type { Ec2Action, Ec2Actions, Ec2Call } from '../ec2-action.ts';
import {
  arn,
  given,
  type GroupView,
  groupTree,
  permissions,
  projectOrAsSaid,
  revokedTree,
  ruleTree,
} from '../group-trees.ts';
import type { Params } from '../params.ts';

const whichGroup = ({ params }: Ec2Call) =>
  given({ GroupId: params.text('GroupId'), GroupName: params.text('GroupName') });

/** Filters and page; accounts in `owner-id` and the like are projects to the operations. */
export function askedPage(call: Ec2Call): ReturnType<typeof pageParams> {
  const { Filters, ...page } = pageParams(call.params);
  if (Filters === undefined) return page;
  const rows = Filters.map(({ Name, Values }) =>
    /(^|[.-])(owner-id|user-id)$/.test(Name)
      ? { Name, Values: Values.map((value) => projectOrAsSaid(call, value)) }
      : { Name, Values },
  );
  return { ...page, Filters: rows };
}

const authorize =
  (name: 'AuthorizeSecurityGroupIngress' | 'AuthorizeSecurityGroupEgress'): Ec2Action =>
  async (call) => {
    const Tags = tagSpecifications(call.params)['security-group-rule'];
    const { rules } = await call.run(name, {
      ...whichGroup(call),
      IpPermissions: permissions(call),
      ...given({ Tags }),
    });
    return { return: true, securityGroupRuleSet: rules.map((rule) => ruleTree(call, rule)) };
  };

const revoke =
  (name: 'RevokeSecurityGroupIngress' | 'RevokeSecurityGroupEgress'): Ec2Action =>
  async (call) => {
    const { rules } = await call.run(name, {
      ...whichGroup(call),
      ...given({ SecurityGroupRuleIds: call.params.list('SecurityGroupRuleId') }),
      IpPermissions: permissions(call),
    });
    return { return: true, unknownIpPermissionSet: [], revokedSecurityGroupRuleSet: rules.map(revokedTree) };
  };

const updateDescriptions =
  (name: 'UpdateSecurityGroupRuleDescriptionsIngress' | 'UpdateSecurityGroupRuleDescriptionsEgress'): Ec2Action =>
  async (call) => {
    const described = call.params.structs('SecurityGroupRuleDescription').map((one) => ({
      SecurityGroupRuleId: one.need('SecurityGroupRuleId'),
      ...given({ Description: one.text('Description') }),
    }));
    await call.run(name, {
      ...whichGroup(call),
      IpPermissions: permissions(call),
      SecurityGroupRuleDescriptions: described,
    });
    return { return: true };
  };

type ChangedRule = OperationInput<'ModifySecurityGroupRules'>['SecurityGroupRules'][number];

function changedRule(one: Params): ChangedRule {
  const rule = one.struct('SecurityGroupRule');
  const id = one.need('SecurityGroupRuleId');
  if (rule === undefined) throw one.bad('SecurityGroupRule', 'is needed');
  return {
    SecurityGroupRuleId: id,
    SecurityGroupRule: {
      IpProtocol: rule.need('IpProtocol'),
      ...given({
        FromPort: rule.int('FromPort'),
        ToPort: rule.int('ToPort'),
        CidrIpv4: rule.text('CidrIpv4'),
        CidrIpv6: rule.text('CidrIpv6'),
        PrefixListId: rule.text('PrefixListId'),
        ReferencedGroupId: rule.text('ReferencedGroupId'),
        Description: rule.text('Description'),
      }),
    },
  };
}

/** Groups that others name: peered VPCs alone could have such, and there are none. Errors: 'InvalidGroup.NotFound'. */
const describeReferences: Ec2Action = async (call) => {
  const ids = call.params.list('GroupId');
  if (ids === undefined) throw new CloudError('MissingParameter', 'GroupId: is needed');
  await call.run('DescribeSecurityGroups', { GroupIds: ids });
  return { securityGroupReferenceSet: [] };
};

const describeStale: Ec2Action = async (call) => {
  const { params } = call;
  const VpcId = params.need('VpcId');
  for (const name of ['MaxResults', 'NextToken']) params.text(name);
  await call.run('DescribeVpcs', { VpcIds: [VpcId] });
  return { staleSecurityGroupSet: [] };
};

const groupsForVpc: Ec2Action = async (call) => {
  const VpcId = call.params.need('VpcId');
  await call.run('DescribeVpcs', { VpcIds: [VpcId] });
  const page = askedPage(call);
  const Filters = [...(page.Filters ?? []), { Name: 'vpc-id', Values: [VpcId] }];
  const { securityGroups, nextToken } = await call.run('DescribeSecurityGroups', { ...page, Filters });
  const tree = (group: GroupView) => ({
    description: group.description,
    groupName: group.groupName,
    ownerId: call.accountOf(group.projectId),
    groupId: group.groupId,
    tagSet: tagSet(group.tags),
    primaryVpcId: group.vpcId,
  });
  return { nextToken, securityGroupForVpcSet: securityGroups.map(tree) };
};

export const securityGroupsActions: Ec2Actions = {
  CreateSecurityGroup: async (call) => {
    const { params } = call;
    const { group } = await call.run('CreateSecurityGroup', {
      GroupName: params.need('GroupName'),
      Description: params.need('GroupDescription'),
      ...given({ VpcId: params.text('VpcId'), Tags: tagSpecifications(params)['security-group'] }),
    });
    const { groupId, projectId, tags } = group;
    return {
      groupId,
      tagSet: tagSet(tags),
      securityGroupArn: arn(call, projectId, 'security-group', groupId),
    };
  },
  DeleteSecurityGroup: async (call) => {
    const { groupId } = await call.run('DeleteSecurityGroup', whichGroup(call));
    return { return: true, groupId };
  },
  DescribeSecurityGroups: async (call) => {
    const { params } = call;
    const { securityGroups, nextToken } = await call.run('DescribeSecurityGroups', {
      ...given({ GroupIds: params.list('GroupId'), GroupNames: params.list('GroupName') }),
      ...askedPage(call),
    });
    return { securityGroupInfo: securityGroups.map((group) => groupTree(call, group)), nextToken };
  },
  DescribeSecurityGroupRules: async (call) => {
    const { rules, nextToken } = await call.run('DescribeSecurityGroupRules', {
      ...given({ SecurityGroupRuleIds: call.params.list('SecurityGroupRuleId') }),
      ...askedPage(call),
    });
    return { securityGroupRuleSet: rules.map((rule) => ruleTree(call, rule)), nextToken };
  },
  AuthorizeSecurityGroupIngress: authorize('AuthorizeSecurityGroupIngress'),
  AuthorizeSecurityGroupEgress: authorize('AuthorizeSecurityGroupEgress'),
  RevokeSecurityGroupIngress: revoke('RevokeSecurityGroupIngress'),
  RevokeSecurityGroupEgress: revoke('RevokeSecurityGroupEgress'),
  ModifySecurityGroupRules: async (call) => {
    const { params } = call;
    const rules = params.structs('SecurityGroupRule').map(changedRule);
    await call.run('ModifySecurityGroupRules', { GroupId: params.need('GroupId'), SecurityGroupRules: rules });
    return { return: true };
  },
  UpdateSecurityGroupRuleDescriptionsIngress: updateDescriptions('UpdateSecurityGroupRuleDescriptionsIngress'),
  UpdateSecurityGroupRuleDescriptionsEgress: updateDescriptions('UpdateSecurityGroupRuleDescriptionsEgress'),
  DescribeSecurityGroupReferences: describeReferences,
  DescribeStaleSecurityGroups: describeStale,
  GetSecurityGroupsForVpc: groupsForVpc,
};
