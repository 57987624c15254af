import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CloudError } from '../../src/base/errors.ts';
import type { Json } from '../../src/base/json.ts';
import { type BusSubject, CALL, collector, Gate } from './bus-probe.ts';

export function callCases(current: () => BusSubject): void {
  it('answers with what the handler gives, of every JSON kind, and nothing for nothing', async () => {
    const { client, server } = current();
    await server.serve('t', { echo: async (body) => body, nothing: async () => undefined });
    for (const body of [null, 0, '', 'ü\u0000😀', [], {}, { a: [1, { b: null }] }]) {
      expect(await client.call('t', 'echo', body, CALL)).toEqual(body);
    }
    expect(await client.call('t', 'nothing', 1, CALL)).toBeUndefined();
  });

  it('a handler may take as long as its caller waits, and longer than one of a cast', async () => {
    const { client, server } = current();
    await server.serve('t', {
      slow: async () => {
        await sleep(2300);
        return 'late';
      },
    });
    expect(await client.call('t', 'slow', 1, CALL)).toBe('late');
  });

  it('many at once get each its own answer', async () => {
    const { client, server } = current();
    await server.serve('t', { twice: async (body) => (body as number) * 2 });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => client.call('t', 'twice', n, CALL)));
    expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => n * 2));
  });

  it('shares no object between the two ends', async () => {
    const { client, server } = current();
    const seen: Json[] = [];
    await server.serve('t', {
      keep: async (body) => {
        seen.push(body);
        (body as { list: number[] }).list.push(2);
        return body;
      },
    });
    const body = { list: [1] };
    const answer = await client.call('t', 'keep', body, CALL);
    expect(body).toEqual({ list: [1] });
    expect(answer).toEqual({ list: [1, 2] });
    expect(answer).not.toBe(seen[0]);
  });

  it("carries the handler's CloudError, and anything else as InternalError", async () => {
    const { client, server } = current();
    const details = { instance: 'i-1' };
    await server.serve('t', {
      refuse: () => Promise.reject(new CloudError('IncorrectInstanceState', 'it is stopped', { details })),
      crash: () => Promise.reject(new Error('a bug')),
      sync: () => {
        throw new CloudError('NotFound', 'thrown at once');
      },
    });
    const refused = client.call('t', 'refuse', 1, CALL);
    await expect(refused).rejects.toBeInstanceOf(CloudError);
    await expect(refused).rejects.toMatchObject({ code: 'IncorrectInstanceState', message: 'it is stopped', details });
    await expect(client.call('t', 'crash', 1, CALL)).rejects.toMatchObject({ code: 'InternalError', message: 'a bug' });
    await expect(client.call('t', 'sync', 1, CALL)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('a type that is not in the table is refused, also one that every object has', async () => {
    const { client, server } = current();
    await server.serve('t', { known: async () => 1 });
    for (const type of ['unknown', 'toString', '__proto__', 'constructor']) {
      await expect(client.call('t', type, 1, CALL), type).rejects.toMatchObject({ code: 'InvalidAction' });
    }
  });
}

export function unansweredCases(current: () => BusSubject): void {
  it('is Unavailable at once when nobody serves the topic, or does no more', async () => {
    const { client, server } = current();
    await expect(client.call('t', 'echo', 1, CALL)).rejects.toMatchObject({ code: 'Unavailable' });
    const subscription = await server.serve('t', { echo: async (body) => body });
    expect(await client.call('t', 'echo', 1, CALL)).toBe(1);
    await subscription.close();
    await expect(client.call('t', 'echo', 1, CALL)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('gives up at its deadline, with the outcome unknown, and a late answer harms nothing', async () => {
    const { client, server } = current();
    const gate = new Gate();
    await server.serve('t', { wait: gate.handler, echo: async (body) => body });
    await expect(client.call('t', 'wait', 1, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'Timeout' });
    gate.open();
    expect(await client.call('t', 'echo', 2, CALL)).toBe(2);
    expect(gate.entered).toEqual([1]);
  });

  it('tells the handler the deadline and that it is the first delivery', async () => {
    const { client, server } = current();
    const seen = collector();
    await server.serve('t', { look: seen.handler });
    const before = Date.now();
    await client.call('t', 'look', 1, { timeoutMs: 4000 });
    const [envelope] = seen.envelopes;
    expect(envelope?.deliveries).toBe(0);
    expect(envelope?.messageId).toMatch(/./);
    expect((envelope?.deadlineMs ?? 0) - before).toBeGreaterThanOrEqual(3900);
    expect((envelope?.deadlineMs ?? 0) - before).toBeLessThan(6000);
  });
}

export function calleeCases(current: () => BusSubject): void {
  it('a callee that closes before the work: the caller is told, and the work is not done', async () => {
    const { client, server } = current();
    const gate = new Gate();
    const subscription = await server.serve('t', { work: gate.handler }, { prefetch: 1 });
    const first = client.call('t', 'work', 'first', CALL);
    await gate.reached(1);
    const second = client.call('t', 'work', 'second', { timeoutMs: 150 });
    const refused = expect(second).rejects.toMatchObject({
      code: expect.stringMatching(/^(Unavailable|Timeout)$/) as string,
    });
    const closed = subscription.close();
    await refused;
    gate.open();
    await closed;
    expect(await first).toBe('first');
    expect(gate.entered).toEqual(['first']);
  });

  it('a callee that closes after the work began: the work ends and the caller has its answer', async () => {
    const { client, server } = current();
    const gate = new Gate();
    const subscription = await server.serve('t', { work: gate.handler });
    const answer = client.call('t', 'work', 'x', CALL);
    await gate.reached(1);
    let closed = false;
    const closing = subscription.close().then(() => (closed = true));
    await sleep(20);
    expect(closed).toBe(false);
    gate.open();
    expect(await answer).toBe('x');
    await closing;
  });

  it('a handler may call on, also its own topic', async () => {
    const { client, server } = current();
    await server.serve('t', {
      down: async (body) => ((body as number) === 0 ? 'ground' : server.call('t', 'down', (body as number) - 1, CALL)),
    });
    expect(await client.call('t', 'down', 10, CALL)).toBe('ground');
  });

  it('several servers of a topic share its calls', async () => {
    const { client, server } = current();
    const counts = [0, 0, 0];
    for (const index of counts.keys()) {
      await server.serve('t', { who: async () => (counts[index] = (counts[index] ?? 0) + 1) }, { prefetch: 1 });
    }
    await Promise.all(Array.from({ length: 60 }, () => client.call('t', 'who', null, CALL)));
    expect(counts.reduce((sum, count) => sum + count)).toBe(60);
    for (const count of counts) expect(count).toBeGreaterThan(5);
  });

  it('refuses a body that JSON cannot carry', async () => {
    const { client, server } = current();
    await server.serve('t', { echo: async (body) => body, date: async () => new Date() as never });
    for (const body of [undefined, new Date(), Number.NaN, 1n, () => 1, { a: new Map() }]) {
      await expect(client.call('t', 'echo', body as never, CALL)).rejects.toMatchObject({
        code: 'InvalidParameterValue',
      });
      await expect(client.cast('t', 'echo', body as never)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
      await expect(client.fanout('t', 'echo', body as never)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    }
    await expect(client.call('t', 'date', 1, CALL)).rejects.toMatchObject({ code: 'InternalError' });
  });
}
