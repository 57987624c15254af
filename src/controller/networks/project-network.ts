import { CloudError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { randomBelow, randomHex } from '../../base/random.ts';
import { humanDuration } from '../../base/units.ts';
import type { Cidr } from '../../domain/addressing.ts';
import {
  formatIpv4,
  gatewayOf,
  guestOffsets,
  macFrom,
  overlaps,
  parseCidr,
  subnetAt,
  subnetCount,
} from '../../domain/addressing.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ClaimRecord, HostRecord, NetworkRecord } from '../../domain/records.ts';
import { type FirstNetwork, firstNetworkId } from '../../domain/vpcs.ts';
import type { ControllerPolicy } from '../controller-context.ts';
import { QUARANTINE_MS } from '../controller-context.ts';
import type { Draft } from '../state/draft.ts';

interface Source {
  readonly random: Random;
  readonly nowMs: number;
  readonly cloudId: string;
  readonly policy: Pick<ControllerPolicy, 'fixedRange' | 'subnetPrefix'>;
}

/** The project's network, made in this transaction if there is none: one subnet that no other project and no host's route has. */
export function ensureProjectNetwork(draft: Draft, projectId: string, source: Source): NetworkRecord {
  const key = KEYS.network(projectId);
  const known = draft.get<NetworkRecord>(key);
  if (known !== undefined) return known;
  const planned = plannedNetwork(draft, projectId, source);
  if (planned === undefined) throw noSubnets(source);
  const subnet = KEYS.subnet(planned.cidr);
  draft.get(subnet);
  draft.put(subnet, { v: 1, owner: projectId } satisfies ClaimRecord);
  const record: NetworkRecord = {
    v: 1,
    ...planned,
    ...newBridge(draft, projectId, source.random),
    createdAtMs: source.nowMs,
  };
  draft.put(key, record);
  return record;
}

/** The project's network, or what it would be made as now; undefined when no subnet is left for it. Changes nothing. */
export function firstNetwork(
  draft: Draft,
  projectId: string,
  source: Omit<Source, 'random' | 'nowMs'>,
): FirstNetwork | undefined {
  return draft.get<NetworkRecord>(KEYS.network(projectId)) ?? plannedNetwork(draft, projectId, source);
}

/**
 * What a project's first network will be: its id for certain, its subnet unless another project or host takes that before. So clients that want to be
 * shown a default VPC before they make anything are shown one, and nothing is written for their asking.
 */
function plannedNetwork(
  draft: Draft,
  projectId: string,
  { cloudId, policy }: Omit<Source, 'random' | 'nowMs'>,
): FirstNetwork | undefined {
  const id = firstNetworkId(cloudId, projectId);
  const cidr = freeSubnet(draft, policy, Number.parseInt(id.slice(-8), 16));
  return cidr === undefined ? undefined : { id, projectId, cidr, gateway: gatewayOf(parseCidr(cidr)), createdAtMs: 0 };
}

/** A bridge and its MAC that nobody has, claimed. */
export function newBridge(
  draft: Draft,
  projectId: string,
  random: Random,
): Pick<NetworkRecord, 'bridge' | 'bridgeMac'> {
  return { bridge: freeBridgeName(draft, projectId, random), bridgeMac: claimMac(draft, projectId, random) };
}

function freeSubnet(draft: Draft, { fixedRange, subnetPrefix }: Source['policy'], from: number): string | undefined {
  const range = parseCidr(fixedRange);
  const count = subnetCount(range, subnetPrefix);
  const routes = draft.replica
    .range<HostRecord>(PREFIX.host)
    .flatMap((entry) => entry.value.facts.routes)
    .map((route) => parseCidr(route));
  for (let i = 0; i < count; i += 1) {
    const cidr = subnetAt(range, subnetPrefix, (from + i) % count);
    if (routes.some((route) => overlaps(route, parseCidr(cidr)))) continue;
    if (draft.peek(KEYS.subnet(cidr)) === undefined) return cidr;
  }
  return undefined;
}

function noSubnets({ policy }: Source): CloudError {
  return new CloudError(
    'InsufficientFreeAddresses',
    `no free /${policy.subnetPrefix} subnet is left in ${policy.fixedRange}; set network.fixedRange to a larger or another range`,
  );
}

function freeBridgeName(draft: Draft, projectId: string, random: Random): string {
  for (;;) {
    const name = `nvb-${randomHex(random, 6)}`;
    const key = KEYS.interfaceName(name);
    if (draft.get(key) !== undefined) continue;
    draft.put(key, { v: 1, owner: projectId } satisfies ClaimRecord);
    return name;
  }
}

/** How many instances a network has addresses for. */
export function addressRoom(cidr: string): number {
  const { first, end } = guestOffsets(parseCidr(cidr));
  return end - first;
}

/** How many addresses an instance could get now: those that nobody has or had, and those whose quarantine is over. */
export function freeAddresses(draft: Draft, network: NetworkRecord, nowMs: number, enough: number): number {
  const { first, end } = guestOffsets(parseCidr(network.cidr));
  const prefix = KEYS.address(network.id, '');
  const unused = end - first - draft.replica.count(prefix);
  if (unused >= enough) return unused;
  const again = draft.replica.range<ClaimRecord>(prefix).filter(({ value }) => mayGiveAgain(value, nowMs));
  return unused + again.length;
}

function mayGiveAgain({ releasedAtMs }: ClaimRecord, nowMs: number): boolean {
  return releasedAtMs !== undefined && nowMs - releasedAtMs >= QUARANTINE_MS;
}

/**
 * A free address of the network, claimed for the owner in this transaction. The search starts at a random place, so that
 * several at once rarely meet; whoever loses decides again. An address in quarantine is free once its time is over.
 */
export function claimAddress(
  draft: Draft,
  network: NetworkRecord,
  owner: string,
  source: Pick<Source, 'random' | 'nowMs'>,
): string {
  const cidr: Cidr = parseCidr(network.cidr);
  const { first, end } = guestOffsets(cidr);
  const count = end - first;
  const start = randomBelow(source.random, count);
  for (let i = 0; i < count; i += 1) {
    const address = formatIpv4(cidr.base + first + ((start + i) % count));
    const key = KEYS.address(network.id, address);
    const taken = draft.peek<ClaimRecord>(key);
    if (taken !== undefined && !mayGiveAgain(taken, source.nowMs)) continue;
    draft.get(key);
    draft.put(key, { v: 1, owner } satisfies ClaimRecord);
    return address;
  }
  throw noAddresses(network, 0, 1);
}

export function noAddresses({ cidr }: NetworkRecord, free: number, wanted: number): CloudError {
  return new CloudError(
    'InsufficientFreeAddresses',
    `the project's network ${cidr} has ${free} free addresses, ${wanted} are needed; addresses of terminated instances are free again after ${humanDuration(QUARANTINE_MS)}`,
    { details: { free, wanted } },
  );
}

/** A MAC that nobody has, claimed for the owner. */
export function claimMac(draft: Draft, owner: string, random: Random): string {
  for (;;) {
    const mac = macFrom(randomHex(random, 6));
    const key = KEYS.mac(mac);
    if (draft.get(key) !== undefined) continue;
    draft.put(key, { v: 1, owner } satisfies ClaimRecord);
    return mac;
  }
}
