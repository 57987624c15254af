import { ID_PREFIX, sha256Hex } from '../base/ids.ts';

/** What a rule lets through comes from, or goes to: one of an IPv4 network, an IPv6 network, or the members of a group. */
export type RulePeer = { readonly cidrIpv4: string } | { readonly cidrIpv6: string } | { readonly groupId: string };

/** What of an IP packet a rule matches. Ports are of tcp and udp; of icmp and icmpv6 they are type and code, -1 for any. */
export interface RuleMatch {
  /** tcp, udp, icmp, icmpv6, a number of IANA's list, or -1 for all. */
  readonly protocol: string;
  readonly fromPort?: number;
  readonly toPort?: number;
}

/** One rule: EC2's `IpPermission` with exactly one peer. Rules only allow. */
export interface GroupRule extends RuleMatch {
  /** sgr-… */
  readonly id: string;
  readonly direction: 'ingress' | 'egress';
  readonly peer: RulePeer;
  readonly description?: string;
}

/** A security group, with all its rules. That of a network's `default` is made with its first change; until then it is `defaultGroup`. */
export interface SecurityGroupRecord {
  readonly v: 1;
  readonly id: string;
  readonly projectId: string;
  /** Who made it, when that is a user: whose own quota it counts in. */
  readonly user?: string;
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
  readonly isDefault?: true;
  readonly rules: readonly GroupRule[];
  readonly createdAtMs: number;
}

/** Which group has a name in a VPC. */
export interface GroupNameRecord {
  readonly v: 1;
  readonly groupId: string;
}

export const DEFAULT_GROUP = 'default';
/** EC2's own limit: rules of a group in one direction. Both together stay below what one record may hold. */
export const RULES_PER_DIRECTION = 60;

const hexOf = (id: string): string => id.slice(id.lastIndexOf('-') + 1);

/** The id of a VPC's default group: the VPC's own digits, so that nothing has to be stored for it. */
export function defaultGroupId(vpcId: string): string {
  return `${ID_PREFIX.securityGroup}-${hexOf(vpcId)}`;
}

/** The VPC whose default group has this id (which need not exist). */
export function vpcOfDefaultGroup(groupId: string): string {
  return `${ID_PREFIX.vpc}-${hexOf(groupId)}`;
}

/** EC2's default group as it is before anybody changed it: all from its own members in, all out. */
export function defaultGroup(vpc: {
  readonly id: string;
  readonly projectId: string;
  readonly createdAtMs: number;
}): SecurityGroupRecord {
  const id = defaultGroupId(vpc.id);
  return {
    v: 1,
    id,
    projectId: vpc.projectId,
    vpcId: vpc.id,
    name: DEFAULT_GROUP,
    description: 'default VPC security group',
    isDefault: true,
    rules: [
      { id: derivedRuleId(id, 'ingress'), direction: 'ingress', protocol: '-1', peer: { groupId: id } },
      allOut(derivedRuleId(id, 'egress')),
    ],
    createdAtMs: vpc.createdAtMs,
  };
}

/** What every new group lets out: everything. */
export function allOut(ruleId: string): GroupRule {
  return { id: ruleId, direction: 'egress', protocol: '-1', peer: { cidrIpv4: '0.0.0.0/0' } };
}

function derivedRuleId(groupId: string, direction: string): string {
  return `${ID_PREFIX.securityGroupRule}-${sha256Hex(`${groupId}/${direction}`).slice(0, 17)}`;
}

/** The rule as EC2 tells two apart: all but id and description. */
export function ruleIdentity(rule: Omit<GroupRule, 'id'>): string {
  const { direction, protocol, fromPort, toPort, peer } = rule;
  return JSON.stringify([direction, protocol, fromPort ?? null, toPort ?? null, Object.entries(peer)]);
}

/** The groups that the rules of one name. */
export function referencedGroups(rules: readonly Pick<GroupRule, 'peer'>[]): string[] {
  return rules.flatMap(({ peer }) => ('groupId' in peer ? [peer.groupId] : []));
}
