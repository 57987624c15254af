import { describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../../../src/adapters/bus/memory-bus.ts';
import type { BusFaults, Hop } from '../../../../src/adapters/bus/bus-faults.ts';
import type { CloudError } from '../../../../src/base/errors.ts';
import type { Json } from '../../../../src/base/json.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { type Bus, BUS_LIMITS } from '../../../../src/ports/bus.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

function busWith(faults: BusFaults, seed = 1): { bus: Bus; clock: ManualClock } {
  const clock = new ManualClock();
  return { bus: createMemoryBus({ clock, random: new SeededRandom(seed), faults }), clock };
}

/** Casts 0 ... count-1 to a server that keeps them; what came, in its order, after a minute. */
async function castMany(count: number, faults: BusFaults, seed?: number): Promise<Json[]> {
  const { bus, clock } = busWith(faults, seed);
  const got: Json[] = [];
  await bus.serve('t', { note: async (body) => void got.push(body) as undefined }, { prefetch: 1 });
  for (let n = 0; n < count; n += 1) await bus.cast('t', 'note', n);
  await clock.advance(60_000);
  await clock.settle(3 * count);
  await bus.close();
  return got;
}

const inOrder = (list: readonly Json[]): boolean =>
  list.every((item, index) => index === 0 || Number(list[index - 1]) <= Number(item));

describe('in-process bus: faults', () => {
  it('without faults all come, in order', async () => {
    expect(await castMany(100, {})).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  it('loses some', async () => {
    const got = await castMany(1000, { drop: 0.3 });
    expect(got.length).toBeGreaterThan(600);
    expect(got.length).toBeLessThan(800);
    expect(new Set(got).size).toBe(got.length);
    expect(inOrder(got)).toBe(true);
  });

  it('doubles some', async () => {
    const got = await castMany(1000, { double: 0.3 });
    expect(new Set(got).size).toBe(1000);
    expect(got.length).toBeGreaterThan(1200);
    expect(got.length).toBeLessThan(1400);
  });

  it.each([
    ['delays', { delay: 0.3, maxDelayMs: 500 }],
    ['reorders', { reorder: 0.3 }],
  ])('%s some, and all come', async (_, faults) => {
    const got = await castMany(1000, faults);
    expect([...got].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 1000 }, (_unused, n) => n));
    expect(inOrder(got)).toBe(false);
  });

  it('does the same for the same seed', async () => {
    const faults = { drop: 0.1, double: 0.1, delay: 0.1, reorder: 0.1 };
    const first = await castMany(300, faults, 42);
    expect(await castMany(300, faults, 42)).toEqual(first);
    expect(await castMany(300, faults, 43)).not.toEqual(first);
  });

  it('a lost request and a lost answer look alike to the caller; the work was done only once the answer was lost', async () => {
    for (const lost of ['call', 'reply'] as const) {
      const { bus, clock } = busWith({ drop: 1, applies: (hop: Hop) => hop.kind === lost });
      let done = 0;
      await bus.serve('t', { work: async () => (done += 1) });
      const outcome = bus.call('t', 'work', 1, { timeoutMs: 1000 }).catch((error: CloudError) => error.code);
      await clock.advance(1000);
      expect([await outcome, done]).toEqual(['Timeout', lost === 'call' ? 0 : 1]);
    }
  });

  it('a doubled call is done twice and answered once', async () => {
    const { bus, clock } = busWith({ double: 1 });
    let done = 0;
    await bus.serve('t', { work: async () => (done += 1) });
    const answer = bus.call('t', 'work', 1, { timeoutMs: 1000 });
    await clock.advance(10);
    expect([await answer, done]).toEqual([1, 2]);
  });

  it('a call that comes after its deadline is not done', async () => {
    const { bus, clock } = busWith({ delay: 1, maxDelayMs: 5000 }, 5);
    let done = 0;
    await bus.serve('t', { work: async () => (done += 1) });
    const outcomes = Array.from({ length: 20 }, () =>
      bus.call('t', 'work', 1, { timeoutMs: 1 }).catch((error: CloudError) => error.code),
    );
    await clock.advance(10_000);
    expect([new Set(await Promise.all(outcomes)), done]).toEqual([new Set(['Timeout']), 0]);
  });

  it('can be turned on and off while it runs, and for chosen messages', async () => {
    const faults: BusFaults = { drop: 1, applies: ({ type }) => type === 'fragile' };
    const { bus, clock } = busWith(faults);
    const got: Json[] = [];
    const keep = async (body: Json): Promise<undefined> => void got.push(body) as undefined;
    await bus.serve('t', { fragile: keep, sturdy: keep });
    await bus.subscribe('t', { fragile: keep });
    const round = async (n: number): Promise<void> => {
      await bus.cast('t', 'fragile', `cast ${n}`);
      await bus.fanout('t', 'fragile', `fanout ${n}`);
      await bus.cast('t', 'sturdy', `sturdy ${n}`);
      await clock.advance(1);
    };
    await round(1);
    faults.drop = 0;
    await round(2);
    expect(got.sort()).toEqual(['cast 2', 'fanout 2', 'sturdy 1', 'sturdy 2']);
  });
});

describe('in-process bus: bounds', () => {
  function small(): { bus: Bus; clock: ManualClock } {
    const clock = new ManualClock();
    const limits = { queueLength: 5, deadLetters: 3 };
    return { bus: createMemoryBus({ clock, random: new SeededRandom(1), limits }), clock };
  }

  it('a full queue refuses casts and calls; what is being handled or waits for another try counts', async () => {
    const { bus, clock } = small();
    let fail = true;
    await bus.serve(
      't',
      { note: () => (fail ? Promise.reject(new Error('no')) : Promise.resolve(undefined)) },
      { prefetch: 2 },
    );
    for (let n = 0; n < 5; n += 1) await bus.cast('t', 'note', n);
    await expect(bus.cast('t', 'note', 5)).rejects.toMatchObject({ code: 'RequestLimitExceeded' });
    await clock.advance(10);
    await expect(bus.cast('t', 'note', 5)).rejects.toMatchObject({ code: 'RequestLimitExceeded' });
    fail = false;
    await clock.advance(BUS_LIMITS.redeliveryDelayMs);
    await bus.cast('t', 'note', 5);
    await bus.serve('calls', { wait: () => new Promise(() => undefined) }, { prefetch: 1 });
    const calls = Array.from({ length: 7 }, () =>
      bus.call('calls', 'wait', 1, { timeoutMs: 100 }).catch((error: CloudError) => error.code),
    );
    await clock.advance(100);
    expect((await Promise.all(calls)).sort()).toEqual([
      ...Array<string>(2).fill('RequestLimitExceeded'),
      ...Array<string>(5).fill('Timeout'),
    ]);
  });

  it('a subscriber too slow loses what does not fit', async () => {
    const { bus, clock } = small();
    const got: Json[] = [];
    let open: (() => void) | undefined;
    const slow = async (body: Json): Promise<undefined> => {
      got.push(body);
      if (got.length === 1) await new Promise<void>((resolve) => (open = resolve));
      return undefined;
    };
    await bus.subscribe('feed', { change: slow });
    await bus.fanout('feed', 'change', 0);
    await clock.settle();
    for (let n = 1; n <= 9; n += 1) await bus.fanout('feed', 'change', n);
    open?.();
    await clock.settle();
    expect(got).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('keeps the newest dead letters', async () => {
    const { bus, clock } = small();
    await bus.serve('t', {});
    for (let n = 0; n < 5; n += 1) await bus.cast('t', `type ${n}`, n);
    await clock.advance(1);
    expect((await bus.deadLetters()).map(({ type }) => type)).toEqual(['type 2', 'type 3', 'type 4']);
  });

  it('a handler that never ends gives its place back, and does not hold up the end', async () => {
    const { bus, clock } = small();
    const got: Json[] = [];
    const handlers = {
      note: async (body: Json, { deliveries }: { deliveries: number }): Promise<undefined> => {
        got.push(body);
        if (body === 'stuck' && deliveries === 0) await new Promise(() => undefined);
        return undefined;
      },
    };
    await bus.serve('t', handlers, { prefetch: 1 });
    await bus.cast('t', 'note', 'stuck');
    await bus.cast('t', 'note', 'next');
    await clock.advance(BUS_LIMITS.ackTimeoutMs - 1);
    expect(got).toEqual(['stuck']);
    await clock.advance(BUS_LIMITS.redeliveryDelayMs + 1);
    expect(got).toEqual(['stuck', 'next', 'stuck']);
    await bus.close();
  });
});
