import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import type { S3Exchange } from '../../../../src/client/cloud-client.ts';
import type { Principal } from '../../../../src/controller/operations/handler.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import { KEEPING, startKeepingJob } from '../../../../src/controller/objects/keeping-job.ts';
import { openKeeper } from '../../../../src/launch/open-keeper.ts';
import { InProcessClient } from '../../../../src/launch/in-process-client.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { bucketSample, put } from '../../../support/object-samples.ts';
import { startSimCloud, type SimCloud } from '../../../support/sim-cloud.ts';
import { simS3Door } from '../../../support/sim-s3-door.ts';
import { until } from '../../../support/until.ts';
import { segmentFiles } from '../../adapters/objects/open-objects.ts';

let dir: string;
let sim: SimCloud;
let store: ObjectStore;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-keeper-'));
  sim = await startSimCloud({ stateDir: dir, hosts: [] });
  const { objects } = sim.cloud;
  if (objects === undefined) throw new Error('the cloud has no objects');
  store = await objects.store();
  await store.createBucket(bucketSample('b', { projectId: 'admin' }));
  await put(store, 'b', 'small', 'a few bytes');
  await put(store, 'b', 'large', Buffer.alloc(100_000, 'x'));
});
afterEach(async () => {
  await sim.close();
  await rm(dir, { recursive: true, force: true });
});

async function ask(request: S3Exchange, more: Partial<Principal> = {}): Promise<{ status: number; lines: unknown[] }> {
  const { gateway, blobs } = sim.cloud;
  const principal = { name: 'root@socket', projectId: 'admin', roles: ['cloudadmin'], from: 'test', ...more };
  const s3 = simS3Door(sim, dir);
  const client = new InProcessClient({ gateway, blobs, random: new SystemRandom(), s3, principal });
  const { status, body } = await client.s3(request);
  const said = await text(body);
  if (status !== 200) return { status, lines: [said] };
  return { status, lines: said.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown])) };
}

async function maintained(job: 'collect' | 'verify') {
  const { operationId } = await sim.call('StartMaintenance', { Job: job });
  return until(
    async () => {
      const last = (await sim.call('DescribeMaintenance', { Jobs: [job] })).jobs[0]?.last;
      return last?.operationId === operationId ? last : undefined;
    },
    { what: `${job} ended`, everyMs: 5 },
  );
}

const SCRUB: S3Exchange = { method: 'POST', path: '/?x-novactl-scrub' };
const SHOW: S3Exchange = { method: 'GET', path: '/?x-novactl-keeping' };

/** Changes one byte of the only segment that is a file. */
async function damage(): Promise<void> {
  const [file = ''] = await segmentFiles(join(dir, 'objects'));
  const bytes = readFileSync(file);
  bytes[50_000] = 0;
  writeFileSync(file, bytes);
}

describe('the objects are looked after [sim]', () => {
  it('a scrub finds nothing in whole ones, and remembers that over a restart', async () => {
    const { status, lines } = await ask(SCRUB);
    expect(status).toBe(200);
    expect(lines.at(-1)).toMatchObject({
      result: { objects: 2, segments: 2, damaged: [], damagedCount: 0, unnamed: 0 },
    });
    const shown = { buckets: 1, objects: 2, bytes: 100_011, scrubbing: false, lastScrub: { damagedCount: 0 } };
    expect((await ask(SHOW)).lines).toMatchObject([shown]);
    const again = await openKeeper(join(dir, 'objects'), { store, clock: sim.clock, logger: silentLogger });
    expect(again.notes.lastScrub).toMatchObject({ objects: 2 });
    expect(again.problem).toBeUndefined();
  });

  it('a scrub names what is damaged, and the process says so from then on', async () => {
    await damage();
    const { lines } = await ask(SCRUB);
    expect(lines.at(-1)).toMatchObject({
      result: { damagedCount: 1, damaged: [expect.stringContaining('b/large') as string] },
    });
    expect(sim.cloud.objects?.keeper?.problem).toContain('b/large');
    await store.removeObject('b', 'large');
    await ask(SCRUB);
    expect(sim.cloud.objects?.keeper?.problem).toBeUndefined();
  });

  it('what nothing names is removed', async () => {
    const [file = ''] = await segmentFiles(join(dir, 'objects'));
    writeFileSync(file.replace(/[0-9a-f]{8}$/, '00000000'), 'stray');
    const { lines } = await ask({ method: 'POST', path: '/?x-novactl-collect' });
    expect(lines).toMatchObject([{ removed: 1 }]);
    expect(await segmentFiles(join(dir, 'objects'))).toEqual([file]);
  });

  it('they are verified and collected with the rest of the cloud', async () => {
    const [file = ''] = await segmentFiles(join(dir, 'objects'));
    expect(await maintained('verify')).toMatchObject({ outcome: 'clean' });
    await damage();
    const { report } = await sim.call('PlanMaintenance', { Job: 'verify' });
    expect([report.findings, report.notes.join()]).toEqual([[], expect.stringContaining('2 objects (97.7 KiB')]);
    expect(await maintained('verify')).toMatchObject({
      outcome: 'degraded',
      findings: [expect.stringContaining('object b/large')],
    });
    writeFileSync(file.replace(/[0-9a-f]{8}$/, '00000000'), 'stray');
    expect(await maintained('collect')).toMatchObject({ changes: ['removed 1 piece of bytes that no object named'] });
    expect(await segmentFiles(join(dir, 'objects'))).toEqual([file]);
  });

  it('is for cloudadmin alone', async () => {
    for (const request of [SCRUB, SHOW, { method: 'POST', path: '/?x-novactl-collect' } as const]) {
      expect(await ask(request, { userName: 'ann', roles: ['manager', 'itsec', 'member'] })).toMatchObject({
        status: 403,
      });
    }
  });

  it('notes that can not be read are forgotten, and no reason to refuse', async () => {
    writeFileSync(join(dir, 'objects', 'keeping.json'), '{"v":1,"lastScr');
    const keeper = await openKeeper(join(dir, 'objects'), { store, clock: sim.clock, logger: silentLogger });
    expect(keeper.notes).toEqual({ v: 1 });
  });
});

describe('the daily round [sim]', () => {
  it('collects once a day and scrubs once a week, counted from the last time', async () => {
    const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
    const keeper = await openKeeper(join(dir, 'objects'), { store, clock, logger: silentLogger });
    const job = startKeepingJob({ keeper, clock, logger: silentLogger });
    const done = (): [number | undefined, number | undefined] => [
      keeper.notes.lastCollect?.atMs,
      keeper.notes.lastScrub?.startedAtMs,
    ];
    expect(done()).toEqual([undefined, undefined]);
    await clock.advance(KEEPING.firstAfterMs);
    await expect.poll(() => done().every((at) => at !== undefined), { timeout: 10_000 }).toBe(true);
    const first = done();
    for (let hour = 0; hour < 23; hour += 1) await clock.advance(KEEPING.lookEveryMs);
    expect(done()).toEqual(first);
    await clock.advance(2 * KEEPING.lookEveryMs);
    await expect.poll(() => (done()[0] ?? 0) > (first[0] ?? 0), { timeout: 10_000 }).toBe(true);
    expect(done()[1]).toBe(first[1]);
    await job.close();
  });
});

it('a project that has buckets is not deleted: they would be those of the next one of that name', async () => {
  await sim.call('CreateProject', { ProjectId: 'lab' });
  await store.createBucket(bucketSample('notes', { projectId: 'lab' }));
  for (const Purge of [false, true]) {
    await expect(sim.call('DeleteProject', { ProjectId: 'lab', Purge })).rejects.toMatchObject({
      code: 'InvalidProject.InUse',
      message: expect.stringContaining('buckets notes') as string,
    });
  }
  await store.deleteBucket('notes');
  await sim.call('DeleteProject', { ProjectId: 'lab' });
});

describe('a bucket that is made in the moment in which its project is deleted', () => {
  const makeBucket = (name: string) => ask({ method: 'PUT', path: `/${name}` }, { projectId: 'lab' });
  const inLab = async () => (await store.buckets('lab')).map(({ name }) => name);

  /** Between the look for buckets and the transaction. */
  function beforeCommit(run: () => Promise<void>): void {
    const { context } = sim.cloud;
    const { store: records } = context;
    const txn = records.txn.bind(records);
    let isFirst = true;
    records.txn = async (asked) => {
      if (isFirst && asked.dels?.includes(KEYS.project('lab')) === true) {
        isFirst = false;
        await run();
      }
      return txn(asked);
    };
  }

  it('is refused when the project was found empty before, and can be made in the next project of that name', async () => {
    await sim.call('CreateProject', { ProjectId: 'lab' });
    const answers: { status: number; lines: unknown[] }[] = [];
    beforeCommit(async () => {
      answers.push(await makeBucket('late'));
    });
    await sim.call('DeleteProject', { ProjectId: 'lab' });
    expect(answers).toEqual([{ status: 409, lines: [expect.stringContaining('OperationAborted')] }]);
    expect(await inLab()).toEqual([]);
    const gone = await makeBucket('after');
    expect(gone).toEqual({ status: 403, lines: [expect.stringContaining('there is no project lab any more')] });
    await sim.call('CreateProject', { ProjectId: 'lab' });
    expect(await makeBucket('anew')).toMatchObject({ status: 200 });
  });

  it('keeps the project when it was under way before', async () => {
    await sim.call('CreateProject', { ProjectId: 'lab' });
    const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const create = store.createBucket.bind(store);
    store.createBucket = async (...asked) => {
      begun.resolve();
      await go.promise;
      return create(...asked);
    };
    const made = makeBucket('early');
    await begun.promise;
    const deleted = sim.call('DeleteProject', { ProjectId: 'lab' });
    go.resolve();
    await expect(deleted).rejects.toMatchObject({
      code: 'InvalidProject.InUse',
      message: expect.stringContaining('buckets early') as string,
    });
    expect(await made).toMatchObject({ status: 200 });
    await store.deleteBucket('early');
    await sim.call('DeleteProject', { ProjectId: 'lab' });
  });

  it('is not kept from a project whose deletion is refused for something else', async () => {
    await sim.call('CreateProject', { ProjectId: 'lab' });
    const record = { v: 1, id: 'i-1', projectId: 'lab', state: 'running' };
    await sim.cloud.context.store.txn({ puts: [{ key: KEYS.instance('i-1'), value: record }] });
    await expect(sim.call('DeleteProject', { ProjectId: 'lab' })).rejects.toMatchObject({
      code: 'InvalidProject.InUse',
    });
    expect(await makeBucket('more')).toMatchObject({ status: 200 });
  });
});
