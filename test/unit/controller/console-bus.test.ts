import { describe, expect, it } from 'vitest';
import type { BusFaults } from '../../../src/adapters/bus/bus-faults.ts';
import { createMemoryBus } from '../../../src/adapters/bus/memory-bus.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { openBusConsole } from '../../../src/controller/consoles/bus-console.ts';
import type { ConsoleChannel, ConsoleItem } from '../../../src/messages/console.ts';
import { CONSOLE_BUFFER_BYTES } from '../../../src/messages/console.ts';
import { TOPIC } from '../../../src/messages/worker.ts';
import type { HostDrivers } from '../../../src/ports/host-drivers.ts';
import { WorkerConsoles } from '../../../src/workers/console-handlers.ts';
import { SimConsoles } from '../../../src/workers/drivers/simulated/sim-console.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ASK = { v: 1, consoleId: 'con-1', hostId: 'h', instanceId: 'i', domainUuid: 'u', force: false } as const;

/** A worker with one host whose consoles echo, and the bus to it. */
async function setUp(options: { clock: ManualClock | SystemClock; faults?: BusFaults; seed?: number }) {
  const { clock, faults, seed = 1 } = options;
  const lines = new SimConsoles();
  let opened = 0;
  const hypervisor = {
    openConsole: (uuid: string, { force }: { force: boolean }) => {
      opened += 1;
      return Promise.resolve().then(() => lines.open(uuid, force));
    },
  };
  const drivers = { hypervisor } as unknown as HostDrivers;
  const bus = createMemoryBus({ clock, random: new SeededRandom(seed), ...(faults === undefined ? {} : { faults }) });
  const worker = new WorkerConsoles({ clock, logger: silentLogger, drivers: () => drivers });
  await bus.serve(TOPIC.worker('w'), worker.handlers(), { prefetch: 64 });
  const open = (consoleId = 'con-1', force = false): Promise<ConsoleChannel> =>
    openBusConsole({ bus, clock, workerId: 'w', ask: { ...ASK, consoleId, force } });
  return { lines, bus, worker, open, opened: () => opened };
}

/** All output as text, until it has the mark or ends. */
async function readUntil(channel: ConsoleChannel, mark: string): Promise<{ text: string; items: ConsoleItem[] }> {
  const items: ConsoleItem[] = [];
  let text = '';
  for await (const item of channel.read()) {
    items.push(item);
    if (item.kind === 'output') text += Buffer.from(item.bytes).toString();
    if (text.includes(mark)) break;
  }
  return { text, items };
}

/** Lets time pass until the work is done. */
async function passing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let over = false;
  void work.finally(() => (over = true)).catch(() => undefined);
  while (!over) await clock.advance(500);
  return work;
}

describe('a console over the bus', () => {
  it('carries keys and output, and says how it ended', async () => {
    const { lines, open } = await setUp({ clock: new SystemClock() });
    const channel = await open();
    await channel.write(Buffer.from('hello\r'));
    expect((await readUntil(channel, '\n')).text).toBe('hello\r\n');
    lines.end('u');
    const { items } = await readUntil(channel, 'never');
    expect(items.at(-1)).toEqual({ kind: 'ended', reason: 'guest-stopped', message: 'the guest has stopped' });
    await channel.write(Buffer.from('to nobody'));
    await channel.close();
  });

  it('refuses a second one, and tells the first that it was taken over', async () => {
    const { open } = await setUp({ clock: new SystemClock() });
    const first = await open('con-1');
    await expect(open('con-2')).rejects.toMatchObject({ code: 'Conflict' });
    const second = await open('con-3', true);
    const { items } = await readUntil(first, 'never');
    expect(items.at(-1)).toMatchObject({ kind: 'ended', reason: 'taken-over' });
    await second.write(Buffer.from('mine'));
    expect((await readUntil(second, 'mine')).text).toBe('mine');
    await second.close();
    await (await open('con-4')).close();
  });

  it.each([1, 2, 3, 4, 5])(
    'loses and doubles nothing when messages are lost, doubled and late (seed %i)',
    async (seed) => {
      const clock = new ManualClock();
      const faults = { drop: 0.1, double: 0.3, delay: 0.3, maxDelayMs: 1500, reorder: 0.2 };
      const { open, opened } = await setUp({ clock, faults, seed });
      const channel = await passing(clock, open());
      const text = Array.from({ length: 60 }, (_, index) => `line ${index};`).join('');
      const work = async (): Promise<string> => {
        const reading = readUntil(channel, 'line 59;');
        for (const part of text.match(/.{1,37}/g) ?? []) await channel.write(Buffer.from(part));
        return (await reading).text;
      };
      expect(await passing(clock, work())).toBe(text);
      await passing(clock, channel.close());
      expect(opened()).toBe(1);
      // A message that comes after the end opens nothing.
      await clock.advance(60_000);
      expect(opened()).toBe(1);
    },
  );

  it('keeps the newest output of a guest that nobody reads, and says how much is gone', async () => {
    const { lines, open } = await setUp({ clock: new SystemClock() });
    const channel = await open();
    const total = 5 * CONSOLE_BUFFER_BYTES;
    for (let sent = 0; sent < total; sent += 1024) lines.print('u', 'x'.repeat(1023) + '\n');
    lines.print('u', 'END');
    const { text, items } = await readUntil(channel, 'END');
    const skipped = items.reduce((sum, item) => sum + (item.kind === 'skipped' ? item.byteCount : 0), 0);
    expect(skipped).toBeGreaterThanOrEqual(total - 2 * CONSOLE_BUFFER_BYTES);
    expect(skipped + text.length).toBe(total + 3);
    await channel.close();
  });

  it('is closed when nobody asks for it for half a minute', async () => {
    const clock = new ManualClock();
    const { open, lines } = await setUp({ clock });
    await passing(clock, open('con-1'));
    expect(() => lines.open('u', false)).toThrow(/another session/);
    await clock.advance(31_000);
    lines.open('u', false).destroy();
  });

  it('stays while somebody waits for a quiet guest', async () => {
    const clock = new ManualClock();
    const { open, lines } = await setUp({ clock });
    const channel = await passing(clock, open('con-1'));
    const reading = readUntil(channel, 'late');
    await clock.advance(120_000);
    lines.print('u', 'late');
    expect((await passing(clock, reading)).text).toBe('late');
  });

  it('ends as lost when the worker is gone', async () => {
    const clock = new ManualClock();
    const { open, worker } = await setUp({ clock });
    const channel = await passing(clock, open('con-1'));
    const reading = readUntil(channel, 'never');
    await clock.advance(1);
    await worker.close();
    const { items } = await passing(clock, reading);
    expect(items.at(-1)).toMatchObject({ kind: 'ended', reason: 'closed', message: 'the worker is shutting down' });
  });

  it('are bounded a host', async () => {
    const { bus } = await setUp({ clock: new SystemClock() });
    const open = (number: number): Promise<unknown> =>
      bus.call(
        TOPIC.worker('w'),
        'console-open',
        { ...ASK, consoleId: `con-${number}`, domainUuid: `u${number}` },
        { timeoutMs: 5000 },
      );
    for (let number = 0; number < 32; number += 1) await open(number);
    await expect(open(32)).rejects.toMatchObject({ code: 'RequestLimitExceeded' });
    await open(31);
  });
});
