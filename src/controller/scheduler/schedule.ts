import { CloudError } from '../../base/errors.ts';
import { randomBelow } from '../../base/random.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { Candidate, Demand, Verdict } from '../../domain/placement.ts';
import { claim, placementVerdicts, placementWeight } from '../../domain/placement.ts';
import type { CapacityRecord, HostRecord } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import type { Draft } from '../state/draft.ts';

/** Among so many best hosts one is picked at random, so that deciders in several processes rarely meet on one. */
const PICK_AMONG = 4;
/** One call spreads over so many hosts: each is a key in its transaction, which has room for 100 (see INSTANCES_PER_TXN). */
const HOSTS_PER_CALL = 40;

type Context = Pick<ControllerContext, 'observations' | 'policy' | 'random'>;
type Reader = Pick<Draft, 'peek' | 'replica'>;

/** Every host as the scheduler sees it, from the replica (a proposal: the transaction guards the one that is chosen). */
export function candidates(reader: Reader, context: Pick<Context, 'observations'>): Candidate[] {
  const all: Candidate[] = [];
  for (const { value: host } of reader.replica.range<HostRecord>(PREFIX.host)) {
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
  const { placement } = context.policy;
  const all = candidates(draft, context);
  const weights = all.map((candidate) => placementWeight(candidate, demand, placement));
  const chosen: string[] = [];
  const used = new Set<number>();
  while (chosen.length < count.max) {
    const index = pick(weights, context.random, used.size < HOSTS_PER_CALL ? undefined : used);
    const candidate = index === undefined ? undefined : all[index];
    if (index === undefined || candidate === undefined) break;
    const claimed = claimOn(draft, candidate, demand);
    all[index] = claimed;
    weights[index] = placementWeight(claimed, demand, placement);
    used.add(index);
    chosen.push(claimed.host.id);
  }
  if (chosen.length >= count.min) return chosen;
  const last = placementVerdicts(all, demand, placement);
  const text = weights.some((weight) => weight !== undefined)
    ? `only ${chosen.length} of at least ${count.min} instances have room on the ${HOSTS_PER_CALL} hosts that one call may use; ask for fewer at a time`
    : capacityText(last, chosen.length, count.min);
  throw new CloudError('InsufficientInstanceCapacity', text, { details: { hosts: last } });
}

/** The claim is made on the guarded read. RemoveHost deletes the same key, so a host can't go meanwhile. */
function claimOn(draft: Draft, candidate: Candidate, demand: Demand): Candidate {
  const key = KEYS.capacity(candidate.host.id);
  const used = claim(draft.get<CapacityRecord>(key) ?? candidate.used, demand);
  draft.put(key, used);
  return { ...candidate, used };
}

/** The index of one of the PICK_AMONG best (the lowest weight that got in is pushed out by a better one); undefined: none fits. */
function pick(
  weights: readonly (number | undefined)[],
  random: ControllerContext['random'],
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
  return best[randomBelow(random, best.length)];
}

function capacityText(refused: readonly Verdict[], found: number, min: number): string {
  if (refused.length === 0) return 'there is no host yet; add one with "novactl host add --local"';
  const rows = refused.slice(0, 5).map((row) => `${row.hostName}: ${row.reason ?? 'full'}`);
  const more = refused.length > 5 ? ` and ${refused.length - 5} more; see "novactl why not place"` : '';
  const head = found === 0 ? 'no host has room' : `only ${found} of at least ${min} instances have room`;
  return `${head}: ${rows.join('; ')}${more}`;
}
