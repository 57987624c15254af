import type { OperationInput, OperationOutput } from '../../../messages/operations/index.ts';
import { tagSet } from './common-params.ts';
import type { Ec2Call } from './ec2-action.ts';
import type { Params } from './params.ts';
import type { XmlTree } from './xml-tree.ts';

export type GroupView = OperationOutput<'DescribeSecurityGroups'>['securityGroups'][number];
export type RuleView = GroupView['rules'][number];
export type Permission = OperationInput<'AuthorizeSecurityGroupIngress'>['IpPermissions'][number];
type Pair = NonNullable<Permission['UserIdGroupPairs']>[number];

/** The fields that have a value. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A project's own id where an account's was said, so that what is compared are ids of projects. */
export function projectOrAsSaid(call: Ec2Call, account: string): string {
  // In another region a project's resources are kept under an id of their own.
  if (account === call.accountOf(call.projectId)) return call.projectId;
  return call.projectOf(account) ?? account;
}

/** `IpPermissions.N`, and the flat form of before there were lists. */
export function permissions(call: Ec2Call): Permission[] {
  const { params } = call;
  const listed = params.structs('IpPermissions').map((permission) => permissionOf(call, permission));
  return [...listed, ...flatPermissions(call)];
}

function permissionOf(call: Ec2Call, from: Params): Permission {
  const description = (one: Params): { Description?: string } => given({ Description: one.text('Description') });
  return {
    IpProtocol: from.need('IpProtocol'),
    ...given({ FromPort: from.int('FromPort'), ToPort: from.int('ToPort') }),
    IpRanges: from.structs('IpRanges').map((one) => ({ CidrIp: one.need('CidrIp'), ...description(one) })),
    Ipv6Ranges: from.structs('Ipv6Ranges').map((one) => ({ CidrIpv6: one.need('CidrIpv6'), ...description(one) })),
    UserIdGroupPairs: from.structs('Groups').map((one) => pairOf(call, one)),
    PrefixListIds: from
      .structs('PrefixListIds')
      .map((one) => ({ PrefixListId: one.need('PrefixListId'), ...description(one) })),
  };
}

/** What the client was told of the peer of a group it may send back. */
function pairOf(call: Ec2Call, one: Params): Pair {
  for (const said of ['VpcId', 'VpcPeeringConnectionId', 'PeeringStatus']) one.text(said);
  const account = one.text('UserId');
  const id = one.text('GroupId');
  return given({
    GroupId: id,
    // A name beside an id is what was shown with it.
    GroupName: id === undefined ? one.text('GroupName') : (one.text('GroupName'), undefined),
    UserId: account === undefined || account === '' ? undefined : projectOrAsSaid(call, account),
    Description: one.text('Description'),
  });
}

const PORTS_OF: readonly Pick<Permission, 'IpProtocol' | 'FromPort' | 'ToPort'>[] = [
  { IpProtocol: 'tcp', FromPort: 0, ToPort: 65_535 },
  { IpProtocol: 'udp', FromPort: 0, ToPort: 65_535 },
  { IpProtocol: 'icmp', FromPort: -1, ToPort: -1 },
];

/** `CidrIp`, or `SourceSecurityGroupName` (without a protocol it means all ports of tcp, udp and icmp), with one range of ports. */
function flatPermissions(call: Ec2Call): Permission[] {
  const { params } = call;
  const protocol = params.text('IpProtocol');
  const cidr = params.text('CidrIp');
  const name = params.text('SourceSecurityGroupName');
  const account = params.text('SourceSecurityGroupOwnerId');
  const ports = given({ FromPort: params.int('FromPort'), ToPort: params.int('ToPort') });
  if (protocol === undefined && cidr === undefined && name === undefined) return [];
  const peers = {
    ...(cidr === undefined ? {} : { IpRanges: [{ CidrIp: cidr }] }),
    ...(name === undefined
      ? {}
      : {
          UserIdGroupPairs: [
            { GroupName: name, ...(account === undefined ? {} : { UserId: projectOrAsSaid(call, account) }) },
          ],
        }),
  };
  if (protocol === undefined && cidr === undefined) return PORTS_OF.map((row) => ({ ...row, ...peers }));
  return [{ IpProtocol: params.need('IpProtocol'), ...ports, ...peers }];
}

/** The rules of one direction as EC2's older form has them: what is matched, with all its peers. */
function permissionSet(call: Ec2Call, rules: readonly RuleView[]): XmlTree {
  const sets = new Map<string, RuleView[]>();
  for (const rule of rules) {
    const key = `${rule.ipProtocol}/${rule.fromPort}/${rule.toPort}`;
    sets.set(key, [...(sets.get(key) ?? []), rule]);
  }
  return [...sets.values()].map((same) => {
    const [first] = same;
    const hasPorts = first !== undefined && ['tcp', 'udp', 'icmp', 'icmpv6'].includes(first.ipProtocol);
    const peers = <T>(pick: (rule: RuleView) => T | undefined): T[] => same.flatMap((rule) => pick(rule) ?? []);
    return {
      ipProtocol: first?.ipProtocol,
      ...(hasPorts ? { fromPort: first.fromPort, toPort: first.toPort } : {}),
      groups: peers((rule) =>
        rule.referencedGroupId === undefined
          ? undefined
          : {
              userId: call.accountOf(rule.projectId),
              groupId: rule.referencedGroupId,
              description: rule.description,
            },
      ),
      ipRanges: peers((rule) =>
        rule.cidrIpv4 === undefined ? undefined : { cidrIp: rule.cidrIpv4, description: rule.description },
      ),
      ipv6Ranges: peers((rule) =>
        rule.cidrIpv6 === undefined ? undefined : { cidrIpv6: rule.cidrIpv6, description: rule.description },
      ),
      prefixListIds: [],
    };
  });
}

export function groupTree(call: Ec2Call, group: GroupView): XmlTree {
  return {
    ownerId: call.accountOf(group.projectId),
    groupId: group.groupId,
    groupName: group.groupName,
    groupDescription: group.description,
    vpcId: group.vpcId,
    securityGroupArn: arn(call, group.projectId, 'security-group', group.groupId),
    ipPermissions: permissionSet(
      call,
      group.rules.filter(({ isEgress }) => !isEgress),
    ),
    ipPermissionsEgress: permissionSet(
      call,
      group.rules.filter(({ isEgress }) => isEgress),
    ),
    tagSet: tagSet(group.tags),
  };
}

export function ruleTree(call: Ec2Call, rule: RuleView): XmlTree {
  const owner = call.accountOf(rule.projectId);
  const { securityGroupRuleId, groupId, isEgress, ipProtocol, fromPort, toPort, cidrIpv4, cidrIpv6 } = rule;
  return {
    securityGroupRuleId,
    groupId,
    groupOwnerId: owner,
    isEgress,
    ipProtocol,
    fromPort,
    toPort,
    cidrIpv4,
    cidrIpv6,
    referencedGroupInfo:
      rule.referencedGroupId === undefined
        ? undefined
        : { groupId: rule.referencedGroupId, userId: owner, vpcId: rule.vpcId },
    description: rule.description,
    tagSet: tagSet(rule.tags),
    securityGroupRuleArn: arn(call, rule.projectId, 'security-group-rule', securityGroupRuleId),
  };
}

export function arn(call: Ec2Call, projectId: string, type: string, id: string): string {
  return `arn:aws:ec2:${call.region}:${call.accountOf(projectId)}:${type}/${id}`;
}

/** The rule as it was, in the answer that says that it is revoked. */
export function revokedTree({ tags: _t, projectId: _p, vpcId: _v, ...rule }: RuleView): XmlTree {
  return rule;
}
