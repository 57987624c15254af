import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CloudError } from '../../src/base/errors.ts';
import type { Json } from '../../src/base/json.ts';
import type { Bus, DeadLetter } from '../../src/ports/bus.ts';
import { until } from '../support/until.ts';
import { type BusSubject, collector, CONTRACT_LIMITS, Gate } from './bus-probe.ts';

/** Once there are some. */
async function deadLetters(bus: Bus): Promise<DeadLetter[]> {
  await until(async () => (await bus.deadLetters()).length > 0, { what: 'a message is given up', everyMs: 5 });
  return bus.deadLetters();
}

export function castCases(current: () => BusSubject): void {
  it('is delivered once when its handler resolves', async () => {
    const { client, server } = current();
    const seen = collector();
    await server.serve('t', { note: seen.handler });
    for (let n = 0; n < 20; n += 1) await client.cast('t', 'note', n);
    await seen.got(20);
    await sleep(CONTRACT_LIMITS.redeliveryDelayMs * 3);
    expect(seen.bodies).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(seen.envelopes.map(({ deliveries }) => deliveries)).toEqual(Array(20).fill(0));
    expect(seen.envelopes.every(({ deadlineMs }) => deadlineMs === undefined)).toBe(true);
  });

  it('is Unavailable when the topic has no queue', async () => {
    await expect(current().client.cast('nowhere', 'note', 1)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('waits for the next server once the topic has a queue', async () => {
    const { client, server } = current();
    const first = await server.serve('t', { note: async () => undefined });
    await first.close();
    await client.cast('t', 'note', 'patient');
    const seen = collector();
    await server.serve('t', { note: seen.handler });
    await seen.got(1);
    expect(seen.bodies).toEqual(['patient']);
  });

  it('is delivered again after a failure, and says how often', async () => {
    const { client, server } = current();
    const seen = collector();
    const times: number[] = [];
    await server.serve('t', {
      flaky: async (body, envelope) => {
        times.push(performance.now());
        await seen.handler(body, envelope);
        if (envelope.deliveries < 2) throw new Error('not yet');
        return undefined;
      },
    });
    await client.cast('t', 'flaky', 'x');
    await seen.got(3);
    await sleep(CONTRACT_LIMITS.redeliveryDelayMs * 3);
    expect(seen.envelopes.map(({ deliveries }) => deliveries)).toEqual([0, 1, 2]);
    expect(new Set(seen.envelopes.map(({ messageId }) => messageId)).size).toBe(1);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(CONTRACT_LIMITS.redeliveryDelayMs - 2);
    expect(await client.deadLetters()).toEqual([]);
  });

  it('goes to the dead letters after five deliveries, and the next ones are not held up', async () => {
    const { client, server } = current();
    const seen = collector();
    let tries = 0;
    await server.serve('t', {
      poison: () => {
        tries += 1;
        return Promise.reject(new CloudError('HostError', 'always'));
      },
      note: seen.handler,
    });
    await client.cast('t', 'poison', 1);
    await client.cast('t', 'note', 2);
    await seen.got(1);
    const letters = await deadLetters(client);
    expect(tries).toBe(5);
    expect(letters).toEqual([
      {
        topic: 't',
        type: 'poison',
        messageId: expect.any(String) as string,
        deliveries: 5,
        reason: expect.any(String) as string,
      },
    ]);
    await sleep(CONTRACT_LIMITS.redeliveryDelayMs * 3);
    expect(tries).toBe(5);
  });

  it('of a type that nobody handles is a dead letter', async () => {
    const { client, server } = current();
    await server.serve('t', { note: async () => undefined });
    await client.cast('t', 'toString', 1);
    const [letter] = await deadLetters(client);
    expect(letter).toMatchObject({ topic: 't', type: 'toString' });
  });
}

export function castOrderCases(current: () => BusSubject): void {
  it('is delivered again when its handler does not end in time', async () => {
    const { client, server } = current();
    const gate = new Gate();
    await server.serve('t', { stuck: gate.handler }, { prefetch: 1 });
    await client.cast('t', 'stuck', 'x');
    await gate.reached(2);
    expect(gate.entered).toEqual(['x', 'x']);
    gate.open();
  });

  it('keeps the order of a queue with prefetch 1', async () => {
    const { client, server } = current();
    const order: Json[] = [];
    await server.serve(
      't',
      {
        note: async (body) => {
          await sleep((body as number) % 3);
          order.push(body);
          return undefined;
        },
      },
      { prefetch: 1 },
    );
    for (let n = 0; n < 50; n += 1) await client.cast('t', 'note', n);
    await until(() => order.length === 50, { what: 'all came' });
    expect(order).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('handles as many side by side as the prefetch says, no more', async () => {
    const { client, server } = current();
    const gate = new Gate();
    await server.serve('t', { wait: gate.handler }, { prefetch: 3 });
    for (let n = 0; n < 10; n += 1) await client.cast('t', 'wait', n);
    await gate.reached(3);
    await sleep(30);
    expect(gate.entered).toHaveLength(3);
    gate.open();
    await gate.reached(6);
    expect(gate.entered).toHaveLength(6);
    gate.open();
    await gate.reached(9);
    gate.open();
    await gate.reached(10);
    gate.open();
  });

  it('several servers share the casts, and one that goes leaves its share to the others', async () => {
    const { client, server } = current();
    const seen = [collector(), collector()];
    const subscriptions = await Promise.all(seen.map(({ handler }) => server.serve('t', { note: handler })));
    for (let n = 0; n < 40; n += 1) await client.cast('t', 'note', n);
    const count = (): number => seen.reduce((sum, { bodies }) => sum + bodies.length, 0);
    await until(() => count() === 40, { what: 'all came' });
    expect(seen[0]?.bodies.length).toBeGreaterThan(0);
    expect(seen[1]?.bodies.length).toBeGreaterThan(0);
    await subscriptions[0]?.close();
    for (let n = 0; n < 10; n += 1) await client.cast('t', 'note', n);
    await until(() => count() === 50, { what: 'the rest came' });
  });

  it('never runs a handler inside the call that sent the message', async () => {
    const { client, server } = current();
    let inside = true;
    const found: boolean[] = [];
    await server.serve('t', {
      note: async () => {
        found.push(inside);
        return undefined;
      },
    });
    const sent = client.cast('t', 'note', 1);
    inside = false;
    await sent;
    await until(() => found.length === 1, { what: 'it came', everyMs: 2 });
    expect(found).toEqual([false]);
  });
}
