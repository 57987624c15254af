import { beforeEach, describe, expect, it } from 'vitest';
import { uuidFrom } from '../../../../../src/base/ids.ts';
import type { HostDrivers } from '../../../../../src/ports/host-drivers.ts';
import type { DomainSpec, HypervisorEvent } from '../../../../../src/ports/hypervisor.ts';
import { createSimulatedHosts } from '../../../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimulatedHosts } from '../../../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimHost } from '../../../../../src/workers/drivers/simulated/sim-host.ts';
import { ManualClock } from '../../../../support/manual-clock.ts';

const SHA = 'a'.repeat(64);
const network = {
  ...{
    networkId: 'net-1',
    bridge: 'nvb-1',
    bridgeMac: '02:16:3e:00:00:00',
    cidr: '10.200.0.0/22',
    gateway: '10.200.0.1',
  },
  ...{ dns: [], domain: 'novalocal', mtu: 1500 },
};
const port = { instanceId: 'i-1', tap: 'nvt1', mac: '02:16:3e:00:00:01', address: '10.200.0.5', hostname: 'ip-1' };

let clock: ManualClock;
let world: SimulatedHosts;
let host: SimHost;
let drivers: HostDrivers;
let spec: DomainSpec;
const openHost = (name = 'node1'): Promise<HostDrivers> =>
  world.openDrivers({ head: (key) => Promise.resolve({ key, sizeBytes: 512, sha256: SHA }) })({
    kind: 'simulated',
    name,
  });

beforeEach(async () => {
  clock = new ManualClock();
  world = createSimulatedHosts({ clock, options: { guest: { bootMs: 1000, shutdownMs: 500, obeysAcpi: true } } });
  host = world.host('node1');
  drivers = await openHost();
  spec = {
    ...{ name: 'i-1', uuid: uuidFrom('i-1'), virtType: 'kvm', memoryMib: 128, vcpus: 1, boot: { kind: 'disk' } },
    disks: [
      {
        source: { kind: 'file', path: '/sim/node1/instances/i-1/disk' },
        format: 'qcow2',
        target: 'vda',
        bus: 'virtio',
        cache: 'none',
      },
    ],
    nics: [{ mac: port.mac, bridge: network.bridge, tap: port.tap }],
    consoleLogPath: drivers.consoleLogPath('i-1'),
    metadata: { cloudId: 'c', instanceId: 'i-1', generation: 1 },
  };
});

const overlay = (mustExist = false): Promise<string> =>
  drivers.images.ensureOverlay({
    ...{ instanceId: 'i-1', basePath: '/base', baseFormat: 'raw', virtualSizeBytes: 512, uid: 1, gid: 1 },
    mustExist,
  });

/** Everything that a domain needs, and the domain, on. */
async function running(): Promise<void> {
  await drivers.network.ensureNetwork(network);
  await drivers.network.ensurePort(network, port);
  await overlay();
  await drivers.hypervisor.define(spec);
  await drivers.hypervisor.start(spec.uuid);
}
const power = async (): Promise<string | undefined> => (await drivers.hypervisor.lookup(spec.uuid))?.power;

describe('a simulated domain', () => {
  it('[sim] does not start without its bridge, its disk or memory, and says what libvirt says', async () => {
    await drivers.hypervisor.define(spec);
    const start = (): Promise<void> => drivers.hypervisor.start(spec.uuid);
    await expect(start()).rejects.toThrow("Cannot get interface MTU on 'nvb-1'");
    await drivers.network.ensureNetwork(network);
    await expect(start()).rejects.toThrow('Cannot access storage file');
    await overlay();
    host.options = { ...host.options, memoryMib: 100 };
    await expect(start()).rejects.toMatchObject({ code: 'HypervisorError' });
    host.options = { ...host.options, memoryMib: 1000 };
    await start();
    expect(await power()).toBe('running');
  });

  it('[sim] is done twice as well as once, and is not found where it is not', async () => {
    const { hypervisor } = drivers;
    await running();
    await hypervisor.define(spec);
    await hypervisor.start(spec.uuid);
    expect(host.domains.named('i-1')?.starts).toBe(1);
    await hypervisor.destroy(spec.uuid);
    await hypervisor.destroy(spec.uuid);
    await expect(hypervisor.reset(spec.uuid)).rejects.toMatchObject({ code: 'HypervisorError' });
    await hypervisor.undefine(spec.uuid);
    await hypervisor.undefine(spec.uuid);
    expect(await power()).toBeUndefined();
    await expect(hypervisor.start(spec.uuid)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('[sim] takes neither the name nor the uuid of another', async () => {
    await drivers.hypervisor.define(spec);
    await expect(drivers.hypervisor.define({ ...spec, uuid: uuidFrom('x') })).rejects.toMatchObject({
      code: 'AlreadyExists',
    });
    await expect(drivers.hypervisor.define({ ...spec, name: 'i-2' })).rejects.toMatchObject({ code: 'AlreadyExists' });
  });

  it('[sim] hears the power button once it has booted, and takes its time', async () => {
    await running();
    await drivers.hypervisor.shutdown(spec.uuid);
    await clock.advance(999);
    expect(await power()).toBe('running');
    await clock.advance(1);
    await drivers.hypervisor.shutdown(spec.uuid);
    await clock.advance(500);
    expect(await drivers.hypervisor.lookup(spec.uuid)).toMatchObject({ power: 'shutoff', reason: 'shutdown' });
  });

  it('[sim] that is undefined while it runs is gone when it stops', async () => {
    await running();
    await drivers.hypervisor.undefine(spec.uuid);
    expect(await power()).toBe('running');
    await drivers.hypervisor.destroy(spec.uuid);
    expect(await drivers.hypervisor.inventory()).toEqual([]);
  });

  it('[sim] tells what happens to it, in order', async () => {
    const events: string[] = [];
    const watch = drivers.hypervisor.watch((event: HypervisorEvent) => {
      events.push(event.kind === 'domain' ? `${event.detail} ${event.power}` : event.kind);
    });
    await clock.settle();
    await running();
    await drivers.hypervisor.destroy(spec.uuid);
    await drivers.hypervisor.undefine(spec.uuid);
    await clock.settle();
    expect(events).toEqual([
      'connected',
      'defined/added unknown',
      'started/booted running',
      'stopped/destroyed shutoff',
      'undefined/removed unknown',
    ]);
    watch.close();
    host.disconnect();
    await clock.settle();
    expect(events).toHaveLength(5);
  });
});

describe('a simulated network', () => {
  it('[sim] guards a tap that is there, and keeps a bridge that is in use', async () => {
    await drivers.network.ensureNetwork(network);
    await expect(drivers.network.guardPort(network, port)).rejects.toMatchObject({ code: 'HostError' });
    await running();
    await drivers.network.guardPort(network, port);
    await expect(drivers.network.removeNetwork('net-1', 'nvb-1')).rejects.toMatchObject({ code: 'Busy' });
    await drivers.hypervisor.destroy(spec.uuid);
    expect([host.taps.size, host.guarded.size]).toEqual([0, 0]);
    expect((await drivers.network.inventory()).leases).toEqual([
      { bridge: 'nvb-1', mac: port.mac, address: port.address },
    ]);
    await drivers.network.removePort(network, port);
    await drivers.network.removeNetwork('net-1', 'nvb-1');
    await drivers.network.removeNetwork('net-1', 'nvb-1');
    expect(await drivers.network.inventory()).toEqual({ bridges: [], leases: [] });
  });

  it("[sim] leaves another network's bridge alone", async () => {
    await drivers.network.ensureNetwork(network);
    const other = { ...network, networkId: 'net-2' };
    await expect(drivers.network.ensureNetwork(other)).rejects.toMatchObject({ code: 'Conflict' });
    await expect(drivers.network.removeNetwork('net-2', 'nvb-1')).rejects.toMatchObject({ code: 'Conflict' });
  });
});

describe('simulated files', () => {
  it('[sim] are what the blobs say, and a disk that must be there is not made', async () => {
    const image = { blobKey: 'k', sha256: SHA, sizeBytes: 512, format: 'raw', kind: 'machine' } as const;
    expect(await drivers.images.ensureImage(image)).toContain(SHA);
    await expect(drivers.images.ensureImage({ ...image, sha256: 'b'.repeat(64) })).rejects.toMatchObject({
      code: 'HostError',
    });
    await expect(overlay(true)).rejects.toMatchObject({ code: 'NotFound' });
    await overlay();
    await overlay(true);
    expect(await drivers.images.listInstanceDirs()).toEqual(['i-1']);
    await drivers.images.removeInstanceDir('i-1');
    expect(await drivers.images.listInstanceDirs()).toEqual([]);
  });

  it('[sim] of a console are read from any place', async () => {
    await running();
    const all = await drivers.readConsole('i-1', 0, 1000);
    expect(all.data.toString()).toContain('simulated guest i-1: boot 1');
    const end = await drivers.readConsole('i-1', -5, 3);
    expect([end.fromByte, end.data.length, end.nextByte]).toEqual([all.nextByte - 5, 3, all.nextByte - 2]);
  });
});

describe('the world', () => {
  it('[sim] outlives who looks at it: what a dead process asked for never happens', async () => {
    await running();
    host.options = { ...host.options, latencyMs: 100 };
    const asked = drivers.hypervisor.destroy(spec.uuid);
    let answered = false;
    void asked.finally(() => (answered = true));
    await clock.advance(50);
    world.severSessions();
    await clock.advance(1000);
    host.options = { ...host.options, latencyMs: 0 };
    drivers = await openHost();
    expect([answered, await power()]).toEqual([false, 'running']);
  });

  it('[sim] fails, loses answers and hangs as it is told to', async () => {
    await running();
    const destroy = (): Promise<void> => drivers.hypervisor.destroy(spec.uuid);
    host.calls.inject({ call: 'destroy', how: 'fail', code: 'Timeout', message: 'too slow' });
    await expect(destroy()).rejects.toMatchObject({ code: 'Timeout', message: 'too slow' });
    expect(await power()).toBe('running');
    host.calls.inject({ call: 'destroy', how: 'lose' });
    await expect(destroy()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(await power()).toBe('shutoff');
    host.calls.inject({ call: 'destroy', how: 'hang' });
    const hanging = destroy();
    await clock.advance(1000);
    await drivers.close();
    await expect(hanging).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('[sim] forgets why its domains are off when a host lost its power', async () => {
    await running();
    host.powerOff();
    await expect(drivers.hypervisor.inventory()).rejects.toMatchObject({ code: 'Unavailable' });
    host.powerOn();
    expect(await drivers.hypervisor.inventory()).toEqual([
      { name: 'i-1', uuid: spec.uuid, power: 'shutoff', reason: 'unknown' },
    ]);
  });

  it('[sim] has other hosts that know nothing of it', async () => {
    await running();
    expect(await (await openHost('node2')).hypervisor.inventory()).toEqual([]);
    expect(world.hosts().map((one) => one.name)).toEqual(['node1', 'node2']);
  });
});
