import { CloudError } from '../../base/errors.ts';
import { randomBelow } from '../../base/random.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { Candidate, Demand, Verdict } from '../../domain/placement.ts';
import { claim, placementVerdicts } from '../../domain/placement.ts';
import type { CapacityRecord, HostRecord } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import type { Draft } from '../state/draft.ts';

/** Among so many best hosts one is picked at random, so that several deciders at once rarely meet on one. */
const PICK_AMONG = 4;

type Context = Pick<ControllerContext, 'observations' | 'policy' | 'random'>;
type Reader = Pick<Draft, 'peek' | 'replica'>;

/** Every host as the scheduler sees it, from the replica (a proposal: the transaction guards the one that is chosen). */
export function candidates(reader: Reader, context: Pick<Context, 'observations'>): Candidate[] {
  return reader.replica.range<HostRecord>(PREFIX.host).map(({ value: host }) => {
    const problem = hostProblem(context, host, host.id);
    return {
      host,
      used: reader.peek<CapacityRecord>(KEYS.capacity(host.id)) ?? NO_CAPACITY,
      ...(problem === undefined ? {} : { problem }),
    };
  });
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
  const all = candidates(draft, context);
  const chosen: string[] = [];
  let last: Verdict[] = [];
  while (chosen.length < count.max) {
    last = placementVerdicts(all, demand, context.policy.placement);
    const fitting = last.filter((verdict) => verdict.weight !== undefined);
    const pick = fitting[randomBelow(context.random, Math.min(fitting.length, PICK_AMONG))];
    if (pick === undefined) break;
    const index = all.findIndex((candidate) => candidate.host.id === pick.hostId);
    const candidate = all[index];
    if (candidate === undefined) break;
    draft.get(KEYS.host(pick.hostId));
    const key = KEYS.capacity(pick.hostId);
    // The guarded read may be newer than what was weighed; the claim is made on the guarded one.
    const used = claim(draft.get<CapacityRecord>(key) ?? NO_CAPACITY, demand);
    draft.put(key, used);
    all[index] = { ...candidate, used };
    chosen.push(pick.hostId);
  }
  if (chosen.length >= count.min) return chosen;
  throw new CloudError('InsufficientInstanceCapacity', capacityText(last, chosen.length, count.min), {
    details: { hosts: last },
  });
}

function capacityText(refused: readonly Verdict[], found: number, min: number): string {
  if (refused.length === 0) return 'there is no host yet; add one with "novactl host add --local"';
  const rows = refused.slice(0, 5).map((row) => `${row.hostName}: ${row.reason ?? 'full'}`);
  const more = refused.length > 5 ? ` and ${refused.length - 5} more; see "novactl why not place"` : '';
  const head = found === 0 ? 'no host has room' : `only ${found} of at least ${min} instances have room`;
  return `${head}: ${rows.join('; ')}${more}`;
}
