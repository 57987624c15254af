import { describe, expect, it } from 'vitest';
import { benchRow } from '../../bench/bench-row.ts';

describe('benchRow', () => {
  it('works out the ratio and judges a goal on it', () => {
    const figure = {
      name: 'run.boot',
      value: 5.2,
      unit: 's',
      baseline: 5,
      goal: { of: 'ratio', atMost: 1.15 },
    } as const;
    expect(benchRow(figure)).toEqual({
      ...{ name: 'run.boot', value: 5.2, unit: 's', baseline: 5 },
      ...{ ratio: 1.04, goal: '<= 1.15 x', met: true },
    });
    expect(benchRow({ ...figure, value: 6 }).met).toBe(false);
  });

  it('judges a goal on the value where the goal is one', () => {
    const figure = { name: 'run.rate', value: 1999, unit: '1/s', goal: { of: 'value', atLeast: 2000 } } as const;
    expect(benchRow(figure)).toEqual({ name: 'run.rate', value: 1999, unit: '1/s', goal: '>= 2000 1/s', met: false });
  });

  it('calls no goal met on a figure that is none, or without its baseline', () => {
    const goal = { of: 'ratio', atMost: 4 } as const;
    expect(benchRow({ name: 'a', value: 1, unit: 's', goal }).met).toBe(false);
    expect(benchRow({ name: 'a', value: 1, unit: 's', baseline: 0, goal }).met).toBe(false);
    expect(benchRow({ name: 'a', value: NaN, unit: 's', baseline: 2, goal }).met).toBe(false);
  });
});
