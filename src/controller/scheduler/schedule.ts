import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { Random } from '../../base/random.ts';
import { randomBelow } from '../../base/random.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { Candidate, Demand, Verdict } from '../../domain/placement.ts';
import { claim, placementVerdicts, placementWeight } from '../../domain/placement.ts';
import type { CapacityRecord, HostRecord } from '../../domain/records.ts';
import type { Entry, Replica } from '../../ports/store.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import type { Draft } from '../state/draft.ts';

/** Among so many best hosts one is picked at random, so that deciders in several processes rarely meet on one. */
const PICK_AMONG = 4;
/** Of 100; who is further from the best is not among them: instances spread also over two hosts. */
const AS_GOOD_AS_BEST = 0.01;
/** One call spreads over so many hosts: each is a key in its transaction, which has room for 100 (see INSTANCES_PER_TXN). */
const HOSTS_PER_CALL = 28;

/** In a large cloud a call weighs so many hosts, and one more for each instance, from a random place on; all, when those have no room. */
const SAMPLE = 16;

type Context = Pick<ControllerContext, 'observations' | 'policy' | 'random'>;
type Reader = Pick<Draft, 'peek' | 'replica'>;

/** Hosts as the scheduler sees them, from the replica (a proposal: the transaction guards the one that is chosen). */
function candidates(
  reader: Reader,
  context: Pick<Context, 'observations'>,
  hosts: readonly Entry<HostRecord>[] = reader.replica.range<HostRecord>(PREFIX.host),
): Candidate[] {
  const all: Candidate[] = [];
  for (const { value: host } of hosts) {
    const used = reader.peek<CapacityRecord>(KEYS.capacity(host.id));
    // A host that is being removed.
    if (used === undefined) continue;
    const problem = hostProblem(context, host, host.id);
    all.push(problem === undefined ? { host, used } : { host, used, problem });
  }
  return all;
}

export function verdicts(reader: Reader, context: Context, demand: Demand): Verdict[] {
  return placementVerdicts(candidates(reader, context), demand, context.policy.placement);
}

/**
 * Hosts for up to `max` instances, their capacity claimed in the draft; fewer when there is no more room, but at least `min`.
 * CloudError 'InsufficientInstanceCapacity' says of each host which filter refused it.
 */
export function schedule(
  draft: Draft,
  context: Context,
  demand: Demand,
  count: { min: number; max: number },
): string[] {
  const sample = sampleOf(draft.replica, context.random, SAMPLE + count.max);
  let placed = sample && place(candidates(draft, context, sample), context, demand, count.max);
  if (placed === undefined || placed.hostIds.length < count.max) {
    placed = place(candidates(draft, context), context, demand, count.max);
  }
  if (placed.hostIds.length < count.min) throw noRoom(placed, context, demand, count.min);
  for (const [hostId, used] of placed.used) {
    const key = KEYS.capacity(hostId);
    // Guarded: what was weighed was read from the same place. RemoveHost deletes this key, so a host can't go meanwhile.
    draft.get<CapacityRecord>(key);
    draft.put(key, used);
  }
  return placed.hostIds;
}

/** So many hosts from a random place in the order of their ids, which are random; undefined when there are not more. */
function sampleOf(replica: Replica, random: Random, size: number): Entry<HostRecord>[] | undefined {
  if (replica.count(PREFIX.host) <= size) return undefined;
  const from = replica.range<HostRecord>(PREFIX.host, { after: KEYS.host(newId('host', random)), limit: size });
  return [...from, ...replica.range<HostRecord>(PREFIX.host, { limit: size - from.length })];
}

interface Placed {
  /** One for each instance. */
  readonly hostIds: string[];
  /** What is then claimed of each of them. */
  readonly used: ReadonlyMap<string, CapacityRecord>;
  /** All hosts that were weighed, as they then are. */
  readonly candidates: readonly Candidate[];
}

function place(hosts: readonly Candidate[], { policy, random }: Context, demand: Demand, max: number): Placed {
  const now = [...hosts];
  const weights = now.map((candidate) => placementWeight(candidate, demand, policy.placement));
  const hostIds: string[] = [];
  const used = new Map<string, CapacityRecord>();
  const chosen = new Set<number>();
  while (hostIds.length < max) {
    const index = pick(weights, random, chosen.size < HOSTS_PER_CALL ? undefined : chosen);
    const candidate = index === undefined ? undefined : now[index];
    if (index === undefined || candidate === undefined) break;
    const next = { ...candidate, used: claim(candidate.used, demand) };
    now[index] = next;
    weights[index] = placementWeight(next, demand, policy.placement);
    chosen.add(index);
    used.set(next.host.id, next.used);
    hostIds.push(next.host.id);
  }
  return { hostIds, used, candidates: now };
}

/** The index of one of the PICK_AMONG best that are equally good (the lowest weight that got in is pushed out by a better one); undefined: none fits. */
function pick(
  weights: readonly (number | undefined)[],
  random: Random,
  among: ReadonlySet<number> | undefined,
): number | undefined {
  const best: number[] = [];
  const weightAt = (index: number | undefined): number => (index === undefined ? -1 : (weights[index] ?? -1));
  for (let index = 0; index < weights.length; index += 1) {
    if (weights[index] === undefined || among?.has(index) === false) continue;
    if (best.length === PICK_AMONG && weightAt(index) <= weightAt(best.at(-1))) continue;
    let at = best.length;
    while (at > 0 && weightAt(best[at - 1]) < weightAt(index)) at -= 1;
    best.splice(at, 0, index);
    if (best.length > PICK_AMONG) best.pop();
  }
  const good = best.filter((index) => weightAt(index) >= weightAt(best[0]) - AS_GOOD_AS_BEST);
  return good[randomBelow(random, good.length)];
}

function noRoom({ hostIds, candidates: hosts }: Placed, { policy }: Context, demand: Demand, min: number): CloudError {
  const rows = placementVerdicts(hosts, demand, policy.placement);
  return new CloudError('InsufficientInstanceCapacity', capacityText(rows, hostIds.length, min), {
    details: { hosts: rows },
  });
}

function capacityText(rows: readonly Verdict[], found: number, min: number): string {
  if (rows.length === 0) return 'there is no host yet; add one with "novactl host add --local"';
  const head = found === 0 ? 'no host has room' : `only ${found} of at least ${min} instances have room`;
  if (rows.some((row) => row.weight !== undefined)) {
    return `${head} on the ${HOSTS_PER_CALL} hosts that one call may use; ask for fewer at a time`;
  }
  const texts = rows.slice(0, 5).map((row) => `${row.hostName}: ${row.reason ?? 'full'}`);
  const more = rows.length > 5 ? ` and ${rows.length - 5} more; see "novactl why not place"` : '';
  return `${head}: ${texts.join('; ')}${more}`;
}
