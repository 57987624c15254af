import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../../../src/adapters/bus/memory-bus.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import type { Json } from '../../../../src/base/json.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { askController } from '../../../../src/controller/api/ask-controller.ts';
import { UnderWay } from '../../../../src/controller/operations/under-way.ts';
import { TOPIC } from '../../../../src/messages/worker.ts';
import type { Bus, Handler } from '../../../../src/ports/bus.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const TIMEOUT_MS = 110_000;
const QUESTION = { askId: 'ask', body: { askId: 'ask' }, timeoutMs: TIMEOUT_MS };
const never = new Promise<never>(() => undefined);

let clock: ManualClock;
let bus: Bus;
let asked: number;

beforeEach(() => {
  clock = new ManualClock();
  bus = createMemoryBus({ clock, random: new SystemRandom() });
  asked = 0;
});

/** Controllers c1 and c2; what each question comes to, in their order, and who says that it is at it. */
async function serve(
  answers: readonly (() => Promise<Json>)[],
  isUnderWay: () => boolean = () => false,
): Promise<void> {
  const operation: Handler = () => {
    asked += 1;
    return (answers[asked - 1] ?? (() => never))();
  };
  await bus.serve(TOPIC.controller, { operation });
  await bus.serve(TOPIC.controllerOf('c2'), { 'operation-under-way': async () => isUnderWay() });
}

/** The outcome as it is now. */
function ask(over: Bus = bus, controllers: readonly string[] = ['c1', 'c2']): { readonly now: () => unknown } {
  let now: unknown = 'none yet';
  const asker = { bus: over, clock, controllers: () => controllers };
  askController(asker, QUESTION).then(
    (answer) => (now = answer),
    (error: unknown) => (now = error),
  );
  return { now: () => now };
}

/** The calls of the topic end like this, one after the other; then they go through. */
function cutFor(errors: readonly CloudError[]): Bus {
  const left = [...errors];
  return {
    ...bus,
    call: (topic, ...rest) => {
      const error = topic === TOPIC.controller ? left.shift() : undefined;
      return error === undefined ? bus.call(topic, ...rest) : Promise.reject(error);
    },
  };
}

const lost = new CloudError('Timeout', 'the connection was cut', { details: { topic: TOPIC.controller } });

describe('a change that a controller is asked for', () => {
  it('is answered at once, and nothing goes on after that', async () => {
    await serve([async () => 'done']);
    const outcome = ask();
    await clock.settle();
    expect(outcome.now()).toBe('done');
    await clock.advance(TIMEOUT_MS);
    expect(asked).toBe(1);
  });

  it('is refused at once, and not asked for again', async () => {
    const refusal = new CloudError('InvalidParameterValue', 'Name: no');
    await serve([() => Promise.reject(refusal)]);
    const outcome = ask();
    await clock.settle();
    expect(outcome.now()).toMatchObject({ code: 'InvalidParameterValue', message: 'Name: no' });
    await clock.advance(TIMEOUT_MS);
    expect(asked).toBe(1);
  });

  it('is refused at once where nobody serves', async () => {
    const outcome = ask();
    await clock.settle();
    expect(outcome.now()).toMatchObject({ code: 'Unavailable' });
  });

  it('is asked for again after 20 s when who took it is gone', async () => {
    await serve([() => never, async () => 'done']);
    const outcome = ask();
    await clock.advance(19_000);
    expect([asked, outcome.now()]).toEqual([1, 'none yet']);
    await clock.advance(2000);
    expect([asked, outcome.now()]).toEqual([2, 'done']);
  });

  it('is not asked for again while a controller is at it', async () => {
    const work = Promise.withResolvers<Json>();
    await serve([() => work.promise], () => true);
    const outcome = ask();
    await clock.advance(90_000);
    expect([asked, outcome.now()]).toEqual([1, 'none yet']);
    work.resolve('done');
    await clock.settle();
    expect(outcome.now()).toBe('done');
  });

  it('is asked for again when the answer of who was at it went astray', async () => {
    let atIt = true;
    await serve([() => never, async () => 'done before'], () => atIt);
    const outcome = ask();
    await clock.advance(50_000);
    expect(asked).toBe(1);
    atIt = false;
    await clock.advance(20_000);
    expect([asked, outcome.now()]).toEqual([2, 'done before']);
  });

  it('is not asked for again while one that stands still may be at it', async () => {
    await serve([() => never, async () => 'done']);
    await bus.serve(TOPIC.controllerOf('c1'), { 'operation-under-way': () => never });
    const outcome = ask();
    await clock.advance(60_000);
    expect([asked, outcome.now()]).toEqual([1, 'none yet']);
  });

  it('is asked for again soon when the connection went, also while it is not back', async () => {
    await serve([async () => 'done']);
    const away = new CloudError('Unavailable', 'nothing was sent');
    const outcome = ask(cutFor([lost, away, away]));
    await clock.settle();
    expect(outcome.now()).toBe('none yet');
    await clock.advance(3500);
    expect([asked, outcome.now()]).toEqual([1, 'done']);
  });

  it('is told as unknown at its deadline, and no sooner', async () => {
    await serve([]);
    const outcome = ask();
    await clock.advance(TIMEOUT_MS - 1);
    expect(outcome.now()).toBe('none yet');
    await clock.advance(5);
    expect(outcome.now()).toMatchObject({ code: 'Timeout', details: { topic: TOPIC.controller } });
    const before = asked;
    await clock.advance(TIMEOUT_MS);
    expect(asked).toBe(before);
  });

  it("is told what a controller waited for in vain, which is not the question's own end", async () => {
    await serve([
      () => Promise.reject(new CloudError('Timeout', 'the worker says nothing', { details: { topic: 'w' } })),
    ]);
    const outcome = ask();
    await clock.settle();
    expect(outcome.now()).toMatchObject({ code: 'Timeout', details: { topic: 'w' } });
  });
});

describe('a question that comes again to the controller that is at it', () => {
  it('has one effect and one answer', async () => {
    const underWay = new UnderWay<Json>();
    const work = Promise.withResolvers<Json>();
    let effects = 0;
    const once = (): Promise<Json> =>
      underWay.run('ask', () => {
        effects += 1;
        return work.promise;
      });
    await serve([once, once, once]);
    // Nobody is known to look at: it is asked for again in any case.
    const outcome = ask(bus, []);
    await clock.advance(45_000);
    expect([asked, effects]).toEqual([3, 1]);
    expect(underWay.has('ask')).toBe(true);
    work.resolve('done');
    await clock.settle();
    expect([effects, outcome.now(), underWay.has('ask')]).toEqual([1, 'done', false]);
  });

  it('is done anew where the first time failed', async () => {
    const underWay = new UnderWay<Json>();
    const failed = underWay.run('ask', () => Promise.reject(new CloudError('Unavailable', 'no')));
    await expect(failed).rejects.toMatchObject({ code: 'Unavailable' });
    expect(await underWay.run('ask', async () => 'done')).toBe('done');
  });
});
