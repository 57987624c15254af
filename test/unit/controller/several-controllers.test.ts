import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../../src/adapters/bus/memory-bus.ts';
import { createSealer } from '../../../src/adapters/sealer/key-file-sealer.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { newId, sha256Hex } from '../../../src/base/ids.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { InstanceRecord } from '../../../src/domain/instance.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { OwnRecord } from '../../../src/domain/records.ts';
import { ConfigSchema } from '../../../src/launch/config/schema.ts';
import type { RunningRoles } from '../../../src/launch/roles/start-roles.ts';
import { startRoles } from '../../../src/launch/roles/start-roles.ts';
import type { OperationInput, OperationOutput, UnaryName } from '../../../src/messages/operations/index.ts';
import { TOPIC } from '../../../src/messages/worker.ts';
import type { Bus } from '../../../src/ports/bus.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { SimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { createSimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { createMemoryBlobs } from '../../simulation/memory-blobs.ts';
import { StoreView } from '../../support/shared-store.ts';
import { ADMIN, bootSector } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

interface Process {
  readonly name: string;
  readonly view: StoreView;
  readonly roles: RunningRoles;
}

const clock = new SystemClock();
const random = new SystemRandom();
const blobs = createMemoryBlobs();
let stateDir: string;
let bus: Bus;
let shared: Store;
let world: SimulatedHosts;
let processes: Process[];

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'novactl-several-'));
  bus = createMemoryBus({ clock, random });
  shared = createMemoryStore({ clock, random });
  world = createSimulatedHosts({ clock });
  processes = [];
});
afterEach(async () => {
  for (const { roles } of processes.toReversed()) await roles.close();
  await bus.close();
  await shared.close();
  rmSync(stateDir, { recursive: true, force: true });
});

/** Each closes what it was given; these outlive the processes. */
function lasting<T extends object>(thing: T): T {
  return new Proxy(thing, {
    get(target, name) {
      if (name === 'close') return () => Promise.resolve();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function start(name: string, role: 'controller' | 'worker'): Promise<Process> {
  const view = new StoreView(shared);
  const roles = await startRoles({
    config: ConfigSchema.parse({ drivers: 'simulated', stateDir }),
    plan: { roles: role === 'controller' ? ['api', 'controller'] : ['worker'], name, shared: true },
    ...{ version: '0.0.0-test', clock, random, logger: silentLogger, blobs, bus: lasting(bus) },
    store: lasting(view.store),
    sealer: createSealer(Buffer.alloc(32), random),
    openDrivers: (from) => world.openDrivers(from),
  });
  const made = { name, view, roles };
  processes.push(made);
  return made;
}

function call<N extends UnaryName>({ roles }: Process, name: N, input: OperationInput<N>): Promise<OperationOutput<N>> {
  if (roles.gateway === undefined) throw new Error('it is no api');
  return roles.gateway.unary(name, input, ADMIN) as Promise<OperationOutput<N>>;
}

const ownerOf = (hostId: string): string | undefined => shared.get<OwnRecord>(KEYS.own(hostId))?.value.controllerId;
const instances = (): InstanceRecord[] => shared.range<InstanceRecord>(PREFIX.instance).map(({ value }) => value);
const allRunning = (count: number): Promise<unknown> =>
  until(() => instances().filter(({ state, work }) => state === 'running' && work === undefined).length === count, {
    what: `${count} instances run`,
    everyMs: 10,
    timeoutMs: 15_000,
  });

/** Controllers `a`, `b`, `c`, worker `w1`, four hosts, one image. */
async function wholeCloud(): Promise<{ controllers: Process[]; hostIds: string[] }> {
  const worker = await start('w1', 'worker');
  const controllers = [await start('a', 'controller'), await start('b', 'controller'), await start('c', 'controller')];
  const [first] = controllers as [Process, Process, Process];
  const isHeard = (process: Process): boolean => process.roles.context?.workers.pick('compute') === 'w1';
  await until(() => controllers.every(isHeard), { what: 'the worker is heard everywhere' });
  expect(worker.roles.worker?.opens).toBe(0);
  const hostIds: string[] = [];
  for (const [index, name] of ['node1', 'node2', 'node3', 'node4'].entries()) {
    const at = controllers[index % 3] ?? first;
    const { host } = await call(at, 'AddHost', { Name: name, Transport: { kind: 'simulated', name } });
    expect(host.state).toBe('up');
    hostIds.push(host.hostId);
    world.host(name).images.add(sha256Hex(bootSector()));
  }
  const BlobKey = `upload/${newId('blob', random)}`;
  await blobs.put(BlobKey, Readable.from([bootSector()]));
  await call(first, 'RegisterImage', { Name: 'still', Kind: 'machine', BlobKey });
  return { controllers, hostIds };
}

describe('three controllers and a worker', () => {
  it('[sim] each takes operations, and whoever owns the host drives what comes of them', async () => {
    const { controllers, hostIds } = await wholeCloud();
    for (const process of controllers) {
      await call(process, 'RunInstances', { ImageId: 'still', InstanceType: 'm1.nano', MinCount: 4, MaxCount: 4 });
    }
    await allRunning(12);
    for (const { roles } of controllers) {
      const { context } = roles;
      expect(hostIds.map((id) => context?.observations.host(id)?.up)).toEqual([true, true, true, true]);
      expect(hostIds.map((id) => context?.ownership.ownerOf(id))).toEqual(hostIds.map(ownerOf));
    }
    await call(controllers[1] as Process, 'TerminateInstances', { InstanceIds: instances().map(({ id }) => id) });
    await until(() => instances().every(({ state }) => state === 'terminated'), { what: 'all are terminated' });
    expect(world.hosts().flatMap((host) => host.domains.all())).toEqual([]);
  });

  it('[sim] when one dies the others have its hosts, and finish what it had begun', async () => {
    const { controllers, hostIds } = await wholeCloud();
    const [victim, ...others] = controllers.toSorted(
      (a, b) => (b.roles.context?.ownership.count ?? 0) - (a.roles.context?.ownership.count ?? 0),
    ) as [Process, Process, Process];
    const theirs = hostIds.filter((id) => ownerOf(id) === victim.name);
    expect(theirs.length).toBeGreaterThan(0);
    victim.view.pause();
    await victim.view.lapse();
    await until(() => hostIds.every((id) => others.some(({ name }) => name === ownerOf(id))), {
      what: 'all hosts have a live owner',
    });
    // The dead one still takes a third of the calls here: those that it can't write are repeated by nobody in this test.
    const at = others[0] as Process;
    const operation = { name: 'RunInstances', input: { ImageId: 'still', MinCount: 6, MaxCount: 6 }, meta: ADMIN };
    await at.roles.controller?.executor.change(operation.name, operation.input, operation.meta);
    await allRunning(6);
    victim.view.wake();
    expect(instances()).toHaveLength(6);
  });

  it('[sim] an outcome is handed on to the owner of its host, and refused while it has none', async () => {
    const { hostIds } = await wholeCloud();
    const [hostId = ''] = hostIds;
    const outcome = {
      ...{ v: 1, commandId: 'c-1', hostId, session: 's', epoch: 1, seq: 1, instanceId: 'i-00000000000000000' },
      ...{ generation: 1, verb: 'run', ok: true, steps: [] },
    };
    const tell = (topic: string): Promise<unknown> => bus.call(topic, 'outcome', outcome, { timeoutMs: 5000 });
    // Whoever of the three gets it.
    for (let turn = 0; turn < 6; turn += 1) await tell(TOPIC.controller);
    const owner = ownerOf(hostId);
    for (const name of ['a', 'b', 'c']) {
      const told = tell(TOPIC.controllerOf(name));
      if (name === owner) await told;
      else await expect(told).rejects.toMatchObject({ code: 'Unavailable' });
    }
  });

  it('[sim] what runs on another counts as under way, until that one is gone', async () => {
    const { controllers } = await wholeCloud();
    const [a, b] = controllers as [Process, Process];
    const session = a.roles.context?.maintenance.session ?? '';
    const running = { session, operationId: 'op-1', startedAtMs: clock.nowMs() };
    expect(b.roles.context?.maintenance.isLive(running)).toBe(true);
    await a.roles.close();
    await until(() => b.roles.context?.maintenance.isLive(running) === false, { what: 'it is gone' });
  });
});
