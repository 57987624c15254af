import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import type { SshShell } from '../../../src/adapters/host-shell/ssh-shell.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { Hypervisor, HypervisorEvent } from '../../../src/ports/hypervisor.ts';
import { createLibvirtHypervisor } from '../../../src/workers/drivers/libvirt/libvirt-hypervisor.ts';
import { libvirtdMissing, PrivateLibvirtd } from '../../support/private-libvirtd.ts';
import { PrivateSshd, sshdMissing } from '../../support/private-sshd.ts';
import { sshShellTo } from '../../support/ssh-subject.ts';
import { until } from '../../support/until.ts';
import { detailsOf, stillGuest, untilPower } from '../libvirt/guests.ts';

const missing = sshdMissing() ?? libvirtdMissing();

describe('libvirt’s RPC through sshd', { timeout: 90_000 }, () => {
  let sshd: PrivateSshd;
  let daemon: PrivateLibvirtd;
  let shell: SshShell;
  let hypervisor: Hypervisor;
  const events: HypervisorEvent[] = [];
  const kinds = (): string[] => events.filter((event) => event.kind !== 'domain').map((event) => event.kind);

  beforeAll(async () => {
    if (missing !== undefined) return;
    [sshd, daemon] = await Promise.all([PrivateSshd.start(), PrivateLibvirtd.start()]);
    shell = sshShellTo({ ...sshd.endpoint, sudo: false }, { backoffMinMs: 50, backoffMaxMs: 500 });
    hypervisor = createLibvirtHypervisor({
      dial: () => shell.connectUnix(daemon.socket),
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: silentLogger,
    });
    hypervisor.watch((event) => events.push(event));
    await until(() => kinds().at(-1) === 'connected', { what: 'connected' });
  });
  beforeEach((ctx: TestContext) => {
    if (missing !== undefined) ctx.skip(missing);
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    await hypervisor.close();
    await shell.close();
    await daemon.stop();
    await sshd.stop();
  });

  it('[real] a guest’s life, with its events', async () => {
    const spec = await stillGuest(daemon, 1);
    await hypervisor.define(spec);
    await hypervisor.start(spec.uuid);
    await untilPower(hypervisor, spec.uuid, 'running');
    await until(() => detailsOf(events, spec.uuid).includes('started/booted'), { what: 'the event of its start' });
    await hypervisor.destroy(spec.uuid);
    await hypervisor.undefine(spec.uuid);
    expect(await hypervisor.lookup(spec.uuid)).toBeUndefined();
  });

  it('[real] 64 calls at once', async () => {
    const spec = await stillGuest(daemon, 2);
    await hypervisor.define(spec);
    const all = await Promise.all(Array.from({ length: 64 }, () => hypervisor.lookup(spec.uuid)));
    expect(all.every((fact) => fact?.power === 'shutoff')).toBe(true);
    await hypervisor.undefine(spec.uuid);
  });

  it('[real] libvirtd killed: seen at once through the half-open channel, and connected again', async () => {
    await daemon.endDaemon('SIGKILL');
    await until(() => kinds().at(-1) === 'disconnected', { what: 'disconnected', timeoutMs: 5000 });
    await expect(hypervisor.inventory()).rejects.toMatchObject({ code: 'Unavailable' });
    await daemon.startDaemon();
    await until(() => kinds().at(-1) === 'connected', { what: 'connected again', timeoutMs: 60_000 });
    expect(await hypervisor.inventory()).toEqual([]);
  });

  it('[real] sshd killed: the guest runs on, and events come again', async () => {
    const spec = await stillGuest(daemon, 3);
    await hypervisor.define(spec);
    await hypervisor.start(spec.uuid);
    const pid = daemon.qemuPid(spec.name);
    await sshd.kill();
    await until(() => kinds().at(-1) === 'disconnected', { what: 'disconnected', timeoutMs: 5000 });
    await sshd.startDaemon();
    await until(() => kinds().at(-1) === 'connected', { what: 'connected again', timeoutMs: 60_000 });
    await untilPower(hypervisor, spec.uuid, 'running');
    expect(daemon.qemuPid(spec.name)).toBe(pid);
    await hypervisor.destroy(spec.uuid);
    await until(() => detailsOf(events, spec.uuid).includes('stopped/destroyed'), { what: 'the event of its end' });
  });
});
