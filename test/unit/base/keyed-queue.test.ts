import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { KeyedQueue } from '../../../src/base/keyed-queue.ts';
import { ManualClock } from '../../support/manual-clock.ts';

interface Run {
  readonly key: string;
  end(error?: Error): void;
}

/** A queue whose runs the test ends itself. */
function makeQueue(concurrency = 10, clock = new ManualClock()) {
  const runs: Run[] = [];
  const errors: string[] = [];
  const queue = new KeyedQueue({
    clock,
    concurrency,
    run: (key) =>
      new Promise((resolve, reject) => {
        runs.push({ key, end: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
    onError: (key, error) => errors.push(`${key}: ${String(error)}`),
  });
  const begun = (): string[] => runs.map((run) => run.key);
  const end = async (index: number, error?: Error): Promise<void> => {
    runs[index]?.end(error);
    await clock.settle(2);
  };
  return { queue, clock, runs, errors, begun, end };
}

describe('KeyedQueue', () => {
  it('works on different keys side by side and on one key once', () => {
    const { queue, begun } = makeQueue();
    for (const key of ['a', 'b', 'a', 'b', 'c']) queue.add(key);
    expect(begun()).toEqual(['a', 'b', 'c']);
    expect(queue.depth).toBe(3);
  });

  it('a key that is added while it runs runs once more, however often it was added', async () => {
    const { queue, begun, end } = makeQueue();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    await end(0);
    expect(begun()).toEqual(['a', 'a']);
    await end(1);
    expect(queue.depth).toBe(0);
  });

  it('holds keys back above the concurrency, first come first served', async () => {
    const { queue, begun, end } = makeQueue(2);
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    expect(begun()).toEqual(['a', 'b']);
    await end(1);
    expect(begun()).toEqual(['a', 'b', 'c']);
  });

  it('a run that fails is reported and the key may run again', async () => {
    const { queue, begun, errors, end } = makeQueue();
    queue.add('a');
    await end(0, new Error('broken'));
    expect(errors).toEqual(['a: Error: broken']);
    queue.add('a');
    expect(begun()).toEqual(['a', 'a']);
  });

  it('adds later, and of several times the earliest', async () => {
    const { queue, clock, begun } = makeQueue();
    queue.addAfter('a', 1000);
    queue.addAfter('a', 500);
    queue.addAfter('a', 2000);
    await clock.advance(499);
    expect(begun()).toEqual([]);
    await clock.advance(1);
    expect(begun()).toEqual(['a']);
    await clock.advance(5000);
    expect(begun()).toEqual(['a']);
  });

  it('a time longer than a timer can have does not fire at once', async () => {
    const { queue, runs } = makeQueue(1, new SystemClock() as unknown as ManualClock);
    queue.addAfter('a', 30 * 86_400_000);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(runs).toEqual([]);
    await queue.close();
  });

  it('close drops what waits, ends no run, and resolves after the last', async () => {
    const { queue, clock, begun, runs } = makeQueue(1);
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await clock.advance(100);
    expect([begun(), closed]).toEqual([['a'], false]);
    runs[0]?.end();
    await closing;
    queue.add('d');
    expect(begun()).toEqual(['a']);
  });
});
