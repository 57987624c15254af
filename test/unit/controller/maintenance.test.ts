import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readArchive } from '../../../src/adapters/archive/read-archive.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { MaintenanceRuns } from '../../../src/controller/maintenance/maintenance-runs.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { MaintenanceJob, MaintenanceRecord } from '../../../src/domain/maintenance.ts';
import type { CapacityRecord, HostRecord } from '../../../src/domain/records.ts';
import type { OperationInput, OperationOutput } from '../../../src/messages/operations/index.ts';
import type { Entry } from '../../../src/ports/store.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { startSimCloud } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

type View = OperationOutput<'DescribeMaintenance'>['jobs'][number];

let sim: SimCloud;
beforeEach(async () => {
  sim = await startSimCloud();
});
afterEach(() => sim.close());

async function ended(job: MaintenanceJob, operationId: string): Promise<NonNullable<View['last']>> {
  return until(
    async () => {
      const view = (await sim.call('DescribeMaintenance', { Jobs: [job] })).jobs[0];
      return view?.last?.operationId === operationId ? view.last : undefined;
    },
    { what: `${job} ended`, everyMs: 5 },
  );
}

async function run(job: MaintenanceJob, input: Partial<OperationInput<'StartMaintenance'>> = {}) {
  const { operationId } = await sim.call('StartMaintenance', { Job: job, ...input });
  return ended(job, operationId);
}

const plan = async (job: MaintenanceJob) => (await sim.call('PlanMaintenance', { Job: job })).report;

describe('a maintenance run', () => {
  it('[sim] leaves a record of its start and of its end, and an operation', async () => {
    const last = await run('verify');
    expect(last).toMatchObject({ outcome: 'clean', changeCount: 0, findingCount: 0 });
    expect(last.notes.join(' ')).toMatch(/records at revision/);
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [last.operationId] });
    expect(operations[0]).toMatchObject({ name: 'StartMaintenance', status: 'succeeded', targets: ['verify'] });
    expect(operations[0]?.steps.at(-1)?.step).toBe('clean');
  });

  it('[sim] is refused while the same job runs, and not while another does', async () => {
    const start = (job: MaintenanceJob) => sim.call('StartMaintenance', { Job: job });
    const both = await Promise.allSettled([start('collect'), start('collect'), start('verify')]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(both[1]).toMatchObject({ reason: { code: 'Busy' } });
  });

  it('[sim] takes the place of one whose process died, and says so of that', async () => {
    const key = KEYS.maintenance('verify');
    const first = await run('verify');
    const record = sim.store.get<MaintenanceRecord>(key)?.value;
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [first.operationId] });
    const [old] = operations;
    const oldKey = KEYS.operation(first.operationId);
    const stored = sim.store.get<Record<string, unknown>>(oldKey)?.value;
    const running = { operationId: old?.operationId, session: 'of-a-dead-process', startedAtMs: 5 };
    await sim.store.txn({
      puts: [
        { key, value: { ...record, running } as never },
        { key: oldKey, value: { ...stored, status: 'running', endedAtMs: undefined } as never },
      ],
    });
    const [view] = (await sim.call('DescribeMaintenance', { Jobs: ['verify'] })).jobs;
    expect(view?.running).toMatchObject({ isLive: false });
    expect(await run('verify')).toMatchObject({ outcome: 'clean' });
    const after = await sim.call('DescribeOperations', { OperationIds: [first.operationId] });
    expect(after.operations[0]).toMatchObject({ status: 'failed', error: { code: 'Unavailable' } });
  });

  it('[sim] is refused while maintenance is paused, until it is resumed', async () => {
    await sim.call('PauseMaintenance', { ForMs: 60_000, Reason: 'a move' });
    const refused = sim.call('StartMaintenance', { Job: 'verify' });
    await expect(refused).rejects.toMatchObject({ code: 'IncorrectState', details: { rule: 'maintenance.paused' } });
    expect((await sim.call('DescribeMaintenance', {})).paused).toMatchObject({ reason: 'a move' });
    expect(await run('verify', { IgnorePause: true })).toMatchObject({ outcome: 'clean' });
    expect(await sim.call('ResumeMaintenance', {})).toMatchObject({ wasPaused: true });
    expect(await run('verify')).toMatchObject({ outcome: 'clean' });
  });
});

describe('a run whose end the store does not take', () => {
  it('[sim] is over all the same, so that another may begin', async () => {
    const clock = Object.assign(new SystemClock(), { sleep: () => Promise.resolve() });
    const runs = new MaintenanceRuns({ random: sim.random, clock });
    const running = { operationId: 'op-1', session: runs.session, startedAtMs: 5 };
    const key = KEYS.maintenance('verify');
    await sim.store.txn({ puts: [{ key, value: { v: 1, job: 'verify', running } }] });
    const full = vi.spyOn(sim.store, 'txn').mockRejectedValue(new CloudError('Unavailable', 'the disk is full'));
    const input = { Job: 'verify', Secrets: true, Images: false } as const;
    runs.begin(sim.cloud.context, input, { from: 'test' }, 'op-1');
    expect(runs.isLive(running)).toBe(true);
    await until(() => !runs.isBusy, { what: 'its end', everyMs: 5 });
    full.mockRestore();
    expect(runs.isLive(running)).toBe(false);
    expect(runs.isLive({ ...running, operationId: 'op-2' })).toBe(true);
  });
});

describe('reconcile and watch', () => {
  it('[sim] say what they put right', async () => {
    const { instances } = await sim.run({ MinCount: 2, MaxCount: 2 });
    const ids = instances.map((row) => row.instanceId);
    await sim.settled('running', ids);
    expect(await run('reconcile')).toMatchObject({ outcome: 'clean' });
    const host = sim.world.host('node1');
    expect(await run('watch')).toMatchObject({ outcome: 'clean' });
    host.powerOff();
    const down = await run('watch', { TimeoutMs: 1000 });
    expect(down).toMatchObject({ outcome: 'degraded' });
    expect(down.findings.join(' ')).toMatch(/host node1 is down/);
    host.powerOn();
    await until(async () => (await sim.call('DescribeHosts', {})).hosts[0]?.state === 'up', { what: 'the host is up' });
    const up = await run('watch');
    expect(up.changes.join(' ')).toMatch(/host node1 is up again/);
    await sim.settled('running', ids);
    expect(await run('watch')).toMatchObject({ outcome: 'clean' });
  });

  it('[sim] plan without touching anything', async () => {
    await sim.run();
    await sim.settled('running');
    const rev = sim.store.rev;
    expect(await plan('reconcile')).toMatchObject({ outcome: 'clean' });
    expect(sim.store.rev).toBe(rev);
  });
});

describe('collect', () => {
  it('[sim] removes uploads and image files that nothing has, in a plan nothing', async () => {
    await sim.close();
    sim = await startSimCloud({ config: { collect: { uploadKeepMs: 60_000, imageCacheKeepMs: 60_000 } } });
    await sim.run();
    await sim.settled('running');
    const stale = await sim.upload(Buffer.from('abc'));
    const host = sim.world.host('node1');
    host.images.add('f'.repeat(64));
    expect((await plan('collect')).changes.join(' ')).toMatch(/would remove .*f{64} on node1/);
    expect(host.images.size).toBe(2);
    const last = await run('collect');
    expect(last.outcome).toBe('fixed');
    expect(host.images.size).toBe(1);
    // An upload that is young stays: somebody may be about to register it.
    expect(await sim.cloud.blobs.head(stale)).toMatchObject({ sizeBytes: 3 });
  });

  it('[sim] lists what no record explains and leaves it, with every image file', async () => {
    const host = sim.world.host('node1');
    host.images.add('f'.repeat(64));
    host.disks.set('i-0000000000000dead', 512);
    const last = await run('collect');
    expect(last.notes.join(' ')).toMatch(/i-0000000000000dead on node1 is of no record/);
    expect(host.images.has('f'.repeat(64))).toBe(true);
    expect(host.disks.has('i-0000000000000dead')).toBe(true);
  });
});

describe('verify', () => {
  it('[sim] finds what does not add up', async () => {
    await sim.run();
    const [record] = await sim.settled('running');
    const host = sim.store.range<HostRecord>('host/')[0]?.value.id ?? '';
    const capacity = sim.store.get<CapacityRecord>(KEYS.capacity(host))?.value;
    await sim.store.txn({
      puts: [{ key: KEYS.capacity(host), value: { ...capacity, vcpus: 99 } as never }],
      dels: [KEYS.mac(record?.nic.mac ?? '')],
    });
    const last = await run('verify');
    expect(last.outcome).toBe('degraded');
    expect(last.findings).toEqual([
      expect.stringMatching(/it has no claim on mac/) as string,
      expect.stringMatching(/says 99 vcpus, the records say 1/) as string,
    ]);
  });

  it('[sim] finds image bytes and domains that are not as recorded', async () => {
    await sim.run();
    const [record] = await sim.settled('running');
    for (const { key } of await sim.cloud.blobs.list('upload/')) await sim.cloud.blobs.delete(key);
    const last = await run('verify');
    expect(last.findings.join(' ')).toMatch(/image still .*no blob/);
    expect(record?.state).toBe('running');
  });
});

describe('backup', () => {
  it('[sim] keeps the records of one moment while others write, and the newest archives', async () => {
    await sim.close();
    sim = await startSimCloud({ config: { backup: { keep: 2 } } });
    let stop = false;
    const writing = (async () => {
      for (let at = 0; !stop; at += 1) await sim.call('CreateKeyPair', { KeyName: `k${at}`, KeyType: 'ed25519' });
    })();
    const last = await run('backup', { Images: true });
    stop = true;
    await writing;
    expect(last.outcome).toBe('clean');
    const dir = join(sim.stateDir, 'backups');
    const [name = ''] = readdirSync(dir);
    const seen: Entry[] = [];
    const facts = await readArchive(join(dir, name), { record: (entry) => seen.push(entry) });
    expect(facts).toMatchObject({ images: 1, records: seen.length });
    expect(Math.max(...seen.map(({ rev }) => rev))).toBeLessThanOrEqual(facts.header.rev);
    for (let at = 0; at < 3; at += 1) {
      await until(() => new Date().getMilliseconds() < 100, { what: 'a new second', everyMs: 20 });
      await run('backup');
    }
    expect(readdirSync(dir)).toHaveLength(2);
    // Made while the clock was wrong: it must not make the one just written the oldest.
    for (const rev of [1, 2]) writeFileSync(join(dir, `state-29990101T000000Z-rev${rev}.novactl`), '');
    await until(() => new Date().getMilliseconds() < 100, { what: 'a new second', everyMs: 20 });
    const { notes } = await run('backup');
    const written = notes.map((note) => /wrote (\S+)/.exec(note)?.[1]).find((path) => path !== undefined) ?? '';
    expect(readdirSync(dir)).toContain(basename(written));
    rmSync(dir, { recursive: true });
  });
});

describe('a state that was restored', () => {
  it('[sim] ends no instance that its user only stopped since, though its own power-off would end it', async () => {
    await sim.run({ InstanceInitiatedShutdownBehavior: 'terminate' });
    const [{ id = '' } = {}] = await sim.settled('running');
    const { store, world, stateDir } = sim;
    const kept = store.range('');
    await sim.call('StopInstances', { InstanceIds: [id] });
    await sim.settled('stopped');
    const [domain] = world.host('node1').domains.all();
    expect(domain).toMatchObject({ name: id, power: 'shutoff', reason: 'shutdown' });
    await sim.cloud.close();
    const again = createMemoryStore({ clock: sim.clock, random: sim.random });
    for (const { key, value } of kept) await again.txn({ puts: [{ key, value }] });
    const restored = { v: 1, atMs: sim.clock.nowMs(), archive: 'a.novactl', fromRev: 7, settled: false };
    await again.txn({ puts: [{ key: KEYS.restored, value: restored }] });
    sim = await startSimCloud({ store: again, world, stateDir });
    await sim.settled('stopped', [id]);
    expect([...world.host('node1').disks.keys()]).toEqual([id]);
    rmSync(stateDir, { recursive: true, force: true });
  });

  it('[sim] is among the operations of the cloud that goes on with it', async () => {
    await sim.run();
    const [old] = await sim.settled('running');
    const { store, world, stateDir } = sim;
    const marker = { v: 1, atMs: 1, archive: 'a.novactl', fromRev: 7, settled: false };
    await store.txn({ puts: [{ key: KEYS.restored, value: marker }] });
    const kept = store.range('');
    await sim.cloud.close();
    const again = createMemoryStore({ clock: sim.clock, random: sim.random });
    for (const { key, value } of kept) await again.txn({ puts: [{ key, value }] });
    sim = await startSimCloud({ store: again, world, stateDir });
    expect(again.get(KEYS.restored)?.value).toMatchObject({ settled: true });
    const { operations } = await sim.call('DescribeOperations', {});
    expect(operations[0]).toMatchObject({ name: 'RestoreState', targets: ['a.novactl'] });
    await sim.call('StopInstances', { InstanceIds: [old?.id ?? ''], Force: true });
    await sim.settled('stopped');
    expect(world.host('node1').domains.all()[0]?.power).toBe('shutoff');
    rmSync(stateDir, { recursive: true, force: true });
  });
});
