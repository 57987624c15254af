import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import type { Hypervisor, HypervisorEvent } from '../../../src/ports/hypervisor.ts';
import { hypervisorOn, libvirtdMissing, PrivateLibvirtd } from '../../support/private-libvirtd.ts';
import { until } from '../../support/until.ts';
import { detailsOf, stillGuest, untilPower } from './guests.ts';

const missing = libvirtdMissing();
let daemon: PrivateLibvirtd | undefined;
let hypervisor: Hypervisor | undefined;
let events: HypervisorEvent[];

/** A daemon and a hypervisor of this test alone, watched. */
async function start(): Promise<{ daemon: PrivateLibvirtd; hypervisor: Hypervisor }> {
  events = [];
  const seen = events;
  daemon = await PrivateLibvirtd.start();
  hypervisor = hypervisorOn(daemon.socket);
  hypervisor.watch((event) => seen.push(event));
  await until(() => seen.length === 1, { what: 'connected' });
  return { daemon, hypervisor };
}

const kinds = (): string[] => events.filter((event) => event.kind !== 'domain').map((event) => event.kind);

beforeEach((ctx: TestContext) => {
  if (missing !== undefined) ctx.skip(missing);
});

afterEach(async () => {
  await hypervisor?.close();
  await daemon?.stop();
  hypervisor = undefined;
  daemon = undefined;
});

describe('what is lost is noticed', { timeout: 90_000 }, () => {
  it('[real] kill -9 of QEMU: an event, and a state that says crashed', async () => {
    const on = await start();
    const spec = await stillGuest(on.daemon, 1);
    await on.hypervisor.define(spec);
    await on.hypervisor.start(spec.uuid);
    process.kill(on.daemon.qemuPid(spec.name) ?? 0, 'SIGKILL');
    // libvirt's event says 'failed' where its state says 'crashed': an event is a hint, the state is what counts.
    await until(() => detailsOf(events, spec.uuid).includes('stopped/failed'), {
      what: 'the event',
      timeoutMs: 30_000,
    });
    expect(await on.hypervisor.lookup(spec.uuid)).toMatchObject({ power: 'shutoff', reason: 'crashed' });
    await on.hypervisor.start(spec.uuid);
    await untilPower(on.hypervisor, spec.uuid, 'running');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    '[real] libvirtd ended by %s and back: guests run on, events come again',
    async (how) => {
      const on = await start();
      const spec = await stillGuest(on.daemon, 1);
      await on.hypervisor.define(spec);
      await on.hypervisor.start(spec.uuid);
      const pid = on.daemon.qemuPid(spec.name);
      await on.daemon.endDaemon(how);
      await until(() => kinds().includes('disconnected'), { what: 'disconnected' });
      await expect(on.hypervisor.inventory()).rejects.toMatchObject({ code: 'Unavailable' });
      await on.daemon.startDaemon();
      await until(() => kinds().at(-1) === 'connected', { what: 'connected again', timeoutMs: 40_000 });
      await untilPower(on.hypervisor, spec.uuid, 'running');
      expect(on.daemon.qemuPid(spec.name)).toBe(pid);
      // libvirt tells nothing of a guest that ends while it still takes it up again after its own start; from then on it does.
      await on.hypervisor.destroy(spec.uuid);
      const before = detailsOf(events, spec.uuid).length;
      const since = (): string[] => detailsOf(events, spec.uuid).slice(before);
      await on.hypervisor.start(spec.uuid);
      await until(() => since().includes('started/booted'), { what: 'the event of the start', timeoutMs: 30_000 });
      await on.hypervisor.destroy(spec.uuid);
      await until(() => since().at(-1) === 'stopped/destroyed', { what: 'the event of the end', timeoutMs: 30_000 });
    },
  );

  it('[real] libvirtd killed under a start: Unavailable, outcome unknown, and a later start mends it', async () => {
    const on = await start();
    const spec = await stillGuest(on.daemon, 1);
    await on.hypervisor.define(spec);
    on.daemon.signalDaemon('SIGSTOP');
    const starting = on.hypervisor.start(spec.uuid).catch((error: unknown) => error);
    await on.daemon.endDaemon('SIGKILL');
    expect(await starting).toMatchObject({ code: 'Unavailable', details: { outcome: 'unknown' } });
    await on.daemon.startDaemon();
    await on.hypervisor.start(spec.uuid);
    await untilPower(on.hypervisor, spec.uuid, 'running');
  });

  it('[real] a hypervisor that was closed leaves no connection behind', async () => {
    const on = await start();
    await on.hypervisor.inventory();
    await on.hypervisor.close();
    await expect(on.hypervisor.inventory()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(kinds()).toEqual(['connected']);
  });
});
