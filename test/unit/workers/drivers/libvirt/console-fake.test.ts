import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { silentLogger } from '../../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../../src/base/random.ts';
import type { Hypervisor } from '../../../../../src/ports/hypervisor.ts';
import { createLibvirtHypervisor } from '../../../../../src/workers/drivers/libvirt/libvirt-hypervisor.ts';
import { dialUnix } from '../../../../support/dial-unix.ts';
import { stillSpec } from '../../../../support/still-spec.ts';
import { until } from '../../../../support/until.ts';
import { FakeLibvirtd } from './fake-libvirtd.ts';

let fake: FakeLibvirtd;
let hypervisor: Hypervisor;
const { uuid } = stillSpec(1, '/var/lib/novactl-host/test');

beforeEach(async () => {
  fake = new FakeLibvirtd();
  await fake.listen();
  hypervisor = createLibvirtHypervisor({
    dial: dialUnix(fake.socketPath),
    clock: new SystemClock(),
    random: new SeededRandom(1),
    logger: silentLogger,
  });
  await hypervisor.define(stillSpec(1, '/var/lib/novactl-host/test'));
  await hypervisor.start(uuid);
});

afterEach(async () => {
  await hypervisor.close();
  await fake.remove();
});

const open = (force = false): Promise<Duplex> => hypervisor.openConsole(uuid, { force });

/** Collects what comes, and how it ends. */
function watch(console: Duplex): { text: () => string; ended: Promise<unknown> } {
  let text = '';
  console.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const ended = new Promise((resolve) => {
    console.once('end', () => resolve('end'));
    console.once('error', resolve);
  });
  return { text: () => text, ended };
}

describe('a console on the fake wire', () => {
  it('carries bytes both ways, on a connection of its own', async () => {
    const before = fake.connections;
    const console = await open();
    expect(fake.connections).toBe(before + 1);
    const { text } = watch(console);
    console.write('uptime\r');
    await until(() => text() === 'uptime\r', { what: 'the echo came' });
    console.destroy();
    await until(() => !fake.consoles.isHeld(uuid), { what: 'the console is free' });
    expect(fake.consoles.goodbyes).toEqual([1]);
    await until(() => fake.connections === before, { what: 'its connection is closed' });
  });

  it('takes what comes in one read with the answer', async () => {
    fake.hold('DOMAIN_OPEN_CONSOLE', (call) => {
      call.reply();
      fake.consoles.print(uuid, 'at once');
    });
    const { text } = watch(await open());
    await until(() => text() === 'at once', { what: 'the first output came' });
  });

  it('sends large input in small packets, whole and in order', async () => {
    fake.consoles.echoes = false;
    const console = await open();
    watch(console);
    const text = Array.from({ length: 30_000 }, (_, index) => `${index},`).join('');
    console.write(text);
    await until(() => fake.consoles.typed.get(uuid) === text, { what: 'all of it came' });
  });

  it('finishes when its input ends', async () => {
    const console = await open();
    const { ended } = watch(console);
    console.end('last');
    expect(await ended).toBe('end');
    expect(fake.consoles.goodbyes).toEqual([0]);
    expect(fake.consoles.typed.get(uuid)).toBe('last');
  });

  it('is refused while another has it, and taken by force: the other is told', async () => {
    const first = watch(await open());
    await expect(open()).rejects.toMatchObject({ code: 'Conflict', message: expect.stringContaining('--force') });
    const second = await open(true);
    expect(await first.ended).toMatchObject({ code: 'Conflict', details: { ended: 'taken-over' } });
    const { text } = watch(second);
    second.write('mine');
    await until(() => text() === 'mine', { what: 'the second works' });
  });

  it('ends when the domain stops', async () => {
    const { ended } = watch(await open());
    fake.domains.stop(uuid, 1);
    fake.consoles.end(uuid);
    expect(await ended).toBe('end');
  });

  it('is lost with the daemon', async () => {
    const { ended } = watch(await open());
    await fake.stop();
    expect(await ended).toMatchObject({ code: 'Unavailable' });
  });

  it('is refused where nothing runs', async () => {
    fake.domains.stop(uuid, 1);
    await expect(open()).rejects.toMatchObject({ code: 'IncorrectState' });
    const nobody = '00000000-0000-4000-8000-000000000000';
    await expect(hypervisor.openConsole(nobody, { force: false })).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('that nobody reads holds up nothing else and does not grow', async () => {
    const console = await open();
    const part = 'x'.repeat(64 * 1024);
    let accepted = 0;
    while (fake.consoles.print(uuid, part) && accepted < 10_000) {
      accepted += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The daemon's socket is full: it waits, and we hold little.
    expect(accepted).toBeLessThan(10_000);
    expect(console.readableLength).toBeLessThan(1024 * 1024);
    expect(await hypervisor.lookup(uuid)).toMatchObject({ power: 'running' });
    const { text } = watch(console);
    const all = (accepted + 1) * part.length;
    await until(() => text().length === all, { what: 'all of it comes when it is read' });
  });
});
