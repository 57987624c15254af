import type { Plan } from './plan.ts';
import { planOf } from './plan.ts';
import type { Result } from './run-plan.ts';
import { runPlan } from './run-plan.ts';

export interface Shrunk {
  /** Places, in the seed's plan, of the steps that are still needed. */
  readonly kept: readonly number[];
  readonly result: Result;
}

/** The seed's plan with some of its steps alone. */
export function planWith(seed: number, kept: readonly number[] | undefined): Plan {
  const plan = planOf(seed);
  return kept === undefined ? plan : { ...plan, steps: plan.steps.filter((_, index) => kept.includes(index)) };
}

/**
 * Leaves out steps, halves first and then smaller parts, as long as the same invariant still breaks. All other choices of the seed stay what
 * they were.
 */
export async function shrink(seed: number, result: Result, maxRuns = 300): Promise<Shrunk> {
  const invariant = result.violation?.invariant;
  let best: Shrunk = { kept: planOf(seed).steps.map((_, index) => index), result };
  let runs = 0;
  for (let size = Math.ceil(best.kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.kept.length && runs < maxRuns;) {
      const kept = [...best.kept.slice(0, from), ...best.kept.slice(from + size)];
      runs += 1;
      const smaller = await runPlan(planWith(seed, kept));
      if (smaller.violation?.invariant === invariant) best = { kept, result: smaller };
      else from += size;
    }
  }
  return best;
}

/** What a person needs to understand a failure and to have it again. */
export function failureText(seed: number, { kept, result }: Shrunk): string {
  const { profile, steps } = planWith(seed, kept);
  return [
    `seed ${seed} breaks invariant ${result.violation?.invariant ?? ''}`,
    `  ${result.violation?.message ?? ''}`,
    `  world: ${JSON.stringify(profile)}`,
    `  ${steps.length} of ${planOf(seed).steps.length} steps are needed:`,
    ...steps.map((step) => `    ${JSON.stringify(step)}`),
    '  what happened then:',
    ...result.lines.map((line) => `    ${line}`),
    `  again: npm run sim -- --first-seed ${seed} --seeds 1 --keep ${kept.join(',')} --verbose`,
  ].join('\n');
}
