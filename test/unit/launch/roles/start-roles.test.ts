import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryBus } from '../../../../src/adapters/bus/memory-bus.ts';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { createSealer } from '../../../../src/adapters/sealer/key-file-sealer.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { newId } from '../../../../src/base/ids.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { metadataHandlers, metadataOverBus } from '../../../../src/controller/api/metadata/metadata-over-bus.ts';
import { MetadataDirectory } from '../../../../src/controller/api/metadata-directory.ts';
import { KEYS, PREFIX } from '../../../../src/domain/keys.ts';
import type { AccessKeyRecord, AssignRecord, OwnRecord } from '../../../../src/domain/records.ts';
import type { InstanceRecord } from '../../../../src/domain/instance.ts';
import { ConfigSchema, type Role } from '../../../../src/launch/config/schema.ts';
import { type RunningRoles, startRoles } from '../../../../src/launch/roles/start-roles.ts';
import type { OperationInput, OperationOutput, UnaryName } from '../../../../src/messages/operations/index.ts';
import { TOPIC } from '../../../../src/messages/worker.ts';
import { createSimulatedHosts } from '../../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { ADMIN, bootSector } from '../../../support/sim-cloud.ts';
import { until } from '../../../support/until.ts';

/** Leases and silence are waited for in real time. */
const PATIENCE_MS = 40_000;

const clock = new SystemClock();
const random = new SeededRandom(1);
const store = createMemoryStore({ clock, random });
const bus = createMemoryBus({ clock, random });
/** One set of hosts, whichever worker has them open. */
const world = createSimulatedHosts({ clock });
const dir = mkdtempSync(join(tmpdir(), 'novactl-roles-'));
const processes = new Map<string, RunningRoles>();

async function start(name: string, ...roles: Role[]): Promise<RunningRoles> {
  const running = await startRoles({
    config: ConfigSchema.parse({ drivers: 'simulated', stateDir: join(dir, name), blobs: { dir: join(dir, 'blobs') } }),
    plan: { roles, name, shared: true },
    ...{ clock, random, bus, logger: silentLogger, version: '0.0.0-test', announces: true },
    ...(roles.includes('worker') ? { openDrivers: (blobs) => world.openDrivers(blobs) } : { store }),
    sealer: createSealer(Buffer.alloc(32), random),
  });
  processes.set(name, running);
  return running;
}

async function end(name: string): Promise<void> {
  const running = processes.get(name);
  processes.delete(name);
  await running?.drain(5000);
  await running?.close();
}

function call<N extends UnaryName>(name: N, input: OperationInput<N>): Promise<OperationOutput<N>> {
  const gateway = processes.get('a1')?.gateway;
  if (gateway === undefined) throw new Error('the api does not run');
  return gateway.unary(name, input, ADMIN) as Promise<OperationOutput<N>>;
}

const service = async (name: string) =>
  (await call('DescribeServices', {})).services.find(({ serviceId }) => serviceId === name);

async function run(): Promise<string> {
  const { instances } = await call('RunInstances', { ImageId: 'still', InstanceType: 'm1.nano' });
  return instances[0]?.instanceId ?? '';
}

async function settled(id: string, state: InstanceRecord['state']): Promise<InstanceRecord> {
  return until(
    async () => {
      const { instances } = await call('DescribeInstances', { InstanceIds: [id] });
      const record = store.get<InstanceRecord>(KEYS.instance(id))?.value;
      return instances[0]?.state === state && record?.work === undefined ? record : undefined;
    },
    { what: `${id} is ${state}`, timeoutMs: PATIENCE_MS, everyMs: 20 },
  );
}

const ownerOf = (hostId: string) => store.get<OwnRecord>(KEYS.own(hostId))?.value.controllerId;
const workerOf = (hostId: string) => store.get<AssignRecord>(KEYS.assign('compute', hostId))?.value.workerId;

let hosts: string[] = [];

beforeAll(async () => {
  // The api waits for the cloud that one of the controllers makes; both try at once.
  const api = start('a1', 'api');
  await Promise.all([start('c1', 'controller'), start('c2', 'controller')]);
  await api;
  await Promise.all([start('w1', 'worker'), start('w2', 'worker')]);
  await until(async () => (await call('DescribeServices', {})).services.length === 5, {
    ...{ what: 'all five have spoken', timeoutMs: PATIENCE_MS },
  });
  for (const name of ['node1', 'node2']) {
    const { host } = await call('AddHost', { Name: name, Transport: { kind: 'simulated', name } });
    hosts.push(host.hostId);
  }
  const blobKey = `upload/${newId('blob', random)}`;
  await processes.get('a1')?.blobs.put(blobKey, Readable.from([bootSector()]));
  await call('RegisterImage', { Name: 'still', Kind: 'machine', BlobKey: blobKey });
}, 90_000);

afterAll(async () => {
  for (const running of [...processes.values()].toReversed()) await running.close();
  await bus.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
  hosts = [];
});

describe('an api, two controllers and two workers', { timeout: 90_000 }, () => {
  it('[sim] are one cloud, made once', () => {
    const ids = [...processes.values()].flatMap(({ context }) => (context === undefined ? [] : [context.cloudId]));
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
    expect(store.range<AccessKeyRecord>(PREFIX.accessKey)).toHaveLength(1);
  });

  it('[sim] tell of themselves', async () => {
    const { services } = await call('DescribeServices', {});
    expect(services.map(({ serviceId, roles, state }) => [serviceId, roles.join(), state])).toEqual([
      ['a1', 'api', 'up'],
      ['c1', 'controller', 'up'],
      ['c2', 'controller', 'up'],
      ['w1', 'worker', 'up'],
      ['w2', 'worker', 'up'],
    ]);
    expect(services[0]).toMatchObject({ wanted: 'enabled', store: { engine: 'memory' }, machine: expect.any(String) });
    expect(services[3]).not.toHaveProperty('store');
    expect(processes.get('w1')?.context).toBeUndefined();
  });

  it('[sim] run, describe, stop and terminate instances', async () => {
    const id = await run();
    const { hostId } = await settled(id, 'running');
    expect(hosts).toContain(hostId);
    const { hosts: views } = await call('DescribeHosts', {});
    expect(views.map(({ state }) => state)).toEqual(['up', 'up']);
    await call('StopInstances', { InstanceIds: [id] });
    await settled(id, 'stopped');
    await call('TerminateInstances', { InstanceIds: [id] });
    await settled(id, 'terminated');
  });

  it('[sim] answer a worker that asks for the metadata of a guest on its host, and of no other', async () => {
    const id = await run();
    const { nic, hostId } = await settled(id, 'running');
    const context = processes.get('a1')?.context;
    if (context === undefined) throw new Error('the api has no context');
    const directory = new MetadataDirectory(context);
    const serving = await bus.serve(
      TOPIC.api,
      metadataHandlers((...asked) => directory.lookup(...asked)),
    );
    const lookup = metadataOverBus(bus);
    const found = await lookup(nic.address, hostId);
    expect(found).toEqual(await directory.lookup(nic.address, hostId));
    expect(found).toMatchObject({ instanceId: id, localIpv4: nic.address });
    expect(await lookup(nic.address, 'h-00000000000000000')).toBeUndefined();
    await serving.close();
    directory.close();
    await expect(lookup(nic.address, hostId)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('[sim] move the hosts of a worker that is drained, and give it some again once it is enabled', async () => {
    const { service: told } = await call('DrainService', { Service: 'w1', Reason: 'new kernel' });
    expect(told).toMatchObject({ serviceId: 'w1', wanted: 'draining', reason: 'new kernel' });
    await until(async () => (await service('w1'))?.opens === 0 && hosts.every((id) => workerOf(id) === 'w2'), {
      ...{ what: 'w1 has no hosts left', timeoutMs: PATIENCE_MS },
    });
    await settled(await run(), 'running');
    expect((await call('EnableService', { Service: 'w1' })).service).toMatchObject({ wanted: 'enabled' });
    expect(store.get(KEYS.service('w1'))).toBeUndefined();
    await expect(call('DrainService', { Service: 'w9' })).rejects.toMatchObject({ code: 'InvalidService.NotFound' });
  });

  it('[sim] go on when a controller ends: the other has its hosts at once', async () => {
    await end('c2');
    await until(() => hosts.every((id) => ownerOf(id) === 'c1'), {
      ...{ what: 'c1 owns both hosts', timeoutMs: PATIENCE_MS },
    });
    await settled(await run(), 'running');
    // After 15 s of silence, on a machine that slow.
    expect(['draining', 'ended']).toContain((await service('c2'))?.state);
  });

  it('[sim] go on when a worker ends: the other opens its hosts', async () => {
    await end('w2');
    await until(() => hosts.every((id) => workerOf(id) === 'w1'), {
      ...{ what: 'w1 has both hosts', timeoutMs: PATIENCE_MS },
    });
    await settled(await run(), 'running');
  });
});
