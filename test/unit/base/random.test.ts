import { describe, expect, it } from 'vitest';
import { randomHex, SystemRandom } from '../../../src/base/random.ts';

describe('SystemRandom', () => {
  it('gives as many bytes as are asked for, over the end of what it has in stock', () => {
    const random = new SystemRandom();
    for (let round = 0; round < 2000; round += 1) {
      const count = round % 40;
      expect(random.bytes(count)).toHaveLength(count);
    }
    expect(randomHex(random, 17)).toMatch(/^[0-9a-f]{17}$/);
  });

  it('gives nothing twice, and nothing empty', () => {
    const random = new SystemRandom();
    const ids = Array.from({ length: 20_000 }, () => randomHex(random, 24));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => id.startsWith('0'.repeat(12)) || id.endsWith('0'.repeat(12)))).toEqual([]);
  });

  it('what was given stays as it is while more is drawn', () => {
    const random = new SystemRandom();
    const given = Array.from({ length: 1000 }, () => random.bytes(12));
    const then = given.map((bytes) => bytes.toString('hex'));
    for (let round = 0; round < 1000; round += 1) random.bytes(12);
    expect(given.map((bytes) => bytes.toString('hex'))).toEqual(then);
  });

  it('is spread evenly over [0, 1)', () => {
    const random = new SystemRandom();
    const units = Array.from({ length: 20_000 }, () => random.unit());
    expect(units.every((unit) => unit >= 0 && unit < 1)).toBe(true);
    expect(units.reduce((sum, unit) => sum + unit, 0) / units.length).toBeCloseTo(0.5, 1);
  });
});
