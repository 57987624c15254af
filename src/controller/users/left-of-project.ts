import { KEYS, PREFIX } from '../../domain/keys.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import type { ClaimRecord, NetworkRecord, TagsRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';
import type { Draft } from '../state/draft.ts';

interface Owned {
  readonly id?: string;
  readonly address?: string;
  readonly name?: string;
  readonly projectId: string;
  readonly state?: string;
  readonly deregisteredAtMs?: number;
  readonly isDefault?: true;
  readonly vpcId?: string;
}

interface Kind {
  /** As people read it. */
  readonly what: string;
  readonly prefix: string;
  /** What is over, or was made without anybody asking, is not in the way. */
  readonly counts?: (record: Owned) => boolean;
  /** It can be deleted in the transaction that deletes the project. */
  readonly goesAlong?: true;
}

/** What a project may have, in the order in which it has to go. */
const KINDS: readonly Kind[] = [
  { what: 'instances', prefix: PREFIX.instance, counts: ({ state }) => state !== 'terminated' },
  { what: 'volumes', prefix: PREFIX.volume, counts: ({ state }) => state !== 'deleted' },
  { what: 'snapshots', prefix: PREFIX.snapshot, counts: ({ state }) => state !== 'deleted' },
  { what: 'public addresses', prefix: PREFIX.publicAddress },
  { what: 'images', prefix: PREFIX.image, counts: ({ deregisteredAtMs }) => deregisteredAtMs === undefined },
  { what: 'security groups', prefix: PREFIX.securityGroup, counts: ({ isDefault }) => isDefault !== true },
  { what: 'internet gateways', prefix: PREFIX.internetGateway },
  { what: 'subnets', prefix: PREFIX.network, counts: ({ vpcId }) => vpcId !== undefined },
  { what: 'VPCs', prefix: PREFIX.vpc, counts: ({ isDefault }) => isDefault !== true },
  { what: 'key pairs', prefix: PREFIX.keyPair, goesAlong: true },
  { what: 'access keys', prefix: PREFIX.accessKey, goesAlong: true },
];

export interface LeftOfKind {
  readonly what: string;
  readonly ids: readonly string[];
  readonly keys: readonly string[];
  readonly goesAlong: boolean;
}

/** What a project has in any region (`p@region`, docs/adr/0013), by kind; kinds of which it has nothing are left out. */
export function leftOfProject(replica: Pick<Replica, 'range'>, projectId: string): LeftOfKind[] {
  return KINDS.map(({ what, prefix, counts, goesAlong }) => {
    const mine = replica
      .range<Owned>(prefix)
      .filter(({ value }) => projectWithoutRegion(value.projectId) === projectId && (counts?.(value) ?? true));
    return {
      what,
      ids: mine.map(({ key, value }) => value.id ?? value.address ?? value.name ?? key),
      keys: mine.map(({ key }) => key),
      goesAlong: goesAlong === true,
    };
  }).filter(({ ids }) => ids.length > 0);
}

/** What goes with the project, with what is recorded of each beside it. */
export function dropLeft(draft: Draft, left: readonly LeftOfKind[]): void {
  // Not guarded, as are the things themselves: a transaction has room for so many guards only.
  for (const key of left.flatMap(({ keys }) => keys)) {
    const { id = '' } = draft.peek<Owned>(key) ?? {};
    draft.del(key);
    for (const beside of [KEYS.tags(id), KEYS.accessKeyUse(id)])
      if (draft.peek(beside) !== undefined) draft.del(beside);
  }
}

/** The ids under which the project has something: its own, and those of other regions. */
export function idsOfProject(replica: Pick<Replica, 'range'>, projectId: string): string[] {
  const known = OWN_PREFIXES.flatMap((prefix) =>
    replica.range<unknown>(`${prefix}${projectId}@`).map(({ key }) => key.slice(prefix.length).split('/')[0] ?? ''),
  );
  return [...new Set([projectId, ...known])];
}

const OWN_PREFIXES = [PREFIX.network, PREFIX.vpc, PREFIX.securityGroup, PREFIX.quota, PREFIX.usage];

/**
 * What was made for the project without anybody asking, in each region: its first network with what that holds, the default groups, limits and usage, and
 * tags of parts of networks, which are no records of their own.
 */
export function dropOwnRecords(draft: Draft, projectId: string): void {
  for (const id of idsOfProject(draft.replica, projectId)) dropOwnIn(draft, id);
  for (const key of tagsOfProject(draft.replica, projectId).slice(0, TAGS_AT_ONCE))
    if (draft.peek(key) !== undefined) draft.del(key);
}

/** What a transaction has room for beside all else; the rest goes after it. */
const TAGS_AT_ONCE = 12;

/** The keys of all tags of what a project has, or had, in any region. */
export function tagsOfProject(replica: Pick<Replica, 'range'>, projectId: string): string[] {
  const all = replica.range<TagsRecord>(PREFIX.tags);
  return all.filter(({ value }) => projectWithoutRegion(value.projectId) === projectId).map(({ key }) => key);
}

function dropOwnIn(draft: Draft, projectId: string): void {
  // Written by whatever takes of the project's quota, or of its networks, while this is decided.
  for (const key of [KEYS.usage(projectId), KEYS.networkUse(projectId)]) draft.get(key);
  const network = draft.get<NetworkRecord>(KEYS.network(projectId));
  if (network !== undefined) {
    for (const key of [KEYS.subnet(network.cidr), KEYS.interfaceName(network.bridge), KEYS.mac(network.bridgeMac)])
      if (draft.get<ClaimRecord>(key)?.owner === projectId) draft.del(key);
    draft.del(KEYS.network(projectId));
  }
  for (const { key } of draft.replica.range(`${PREFIX.vpc}${projectId}/`)) draft.del(key);
  for (const { key, value } of draft.replica.range<{ id: string; vpcId: string; name: string }>(
    `${PREFIX.securityGroup}${projectId}/`,
  )) {
    draft.del(key);
    draft.del(KEYS.securityGroupName(value.vpcId, value.name));
    draft.del(KEYS.tags(value.id));
  }
  // Those of its users, of whom there may be more than a transaction has room for, go after it.
  for (const key of [KEYS.quota(projectId), KEYS.usage(projectId), KEYS.networkUse(projectId)]) draft.del(key);
}
