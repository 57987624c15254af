import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { isCode } from '../../src/base/errors.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { freePorts } from '../support/free-ports.ts';
import type { PrivateRabbit } from '../support/private-rabbit.ts';
import { until } from '../support/until.ts';
import { CALL, collector, Gate } from './bus-probe.ts';
import { emptyQueues, openOn } from './bus-rabbit-subject.ts';

/** Casts of several senders, one after the other each, until they are told to end; what was confirmed is kept. */
class CastLoad {
  readonly confirmed = new Set<string>();
  readonly refused = new Map<string, number>();
  #on = true;
  readonly #senders: Promise<void>[];

  constructor(bus: Bus, senders = 8) {
    this.#senders = Array.from({ length: senders }, (_, sender) => this.#send(bus, sender));
  }

  async stop(): Promise<void> {
    this.#on = false;
    await Promise.all(this.#senders);
  }

  async #send(bus: Bus, sender: number): Promise<void> {
    for (let n = 0; this.#on; n += 1) {
      const id = `${sender}-${n}`;
      try {
        await bus.cast('t', 'note', id);
        this.confirmed.add(id);
      } catch (error) {
        if (!isCode(error, 'Unavailable', 'Timeout')) throw error;
        this.refused.set(error.code, (this.refused.get(error.code) ?? 0) + 1);
      }
      await sleep(2);
    }
  }
}

async function nothingLost(load: CastLoad, seen: ReturnType<typeof collector>): Promise<void> {
  const missing = (): string[] => {
    const got = new Set(seen.bodies);
    return [...load.confirmed].filter((id) => !got.has(id));
  };
  await until(() => missing().length === 0, { what: 'all that was confirmed came', timeoutMs: 30_000, everyMs: 100 });
  expect(load.confirmed.size).toBeGreaterThan(100);
}

const ok = (...buses: Bus[]): Promise<boolean> =>
  until(() => buses.every((bus) => bus.health().ok), { what: 'they are connected again', timeoutMs: 60_000 });

/** What only a broker can do to a bus. */
export function recoveryCases(broker: () => PrivateRabbit): void {
  const ends: (() => Promise<unknown>)[] = [];
  const open = async (...args: Parameters<typeof openOn>): Promise<Bus> => {
    const bus = await openOn(...args);
    ends.push(() => bus.close());
    return bus;
  };
  const proxy = async (): Promise<CuttingProxy> => {
    const started = await CuttingProxy.start(broker().port);
    ends.push(() => started.close());
    return started;
  };
  const through = ({ port }: CuttingProxy): string => `amqp://127.0.0.1:${port}`;
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
    await emptyQueues(broker());
  });

  describe('a broker that goes and comes', () => brokerCases({ broker, open }));
  describe('a connection that is cut', () => cutCases({ broker, open, proxy, through }));
  describe('a message lost, doubled or late', () => faultCases({ broker, open, proxy, through }));
}

interface Tools {
  broker: () => PrivateRabbit;
  open: (...args: Parameters<typeof openOn>) => Promise<Bus>;
}

interface ProxyTools extends Tools {
  proxy: () => Promise<CuttingProxy>;
  through: (proxy: CuttingProxy) => string;
}

function brokerCases({ broker, open }: Tools): void {
  it('stopped and started under load: what was confirmed arrives, and sends meanwhile fail at once [real]', async () => {
    const [client, server] = [await open(broker()), await open(broker())];
    const seen = collector();
    await server.serve('t', { note: seen.handler, echo: async (body) => body }, { prefetch: 32 });
    const before = server.health().listeningSinceMs;
    const load = new CastLoad(client);
    await seen.got(100);
    await broker().stopApp();
    await until(() => !client.health().ok && !server.health().ok, { what: 'both know' });
    expect(server.health().problem).toMatch(/RabbitMQ/);
    const startMs = performance.now();
    await expect(client.call('t', 'echo', 1, CALL)).rejects.toMatchObject({ code: 'Unavailable' });
    expect(performance.now() - startMs).toBeLessThan(CALL.timeoutMs / 2);
    const deafAt = server.health().listeningSinceMs;
    expect(deafAt).toBeGreaterThan(before);
    await broker().startApp();
    await ok(client, server);
    expect(server.health().listeningSinceMs).toBeGreaterThan(deafAt);
    expect(await client.call('t', 'echo', 2, CALL)).toBe(2);
    await load.stop();
    await nothingLost(load, seen);
    expect(load.refused.get('Unavailable')).toBeGreaterThan(0);
  }, 120_000);

  it('killed and started on its data: casts that waited are there, and all that was confirmed arrives [real]', async () => {
    const [client, server] = [await open(broker()), await open(broker())];
    const first = await server.serve('t', { note: async () => undefined });
    await first.close();
    for (let n = 0; n < 200; n += 1) await client.cast('t', 'note', `waiting-${n}`);
    await broker().writeNames();
    const load = new CastLoad(client);
    await until(() => load.confirmed.size > 100, { what: 'load is on' });
    await broker().killBroker();
    await broker().startBroker();
    await ok(client, server);
    const seen = collector();
    await server.serve('t', { note: seen.handler }, { prefetch: 64 });
    await until(() => new Set(seen.bodies.filter((id) => String(id).startsWith('waiting-'))).size === 200, {
      what: 'all that waited came',
      timeoutMs: 30_000,
    });
    await load.stop();
    await nothingLost(load, seen);
  }, 180_000);

  it('killed before it wrote down that a queue is there: it forgets the queue, and the bus makes it again [real]', async () => {
    await broker().writeNames();
    const names = broker().keptNames();
    const [client, server] = [await open(broker()), await open(broker())];
    const seen = collector();
    await server.serve('t', { note: seen.handler, echo: async (body) => body });
    await client.cast('t', 'note', 'before');
    await seen.got(1);
    await broker().killBroker();
    names.restore();
    await broker().startBroker();
    const told = (): boolean => /cast\.t\.v1 takes no consumer/.test(server.health().problem ?? '');
    await until(told, { what: 'health names the queue', timeoutMs: 60_000 });
    await ok(client, server);
    const cast = (): Promise<boolean> =>
      client.cast('t', 'note', 'after').then(
        () => true,
        () => false,
      );
    await until(cast, { what: 'it takes casts again', timeoutMs: 30_000 });
    await until(() => seen.bodies.includes('after'), { what: 'they arrive' });
    expect(await client.call('t', 'echo', 1, CALL)).toBe(1);
  }, 180_000);
}

function cutCases({ broker, open, proxy, through }: ProxyTools): void {
  it('twenty times under load: nothing that was confirmed is lost, no answer is wrong [real]', async () => {
    const wire = await proxy();
    const [client, server] = [
      await open(broker(), { endpoints: [through(wire)] }),
      await open(broker(), { endpoints: [through(wire)] }),
    ];
    const seen = collector();
    await server.serve('t', { note: seen.handler, twice: async (body) => (body as number) * 2 }, { prefetch: 32 });
    const load = new CastLoad(client);
    let calling = true;
    const answers = { right: 0, unknown: 0, refused: 0 };
    const caller = (async () => {
      for (let n = 0; calling; n += 1) {
        try {
          expect(await client.call('t', 'twice', n, CALL)).toBe(n * 2);
          answers.right += 1;
        } catch (error) {
          if (!isCode(error, 'Unavailable', 'Timeout')) throw error;
          answers[error.code === 'Timeout' ? 'unknown' : 'refused'] += 1;
          await sleep(5);
        }
      }
    })();
    for (let cut = 0; cut < 20; cut += 1) {
      const had = seen.bodies.length;
      await until(() => seen.bodies.length > had + 5, { what: `casts flow after ${cut} cuts`, timeoutMs: 30_000 });
      wire.cut();
    }
    await ok(client, server);
    calling = false;
    await caller;
    await load.stop();
    await nothingLost(load, seen);
    expect(wire.seen.cuts).toBeGreaterThanOrEqual(40);
    expect(answers.right).toBeGreaterThan(0);
  }, 120_000);

  it('goes to the next server of the list, and passes by those that are not there [real]', async () => {
    const [first, second, [nobody = 0]] = [await proxy(), await proxy(), await freePorts(1)];
    const endpoints = [`amqp://127.0.0.1:${nobody}`, through(first), through(second)];
    const bus = await open(broker(), { endpoints });
    await bus.serve('t', { echo: async (body) => body });
    for (const [gone, left] of [
      [first, second],
      [second, first],
    ] as const) {
      left.pass();
      gone.refuse();
      await until(() => left.open === 2, { what: 'both connections are on the other server' });
      await ok(bus);
      expect(await bus.call('t', 'echo', 1, CALL)).toBe(1);
    }
  });

  it('a network that is silent is known as such before a silent worker counts as gone [real]', async () => {
    const wire = await proxy();
    const bus = await open(broker(), { endpoints: [through(wire)] });
    await bus.subscribe('feed', {});
    const before = bus.health().listeningSinceMs;
    wire.hold();
    await until(() => !bus.health().ok, { what: 'the silence is noticed' });
    expect(bus.health().problem).toMatch(/nothing/);
    const deafAt = bus.health().listeningSinceMs;
    expect(deafAt - before).toBeLessThan(9500);
    wire.pass();
    await ok(bus);
    expect(bus.health().listeningSinceMs).toBeGreaterThanOrEqual(deafAt);
  }, 30_000);

  it('a queue that is deleted underneath is made again, by those who serve it [real]', async () => {
    const [client, server] = [await open(broker()), await open(broker())];
    const seen = collector();
    await server.serve('t', { note: seen.handler, echo: async (body) => body });
    await broker().ctl('delete_queue', '-p', broker().vhost, 'cast.t.v1');
    await until(
      () =>
        client.cast('t', 'note', 'again').then(
          () => true,
          () => false,
        ),
      { what: 'it is there again' },
    );
    await seen.got(1);
    expect(await client.call('t', 'echo', 1, CALL)).toBe(1);
    await ok(server);
  });

  it('the queue of its own echo that is deleted underneath is made again before it counts as silence [real]', async () => {
    const bus = await open(broker());
    const echoes = async (): Promise<string[]> =>
      Object.keys(await broker().queueDepths()).filter((name) => name.startsWith('fanout.echo.'));
    const before = await echoes();
    expect(before).toHaveLength(1);
    const deaf: unknown[] = [];
    const look = setInterval(() => {
      if (!bus.health().ok) deaf.push(bus.health().problem);
    }, 50);
    try {
      for (const queue of before) await broker().ctl('delete_queue', '-p', broker().vhost, queue);
      await sleep(7000);
    } finally {
      clearInterval(look);
    }
    const after = await echoes();
    expect([after.length, after.includes(before[0] ?? '')]).toEqual([1, false]);
    expect(deaf).toEqual([]);
  }, 40_000);
}

function faultCases({ broker, open, proxy, through }: ProxyTools): void {
  it('a cast whose worker goes before the acknowledgement comes to another, marked as delivered before [real]', async () => {
    const wire = await proxy();
    const client = await open(broker());
    const [dying, other] = [await open(broker(), { endpoints: [through(wire)] }), await open(broker())];
    const gate = new Gate();
    await dying.serve('t', { note: gate.handler });
    await client.cast('t', 'note', 'x');
    await gate.reached(1);
    const seen = collector();
    await other.serve('t', { note: seen.handler });
    wire.refuse();
    await seen.got(1);
    expect(seen.envelopes[0]).toMatchObject({ deliveries: 1 });
    gate.open();
  });

  it('a call whose callee goes is not done a second time by another; its caller is told that nobody knows [real]', async () => {
    const wire = await proxy();
    const client = await open(broker());
    const [dying, other] = [await open(broker(), { endpoints: [through(wire)] }), await open(broker())];
    const gate = new Gate();
    await dying.serve('t', { work: gate.handler });
    const outcome = expect(client.call('t', 'work', 'x', { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'Timeout',
    });
    await gate.reached(1);
    const seen = collector();
    await other.serve('t', { work: seen.handler });
    wire.refuse();
    await outcome;
    expect(seen.bodies).toEqual([]);
    gate.open();
  });

  it("a call whose answer is lost ends as unknown, at its caller's deadline or at the cut [real]", async () => {
    const wire = await proxy();
    const server = await open(broker());
    const client = await open(broker(), { endpoints: [through(wire)] });
    const seen = collector();
    await server.serve('t', { work: seen.handler });
    await client.call('t', 'work', 0, CALL);
    wire.swallowAnswers();
    const outcome = expect(client.call('t', 'work', 1, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'Timeout' });
    await seen.got(2);
    await outcome;
    wire.pass();
    const answers = (): Promise<boolean> =>
      client.call('t', 'work', 2, CALL).then(
        () => true,
        () => false,
      );
    await until(answers, { what: 'the cut connection is replaced' });
    const gate = new Gate();
    await server.serve('feed', { wait: gate.handler });
    // Who asked a controller looks for the topic, to say that the outcome is unknown.
    const cut = expect(client.call('feed', 'wait', 1, { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'Timeout',
      details: { topic: 'feed' },
    });
    await gate.reached(1);
    wire.cut();
    await cut;
    gate.open();
  });

  it('a call that waited past its deadline is not delivered any more [real]', async () => {
    const [client, server] = [await open(broker()), await open(broker())];
    const gate = new Gate();
    await server.serve('t', { wait: gate.handler }, { prefetch: 1 });
    const first = client.call('t', 'wait', 1, CALL);
    await gate.reached(1);
    await expect(client.call('t', 'wait', 2, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'Timeout' });
    gate.open();
    expect(await first).toBe(1);
    await sleep(50);
    expect(gate.entered).toEqual([1]);
  });
}
