import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { isCode } from '../../../src/base/errors.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { QUARANTINE_MS } from '../../../src/controller/controller-context.ts';
import { completeReservations } from '../../../src/controller/instances/reservations.ts';
import { contains, parseCidr, parseIpv4 } from '../../../src/domain/addressing.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { CapacityRecord, NetworkRecord, ReservationRecord } from '../../../src/domain/records.ts';
import { expectClaimsAddUp } from '../../support/claims.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { ADMIN, startSimCloud } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

let sim: SimCloud;
afterEach(() => sim.close());

const idsOf = (rows: readonly { instanceId: string }[]): string[] => rows.map((row) => row.instanceId);

describe('RunInstances', () => {
  it.each([1, 10, 11, 37, 100])('[sim] of %i makes as many, each with what is its own, on one host', async (count) => {
    sim = await startSimCloud();
    const answer = await sim.run({ MinCount: count, MaxCount: count, UserData: 'aGVsbG8=', Name: 'web' });
    expect(answer.instances.map((row) => row.launchIndex)).toEqual(Array.from({ length: count }, (_, index) => index));
    const records = await sim.settled('running', idsOf(answer.instances));
    expect(records).toHaveLength(count);
    expectClaimsAddUp(sim.store);
    const network = sim.store.get<NetworkRecord>(KEYS.network('admin'))?.value;
    const cidr = parseCidr(network?.cidr ?? '');
    for (const { nic } of records) expect(contains(cidr, parseIpv4(nic.address) ?? -1)).toBe(true);
    expect(sim.store.count('userdata/')).toBe(count);
    const reservation = sim.store.get<ReservationRecord>(KEYS.reservation(answer.reservationId))?.value;
    expect(reservation).not.toHaveProperty('remaining');
    await sim.call('TerminateInstances', { InstanceIds: idsOf(answer.instances).slice(0, 40) });
    await sim.settled('terminated', idsOf(answer.instances).slice(0, 40));
    expectClaimsAddUp(sim.store);
    expect(sim.store.count('userdata/')).toBe(Math.max(0, count - 40));
  });

  it('[sim] of 100 fits one call on 120 hosts', async () => {
    sim = await startSimCloud({ hosts: Array.from({ length: 120 }, (_, index) => `node${index}`) });
    const { instances } = await sim.run({ MinCount: 100, MaxCount: 100 });
    await sim.settled('running');
    expectClaimsAddUp(sim.store);
    expect(new Set(instances.map((row) => row.hostId)).size).toBe(28);
  });

  it('[sim] gives as many as there is room for, at least MinCount, else none and why', async () => {
    sim = await startSimCloud({ hosts: ['node1', 'node2'], host: { memoryMib: 512 + 5 * 128 } });
    const few = await sim.run({ MinCount: 2, MaxCount: 7 });
    expect(few.instances).toHaveLength(7);
    const before = sim.store.count(PREFIX.instance);
    const error: unknown = await sim.run({ MinCount: 4, MaxCount: 9 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'InsufficientInstanceCapacity' });
    expect((error as Error).message).toMatch(
      /^only 3 of at least 4 instances have room: node[12]: memory: 640 of 640 MiB are taken, 128 MiB more do not fit; node/,
    );
    expect(sim.store.count(PREFIX.instance)).toBe(before);
    expect((await sim.run({ MinCount: 1, MaxCount: 9 })).instances).toHaveLength(3);
    await expect(sim.run()).rejects.toThrow(/^no host has room: node/);
    await sim.settled('running');
    expectClaimsAddUp(sim.store);
  });

  it('[sim] without a host, or with one that is down, says so', async () => {
    sim = await startSimCloud({ hosts: [] });
    await expect(sim.run()).rejects.toThrow('there is no host yet; add one with "novactl host add --local"');
    await sim.addHost('node1');
    sim.world.host('node1').disconnect('libvirtd does not answer');
    const isDown = async (): Promise<boolean> =>
      (await sim.call('DescribeHosts', {})).hosts.every((host) => host.state === 'down');
    await until(isDown, { what: 'the host is down' });
    await expect(sim.run()).rejects.toThrow('no host has room: node1: libvirtd does not answer');
  });
});

describe('many RunInstances at once', () => {
  it.each([
    ['one host', 1],
    ['four hosts', 4],
    ['100 hosts', 100],
  ])('[sim] 64 on %s never overshoot, nor share what is one instance’s', async (_what, hosts) => {
    const roomFor = Math.ceil(100 / hosts);
    sim = await startSimCloud({
      hosts: Array.from({ length: hosts }, (_, index) => `node${index}`),
      host: { memoryMib: 512 + roomFor * 128 },
    });
    const calls = Array.from({ length: 64 }, (_, index) =>
      sim.run({ MinCount: 1 + (index % 4), MaxCount: 1 + (index % 4) }),
    );
    const answers = await Promise.allSettled(calls);
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
    // 160 are asked for. Whoever is refused is refused for want of room, and for nothing else.
    expect(refused.filter((error) => !isCode(error, 'InsufficientInstanceCapacity'))).toEqual([]);
    await sim.settled('running');
    expectClaimsAddUp(sim.store);
    const limit = roomFor * 128;
    const used = sim.store.range<CapacityRecord>(PREFIX.capacity).map((entry) => entry.value.memoryMib);
    expect(used.filter((memoryMib) => memoryMib > limit)).toEqual([]);
    expect(used.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(hosts * limit - 4 * 128);
  });
});

describe('many RunInstances at once over a store that tells committed state alone', () => {
  it('[sim] 64 on two hosts that have room all get their instance', async () => {
    const store = createMemoryStore({ clock: new SystemClock(), random: new SeededRandom(1) });
    store.latest = (key) => store.get(key);
    sim = await startSimCloud({ store, hosts: ['node1', 'node2'], host: { cpus: 64, memoryMib: 65_536 } });
    const answers = await Promise.allSettled(Array.from({ length: 64 }, () => sim.run()));
    expect(answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []))).toEqual([]);
    expect(await sim.settled('running')).toHaveLength(64);
    expectClaimsAddUp(sim.store);
  });
});

describe('a reservation whose maker died', () => {
  it('[sim] is made to its end by the next controller, each instance once', async () => {
    sim = await startSimCloud();
    const { store } = sim;
    let left = 2;
    const txn = store.txn.bind(store);
    // The process dies after the second chunk: every later write of it never happens.
    store.txn = (one) =>
      one.puts?.some(({ key }) => key.startsWith('reservation/')) === true && (left -= 1) < 0
        ? new Promise(() => undefined)
        : txn(one);
    const input = { ImageId: 'still', InstanceType: 'm1.nano', MinCount: 37, MaxCount: 37 };
    void sim.cloud.controller.executor.change('RunInstances', input, ADMIN);
    await until(() => left < 0, { what: 'the third chunk is tried' });
    expect(sim.store.count(PREFIX.instance)).toBe(20);
    expectClaimsAddUp(store);
    store.txn = txn;
    await completeReservations(sim.cloud.context);
    const records = await sim.settled('running');
    expect(records.map((record) => record.launchIndex).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 37 }, (_, i) => i),
    );
    expectClaimsAddUp(store);
  });
});

describe('addresses', () => {
  const small = { network: { fixedRange: '10.200.0.0/24', subnetPrefix: 28 } };

  it('[sim] that are not there are not promised: a call gets MinCount or nothing', async () => {
    // Twelve addresses: sixteen but the network, the gateway, the last two.
    sim = await startSimCloud({ config: small });
    const error: unknown = await sim.run({ MinCount: 13, MaxCount: 20 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'InsufficientFreeAddresses' });
    expect((error as Error).message).toMatch(
      /^the project's network 10\.200\.0\.\d+\/28 has 12 free addresses, 13 are needed/,
    );
    expect(sim.records()).toEqual([]);
    expect((await sim.run({ MinCount: 11, MaxCount: 20 })).instances).toHaveLength(12);
    await expect(sim.run()).rejects.toMatchObject({ code: 'InsufficientFreeAddresses' });
    await sim.settled('running');
    expectClaimsAddUp(sim.store);
  });

  it('[sim] that run out under several calls are given up with the reason in the operation', async () => {
    sim = await startSimCloud({ config: { network: { fixedRange: '10.200.0.0/24', subnetPrefix: 26 } } });
    // 60 addresses, 3 x 30 asked for side by side: each looked when all were free.
    const answers = await Promise.allSettled([1, 2, 3].map(() => sim.run({ MinCount: 30, MaxCount: 30 })));
    await sim.settled('running');
    expectClaimsAddUp(sim.store);
    expect(sim.records()).toHaveLength(60);
    const operations = (await sim.call('DescribeOperations', {})).operations.filter(
      (row) => row.name === 'RunInstances',
    );
    const short = operations.filter((row) => row.status === 'failed');
    const refused = answers.filter((answer) => answer.status === 'rejected').length;
    expect(short.length + refused).toBeGreaterThan(0);
    for (const row of short) expect(row.error?.code).toBe('InsufficientFreeAddresses');
  });

  it('[sim] rest for two minutes before another instance gets them', async () => {
    const clock = new ManualClock();
    sim = await startSimCloud({ config: { network: { fixedRange: '10.200.0.0/24', subnetPrefix: 29 } }, clock });
    const settle = async (state: 'running' | 'terminated'): Promise<void> => {
      for (
        let turn = 0;
        turn < 50 && sim.records().some((r) => r.state !== state && r.state !== 'terminated');
        turn += 1
      ) {
        await clock.advance(10);
      }
    };
    const first = await sim.run({ MinCount: 4, MaxCount: 4 });
    await settle('running');
    const [gone = ''] = idsOf(first.instances);
    const { address } = sim.record(gone).nic;
    await sim.call('TerminateInstances', { InstanceIds: [gone] });
    await settle('running');
    expect(sim.record(gone).state).toBe('terminated');
    await expect(sim.run()).rejects.toMatchObject({ code: 'InsufficientFreeAddresses' });
    await clock.advance(QUARANTINE_MS - 1000);
    await expect(sim.run()).rejects.toMatchObject({ code: 'InsufficientFreeAddresses' });
    await clock.advance(1000);
    const { instances } = await sim.run();
    expect(instances[0]?.privateIpAddress).toBe(address);
    await settle('running');
    expectClaimsAddUp(sim.store);
  });
});
