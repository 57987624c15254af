import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isCode, type CloudError } from '../../../../../src/base/errors.ts';
import { silentLogger } from '../../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../../src/base/random.ts';
import type { DomainSpec, Hypervisor, HypervisorEvent } from '../../../../../src/ports/hypervisor.ts';
import {
  createLibvirtHypervisor,
  type LibvirtOptions,
} from '../../../../../src/workers/drivers/libvirt/libvirt-hypervisor.ts';
import { dialUnix } from '../../../../support/dial-unix.ts';
import { ManualClock } from '../../../../support/manual-clock.ts';
import { until } from '../../../../support/until.ts';
import { FakeLibvirtd, type HeldCall } from './fake-libvirtd.ts';
import { stillSpec } from '../../../../support/still-spec.ts';

let fake: FakeLibvirtd;
let clock: ManualClock;
const open: Hypervisor[] = [];

function hypervisor(options: Partial<LibvirtOptions> = {}): Hypervisor {
  const made = createLibvirtHypervisor({
    dial: dialUnix(fake.socketPath),
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
    ...options,
  });
  open.push(made);
  return made;
}

const failure = (call: Promise<unknown>): Promise<CloudError> =>
  call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error as CloudError,
  );

async function defined(on: Hypervisor, number = 1): Promise<DomainSpec> {
  const spec = stillSpec(number, '/var/lib/novactl-host/test');
  await on.define(spec);
  return spec;
}

beforeEach(async () => {
  fake = new FakeLibvirtd();
  clock = new ManualClock();
  await fake.listen();
});

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await fake.remove();
});

describe('a life on the fake wire', () => {
  it('is define, start, destroy, undefine, each of them twice without harm', async () => {
    const on = hypervisor();
    const spec = await defined(on);
    await on.define({ ...spec, memoryMib: 128 });
    expect(fake.domains.all.get(spec.uuid)?.xml).toContain(`<memory unit='MiB'>128</memory>`);
    await on.start(spec.uuid);
    await on.start(spec.uuid);
    expect(await on.inventory()).toEqual([{ name: spec.name, uuid: spec.uuid, power: 'running' }]);
    await on.destroy(spec.uuid);
    await on.destroy(spec.uuid);
    expect(await on.lookup(spec.uuid)).toEqual({
      name: spec.name,
      uuid: spec.uuid,
      power: 'shutoff',
      reason: 'destroyed',
    });
    await on.shutdown(spec.uuid);
    await on.undefine(spec.uuid);
    await on.undefine(spec.uuid);
    expect(await on.lookup(spec.uuid)).toBeUndefined();
    expect(await on.inventory()).toEqual([]);
  });

  it('tells facts from the capabilities', async () => {
    expect(await hypervisor().facts()).toEqual({
      hypervisor: 'QEMU',
      hypervisorVersion: '7.2.22',
      libvirtVersion: '9.0.0',
      hostname: 'fake-host',
      arch: 'x86_64',
      cpus: 2,
      memoryMib: 4096,
      qemuUid: 64055,
      qemuGid: 108,
    });
  });

  it('takes ONE call for the inventory of 500 domains', async () => {
    const on = hypervisor();
    for (let number = 0; number < 500; number += 1) await defined(on, number);
    await on.inventory();
    const before = fake.calls.length;
    expect(await on.inventory()).toHaveLength(500);
    expect(fake.calls.slice(before)).toEqual(['CONNECT_GET_ALL_DOMAIN_STATS']);
  });

  it('says clearly that another domain has the name or the uuid', async () => {
    const on = hypervisor();
    const spec = await defined(on);
    const other = '00000000-0000-5000-8000-00000000ffff';
    const sameName = await failure(on.define({ ...spec, uuid: other }));
    expect(sameName.code).toBe('AlreadyExists');
    expect(sameName.details).toEqual({ name: spec.name, uuid: spec.uuid });
    const sameUuid = await failure(on.define({ ...spec, name: 'i-other' }));
    expect(sameUuid.code).toBe('AlreadyExists');
    expect(sameUuid.message).toContain('virsh undefine');
  });

  it.each(['start', 'shutdown', 'reboot', 'reset', 'destroy'] as const)(
    '%s of an absent one is NotFound',
    async (verb) => {
      const error = await failure(hypervisor()[verb]('00000000-0000-5000-8000-00000000ffff'));
      expect(error.code).toBe('NotFound');
    },
  );

  it('keeps short calls apart from slow ones', async () => {
    const on = hypervisor();
    const specs = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => defined(on, number)));
    const held: HeldCall[] = [];
    fake.hold('DOMAIN_CREATE_WITH_FLAGS', (call) => held.push(call));
    const starts = specs.map((spec) => on.start(spec.uuid));
    await until(() => held.length === 4, { what: 'four starts run' });
    expect(await on.inventory()).toHaveLength(6);
    expect(await on.lookup(specs[0]!.uuid)).toMatchObject({ power: 'shutoff' });
    fake.letGo('DOMAIN_CREATE_WITH_FLAGS');
    for (const call of held) call.reply();
    await Promise.all(starts);
    expect((await on.inventory()).map((fact) => fact.power)).toEqual(Array.from({ length: 6 }, () => 'running'));
  });
});

describe('a lost connection', () => {
  it('leaves a start unknown, which it may well have been: the domain runs', async () => {
    const on = hypervisor();
    const spec = await defined(on);
    fake.hold('DOMAIN_CREATE_WITH_FLAGS', (call) => call.carryOutAndDrop());
    const error = await failure(on.start(spec.uuid));
    expect(error).toMatchObject({ code: 'Unavailable', details: { outcome: 'unknown' } });
    expect(await on.lookup(spec.uuid)).toMatchObject({ power: 'running' });
    expect(fake.calls.filter((name) => name === 'DOMAIN_CREATE_WITH_FLAGS')).toHaveLength(1);
  });

  it('makes a read be asked again', async () => {
    const on = hypervisor();
    await defined(on);
    fake.hold('CONNECT_GET_ALL_DOMAIN_STATS', (call) => {
      fake.letGo('CONNECT_GET_ALL_DOMAIN_STATS');
      call.drop();
    });
    expect(await on.inventory()).toHaveLength(1);
  });

  it('is dialled anew by the next call, and refused as Unavailable while nothing listens', async () => {
    const on = hypervisor();
    await defined(on);
    await fake.stop();
    expect(await failure(on.inventory())).toMatchObject({ code: 'Unavailable' });
    await fake.listen();
    expect(await on.inventory()).toHaveLength(1);
  });

  it('comes back to a watcher with events registered again, after a back-off', async () => {
    const on = hypervisor();
    const spec = await defined(on);
    const seen: HypervisorEvent[] = [];
    on.watch((event) => seen.push(event));
    await until(() => seen.length === 1, { what: 'connected' });
    await fake.stop();
    await until(() => seen.length === 2, { what: 'disconnected' });
    await fake.listen();
    await clock.advance(0);
    expect(seen.map((event) => event.kind)).toEqual(['connected', 'disconnected']);
    await clock.advance(200);
    await until(() => seen.length === 3, { what: 'connected again' });
    await on.start(spec.uuid);
    await until(() => seen.length === 5, { what: 'events of the start' });
    expect(seen.slice(2).map((event) => (event.kind === 'domain' ? event.detail : event.kind))).toEqual([
      'connected',
      'resumed/unpaused',
      'started/booted',
    ]);
  });

  it('is tried again at growing intervals with chance in them, and told once', async () => {
    const attempts: number[] = [];
    const on = hypervisor({
      dial: () => {
        attempts.push(clock.nowMs());
        return Promise.reject(new Error('ECONNREFUSED'));
      },
    });
    const seen: HypervisorEvent[] = [];
    on.watch((event) => seen.push(event));
    await clock.advance(300_000);
    const gaps = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
    expect(gaps[0]).toBeGreaterThanOrEqual(100);
    expect(gaps[0]).toBeLessThanOrEqual(200);
    expect(Math.max(...gaps)).toBeGreaterThan(15_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(30_000);
    expect(new Set(gaps.slice(-5)).size).toBeGreaterThan(1);
    expect(seen).toEqual([{ kind: 'disconnected', problem: expect.stringContaining('ECONNREFUSED') as string }]);
  });

  it('is back at once however often a daemon is restarted that stood for a while, and later each time after one that fell at once', async () => {
    const seen: HypervisorEvent[] = [];
    hypervisor().watch((event) => seen.push(event));
    await until(() => seen.length === 1, { what: 'connected' });
    const pauseAfterStanding = async (stoodMs: number): Promise<number> => {
      await clock.advance(stoodMs);
      const [before, lostAtMs] = [seen.length, clock.nowMs()];
      fake.dropAll();
      await until(() => seen.length > before, { what: 'disconnected' });
      const isBack = async (): Promise<boolean> => {
        if (seen.length === before + 1) await clock.advance(200);
        return seen.length > before + 1;
      };
      await until(isBack, { what: 'connected again', everyMs: 2 });
      return clock.nowMs() - lostAtMs;
    };
    const pauses: number[] = [];
    for (let times = 0; times < 8; times += 1) pauses.push(await pauseAfterStanding(2000));
    expect(Math.max(...pauses)).toBeLessThan(1000);
    for (let times = 0; times < 8; times += 1) pauses.push(await pauseAfterStanding(100));
    expect(pauses.at(-1)).toBeGreaterThan(10_000);
  });

  it('is not sought any more after the last watcher left', async () => {
    const on = hypervisor();
    const seen: HypervisorEvent[] = [];
    const watching = on.watch((event) => seen.push(event));
    await until(() => seen.length === 1, { what: 'connected' });
    watching.close();
    fake.dropAll();
    await until(() => fake.connections === 0, { what: 'the connection is gone' });
    await clock.advance(60_000);
    expect(fake.accepted).toBe(1);
    expect(seen).toHaveLength(1);
  });
});

describe('watch', () => {
  it('turns lifecycle messages into events, and a failing listener harms no other', async () => {
    const on = hypervisor();
    const seen: HypervisorEvent[] = [];
    on.watch(() => {
      throw new Error('a mistake of the listener');
    });
    on.watch((event) => seen.push(event));
    await until(() => seen.length === 1, { what: 'connected' });
    const spec = await defined(on);
    await on.start(spec.uuid);
    fake.domains.stop(spec.uuid, 3);
    await until(() => seen.length === 5, { what: 'all events' });
    const { name, uuid } = spec;
    expect(seen).toEqual([
      { kind: 'connected' },
      { kind: 'domain', name, uuid, power: 'unknown', detail: 'defined/added' },
      { kind: 'domain', name, uuid, power: 'running', detail: 'resumed/unpaused' },
      { kind: 'domain', name, uuid, power: 'running', detail: 'started/booted' },
      { kind: 'domain', name, uuid, power: 'shutoff', reason: 'crashed', detail: 'stopped/crashed' },
    ]);
  });

  it('tells a second watcher at once that the connection stands', async () => {
    const on = hypervisor();
    await on.inventory();
    const seen: HypervisorEvent[] = [];
    on.watch((event) => seen.push(event));
    await clock.settle();
    expect(seen).toEqual([{ kind: 'connected' }]);
  });
});

describe('the socket', () => {
  it('is the first candidate that can be dialled', async () => {
    const tried: string[] = [];
    const on = hypervisor({
      dial: () => {
        tried.push('modular');
        return Promise.reject(new Error('ENOENT'));
      },
      dialFallbacks: [
        () => {
          tried.push('monolithic');
          return dialUnix(fake.socketPath)();
        },
      ],
    });
    expect(await on.inventory()).toEqual([]);
    expect(tried).toEqual(['modular', 'monolithic']);
  });

  it('that connects too late is closed, for it would hold one of few places', async () => {
    let late: (() => void) | undefined;
    const sockets: ReturnType<typeof connect>[] = [];
    const on = hypervisor({
      dial: () =>
        new Promise((resolve) => {
          late = () => {
            const socket = connect(fake.socketPath);
            sockets.push(socket);
            resolve(socket);
          };
        }),
    });
    const asked = failure(on.inventory());
    await clock.advance(30_000);
    expect(isCode(await asked, 'Unavailable')).toBe(true);
    late?.();
    await until(() => sockets[0]?.destroyed === true, { what: 'the late socket is closed' });
    expect(fake.calls).toEqual([]);
  });

  it('is not dialled after close()', async () => {
    const on = hypervisor();
    await on.close();
    expect((await failure(on.inventory())).code).toBe('Unavailable');
    expect(fake.accepted).toBe(0);
  });
});

describe('explain', () => {
  it('gives the virsh command of each verb', () => {
    const on = hypervisor();
    expect(on.explain('shutdown', 'i-1')).toBe('virsh -c qemu:///system shutdown i-1 --mode acpi');
    expect(on.explain('undefine', 'i-1')).toBe(
      'virsh -c qemu:///system undefine i-1 --managed-save --snapshots-metadata --nvram',
    );
  });
});
