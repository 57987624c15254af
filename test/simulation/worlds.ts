import { clusterPlanOf } from './cluster/cluster-plan.ts';
import { runClusterPlan } from './cluster/run-cluster.ts';
import { planOf } from './plan.ts';
import { runPlan } from './run-plan.ts';
import type { Result } from './run-plan.ts';

/** one: a process with the file engine. many: controllers and workers over etcd. A seed plays another life in each. */
export const WORLDS = ['one', 'many'] as const;
export type World = (typeof WORLDS)[number];

/** A seed's life in a world, which may be played with some of its steps alone. */
export interface Script {
  readonly profile: object;
  readonly steps: readonly object[];
  play(kept?: readonly number[]): Promise<Result>;
}

const SCRIPTS: Readonly<Record<World, (seed: number) => Script>> = {
  one: (seed) => scriptOf(planOf(seed), runPlan),
  many: (seed) => scriptOf(clusterPlanOf(seed), runClusterPlan),
};

export function scriptFor(world: World, seed: number): Script {
  return SCRIPTS[world](seed);
}

function scriptOf<S extends object, P extends { readonly profile: object; readonly steps: readonly S[] }>(
  plan: P,
  run: (plan: P) => Promise<Result>,
): Script {
  return {
    profile: plan.profile,
    steps: plan.steps,
    play: (kept) =>
      run(kept === undefined ? plan : { ...plan, steps: plan.steps.filter((_, index) => kept.includes(index)) }),
  };
}
