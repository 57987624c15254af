import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { calleeCases, callCases, unansweredCases } from './bus-call.ts';
import { castCases, castOrderCases } from './bus-cast.ts';
import { type BusSubject, CALL, collector, CONTRACT_LIMITS, Gate } from './bus-probe.ts';

/** What every Bus must do; run over each adapter. Faults (lost, doubled, late) are for the adapters that can be told to make them. */
export function busContract(name: string, open: () => Promise<BusSubject>): void {
  describe(`Bus contract: ${name}`, () => {
    let subject: BusSubject;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());
    const current = (): BusSubject => subject;
    describe('call', () => callCases(current));
    describe('call without an answer', () => unansweredCases(current));
    describe('call and its callee', () => calleeCases(current));
    describe('cast', () => castCases(current));
    describe('cast in order', () => castOrderCases(current));
    describe('fanout', () => fanoutCases(current));
    describe('an end', () => endCases(current));
  });
}

function fanoutCases(current: () => BusSubject): void {
  it('reaches every subscriber once, in order, and servers of the topic not at all', async () => {
    const { client, server } = current();
    const seen = [collector(), collector(), collector()];
    for (const { handler } of seen) await server.subscribe('feed', { change: handler });
    const served = collector();
    await server.serve('feed', { change: served.handler });
    for (let n = 0; n < 20; n += 1) await client.fanout('feed', 'change', n);
    for (const { got, bodies } of seen) {
      await got(20);
      expect(bodies).toEqual(Array.from({ length: 20 }, (_, n) => n));
    }
    expect(served.bodies).toEqual([]);
  });

  it('to nobody is no error, and a subscriber hears only what comes after it', async () => {
    const { client, server } = current();
    await client.fanout('feed', 'change', 'before');
    const seen = collector();
    const subscription = await server.subscribe('feed', { change: seen.handler });
    await client.fanout('feed', 'change', 'during');
    await client.fanout('feed', 'other type', 'ignored');
    await seen.got(1);
    await subscription.close();
    await client.fanout('feed', 'change', 'after');
    await sleep(30);
    expect(seen.bodies).toEqual(['during']);
  });

  it('a subscriber that fails is not asked again and disturbs nobody', async () => {
    const { client, server } = current();
    let tries = 0;
    const seen = collector();
    await server.subscribe('feed', {
      change: () => {
        tries += 1;
        return Promise.reject(new Error('broken'));
      },
    });
    await server.subscribe('feed', { change: seen.handler });
    await client.fanout('feed', 'change', 1);
    await client.fanout('feed', 'change', 2);
    await seen.got(2);
    await until(() => tries === 2, { what: 'both came' });
    await sleep(CONTRACT_LIMITS.redeliveryDelayMs * 3);
    expect(tries).toBe(2);
    expect(await client.deadLetters()).toEqual([]);
  });
}

function endCases(current: () => BusSubject): void {
  it('closing a subscription waits for the handlers under way and takes nothing more', async () => {
    const { client, server } = current();
    const gate = new Gate();
    const subscription = await server.serve('t', { wait: gate.handler }, { prefetch: 2 });
    for (let n = 0; n < 5; n += 1) await client.cast('t', 'wait', n);
    await gate.reached(2);
    const closing = subscription.close();
    gate.open();
    await closing;
    await sleep(30);
    expect(gate.entered).toHaveLength(2);
    const rest = collector();
    await server.serve('t', { wait: rest.handler });
    await rest.got(3);
    expect([...gate.entered, ...rest.bodies].map(Number).sort()).toEqual([0, 1, 2, 3, 4]);
  });

  it('closing the bus drains, then refuses everything; twice is as good as once', async () => {
    const { client, server } = current();
    const gate = new Gate();
    await server.serve('t', { wait: gate.handler });
    const answer = client.call('t', 'wait', 'x', CALL);
    await gate.reached(1);
    const closing = server.close();
    gate.open();
    await closing;
    expect(await answer).toBe('x');
    await client.close();
    await client.close();
    for (const refused of [
      client.call('t', 'wait', 1, CALL),
      client.cast('t', 'wait', 1),
      client.fanout('t', 'wait', 1),
      client.serve('t', {}),
      client.subscribe('t', {}),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'Unavailable' });
    }
  });
}
