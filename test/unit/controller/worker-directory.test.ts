import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../../src/adapters/bus/memory-bus.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import type { Json } from '../../../src/base/json.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import type { Ownership } from '../../../src/controller/hosts/ownership.ts';
import { SoleOwnership } from '../../../src/controller/hosts/ownership.ts';
import { WorkerDirectory } from '../../../src/controller/hosts/worker-directory.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { AssignRecord } from '../../../src/domain/records.ts';
import { TOPIC, WorkerHello } from '../../../src/messages/worker.ts';
import type { Bus, BusHealth } from '../../../src/ports/bus.ts';
import type { Store } from '../../../src/ports/store.ts';
import { ComputeWorker } from '../../../src/workers/compute-worker.ts';
import type { SimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { createSimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const random = new SeededRandom(1);
const noBlobs = { head: () => Promise.reject(new Error('no blobs')) };

let clock: ManualClock;
let bus: Bus;
let store: Store;
let world: SimulatedHosts;
let workers: Map<string, ComputeWorker>;
let hellos: Map<string, WorkerHello>;
let directory: WorkerDirectory;
let busy: Set<string>;
let health: Partial<BusHealth>;

/** The bus with another word of its health. */
const seenBus = (): Bus =>
  new Proxy(bus, {
    get(target, name) {
      if (name === 'health') return () => ({ ...target.health(), ...health });
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });

async function listen(ownership: Ownership = new SoleOwnership('c1', () => 0)): Promise<void> {
  directory = new WorkerDirectory({
    ...{ store, bus: seenBus(), clock, logger: silentLogger, cloudId: 'cloud-1', ownership },
  });
  directory.start({ isBusy: (hostId) => busy.has(hostId) });
  await bus.subscribe(TOPIC.reports, {
    'worker-hello': (body) => {
      const hello = WorkerHello.parse(body);
      hellos.set(hello.workerId, hello);
      directory.hello(hello);
      return Promise.resolve(undefined);
    },
  });
}

async function startWorker(workerId: string, session = `${workerId}-1`): Promise<ComputeWorker> {
  const openDrivers = world.openDrivers(noBlobs);
  const worker = new ComputeWorker({ workerId, session, bus, clock, logger: silentLogger, openDrivers });
  workers.set(workerId, worker);
  await worker.start();
  return worker;
}

const addHosts = async (workerId: string, ...hostIds: string[]): Promise<void> => {
  for (const id of hostIds) {
    const host = { id, transport: { kind: 'simulated', name: id }, facts: { virtType: 'kvm' } };
    await store.txn({
      puts: [
        { key: KEYS.host(id), value: host },
        { key: KEYS.assign('compute', id), value: { v: 1, workerId, epoch: 1 } },
      ],
    });
  }
};
const assign = (hostId: string): AssignRecord | undefined =>
  store.get<AssignRecord>(KEYS.assign('compute', hostId))?.value;
const holder = (hostId: string) => world.host(hostId).claim.holder;
const setState = (serviceId: string, state: string): Promise<unknown> =>
  store.txn({ puts: [{ key: KEYS.service(serviceId), value: { v: 1, serviceId, state, atMs: 0 } }] });
const opens = (workerId: string): string[] => [...(hellos.get(workerId)?.open ?? [])].sort();
const tell = (workerId: string, type: string, body: Json): Promise<unknown> =>
  bus.call(TOPIC.worker(workerId), type, body, { timeoutMs: 5000 });

beforeEach(() => {
  clock = new ManualClock();
  bus = createMemoryBus({ clock, random });
  store = createMemoryStore({ clock, random });
  world = createSimulatedHosts({ clock });
  [workers, hellos, busy, health] = [new Map(), new Map(), new Set(), {}];
});
afterEach(async () => {
  await directory.stop();
  for (const worker of workers.values()) await worker.close();
  await bus.close();
});

describe('a host that is new', () => {
  it('[sim] goes to the worker that has the fewest by record, whatever they have said of themselves', async () => {
    await listen();
    await startWorker('w1');
    await startWorker('w2');
    await clock.advance(100);
    const first = directory.pick('compute') ?? '';
    await addHosts(first, 'h-1');
    expect([first, directory.pick('compute')].sort()).toEqual(['w1', 'w2']);
  });
});

describe('a host that went to another worker and came back', () => {
  it('[sim] is opened anew when the worker heard of neither: what it has open the host refuses', async () => {
    await addHosts('w1', 'h-1');
    await listen();
    await startWorker('w1');
    await clock.advance(3000);
    expect(assign('h-1')).toMatchObject({ session: 'w1-1', epoch: 1 });
    const { epoch = 0 } = holder('h-1') ?? {};
    // Moved to w2 as epoch 2 and back as epoch 3, by controllers whose messages did not come.
    const assigned = { v: 1, workerId: 'w1', session: 'w1-1', epoch: epoch + 2 };
    await store.txn({ puts: [{ key: KEYS.assign('compute', 'h-1'), value: assigned }] });
    await clock.advance(5000);
    expect(holder('h-1')).toMatchObject({ workerId: 'w1', session: 'w1-1', epoch: assign('h-1')?.epoch });
    expect(hellos.get('w1')?.epochs).toEqual({ 'h-1': assign('h-1')?.epoch });
    expect(assign('h-1')?.epoch).toBeGreaterThanOrEqual(epoch + 2);
  });
});

describe('a worker that is gone', () => {
  it('[sim] it was killed: nobody takes its messages, so its hosts are another’s after some seconds, each with a higher epoch and claimed on the host', async () => {
    await addHosts('w1', 'h-1', 'h-2');
    await listen();
    const w1 = await startWorker('w1');
    await startWorker('w2');
    await clock.advance(100);
    expect([assign('h-1'), holder('h-1')?.workerId]).toMatchObject([
      { workerId: 'w1', session: 'w1-1', epoch: 1 },
      'w1',
    ]);
    await w1.close();
    await clock.advance(3000);
    expect(assign('h-1')?.workerId).toBe('w1');
    await clock.advance(4000);
    for (const hostId of ['h-1', 'h-2']) {
      expect(assign(hostId)).toEqual({ v: 1, workerId: 'w2', session: 'w2-1', epoch: 2 });
      expect(holder(hostId)).toMatchObject({ workerId: 'w2', session: 'w2-1', epoch: 2 });
    }
    expect(opens('w2')).toEqual(['h-1', 'h-2']);
  });

  it('[sim] one that takes messages and says nothing is given ten seconds', async () => {
    await addHosts('w1', 'h-1');
    await listen();
    const w1 = await startWorker('w1');
    await startWorker('w2');
    await clock.advance(100);
    await w1.close();
    const asleep = await bus.serve(TOPIC.worker('w1'), { ping: () => new Promise(() => undefined) });
    await clock.advance(8000);
    expect(assign('h-1')?.workerId).toBe('w1');
    await clock.advance(4000);
    expect(assign('h-1')?.workerId).toBe('w2');
    void asleep.close();
  });

  it('[sim] one that was never heard of is gone too, and with nobody else there its hosts wait', async () => {
    await addHosts('w0', 'h-1');
    await listen();
    await clock.advance(60_000);
    expect(assign('h-1')).toEqual({ v: 1, workerId: 'w0', epoch: 1 });
    await startWorker('w1');
    await clock.advance(3000);
    expect([assign('h-1')?.workerId, opens('w1')]).toEqual(['w1', ['h-1']]);
  });

  it('[sim] silence says nothing while, and before, nobody could be heard', async () => {
    await addHosts('w1', 'h-1');
    await listen();
    const w1 = await startWorker('w1');
    await startWorker('w2');
    await clock.advance(100);
    await w1.close();
    health = { ok: false };
    await clock.advance(30_000);
    expect(assign('h-1')?.workerId).toBe('w1');
    health = { ok: true, listeningSinceMs: clock.monotonicMs() };
    await clock.advance(8000);
    expect(assign('h-1')?.workerId).toBe('w1');
    await clock.advance(4000);
    expect(assign('h-1')?.workerId).toBe('w2');
  });

  it('[sim] one that slept meanwhile is refused by the host, and ends its session when it is awake', async () => {
    await addHosts('w1', 'h-1');
    await listen();
    await startWorker('w1');
    await clock.advance(100);
    // Others have had it moved while this one could not hear.
    const moved = { v: 1, workerId: 'w2', session: 'w2-1', epoch: 2 };
    const w2 = await startWorker('w2');
    const { transport } = store.get<{ transport: Json }>(KEYS.host('h-1'))?.value ?? { transport: null };
    const open = { v: 1, hostId: 'h-1', epoch: 2, cloudId: 'cloud-1', transport, virtType: 'kvm' };
    await tell('w2', 'host-open', open);
    expect(holder('h-1')?.workerId).toBe('w2');
    const order = { v: 1, hostId: 'h-1', remove: false, keepSha256: [], instanceIds: [], minAgeMs: 0 };
    await expect(tell('w1', 'host-collect', { ...order, epoch: 2 })).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(tell('w2', 'host-collect', { ...order, epoch: 1 })).rejects.toMatchObject({ code: 'StaleEpoch' });
    await store.txn({ puts: [{ key: KEYS.assign('compute', 'h-1'), value: moved }] });
    await clock.advance(6000);
    expect([opens('w1'), opens('w2'), holder('h-1')?.workerId, w2.opens]).toEqual([[], ['h-1'], 'w2', 1]);
  });
});

describe('a worker that may have no hosts', () => {
  it.each(['disabled', 'draining'])('[sim] %s: it is told to close them, and another opens them', async (state) => {
    await addHosts('w1', 'h-1', 'h-2');
    await listen();
    const w1 = await startWorker('w1');
    await startWorker('w2');
    await clock.advance(100);
    await setState('w1', state);
    await clock.advance(5000);
    expect([opens('w1'), w1.opens, opens('w2')]).toEqual([[], 0, ['h-1', 'h-2']]);
    expect(directory.pick('compute')).toBe('w2');
  });

  it('[sim] one that is about to end gives them away first, and does not wait for ever', async () => {
    await addHosts('w1', 'h-1');
    await listen();
    const w1 = await startWorker('w1');
    await clock.advance(100);
    const soon = w1.drain(3000);
    await clock.advance(3100);
    await soon;
    // Nobody else is there: it does not wait in vain for them.
    const alone = w1.drain(30_000);
    await clock.advance(6100);
    await alone;
    expect([w1.opens, assign('h-1')?.workerId]).toEqual([1, 'w1']);
    await startWorker('w2');
    const drained = w1.drain(30_000);
    await clock.advance(3000);
    await drained;
    expect([w1.opens, assign('h-1')?.workerId, holder('h-1')?.epoch]).toEqual([0, 'w2', 2]);
  });
});

describe('a worker that comes', () => {
  it('[sim] gets hosts one by one until all have as many, and none where work is under way', async () => {
    await addHosts('w1', 'h-1', 'h-2', 'h-3', 'h-4', 'h-5');
    await listen();
    await startWorker('w1');
    await clock.advance(100);
    busy = new Set(['h-1', 'h-2']);
    await startWorker('w2');
    await clock.advance(10_000);
    expect([opens('w1').length, opens('w2').length]).toEqual([4, 1]);
    await clock.advance(60_000);
    expect([opens('w1').length, opens('w2').length]).toEqual([3, 2]);
    expect(opens('w1')).toEqual(expect.arrayContaining(['h-1', 'h-2']));
  });
});

describe('a host that a worker has and should not', () => {
  it('[sim] is closed when there is no such host any more, and keeps its claim', async () => {
    await addHosts('w1', 'h-1');
    await listen();
    await startWorker('w1');
    await clock.advance(100);
    await store.txn({ dels: [KEYS.host('h-1'), KEYS.assign('compute', 'h-1')] });
    await clock.advance(5000);
    expect([opens('w1'), holder('h-1')?.workerId]).toEqual([[], 'w1']);
  });

  it('[sim] a word of closing that comes late does not end a later session', async () => {
    await addHosts('w1', 'h-1');
    await listen();
    await startWorker('w1');
    await clock.advance(100);
    const next = { v: 1, workerId: 'w1', session: 'w1-1', epoch: 5 };
    await store.txn({ puts: [{ key: KEYS.assign('compute', 'h-1'), value: next }] });
    await directory.open('h-1');
    await tell('w1', 'host-close', { v: 1, hostId: 'h-1', epoch: 4 });
    await clock.advance(2000);
    expect([opens('w1'), holder('h-1')?.epoch]).toEqual([['h-1'], 5]);
  });

  it('[sim] is left alone by a controller that is neither its owner nor the first', async () => {
    const other = new SoleOwnership('c2', () => 0);
    Object.assign(other, { owns: () => false, controllers: () => ['c1', 'c2'], ownerOf: () => 'c1' });
    await addHosts('w2', 'h-1');
    await listen(other);
    await startWorker('w1');
    const open = { v: 1, hostId: 'h-1', epoch: 1, cloudId: 'cloud-1', virtType: 'kvm' };
    await tell('w1', 'host-open', { ...open, transport: { kind: 'simulated', name: 'h-1' } });
    await clock.advance(20_000);
    expect([opens('w1'), assign('h-1')?.workerId]).toEqual([['h-1'], 'w2']);
    const asked: Json[] = [];
    await bus.serve(TOPIC.controllerOf('c1'), {
      'host-open-now': (body) => Promise.resolve(void asked.push(body)),
    });
    await directory.open('h-1');
    expect(asked).toEqual([{ v: 1, hostId: 'h-1' }]);
    await expect(directory.openForOther('h-1')).rejects.toMatchObject({ code: 'Unavailable' });
  });
});
