import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { HostReport, InstanceCommand, Outcome } from '../../../src/messages/worker.ts';
import { HostSession } from '../../../src/workers/host-session.ts';
import { createSimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimHost } from '../../../src/workers/drivers/simulated/sim-host.ts';
import {
  sampleCommand as command,
  SAMPLE_SHA as SHA,
  type CommandWish as Wish,
} from '../../support/command-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';

type Verb = InstanceCommand['verb'];

let clock: ManualClock;
let host: SimHost;
let session: HostSession;
let reports: HostReport[];
let outcomes: Outcome[];
/** How many of the next outcomes the controller does not confirm. */
let lose = 0;

beforeEach(async () => {
  clock = new ManualClock();
  const world = createSimulatedHosts({ clock });
  host = world.host('node1');
  reports = [];
  outcomes = [];
  lose = 0;
  const blobs = { head: () => Promise.resolve({ key: 'upload/1', sizeBytes: 512, sha256: SHA }) };
  const drivers = await world.openDrivers(blobs)({ kind: 'simulated', name: 'node1' });
  let seq = 0;
  session = new HostSession(
    {
      v: 1,
      hostId: 'h-1',
      epoch: 1,
      cloudId: 'cloud-1',
      transport: { kind: 'simulated', name: 'node1' },
      virtType: 'kvm',
      mode: 'serve',
    },
    drivers,
    {
      ...{ clock, logger: silentLogger, workerId: 'w1', session: 's1', nextSeq: () => (seq += 1) },
      reporter: {
        host: (report) => Promise.resolve(void reports.push(report)),
        outcome(outcome) {
          outcomes.push(outcome);
          lose -= 1;
          return lose >= 0 ? Promise.reject(new Error('lost')) : Promise.resolve();
        },
        progress: () => undefined,
      },
    },
  );
  await session.start();
});

const told = (): string[] =>
  outcomes.map((outcome) => `${outcome.commandId} ${outcome.ok ? 'ok' : (outcome.error?.code ?? '')}`);
async function done(verb: Verb, wish: Wish = {}): Promise<Outcome | undefined> {
  session.accept(command(verb, wish));
  await clock.advance(1000);
  return outcomes.at(-1);
}
const counts = (call: Parameters<SimHost['calls']['counts']['get']>[0]): number => host.calls.counts.get(call) ?? 0;

describe('a command', () => {
  it('[sim] has an outcome with its steps and the domain as it then is', async () => {
    const outcome = await done('run');
    expect(outcome).toMatchObject({ ok: true, verb: 'run', fact: { name: 'i-1', power: 'running' } });
    const steps = (outcome?.steps ?? []).map((step) => step.step);
    expect([...steps].sort()).toEqual(['define', 'disk', 'guard', 'image', 'look', 'network', 'port', 'start']);
    expect([steps[0], ...steps.slice(-3)]).toEqual(['look', 'define', 'start', 'guard']);
  });

  it('[sim] that comes again while it runs is done once', async () => {
    for (let n = 0; n < 5; n += 1) session.accept(command('run'));
    await clock.advance(1000);
    expect([told(), counts('define'), counts('start')]).toEqual([['i-1.1.run.1.0 ok'], 1, 1]);
  });

  it('[sim] that comes again after it has ended is answered from the ledger, and nothing is done', async () => {
    await done('run');
    const calls = new Map(host.calls.counts);
    await done('run');
    expect(told()).toEqual(['i-1.1.run.1.0 ok', 'i-1.1.run.1.0 ok']);
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(host.calls.counts).toEqual(calls);
  });

  it('[sim] repeats its outcome until the controller has taken it', async () => {
    lose = 3;
    await done('run');
    await clock.advance(10_000);
    expect(told()).toEqual(Array(4).fill('i-1.1.run.1.0 ok'));
  });

  it('[sim] that comes again while its outcome is not taken yet is not told the more often', async () => {
    lose = 3;
    await done('run');
    for (let n = 0; n < 5; n += 1) session.accept(command('run'));
    await clock.advance(10_000);
    expect(told()).toEqual(Array(4).fill('i-1.1.run.1.0 ok'));
  });

  it('[sim] of an earlier epoch is refused', async () => {
    await done('run', { epoch: 0 });
    expect([told(), host.domains.all()]).toEqual([[], []]);
  });

  it('[sim] of an older intent is not carried out any more, even when the newer one has ended', async () => {
    await done('run', { generation: 1 });
    await done('remove', { generation: 2 });
    await done('run', { generation: 1, attempt: 2 });
    expect(told()).toEqual(['i-1.1.run.1.0 ok', 'i-1.2.remove.1.0 ok']);
    expect(host.domains.all()).toEqual([]);
  });

  it('[sim] is cut short by newer intent between two steps, and says nothing', async () => {
    host.options = { ...host.options, latencyMs: 100 };
    session.accept(command('run', { generation: 1 }));
    await clock.advance(250);
    session.accept(command('remove', { generation: 2 }));
    await clock.advance(5000);
    expect(told()).toEqual(['i-1.2.remove.1.0 ok']);
    expect([host.domains.all().length, host.disks.size, host.networks.size]).toEqual([0, 0, 0]);
  });

  it('[sim] that fails names its step, and whether another try may help', async () => {
    host.calls.inject({ call: 'start', how: 'fail', message: 'no memory' });
    expect((await done('run'))?.error).toEqual({
      code: 'HypervisorError',
      message: 'no memory',
      retryable: true,
      step: 'start',
    });
    expect(await done('run', { attempt: 2 })).toMatchObject({ ok: true });
    await done('remove', { generation: 2 });
    const lost = await done('run', { generation: 3, hasRun: true });
    expect(lost?.error).toMatchObject({ code: 'NotFound', retryable: false, step: 'disk' });
    expect(host.disks.size).toBe(0);
  });

  it('[sim] waits for the one before it of the same instance, and for no other instance', async () => {
    host.calls.inject({ call: 'define', how: 'hang' });
    session.accept(command('run', { id: 'i-1' }));
    await clock.advance(1000);
    await done('run', { id: 'i-2' });
    await done('run', { id: 'i-1', attempt: 2 });
    expect(told()).toEqual(['i-2.1.run.1.0 ok']);
  });
});

describe('stop', () => {
  beforeEach(async () => {
    await done('run');
    outcomes.length = 0;
  });
  const off = (): unknown => host.domains.named('i-1')?.reason;

  it('[sim] asks the guest, and is done when it has gone', async () => {
    host.setGuest('i-1', { shutdownMs: 700 });
    expect(await done('stop', { generation: 2 })).toMatchObject({
      ok: true,
      fact: { power: 'shutoff', reason: 'shutdown' },
    });
  });

  it('[sim] asks again a guest that was still booting', async () => {
    host.setGuest('i-1', { bootMs: 3000 });
    host.domains.reset(host.domains.named('i-1')?.uuid ?? '');
    await done('stop', { generation: 2 });
    await clock.advance(5000);
    expect([off(), counts('shutdown')]).toEqual(['shutdown', 2]);
  });

  it('[sim] ends a guest that does not listen, after its time', async () => {
    host.setGuest('i-1', { obeysAcpi: false });
    await done('stop', { generation: 2 });
    await clock.advance(28_000);
    expect(host.domains.named('i-1')?.power).toBe('running');
    await clock.advance(2000);
    expect([off(), told()]).toEqual(['destroyed', ['i-1.2.stop.1.0 ok']]);
  });

  it('[sim] by force asks nobody', async () => {
    await done('stop', { generation: 2, force: true });
    expect([off(), counts('shutdown')]).toEqual(['destroyed', 0]);
  });

  it('[sim] ends a guest whose button can not be pressed', async () => {
    host.calls.inject({ call: 'shutdown', how: 'fail', times: 100 });
    await done('stop', { generation: 2 });
    await clock.advance(30_000);
    expect([off(), told()]).toEqual(['destroyed', ['i-1.2.stop.1.0 ok']]);
  });

  it('[sim] of one that is off is done', async () => {
    host.guestPowersOff('i-1');
    expect(await done('stop', { generation: 2 })).toMatchObject({ ok: true });
    expect(counts('shutdown') + counts('destroy')).toBe(0);
  });
});

describe('reboot', () => {
  it('[sim] by force guards the port of a guest that its last start did not come to guard', async () => {
    await done('run');
    const taps = [...host.guarded];
    expect(taps).toHaveLength(1);
    host.guarded.clear();
    expect(await done('reboot', { generation: 2, force: true })).toMatchObject({ ok: true });
    expect([counts('reset'), [...host.guarded]]).toEqual([1, taps]);
  });

  it('[sim] is off and on again where the guest plays along, else a reset', async () => {
    await done('run');
    expect(await done('reboot', { generation: 2 })).toMatchObject({ ok: true, fact: { power: 'running' } });
    expect([host.domains.named('i-1')?.starts, counts('reset')]).toEqual([2, 0]);
    expect(host.guarded.size).toBe(1);
    await done('reboot', { generation: 3, force: true });
    expect([host.domains.named('i-1')?.starts, counts('reset')]).toEqual([2, 1]);
  });
});

describe('remove', () => {
  it('[sim] takes the bridge with the last of its instances', async () => {
    await done('run', { id: 'i-1' });
    await done('run', { id: 'i-2' });
    await done('remove', { id: 'i-1', generation: 2 });
    expect([host.networks.size, host.domains.all().length]).toEqual([1, 1]);
    await done('remove', { id: 'i-2', generation: 2 });
    expect([host.networks.size, host.taps.size, host.disks.size]).toEqual([0, 0, 0]);
  });

  it('[sim] of what was never there is done', async () => {
    expect(await done('remove')).toMatchObject({ ok: true });
  });
});

describe('what a session reports', () => {
  it('[sim] begins with everything, and tells every change after it, each under its own number', async () => {
    host.addForeignDomain('debian');
    await done('run');
    await clock.advance(30_000);
    host.guestPowersOff('i-1');
    await clock.advance(10);
    expect(reports[0]).toMatchObject({ whole: true, up: true, facts: [] });
    expect(reports.at(-1)).toMatchObject({
      whole: false,
      facts: [{ name: 'i-1', power: 'shutoff', reason: 'shutdown' }],
    });
    const whole = reports.filter((report) => report.whole).at(-1);
    expect(whole?.facts.map((fact) => fact.name)).toEqual(['debian', 'i-1']);
    const numbers = reports.map((report) => report.seq);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('[sim] an event that comes during the last look of a command is newer than what that saw', async () => {
    await done('run', { id: 'i-2' });
    host.options = { ...host.options, latencyMs: 100 };
    session.accept(command('run'));
    // Six steps of 100 ms one after the other (files and network are made side by side), then the look, during which the guest goes.
    await clock.advance(650);
    expect(told()).toEqual(['i-2.1.run.1.0 ok']);
    host.guestPowersOff('i-1');
    await clock.advance(1000);
    const event = reports.find((report) =>
      report.facts.some((fact) => fact.name === 'i-1' && fact.power === 'shutoff'),
    );
    expect(event?.seq ?? 0).toBeGreaterThan(outcomes.at(-1)?.seq ?? Infinity);
  });

  it('[sim] says when the hypervisor goes and comes, and then looks at everything', async () => {
    host.disconnect('libvirtd does not answer');
    await clock.advance(10);
    expect(reports.at(-1)).toMatchObject({ up: false, problem: 'libvirtd does not answer' });
    host.reconnect();
    await clock.advance(10);
    expect(reports.at(-1)).toMatchObject({ up: true, whole: true });
  });
});

describe('close', () => {
  it('[sim] waits for what is under way, but not for ever', async () => {
    host.calls.inject({ call: 'define', how: 'hang' });
    session.accept(command('run'));
    await clock.advance(100);
    let closed = false;
    const closing = session.close().then(() => (closed = true));
    await clock.advance(4000);
    expect(closed).toBe(false);
    await clock.advance(1000);
    await closing;
    expect(told()).toEqual([]);
  });

  it('[sim] takes nothing more', async () => {
    await session.close();
    await done('run');
    expect([told(), host.domains.all()]).toEqual([[], []]);
  });
});
