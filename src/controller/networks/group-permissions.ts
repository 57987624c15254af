import { CloudError } from '../../base/errors.ts';
import { ipv4Network, ipv6Network, ruleMatch } from '../../domain/group-rules.ts';
import { type GroupRule, ruleIdentity, type RulePeer, type SecurityGroupRecord } from '../../domain/security-groups.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import type { Draft } from '../state/draft.ts';
import { groupNamed, groupOf, noGroup, wellFormed } from './security-groups.ts';
import type { NetworkCloud } from './vpcs.ts';

export type Permission = OperationParsed<'AuthorizeSecurityGroupIngress'>['IpPermissions'][number];
export type Direction = GroupRule['direction'];
export type UnnamedRule = Omit<GroupRule, 'id'>;
type Pair = NonNullable<Permission['UserIdGroupPairs']>[number];

interface Place {
  readonly draft: Draft;
  readonly cloud: NetworkCloud;
  readonly group: SecurityGroupRecord;
}

/**
 * The rules that permissions are: one for each peer. Errors: 'MissingParameter' (no peer), 'InvalidParameterValue' (among them a rule that comes
 * twice), 'InvalidGroup.NotFound' (a peer that is no group of the same VPC), 'InvalidPrefixListId.NotFound'.
 */
export function rulesIn(place: Place, direction: Direction, permissions: readonly Permission[]): UnnamedRule[] {
  const rules = permissions.flatMap((permission) => {
    const match = ruleMatch(permission);
    return peersOf(place, permission).map(({ peer, description }) => ({
      direction,
      ...match,
      peer,
      ...(description === undefined || description === '' ? {} : { description }),
    }));
  });
  const seen = new Set<string>();
  for (const rule of rules) {
    const identity = ruleIdentity(rule);
    if (seen.has(identity)) {
      throw new CloudError(
        'InvalidParameterValue',
        `IpPermissions: the same permission must not appear twice: ${ruleText(rule)}`,
        { details: { parameter: 'IpPermissions' } },
      );
    }
    seen.add(identity);
  }
  return rules;
}

function peersOf(place: Place, permission: Permission): { peer: RulePeer; description: string | undefined }[] {
  const { IpRanges = [], Ipv6Ranges = [], UserIdGroupPairs = [], PrefixListIds = [] } = permission;
  for (const { PrefixListId } of PrefixListIds) throw noPrefixList(PrefixListId);
  const peers = [
    ...IpRanges.map((one) => ({ peer: { cidrIpv4: ipv4Network(one.CidrIp) }, description: one.Description })),
    ...Ipv6Ranges.map((one) => ({ peer: { cidrIpv6: ipv6Network(one.CidrIpv6) }, description: one.Description })),
    ...UserIdGroupPairs.map((one) => ({ peer: { groupId: peerGroup(place, one) }, description: one.Description })),
  ];
  if (peers.length > 0) return peers;
  throw new CloudError(
    'MissingParameter',
    'IpPermissions: each needs a network or a group: IpRanges, Ipv6Ranges or UserIdGroupPairs',
    { details: { parameter: 'IpPermissions' } },
  );
}

export function noPrefixList(prefixListId: string): CloudError {
  return new CloudError(
    'InvalidPrefixListId.NotFound',
    `PrefixListIds: there is no prefix list ${prefixListId}; this cloud has none, name networks instead`,
    { details: { parameter: 'PrefixListIds' } },
  );
}

function peerGroup({ draft, cloud, group }: Place, pair: Pair): string {
  const { projectId, vpcId } = group;
  const { GroupId, GroupName, UserId } = pair;
  const found =
    GroupId !== undefined
      ? groupOf(draft, cloud, projectId, wellFormed(GroupId))
      : groupNamed(draft, cloud, projectId, vpcId, GroupName ?? '');
  // Only groups of the same VPC can be told apart by its hosts.
  const isMine = UserId === undefined || UserId === projectId;
  if (found?.vpcId === vpcId && isMine) return found.id;
  return noGroup('UserIdGroupPairs', GroupId ?? GroupName ?? '');
}

/** `tcp 22-22 from 0.0.0.0/0`, for messages. */
export function ruleText({ direction, protocol, fromPort, toPort, peer }: UnnamedRule): string {
  const ports = fromPort === undefined ? '' : ` ${fromPort}-${toPort ?? fromPort}`;
  return `${protocol}${ports} ${direction === 'ingress' ? 'from' : 'to'} ${Object.values(peer).join('')}`;
}
