import type { Result } from './run-plan.ts';
import type { World } from './worlds.ts';
import { scriptFor } from './worlds.ts';

export interface Shrunk {
  /** Places, in the seed's plan, of the steps that are still needed. */
  readonly kept: readonly number[];
  readonly result: Result;
}

/**
 * Leaves out steps, halves first and then smaller parts, as long as the same invariant still breaks. All other choices of the seed stay what
 * they were.
 */
export async function shrink(world: World, seed: number, result: Result, maxRuns = 300): Promise<Shrunk> {
  const invariant = result.violation?.invariant;
  const script = scriptFor(world, seed);
  let best: Shrunk = { kept: script.steps.map((_, index) => index), result };
  let runs = 0;
  for (let size = Math.ceil(best.kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.kept.length && runs < maxRuns;) {
      const kept = [...best.kept.slice(0, from), ...best.kept.slice(from + size)];
      runs += 1;
      const smaller = await script.play(kept);
      if (smaller.violation?.invariant === invariant) best = { kept, result: smaller };
      else from += size;
    }
  }
  return best;
}

/** What a person needs to understand a failure and to have it again. */
export function failureText(world: World, seed: number, { kept, result }: Shrunk): string {
  const { profile, steps } = scriptFor(world, seed);
  return [
    `seed ${seed} breaks invariant ${result.violation?.invariant ?? ''}`,
    `  ${result.violation?.message ?? ''}`,
    `  world: ${world} ${JSON.stringify(profile)}`,
    `  ${kept.length} of ${steps.length} steps are needed:`,
    ...kept.map((index) => `    ${JSON.stringify(steps[index])}`),
    '  what happened then:',
    ...result.lines.map((line) => `    ${line}`),
    `  again: npm run sim -- --world ${world} --first-seed ${seed} --seeds 1 --keep ${kept.join(',')} --verbose`,
  ].join('\n');
}
