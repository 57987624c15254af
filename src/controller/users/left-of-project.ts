import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ClaimRecord, NetworkRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';
import type { Draft } from '../state/draft.ts';

interface Owned {
  readonly id?: string;
  readonly address?: string;
  readonly name?: string;
  readonly projectId: string;
  readonly state?: string;
  readonly isDefault?: true;
  readonly vpcId?: string;
}

interface Kind {
  /** As people read it. */
  readonly what: string;
  readonly prefix: (projectId: string) => string;
  /** What is over, or was made without anybody asking, is not in the way. */
  readonly counts?: (record: Owned) => boolean;
  /** It can be deleted in the transaction that deletes the project. */
  readonly goesAlong?: true;
}

const all = (prefix: string) => (): string => prefix;
const inProject =
  (prefix: string) =>
  (projectId: string): string =>
    `${prefix}${projectId}/`;

/** What a project may have, in the order in which it has to go. */
const KINDS: readonly Kind[] = [
  { what: 'instances', prefix: all(PREFIX.instance), counts: ({ state }) => state !== 'terminated' },
  { what: 'volumes', prefix: all(PREFIX.volume), counts: ({ state }) => state !== 'deleted' },
  { what: 'snapshots', prefix: all(PREFIX.snapshot), counts: ({ state }) => state !== 'deleted' },
  { what: 'public addresses', prefix: all(PREFIX.publicAddress) },
  { what: 'images', prefix: all(PREFIX.image), counts: ({ state }) => state !== 'deregistered' },
  {
    what: 'security groups',
    prefix: inProject(PREFIX.securityGroup),
    counts: ({ isDefault }) => isDefault !== true,
  },
  { what: 'internet gateways', prefix: inProject(PREFIX.internetGateway) },
  { what: 'subnets', prefix: inProject(PREFIX.network), counts: ({ vpcId }) => vpcId !== undefined },
  { what: 'VPCs', prefix: inProject(PREFIX.vpc), counts: ({ isDefault }) => isDefault !== true },
  { what: 'key pairs', prefix: inProject(PREFIX.keyPair), goesAlong: true },
  { what: 'access keys', prefix: all(PREFIX.accessKey), goesAlong: true },
];

export interface LeftOfKind {
  readonly what: string;
  readonly ids: readonly string[];
  readonly keys: readonly string[];
  readonly goesAlong: boolean;
}

/** What a project has, by kind; kinds of which it has nothing are left out. */
export function leftOfProject(replica: Pick<Replica, 'range'>, projectId: string): LeftOfKind[] {
  return KINDS.map(({ what, prefix, counts, goesAlong }) => {
    const mine = replica
      .range<Owned>(prefix(projectId))
      .filter(({ value }) => value.projectId === projectId && (counts?.(value) ?? true));
    return {
      what,
      ids: mine.map(({ key, value }) => value.id ?? value.address ?? value.name ?? key),
      keys: mine.map(({ key }) => key),
      goesAlong: goesAlong === true,
    };
  }).filter(({ ids }) => ids.length > 0);
}

/** What was made for the project without anybody asking: its first network with what that holds, the default groups, limits and usage. */
export function dropOwnRecords(draft: Draft, projectId: string): void {
  // Written by whatever takes of the project's quota, or of its networks, while this is decided.
  for (const key of [KEYS.usage(projectId), KEYS.networkUse(projectId)]) draft.get(key);
  const network = draft.get<NetworkRecord>(KEYS.network(projectId));
  if (network !== undefined) {
    for (const key of [KEYS.subnet(network.cidr), KEYS.interfaceName(network.bridge), KEYS.mac(network.bridgeMac)])
      if (draft.get<ClaimRecord>(key)?.owner === projectId) draft.del(key);
    draft.del(KEYS.network(projectId));
  }
  const prefixes = [PREFIX.vpc, PREFIX.securityGroup, PREFIX.quota, PREFIX.usage].map((prefix) => prefix + projectId);
  for (const prefix of prefixes) for (const { key } of draft.replica.range(`${prefix}/`)) draft.del(key);
  for (const { value } of draft.replica.range<{ id: string; vpcId: string; name: string }>(
    `${PREFIX.securityGroup}${projectId}/`,
  )) {
    draft.del(KEYS.securityGroupName(value.vpcId, value.name));
    draft.del(KEYS.tags(value.id));
  }
  draft.del(KEYS.networkUse(projectId));
}
