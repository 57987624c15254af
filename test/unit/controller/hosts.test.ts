import { afterEach, describe, expect, it } from 'vitest';
import { isCode } from '../../../src/base/errors.ts';
import { contains, parseCidr } from '../../../src/domain/addressing.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { HostRecord, ImageRecord, NetworkRecord } from '../../../src/domain/records.ts';
import { expectClaimsAddUp } from '../../support/claims.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { bootSector, startSimCloud } from '../../support/sim-cloud.ts';

let sim: SimCloud;
afterEach(() => sim.close());

const add = (name: string, machine: string, extra: Record<string, unknown> = {}): Promise<unknown> =>
  sim.call('AddHost', { Name: name, Transport: { kind: 'simulated', name: machine }, ...extra });
const hostCount = (): number => sim.store.count(PREFIX.host);

describe('AddHost', () => {
  it('[sim] answers when the host has reported, with what it has', async () => {
    sim = await startSimCloud({ hosts: [], config: { zone: 'west' } });
    const { host } = await sim.call('AddHost', { Name: 'node1', Transport: { kind: 'simulated', name: 'node1' } });
    expect(host).toMatchObject({
      name: 'node1',
      state: 'up',
      zone: 'west',
      facts: { cpus: 16, virtType: 'kvm' },
      orphans: [],
    });
    expect((await sim.run()).instances).toMatchObject([{ hostId: host.hostId, availabilityZone: 'west' }]);
  });

  it('[sim] refuses a name and a machine that it has, one of many at once too', async () => {
    sim = await startSimCloud();
    await expect(add('node1', 'other')).rejects.toThrow('Name: a host node1 exists already');
    await expect(add('node2', 'node1')).rejects.toThrow('Transport: this machine is a host already, as node1');
    const answers = await Promise.allSettled(Array.from({ length: 10 }, (_, index) => add(`name${index}`, 'new')));
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
    expect([refused.length, refused.every((error) => isCode(error, 'InvalidHost.Duplicate')), hostCount()]).toEqual([
      9,
      true,
      2,
    ]);
  });

  it('[sim] refuses a machine that says whose it is, by whatever name it is reached', async () => {
    sim = await startSimCloud();
    const { holder } = sim.world.host('node1').claim;
    const alias = sim.world.host('alias').claim;
    alias.holder = holder;
    await expect(add('node2', 'alias')).rejects.toMatchObject({
      code: 'InvalidHost.Duplicate',
      message: 'Transport: this machine is a host already, as node1',
    });
    alias.holder = holder && { ...holder, cloudId: 'cloud-9' };
    await expect(add('node2', 'alias')).rejects.toThrow('Transport: this machine belongs to cloud cloud-9');
    expect(hostCount()).toBe(1);
    // What was removed without its machine's knowledge is free again.
    alias.holder = holder && { ...holder, hostId: 'h-gone', epoch: 9 };
    await add('node2', 'alias');
    expect(alias.holder?.hostId).toBe(sim.store.get<{ hostId: string }>(KEYS.hostName('node2'))?.value.hostId);
  });

  it('[sim] takes no simulated host where hosts are real', async () => {
    sim = await startSimCloud({ config: { drivers: 'real' }, hosts: [] });
    await expect(add('node1', 'node1')).rejects.toThrow('Transport: simulated hosts need a cloud');
    expect(hostCount()).toBe(0);
  });

  it('[sim] refuses a host whose own network lies where instances are', async () => {
    sim = await startSimCloud({ config: { network: { fixedRange: '10.200.0.0/13', subnetPrefix: 22 } } });
    sim.world.host('wide').options = { ...sim.world.host('wide').options, routes: ['10.0.0.0/8'] };
    await expect(add('wide', 'wide')).rejects.toThrow("covers the instances' range 10.200.0.0/13");
    await sim.run();
    const { cidr } = sim.store.get<NetworkRecord>(KEYS.network('admin'))?.value ?? { cidr: '' };
    sim.world.host('clash').options = { ...sim.world.host('clash').options, routes: [cidr] };
    await expect(add('clash', 'clash')).rejects.toThrow(`the host routes ${cidr}, which overlaps a project's network`);
  });

  it('[sim] a smaller network of a host is kept clear of', async () => {
    sim = await startSimCloud({ hosts: [], config: { network: { fixedRange: '10.200.0.0/21', subnetPrefix: 22 } } });
    sim.world.host('node1').options = {
      ...sim.world.host('node1').options,
      routes: ['10.200.0.128/25', '192.168.1.0/24'],
    };
    await sim.addHost('node1');
    await sim.run();
    expect(sim.store.get<NetworkRecord>(KEYS.network('admin'))?.value.cidr).toBe('10.200.4.0/22');
    expect(contains(parseCidr('10.200.4.0/22'), 0x0ac80480)).toBe(true);
  });

  it('[sim] of a machine that does not answer says so and records nothing', async () => {
    sim = await startSimCloud({ hosts: [] });
    sim.world.host('dead').disconnect('no route to host');
    await expect(add('dead', 'dead')).rejects.toMatchObject({ code: 'Unavailable', message: 'no route to host' });
    expect(hostCount()).toBe(0);
  });
});

describe('RemoveHost', () => {
  it('[sim] is refused while the host has instances, and leaves nothing of it', async () => {
    sim = await startSimCloud();
    const { instances } = await sim.run();
    const ids = instances.map((row) => row.instanceId);
    await expect(sim.call('RemoveHost', { Host: 'node1' })).rejects.toThrow(
      'Host: node1 has 1 instances; terminate them first',
    );
    await sim.settled('running');
    await sim.call('TerminateInstances', { InstanceIds: ids });
    await sim.settled('terminated');
    const { hostId } = await sim.call('RemoveHost', { Host: 'node1' });
    const left = sim.store.range('').filter(({ key }) => key.includes(hostId) || key.startsWith('host'));
    expect(left.map(({ key }) => key)).toEqual([]);
    expect(sim.cloud.context.observations.host(hostId)).toBeUndefined();
    expect(sim.world.host('node1').claim.holder).toBeUndefined();
    await sim.addHost('node1');
    expect((await sim.run()).instances).toHaveLength(1);
  });

  it('[sim] and RunInstances at once never leave an instance on a host that is gone', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `node${index}`);
    sim = await startSimCloud({ hosts: names });
    await Promise.allSettled(names.flatMap((name) => [sim.run(), sim.call('RemoveHost', { Host: name }), sim.run()]));
    const hosts = new Set(sim.store.range<HostRecord>(PREFIX.host).map((entry) => entry.value.id));
    expect(sim.records().filter((record) => !hosts.has(record.hostId))).toEqual([]);
    expect(sim.records().length).toBeGreaterThan(0);
    expect(sim.store.count(PREFIX.capacity)).toBe(hosts.size);
    await sim.settled('running');
    expectClaimsAddUp(sim.store);
  });
});

describe('an image', () => {
  it('[sim] that is removed while an instance of it is being made goes with that instance, or before it', async () => {
    sim = await startSimCloud();
    for (let round = 0; round < 20; round += 1) {
      const name = `image-${round}`;
      await sim.addImage(name, Buffer.concat([bootSector(), Buffer.alloc(512 * (round + 1))]));
      const { images } = await sim.call('DescribeImages', { ImageIds: [name] });
      const key = KEYS.image(images[0]?.imageId ?? '');
      const [made, removed] = await Promise.allSettled([
        sim.run({ ImageId: name }),
        sim.call('DeregisterImage', { ImageId: name }),
      ]);
      expect(removed.status).toBe('fulfilled');
      const record = sim.store.get<ImageRecord>(key)?.value;
      if (made.status === 'rejected') expect(record, 'removed first').toBeUndefined();
      else expect(record?.deregisteredAtMs, 'hidden, and there for its instance').toBeTypeOf('number');
    }
    await sim.settled('running');
  });

  it('[sim] can not be removed from under an image that begins to need it', async () => {
    sim = await startSimCloud();
    const kernel = await sim.addKernel('vmlinuz');
    const machine = await sim.upload(bootSector());
    const [made, removed] = await Promise.allSettled([
      sim.call('RegisterImage', { Name: 'linux', Kind: 'machine', BlobKey: machine, KernelId: kernel }),
      sim.call('DeregisterImage', { ImageId: kernel }),
    ]);
    expect([made.status, removed.status].sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('where an instance would go', () => {
  it('[sim] is planned without a change, and explained host by host', async () => {
    sim = await startSimCloud({ hosts: ['node1', 'node2'], host: { memoryMib: 512 + 3 * 128 } });
    const before = sim.store.rev;
    const plan = await sim.call('PlanInstances', {
      ImageId: 'still',
      InstanceType: 'm1.nano',
      MinCount: 4,
      MaxCount: 8,
    });
    expect([plan.possible, plan.placements.length]).toEqual([true, 6]);
    const none = await sim.call('PlanInstances', {
      ImageId: 'still',
      InstanceType: 'm1.nano',
      MinCount: 7,
      MaxCount: 8,
    });
    expect([none.possible, none.placements]).toEqual([false, []]);
    const { possible, hosts } = await sim.call('ExplainPlacement', { InstanceType: 'm1.large' });
    expect(possible).toBe(false);
    expect(hosts.map((row) => row.filter)).toEqual(['Memory', 'Memory']);
    expect(sim.store.rev).toBe(before);
  });
});
