import { describe, expect, it } from 'vitest';
import type { MeasuredCall } from '../../../src/base/measured.ts';
import { measured } from '../../../src/base/measured.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const clock = new ManualClock();

class Counter {
  #count = 0;
  readonly name = 'c';

  get count(): number {
    return this.#count;
  }

  async add(by: number): Promise<number> {
    if (by < 0) throw new RangeError('less');
    await clock.sleep(20);
    this.#count += by;
    return this.#count;
  }

  double(): number {
    return this.#count * 2;
  }
}

describe('measured', () => {
  const calls: MeasuredCall[] = [];
  const counter = measured(new Counter(), ['add'], clock, (call) => void calls.push(call));

  it('times the named methods, with what they were given and answered', async () => {
    const answer = counter.add(3);
    await clock.advance(20);
    expect(await answer).toBe(3);
    expect(calls).toEqual([{ method: 'add', args: [3], tookMs: 20, result: 3 }]);
    expect(counter.count).toBe(3);
  });

  it('what failed is told, and fails for the caller', async () => {
    calls.length = 0;
    await expect(counter.add(-1)).rejects.toThrow('less');
    expect(calls).toMatchObject([{ method: 'add', error: { message: 'less' } }]);
  });

  it('everything else is as it was, and a method is always the same one', () => {
    calls.length = 0;
    expect([counter.name, counter.double()]).toEqual(['c', 6]);
    expect(counter.double).toBe(counter.double);
    expect(calls).toEqual([]);
    expect(counter).toBeInstanceOf(Counter);
  });
});
