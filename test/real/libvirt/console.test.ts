import { readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import type { DomainSpec, Hypervisor } from '../../../src/ports/hypervisor.ts';
import { hypervisorOn, libvirtdMissing, PrivateLibvirtd } from '../../support/private-libvirtd.ts';
import { until } from '../../support/until.ts';
import { kernelGuest } from './guests.ts';

const missing = libvirtdMissing();
let daemon: PrivateLibvirtd;
let hypervisor: Hypervisor;
let spec: DomainSpec;

beforeAll(async () => {
  if (missing !== undefined) return;
  daemon = await PrivateLibvirtd.start();
  hypervisor = hypervisorOn(daemon.socket);
  ({ spec } = await kernelGuest(daemon, 1));
  await hypervisor.define(spec);
}, 120_000);

afterAll(async () => {
  if (missing !== undefined) return;
  await hypervisor.close();
  await daemon.stop();
});

beforeEach((ctx: TestContext) => {
  if (missing !== undefined) ctx.skip(missing);
});

function watch(console: Duplex): { text: () => string; ended: Promise<unknown> } {
  let text = '';
  console.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const ended = new Promise((resolve) => {
    console.once('end', () => resolve('end'));
    console.once('error', resolve);
  });
  return { text: () => text, ended };
}

/** How often the guest has printed, by its log. */
const logged = (): number => readFileSync(spec.consoleLogPath, 'latin1').split('STILL').length - 1;

const open = (force = false): Promise<Duplex> => hypervisor.openConsole(spec.uuid, { force });

describe('the console of a domain on libvirt', () => {
  it('[real] is refused while the domain is off', async () => {
    await expect(open()).rejects.toMatchObject({ code: 'IncorrectState' });
  });

  it('[real] shows what the guest prints, is held by one, taken over by force, and ends with the domain', async () => {
    await hypervisor.start(spec.uuid);
    const console = await open();
    const first = watch(console);
    // QEMU looks once a second whether somebody has opened the line, and drops what the guest prints until it has seen it: the guest prints again.
    // It is reset only after it has printed: a reset in the first moments of SeaBIOS leaves a machine that no reset mends (QEMU 7.2).
    let boots = 0;
    const printed = async (): Promise<boolean> => {
      boots += 1;
      await until(() => logged() >= boots, { what: `the guest prints, boot ${boots}`, timeoutMs: 30_000 });
      await sleep(100);
      if (first.text().includes('STILL')) return true;
      await sleep(1_500);
      await hypervisor.reset(spec.uuid);
      return false;
    };
    await until(printed, { what: 'the console shows it', timeoutMs: 60_000 });
    await expect(open()).rejects.toMatchObject({ code: 'Conflict' });
    const second = watch(await open(true));
    expect(await first.ended).toMatchObject({ code: 'Conflict', details: { ended: 'taken-over' } });
    await hypervisor.destroy(spec.uuid);
    expect(await second.ended).toBe('end');
  }, 90_000);

  it('[real] is free again when it is closed, and when its process is gone', async () => {
    await hypervisor.start(spec.uuid);
    (await open()).destroy();
    const again = async (): Promise<Duplex | false> => open().catch(() => false as const);
    const second = await until(again, { what: 'the console is free after close' });
    const other = hypervisorOn(daemon.socket);
    second.destroy();
    await until(
      () =>
        other.openConsole(spec.uuid, { force: false }).then(
          () => true,
          () => false,
        ),
      { what: 'another hypervisor has it' },
    );
    await other.close();
    (await until(again, { what: 'the console is free after the connection ended' })).destroy();
    await hypervisor.destroy(spec.uuid);
  }, 60_000);

  it('[real] that nobody reads holds up no call, and its input is bounded', async () => {
    await hypervisor.start(spec.uuid);
    const console = await open();
    // The still guest reads nothing: what is typed fills the line, and then waits here.
    let waiting = false;
    for (let count = 0; count < 200 && !waiting; count += 1) waiting = !console.write(Buffer.alloc(16_384, 65));
    const startMs = performance.now();
    expect(await hypervisor.lookup(spec.uuid)).toMatchObject({ power: 'running' });
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(waiting).toBe(true);
    console.destroy();
    await hypervisor.destroy(spec.uuid);
  }, 60_000);

  it('[real] is lost with the daemon', async () => {
    await hypervisor.start(spec.uuid);
    const { ended } = watch(await open());
    await daemon.restart('SIGKILL');
    expect(await ended).toMatchObject({ code: 'Unavailable' });
  }, 60_000);
});
