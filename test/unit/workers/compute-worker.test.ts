import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../../src/adapters/bus/memory-bus.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import type { Json } from '../../../src/base/json.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { toJson } from '../../../src/base/json.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { SoleOwnership } from '../../../src/controller/hosts/ownership.ts';
import { WorkerDirectory } from '../../../src/controller/hosts/worker-directory.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { AssignRecord } from '../../../src/domain/records.ts';
import type { HostReport, WorkerHello } from '../../../src/messages/worker.ts';
import { TOPIC, WorkerHello as WorkerHelloMessage } from '../../../src/messages/worker.ts';
import type { Bus } from '../../../src/ports/bus.ts';
import type { HostDrivers } from '../../../src/ports/host-drivers.ts';
import type { Store } from '../../../src/ports/store.ts';
import { ComputeWorker } from '../../../src/workers/compute-worker.ts';
import { createSimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { sampleCommand } from '../../support/command-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const random = new SeededRandom(1);
const transport = { kind: 'simulated', name: 'node1' } as const;
const open = (epoch = 1): Json => ({ v: 1, hostId: 'h-1', epoch, cloudId: 'cloud-1', transport, virtType: 'kvm' });

let clock: ManualClock;
let bus: Bus;
let world: SimulatedHosts;
let worker: ComputeWorker;
let hellos: WorkerHello[];
let reports: HostReport[];
let opened: number;
/** Why the next drivers can't be opened. */
let broken: Error | undefined;
/** A claim ends when the drivers are closed, and not before. */
let hanging: boolean;

function withHangingClaim(drivers: HostDrivers): HostDrivers {
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => undefined);
  return {
    ...{ hypervisor: drivers.hypervisor, network: drivers.network, images: drivers.images },
    claim: { read: () => drivers.claim.read(), take: () => closed.promise, release: () => drivers.claim.release() },
    close() {
      closed.reject(new CloudError('Unavailable', 'the connection was closed'));
      return drivers.close();
    },
  } as unknown as HostDrivers;
}

beforeEach(async () => {
  clock = new ManualClock();
  bus = createMemoryBus({ clock, random });
  world = createSimulatedHosts({ clock });
  [hellos, reports, opened, broken, hanging] = [[], [], 0, undefined, false];
  await bus.subscribe(TOPIC.reports, {
    'worker-hello': (body) => Promise.resolve(void hellos.push(body as unknown as WorkerHello)),
    'host-report': (body) => Promise.resolve(void reports.push(body as unknown as HostReport)),
  });
  const openDrivers = world.openDrivers({ head: () => Promise.reject(new Error('no blobs')) });
  worker = new ComputeWorker({
    ...{ workerId: 'w1', session: 's1', bus, clock, logger: silentLogger },
    openDrivers: (to) => {
      opened += 1;
      if (broken !== undefined) return Promise.reject(broken);
      return hanging ? openDrivers(to).then(withHangingClaim) : openDrivers(to);
    },
  });
  await worker.start();
});
afterEach(async () => {
  await worker.close();
  await bus.close();
});

const remove = (): Json =>
  toJson({
    ...{ v: 1, commandId: 'c', hostId: 'h-1', epoch: 1, generation: 1, verb: 'remove' },
    spec: sampleCommand('remove').spec,
  });
const ask = (type: string, body: Json): Promise<Json | undefined> =>
  bus.call(TOPIC.worker('w1'), type, body, { timeoutMs: 5000 });

describe('a compute worker', () => {
  it('[sim] says hello at once and every two seconds, with the hosts that it has open', async () => {
    await clock.advance(0);
    await ask('host-open', open());
    await clock.advance(4000);
    expect(hellos.map((hello) => hello.open)).toEqual([[], ['h-1'], ['h-1']]);
    expect(hellos[0]).toMatchObject({ workerId: 'w1', session: 's1', kinds: ['compute', 'network'] });
  });

  it('[sim] opens a host once, however often it is told, and reports everything each time', async () => {
    await Promise.all([ask('host-open', open()), ask('host-open', open()), ask('host-open', open())]);
    await clock.advance(100);
    // One for each call, and one for the connection that came up.
    expect([opened, reports.filter((report) => report.whole).length]).toEqual([1, 4]);
  });

  it('[sim] ends at once while a host that it opens hangs in its claim', async () => {
    hanging = true;
    const opening = ask('host-open', open());
    const handled = opening.catch(() => undefined);
    await clock.advance(0);
    expect(opened).toBe(1);
    // Not a moment passes: nothing but the claim itself is waited for.
    await worker.close();
    await handled;
    expect(worker.opens).toBe(0);
  });

  it('[sim] that leaves waits for others as long as it heard of one, else for its work alone', async () => {
    await ask('host-open', open());
    let left = 0;
    const leave = (): void => void worker.drain(30_000).then(() => (left += 1));
    const other = (leaving: boolean): Promise<void> =>
      bus.fanout(TOPIC.reports, 'worker-hello', toJson({ ...hellos[0], workerId: 'w2', leaving }));
    leave();
    await clock.advance(3000);
    await other(true);
    await clock.advance(4000);
    expect(left).toBe(1);
    leave();
    await clock.advance(3000);
    await other(false);
    await clock.advance(26_000);
    expect(left).toBe(1);
    await clock.advance(2000);
    expect(left).toBe(2);
    // The controller has not taken the outcome yet.
    const taken = Promise.withResolvers<undefined>();
    await bus.serve(TOPIC.controller, { outcome: () => taken.promise });
    await bus.cast(TOPIC.worker('w1'), 'instance-command', remove());
    await clock.advance(100);
    leave();
    await clock.advance(8000);
    expect(left).toBe(2);
    taken.resolve(undefined);
    await clock.advance(500);
    expect(left).toBe(3);
  });

  it('[sim] a newer epoch ends the session of the older one', async () => {
    await ask('host-open', open(1));
    await ask('host-open', open(2));
    await expect(ask('host-open', open(1))).rejects.toMatchObject({ code: 'StaleEpoch', details: { epoch: 2 } });
    expect(opened).toBe(2);
    await clock.advance(100);
    const epochs = reports.map((report) => report.epoch);
    expect(epochs.slice(epochs.indexOf(2))).not.toContain(1);
  });

  it('[sim] does not say that a host is open whose next session could not be opened', async () => {
    await ask('host-open', open(1));
    broken = new Error('no key');
    await expect(ask('host-open', open(2))).rejects.toThrow('no key');
    await clock.advance(10_000);
    expect(hellos.at(-1)?.open).toEqual([]);
  });

  it('[sim] gives up a session that lost its claim, and not the one that has followed it', async () => {
    await ask('host-open', open(1));
    const sim = world.host('node1');
    sim.options = { ...sim.options, latencyMs: 100 };
    sim.claim.release();
    await ask('instance-command', remove());
    await clock.advance(150);
    const next = ask('host-open', open(2));
    await clock.advance(3000);
    await next;
    await clock.advance(10_000);
    expect([hellos.at(-1)?.open, sim.claim.holder?.epoch, opened]).toEqual([['h-1'], 2, 2]);
  });

  it('[sim] removes nothing from a host that it could not claim yet', async () => {
    const order = { v: 1, hostId: 'h-1', epoch: 1, remove: true, keepSha256: [], instanceIds: [], minAgeMs: 0 };
    world.host('node1').disconnect('no route to host');
    await ask('host-open', open());
    await expect(ask('host-collect', order)).rejects.toThrow('not claimed yet');
    world.host('node1').reconnect();
    await clock.advance(5000);
    expect(await ask('host-collect', order)).toMatchObject({ removed: [] });
  });

  it('[sim] of a host that does not answer reports just that', async () => {
    world.host('node1').disconnect('no route to host');
    await ask('host-open', open());
    expect(reports[0]).toMatchObject({ up: false, whole: false, problem: 'no route to host', facts: [] });
  });

  it('[sim] answers for a host that it has not open that it has not', async () => {
    const body = { v: 1, hostId: 'h-1', instanceId: 'i-1', fromByte: 0, maxBytes: 10 };
    await expect(ask('console-read', body)).rejects.toMatchObject({ code: 'Unavailable' });
    await ask('host-open', open());
    expect(await ask('console-read', body)).toEqual({ data: '', fromByte: 0, nextByte: 0 });
    await ask('host-close', { v: 1, hostId: 'h-1', epoch: 1 });
    await expect(ask('console-read', body)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('[sim] probes without opening, and leaves nothing open', async () => {
    const facts = await ask('host-probe', { v: 1, transport });
    expect(facts).toMatchObject({ hostname: 'node1', cpus: 16 });
    await clock.advance(10_000);
    expect(hellos.at(-1)?.open).toEqual([]);
  });

  it.each([
    ['host-open', { v: 2 }],
    ['host-probe', { v: 1, transport: { kind: 'carrier-pigeon' } }],
    ['instance-command', { v: 1, verb: 'dance' }],
  ])('[sim] refuses a %s that it does not know: %j', async (type, body) => {
    await expect(ask(type, body)).rejects.toThrow();
  });
});

describe('the directory of workers', () => {
  const storeWithHost = async (): Promise<Store> => {
    const store = createMemoryStore({ clock, random });
    const host = { id: 'h-1', transport, facts: { virtType: 'kvm' } };
    await store.txn({
      puts: [
        { key: KEYS.host('h-1'), value: host },
        { key: KEYS.assign('compute', 'h-1'), value: { v: 1, workerId: 'w1', epoch: 1 } },
      ],
    });
    return store;
  };
  const directoryOn = (store: Store): WorkerDirectory => {
    const ownership = new SoleOwnership('c1', () => 1);
    const directory = new WorkerDirectory({ store, bus, clock, logger: silentLogger, cloudId: 'cloud-1', ownership });
    directory.start();
    return directory;
  };
  const parts = async () => directoryOn(await storeWithHost());
  const hello = (openHosts: string[] = []): WorkerHello =>
    WorkerHelloMessage.parse({ v: 1, workerId: 'w1', session: 's1', kinds: ['compute'], open: openHosts });

  it('[sim] opens what a worker shall have and has not, once at a time', async () => {
    const directory = await parts();
    world.host('node1').options = { ...world.host('node1').options, latencyMs: 1000 };
    for (let n = 0; n < 3; n += 1) directory.hello(hello());
    await clock.advance(5000);
    expect([opened, reports.length]).toEqual([1, 2]);
    directory.hello(hello(['h-1']));
    await clock.advance(5000);
    expect(reports).toHaveLength(2);
  });

  it('[sim] raises the epoch for each session of a worker, and above what the host has seen', async () => {
    const store = await storeWithHost();
    const told = async (session: string): Promise<unknown> => {
      const directory = directoryOn(store);
      directory.hello({ ...hello(), session });
      await clock.advance(5000);
      return store.get<AssignRecord>(KEYS.assign('compute', 'h-1'))?.value;
    };
    const claim = (): unknown => world.host('node1').claim.holder;
    expect(await told('s1')).toEqual({ v: 1, workerId: 'w1', session: 's1', epoch: 1 });
    expect(await told('s1')).toMatchObject({ session: 's1', epoch: 1 });
    expect([claim(), opened]).toMatchObject([{ epoch: 1, session: 's1' }, 1]);
    // The records come from a backup: the host has had later owners.
    const holder = world.host('node1').claim.holder;
    world.host('node1').claim.holder = holder && { ...holder, epoch: 40, session: 'lost' };
    await ask('host-close', { v: 1, hostId: 'h-1', epoch: 1 });
    expect(await told('s1')).toMatchObject({ session: 's1', epoch: 41 });
    expect(claim()).toMatchObject({ epoch: 41, session: 's1' });
  });

  it('[sim] leaves a host alone that was taken from it, until it is told to open it', async () => {
    const directory = await parts();
    directory.hello(hello());
    await clock.advance(5000);
    const sim = world.host('node1');
    sim.claim.holder = sim.claim.holder && { ...sim.claim.holder, epoch: 7, session: 'other' };
    await ask('instance-command', remove());
    await clock.advance(60_000);
    expect([reports.at(-1)?.up, sim.claim.holder?.session, hellos.at(-1)?.open]).toEqual([false, 'other', ['h-1']]);
    await directory.open('h-1');
    await clock.advance(1000);
    expect([reports.at(-1)?.up, sim.claim.holder?.epoch, sim.claim.holder?.session]).toEqual([true, 8, 's1']);
  });

  it('[sim] does not take the host of another cloud, and says whose it is', async () => {
    await parts();
    const holder = { v: 1, epoch: 1, session: 'x', cloudId: 'cloud-2', hostId: 'h-9', workerId: 'w', atMs: 0 } as const;
    world.host('node1').claim.holder = holder;
    const directory = await parts();
    directory.hello(hello());
    await clock.advance(5000);
    expect(reports.at(-1)).toMatchObject({ up: false, hostId: 'h-1' });
    expect(reports.at(-1)?.problem).toContain('belongs to cloud cloud-2');
    expect(world.host('node1').claim.holder).toEqual(holder);
    // Of this cloud, but of a host record that is no more: free.
    world.host('node1').claim.holder = { ...holder, cloudId: 'cloud-1', epoch: 99 };
    directory.hello(hello());
    await clock.advance(5000);
    expect(world.host('node1').claim.holder).toMatchObject({ hostId: 'h-1', session: 's1' });
  });

  it('[sim] counts on a worker for as long as it says hello', async () => {
    const directory = await parts();
    expect(directory.pick('compute')).toBeUndefined();
    directory.hello(hello(['h-1']));
    expect([directory.pick('compute'), directory.pick('volume')]).toEqual(['w1', undefined]);
    await clock.advance(9000);
    expect(directory.pick('compute')).toBe('w1');
    await clock.advance(1000);
    expect(directory.pick('compute')).toBeUndefined();
  });
});
