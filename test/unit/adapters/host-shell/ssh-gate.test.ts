import { describe, expect, it } from 'vitest';
import { Gate } from '../../../../src/adapters/host-shell/ssh-gate.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const gateOf = (places: number, queue = 2): { gate: Gate; clock: ManualClock } => {
  const clock = new ManualClock();
  return { gate: new Gate({ what: 'sessions on h1', clock, places, queue, waitMs: 1000 }), clock };
};

/** What becomes of each attempt to enter, in the order in which that is decided. */
function trace(gate: Gate): { enter: (name: string, signal?: AbortSignal) => Promise<() => void>; log: string[] } {
  const log: string[] = [];
  const enter = async (name: string, signal?: AbortSignal): Promise<() => void> => {
    try {
      const leave = await gate.enter({ signal });
      log.push(name);
      return leave;
    } catch (error) {
      log.push(`${name}: ${error instanceof CloudError ? error.code : String(error)}`);
      return () => undefined;
    }
  };
  return { enter, log };
}

describe('the gate of a connection', () => {
  it('lets so many in, the others in order, and refuses beyond its queue', async () => {
    const { gate, clock } = gateOf(2);
    const { enter, log } = trace(gate);
    const [a, b] = [await enter('a'), await enter('b')];
    const [c, d] = [enter('c'), enter('d')];
    await enter('e');
    expect(log).toEqual(['a', 'b', 'e: Busy']);
    a();
    a();
    await c;
    b();
    await d;
    expect(log).toEqual(['a', 'b', 'e: Busy', 'c', 'd']);
    expect(gate.inUse).toBe(2);
    await clock.advance(5000);
    expect(log).toHaveLength(5);
  });

  it('nobody waits longer than said, and an aborted one leaves its place to the next', async () => {
    const { gate, clock } = gateOf(1);
    const { enter, log } = trace(gate);
    const leave = await enter('a');
    const abort = new AbortController();
    const waiting = [enter('b', abort.signal), enter('c')];
    abort.abort('changed my mind');
    await clock.advance(999);
    expect(log).toEqual(['a', 'b: changed my mind']);
    await clock.advance(1);
    await Promise.all(waiting);
    expect(log).toEqual(['a', 'b: changed my mind', 'c: Busy']);
    leave();
    await enter('d');
    expect(log.at(-1)).toBe('d');
  });

  it('narrows to what the far side gives, lets a refused one come first, and widens again', async () => {
    const { gate } = gateOf(3, 10);
    const leaves = await Promise.all([gate.enter(), gate.enter(), gate.enter()]);
    leaves[2]();
    expect(gate.narrow()).toBe(true);
    const order: string[] = [];
    const late = gate.enter().then(() => order.push('late'));
    const refused = gate.enter({ ahead: true }).then((leave) => {
      order.push('refused');
      return leave;
    });
    leaves[0]();
    const leaveRefused = await refused;
    expect(order).toEqual(['refused']);
    leaveRefused();
    await late;
    for (let pass = 0; pass < 32; pass += 1) gate.passed();
    await gate.enter();
    expect(gate.inUse).toBe(3);
  });

  it('cannot narrow to nothing', () => {
    expect(gateOf(3).gate.narrow()).toBe(false);
  });

  it('closed, it turns away those who wait and those who come', async () => {
    const { gate } = gateOf(1);
    const { enter, log } = trace(gate);
    await enter('a');
    const waiting = enter('b');
    gate.close(new CloudError('Unavailable', 'lost'));
    await waiting;
    await enter('c');
    expect(log).toEqual(['a', 'b: Unavailable', 'c: Unavailable']);
  });
});
