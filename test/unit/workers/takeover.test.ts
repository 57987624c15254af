import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { HostReport, InstanceCommand, Outcome } from '../../../src/messages/worker.ts';
import { OpenHost } from '../../../src/messages/worker.ts';
import { createSimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimCall } from '../../../src/workers/drivers/simulated/sim-calls.ts';
import type { SimHost } from '../../../src/workers/drivers/simulated/sim-host.ts';
import { HostSession } from '../../../src/workers/host-session.ts';
import { sampleCommand, SAMPLE_SHA, type CommandWish } from '../../support/command-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const transport = { kind: 'simulated', name: 'node1' } as const;

/** A worker's session on the host, and what it said. */
interface Owner {
  readonly session: HostSession;
  readonly outcomes: Outcome[];
  readonly reports: HostReport[];
  unclaimed: number;
  /** How often its drivers were closed. */
  closed: number;
  done(verb: InstanceCommand['verb'], wish?: CommandWish): Promise<Outcome | undefined>;
}

let clock: ManualClock;
let world: SimulatedHosts;
let host: SimHost;

beforeEach(() => {
  clock = new ManualClock();
  world = createSimulatedHosts({ clock });
  host = world.host('node1');
});

async function owner(epoch: number, extra: { mode?: 'observe'; cloudId?: string } = {}): Promise<Owner> {
  const blobs = { head: () => Promise.resolve({ key: 'upload/1', sizeBytes: 512, sha256: SAMPLE_SHA }) };
  const opened = await world.openDrivers(blobs)(transport);
  const close = (): Promise<void> => {
    made.closed += 1;
    return opened.close();
  };
  const drivers = { ...opened, close };
  const [outcomes, reports]: [Outcome[], HostReport[]] = [[], []];
  let seq = 0;
  const open = OpenHost.parse({ v: 1, hostId: 'h-1', epoch, cloudId: 'cloud-1', transport, virtType: 'kvm', ...extra });
  const session = new HostSession(open, drivers, {
    ...{ clock, logger: silentLogger, workerId: 'w1', session: `s${epoch}`, nextSeq: () => (seq += 1) },
    onUnclaimed: () => (made.unclaimed += 1),
    reporter: {
      host: (report) => Promise.resolve(void reports.push(report)),
      outcome: (outcome) => Promise.resolve(void outcomes.push(outcome)),
      progress: () => undefined,
    },
  });
  const made: Owner = {
    ...{ session, outcomes, reports, unclaimed: 0, closed: 0 },
    async done(verb, wish = {}) {
      session.accept(sampleCommand(verb, { epoch, ...wish }));
      await clock.advance(1000);
      return outcomes.at(-1);
    },
  };
  await session.start();
  return made;
}

const counts = (call: SimCall): number => host.calls.counts.get(call) ?? 0;

/** The process of every session dies right there. */
function dieAt(at: 'before' | 'after', call: SimCall): void {
  world.onCall = (when, what) => {
    if (when !== at || what !== call) return;
    world.onCall = undefined;
    world.severSessions();
  };
}

describe('the ledger', () => {
  it('[sim] answers a command that the worker before has done, as its own, without the domain of then', async () => {
    const before = await (await owner(1)).done('run');
    world.severSessions();
    const next = await owner(2);
    const calls = counts('lookup');
    const { fact: _then, ...rest } = before ?? {};
    expect(await next.done('run')).toMatchObject({
      ...rest,
      session: 's2',
      epoch: 2,
      seq: expect.any(Number) as number,
    });
    expect(next.outcomes[0]).not.toHaveProperty('fact');
    expect([counts('define'), counts('start'), counts('lookup')]).toEqual([1, 1, calls]);
  });

  it.each(['stop', 'remove'] as const)('[sim] leaves an intent older than a %s to the epoch', async (verb) => {
    const first = await owner(1);
    await first.done('run', { generation: 1 });
    await first.done(verb, { generation: 2 });
    world.severSessions();
    const next = await owner(2);
    expect(await next.done('run', { generation: 1, attempt: 2, epoch: 1 })).toBeUndefined();
    expect(counts('start')).toBe(1);
    // Records that were restored from a backup count their generations again.
    expect(await next.done('run', { generation: 1, attempt: 3 })).toMatchObject({ ok: true });
  });

  it('[sim] remembers removed instances, and not for ever', async () => {
    const first = await owner(1);
    for (let n = 0; n < 300; n += 1) await first.done('remove', { id: `i-${n}`, generation: 1 });
    expect(host.claim.ledger.size).toBeLessThan(260);
    expect([...host.claim.ledger.keys()].at(-1)).toBe('i-299');
  });

  it('[sim] that can not be written does not silence the outcome, and is written with the next', async () => {
    const first = await owner(1);
    host.calls.inject({ call: 'record', how: 'fail', code: 'HostError' });
    expect(await first.done('run')).toMatchObject({ ok: true });
    expect(host.claim.ledger.size).toBe(0);
    await first.done('run', { id: 'i-2' });
    expect([...host.claim.ledger.values()].map(({ instanceId }) => instanceId).sort()).toEqual(['i-1', 'i-2']);
  });
});

describe('a reboot that was cut off', () => {
  const cut = async (at: 'before' | 'after', call: SimCall, force: boolean): Promise<Outcome | undefined> => {
    const first = await owner(1);
    await first.done('run');
    dieAt(at, call);
    await first.done('reboot', { generation: 2, force });
    expect(first.outcomes).toHaveLength(1);
    const next = await owner(2);
    return next.done('reboot', { generation: 2, force });
  };

  it('[sim] before its effect is done by the next worker', async () => {
    expect(await cut('before', 'record', true)).toMatchObject({ ok: true, verb: 'reboot' });
    expect(counts('reset')).toBe(1);
  });

  it.each(['before', 'after'] as const)('[sim] %s its reset is not done twice, and not said to be done', async (at) => {
    const outcome = await cut(at, 'reset', true);
    expect(outcome).toMatchObject({ ok: false, error: { code: 'PartlyDone', retryable: false } });
    expect(counts('reset')).toBe(at === 'after' ? 1 : 0);
  });

  it.each(['before', 'after'] as const)('[sim] %s the guest is on again is brought to its end, once', async (at) => {
    expect(await cut(at, 'start', false)).toMatchObject({ ok: true, fact: { power: 'running' } });
    expect(host.domains.all().map(({ starts }) => starts)).toEqual([2]);
  });
});

describe('the next attempt at a reboot', () => {
  /** The first one fails at this call, the second may be that of another worker. */
  const again = async (call: SimCall, how: 'fail' | 'lose', force: boolean, other: boolean): Promise<Outcome[]> => {
    const first = await owner(1);
    await first.done('run');
    host.calls.inject({ call, how });
    await first.done('reboot', { generation: 2, force });
    if (other) world.severSessions();
    const next = other ? await owner(2) : first;
    await next.done('reboot', { generation: 2, attempt: 2, force });
    return [...first.outcomes.slice(1), ...(other ? next.outcomes : [])];
  };
  const starts = (): number | undefined => host.domains.named('i-1')?.starts;
  const WORKERS = [
    ['of the same worker', false],
    ['of the next worker', true],
  ] as const;

  describe.each(WORKERS)('%s', (_who, other) => {
    it('[sim] finds the guest on whose start had lost its answer', async () => {
      expect(await again('start', 'lose', false, other)).toMatchObject([{ ok: false }, { ok: true }]);
      expect([starts(), host.guarded.size]).toEqual([2, 1]);
    });

    it('[sim] starts the guest that was not started', async () => {
      expect(await again('start', 'fail', false, other)).toMatchObject([{ ok: false }, { ok: true }]);
      expect([starts(), host.guarded.size]).toEqual([2, 1]);
    });

    it.each([false, true])(
      '[sim] only guards the port that could not be guarded after it (force %s)',
      async (force) => {
        expect(await again('guardPort', 'fail', force, other)).toMatchObject([{ ok: false }, { ok: true }]);
        expect([starts(), counts('reset'), host.guarded.size]).toEqual(force ? [1, 1, 1] : [2, 0, 1]);
      },
    );

    it('[sim] resets the guest that was certainly not reset', async () => {
      expect(await again('reset', 'fail', true, other)).toMatchObject([
        { ok: false, error: { code: 'HypervisorError', retryable: true } },
        { ok: true },
      ]);
      expect(host.consoles.get('i-1')?.trim().split('\n')).toHaveLength(2);
    });

    it('[sim] does not reset the guest whose reset had lost its answer: it says so, and is not asked for again', async () => {
      const outcomes = await again('reset', 'lose', true, other);
      expect(outcomes[0]).toMatchObject({ ok: false, error: { code: 'PartlyDone', retryable: false } });
      expect(outcomes[1]).toMatchObject({ ok: false, error: { code: 'PartlyDone', retryable: false } });
      expect(counts('reset')).toBe(1);
    });
  });

  it('[sim] leaves a guest off that has switched itself off since its reboot', async () => {
    const first = await owner(1);
    await first.done('run');
    host.calls.inject({ call: 'guardPort', how: 'fail' });
    await first.done('reboot', { generation: 2 });
    host.guestPowersOff('i-1');
    expect(await first.done('reboot', { generation: 2, attempt: 2 })).toMatchObject({
      ok: true,
      fact: { power: 'shutoff', reason: 'shutdown' },
    });
    expect(starts()).toBe(2);
  });
});

describe('records that were put back from a backup', () => {
  const history = async (): Promise<Owner> => {
    const first = await owner(1);
    await first.done('run', { generation: 1, sinceMs: 1000 });
    await first.done('reboot', { generation: 2, sinceMs: 2000, force: true });
    await first.done('stop', { generation: 3, sinceMs: 3000 });
    await first.done('run', { generation: 4, sinceMs: 4000 });
    world.severSessions();
    return owner(2);
  };

  it('[sim] ask in vain for a reboot that is older than what the host has done since', async () => {
    const next = await history();
    const outcome = await next.done('reboot', { generation: 2, sinceMs: 2000, force: true });
    expect(outcome).toMatchObject({ ok: false, error: { code: 'PartlyDone', retryable: false } });
    expect(outcome?.error?.message).toContain('the host has done what was asked for later');
    expect(counts('reset')).toBe(1);
  });

  it('[sim] count their generations again, and a reboot that is asked for now is done', async () => {
    const next = await history();
    expect(await next.done('reboot', { generation: 2, sinceMs: 5000, force: true })).toMatchObject({ ok: true });
    expect(counts('reset')).toBe(2);
  });
});

describe('a host that has a later owner', () => {
  it('[sim] refuses what the former one does; that one then reports it down, takes nothing more, and says no outcome', async () => {
    const [first, next] = [await owner(1), await owner(2)];
    await next.done('run', { id: 'i-2' });
    expect(await first.done('run')).toBeUndefined();
    expect(first.reports.at(-1)).toMatchObject({ up: false, epoch: 1 });
    expect(first.reports.at(-1)?.problem).toContain('another owner');
    await clock.advance(60_000);
    expect(first.reports.at(-1)).toMatchObject({ up: false });
    expect(await first.done('remove', { id: 'i-2', generation: 2 })).toBeUndefined();
    expect([host.domains.all().map(({ name }) => name), first.unclaimed]).toEqual([['i-2'], 0]);
  });

  it('[sim] is left by the former one altogether, so that nothing of it comes back by itself', async () => {
    const first = await owner(1);
    await owner(2);
    await first.done('run');
    expect([first.session.fenced, first.session.serving, first.closed]).toEqual([true, false, 1]);
  });

  it('[sim] refuses also what was under way when it changed hands', async () => {
    const first = await owner(1);
    host.options = { ...host.options, latencyMs: 100 };
    first.session.accept(sampleCommand('run'));
    await clock.advance(150);
    const taking = owner(2);
    await clock.advance(5000);
    const next = await taking;
    expect([first.outcomes, host.domains.all()]).toEqual([[], []]);
    next.session.accept(sampleCommand('run', { epoch: 2 }));
    await clock.advance(5000);
    expect(next.outcomes).toMatchObject([{ ok: true, session: 's2' }]);
  });

  it('[sim] can not be claimed with an older epoch, nor by another cloud', async () => {
    await owner(2);
    await expect(owner(1)).rejects.toMatchObject({ code: 'StaleEpoch', details: { epoch: 2 } });
    await expect(owner(3, { cloudId: 'cloud-2' })).rejects.toMatchObject({ code: 'InvalidHost.Duplicate' });
  });

  it('[sim] whose claim has vanished is to be opened anew', async () => {
    const first = await owner(1);
    host.claim.release();
    await first.done('run');
    expect([first.unclaimed, first.outcomes]).toEqual([1, []]);
  });
});

describe('claiming', () => {
  it('[sim] is tried again while the host does not answer', async () => {
    host.disconnect('no route to host');
    const first = await owner(1);
    expect(first.reports).toMatchObject([{ up: false, problem: 'no route to host' }]);
    expect(await first.done('run')).toBeUndefined();
    host.reconnect();
    await clock.advance(5000);
    expect(first.reports.at(-1)).toMatchObject({ up: true, whole: true });
    expect(await first.done('run')).toMatchObject({ ok: true });
  });

  it('[sim] is not done by one who only observes, and who takes no commands', async () => {
    const first = await owner(1);
    await first.done('run');
    const observer = await owner(1, { mode: 'observe' });
    expect(observer.reports.at(-1)).toMatchObject({ up: true, whole: true });
    expect(await observer.done('remove', { generation: 2 })).toBeUndefined();
    expect(host.claim.holder).toMatchObject({ session: 's1' });
  });

  it('[sim] ends with the host’s own end as a host', async () => {
    const first = await owner(1);
    await first.session.close();
    expect(host.claim.holder).toMatchObject({ session: 's1' });
    const next = await owner(2);
    await next.session.close({ release: true });
    expect(host.claim.holder).toBeUndefined();
  });
});
