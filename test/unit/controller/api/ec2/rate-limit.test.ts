import { describe, expect, it } from 'vitest';
import { RateLimit, rateClassOf } from '../../../../../src/controller/api/ec2/rate-limit.ts';

const RATES = {
  describe: { perSecond: 2, burst: 3 },
  change: { perSecond: 1, burst: 1 },
  run: { perSecond: 0, burst: 1 },
};

describe('the rate limit', () => {
  it('lets a burst through, then says how long to wait, and recovers', () => {
    const limit = new RateLimit(RATES);
    expect([0, 0, 0, 0].map((nowMs) => limit.take('A', 'describe', nowMs))).toEqual([0, 0, 0, 500]);
    expect(limit.take('A', 'describe', 499)).toBeCloseTo(1, 5);
    expect(limit.take('A', 'describe', 500)).toBe(0);
    // After a long rest the burst is whole again, and no larger.
    expect([1, 2, 3, 4].map(() => limit.take('A', 'describe', 1_000_000))).toEqual([0, 0, 0, 500]);
  });

  it('counts each key and each class apart', () => {
    const limit = new RateLimit(RATES);
    expect(limit.take('A', 'change', 0)).toBe(0);
    expect(limit.take('A', 'change', 0)).toBe(1000);
    expect(limit.take('B', 'change', 0)).toBe(0);
    expect(limit.take('A', 'describe', 0)).toBe(0);
  });

  it('is off at 0 a second, and remembers nobody then', () => {
    const limit = new RateLimit(RATES);
    expect(Array.from({ length: 50 }, () => limit.take('A', 'run', 0))).toEqual(Array.from({ length: 50 }, () => 0));
    expect(limit.size).toBe(0);
  });

  it('forgets who has not asked for longest', () => {
    const limit = new RateLimit(RATES, 2);
    expect(limit.take('A', 'change', 0)).toBe(0);
    expect(limit.take('B', 'change', 0)).toBe(0);
    expect(limit.take('A', 'change', 1)).toBeGreaterThan(0);
    expect(limit.take('C', 'change', 1)).toBe(0);
    expect(limit.size).toBe(2);
    expect(limit.take('A', 'change', 2)).toBeGreaterThan(0);
    expect(limit.take('B', 'change', 2)).toBe(0);
  });

  it('knows the class by the name of the action', () => {
    expect(['DescribeInstances', 'GetConsoleOutput', 'RunInstances', 'StopInstances'].map(rateClassOf)).toEqual([
      ...['describe', 'describe', 'run', 'change'],
    ]);
  });
});
