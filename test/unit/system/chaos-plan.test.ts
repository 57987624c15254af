import { describe, expect, it } from 'vitest';
import { planChaos } from '../../system/chaos/chaos-plan.ts';

const MINUTES_MS = 600_000;
const SEEDS = Array.from({ length: 50 }, (_, index) => index + 1);

describe('the plan of a chaos run', () => {
  it('is decided by its seed', () => {
    expect(planChaos(7, MINUTES_MS)).toEqual(planChaos(7, MINUTES_MS));
    expect(planChaos(8, MINUTES_MS)).not.toEqual(planChaos(7, MINUTES_MS));
  });

  it('has every kind of fault somewhere, one every few seconds', () => {
    const plans = SEEDS.map((seed) => planChaos(seed, MINUTES_MS));
    expect(new Set(plans.flat().map(({ kind }) => kind)).size).toBe(21);
    for (const plan of plans) expect(plan.length).toBeGreaterThan(100);
  });

  it('never takes what a cloud needs to work at all', () => {
    for (const steps of SEEDS.map((seed) => planChaos(seed, MINUTES_MS))) {
      for (const { atMs } of steps) {
        const down = steps.filter((step) => step.atMs <= atMs && atMs < step.atMs + step.forMs);
        const of = (letter: string): number => down.filter(({ target }) => target.startsWith(letter)).length;
        expect([of('a') < 2, of('c') < 3, of('w') < 2, of('n') < 2, of('h') < 2]).toEqual(Array(5).fill(true));
      }
      expect(steps.filter(({ kind }) => kind === 'host-power').length).toBeLessThanOrEqual(1);
      expect(steps.every(({ kind, forMs }) => kind !== 'etcd-quorum' || forMs <= 10_000)).toBe(true);
      expect(steps.every(({ forMs }) => forMs <= 20_000)).toBe(true);
    }
  });
});
