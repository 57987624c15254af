import { expect, it } from 'vitest';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import type { ControllerContext } from '../../../../src/controller/controller-context.ts';
import { ImportProgress } from '../../../../src/controller/images/import-progress.ts';
import { collectJob } from '../../../../src/controller/maintenance/collect.ts';
import type { JobTools } from '../../../../src/controller/maintenance/job.ts';
import type { ImageImportRecord } from '../../../../src/domain/image-import.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import { ImportingControllers } from '../../../support/importing-controllers.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { until } from '../../../support/until.ts';

const MINUTE_MS = 60_000;
const KEY = KEYS.imageImport('ami-1');

const importRecord = (session: string): ImageImportRecord => ({
  ...{ v: 1, imageId: 'ami-1', operationId: 'op-1', session, attempts: 1, step: 'starting', doneBytes: 0 },
  ...{ startedAtMs: 0, updatedAtMs: 0, source: { kind: 'object', bucket: 'b', key: 'k' } },
  asker: { name: 'ann', projectId: 'p', roles: [] },
});

async function progressOf(session = 'a') {
  const clock = new ManualClock();
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  await store.txn({ puts: [{ key: KEY, value: { ...importRecord('a') } as never }] });
  const written: ImageImportRecord[] = [];
  store.watch(KEY, store.rev + 1, ({ ops }) => {
    for (const { value } of ops) written.push(value as unknown as ImageImportRecord);
  });
  const progress = new ImportProgress({ store, clock, logger: silentLogger }, KEY, session);
  return { clock, written, progress };
}

it('progress is written every two seconds at most, the last that was said, with the rate of its step', async () => {
  const { clock, written, progress } = await progressOf();
  for (let tick = 0; tick <= 100; tick += 1) {
    progress.report('reading', tick * 1000, 1_000_000);
    await clock.advance(100);
  }
  // Ten seconds: the first at once, then one each two.
  expect(written.map(({ doneBytes }) => doneBytes)).toEqual([0, 19_000, 39_000, 59_000, 79_000, 99_000]);
  expect(written.map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([undefined, 9500, 9750, 9833, 9875, 9900]);
  progress.report('converting', 50);
  await clock.advance(2000);
  progress.report('converting', 4050);
  await clock.advance(2000);
  expect(written.slice(6).map(({ step, bytesPerSecond, totalBytes }) => [step, bytesPerSecond, totalBytes])).toEqual([
    ['converting', 0, undefined],
    ['converting', 1026, undefined],
  ]);
  await progress.stop();
  progress.report('converting', 9000);
  await clock.advance(10_000);
  expect(written).toHaveLength(8);
});

it('progress of an import that another process has is not written', async () => {
  const { clock, written, progress } = await progressOf('b');
  progress.report('reading', 1);
  await clock.advance(5000);
  expect(written).toEqual([]);
});

it('the operation of an import has its steps and how far it is while it goes on, and those of each attempt', async () => {
  const world = new ImportingControllers();
  let go: (result: Promise<void>) => void = () => undefined;
  world.hold = () => new Promise((resolve) => (go = resolve));
  const { importer } = world.start('a');
  const id = await world.register();
  const steps = () => world.operation(id)?.steps ?? [];
  await until(() => steps().length === 1, { what: 'the first step is told', everyMs: 2 });
  const now = { target: id, step: 'reading', progress: { doneBytes: 512, totalBytes: 512 } };
  expect(steps()).toEqual([{ ...now, atMs: world.clock.nowMs() }]);
  go(Promise.reject(new CloudError('Unavailable', 'the disk is away')));
  await world.clock.advance(MINUTE_MS);
  await until(() => steps().length === 2, { what: 'the second attempt is told', everyMs: 2 });
  go(Promise.resolve());
  await until(() => world.operation(id)?.status === 'succeeded', { what: 'the image is made', everyMs: 2 });
  const [first, last] = steps();
  expect(steps()).toHaveLength(2);
  expect(first?.atMs).toBeLessThan(last?.atMs ?? 0);
  expect(last).toEqual({ target: id, step: 'reading', atMs: last?.atMs, tookMs: last?.tookMs });
  await importer.close();
});

it('what says nothing for 15 minutes is given up, three times; what says something is not', async () => {
  const world = new ImportingControllers();
  world.hold = (signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const { importer } = world.start('a');
  const id = await world.register();
  await until(() => world.builds === 1, { what: 'it is being made', everyMs: 2 });
  await world.clock.advance(14 * MINUTE_MS);
  expect([world.builds, world.import(id)?.attempts]).toEqual([1, 1]);
  await world.clock.advance(3 * MINUTE_MS);
  await until(() => world.builds === 2, { what: 'it is tried again', everyMs: 2 });
  for (let minutes = 0; minutes < 40; minutes += 1) await world.clock.advance(MINUTE_MS);
  expect(world.builds).toBe(3);
  expect(world.image(id)).toMatchObject({
    ...{ state: 'failed', stateReason: { code: 'Timeout', message: 'nothing came for 15 minutes' } },
  });
  expect(await world.blobKeys()).toEqual([]);
  await importer.close();
});

it.each(['before', 'after'] as const)(
  'a store that is away when the end is written, its answer lost %s it took it, is waited for',
  async (when) => {
    const world = new ImportingControllers();
    const { store } = world;
    const txn = store.txn.bind(store);
    let isAway = false;
    let asked = 0;
    store.txn = async (wanted) => {
      if (!isAway) return txn(wanted);
      asked += 1;
      if (when === 'after') await txn(wanted);
      throw new CloudError('Unavailable', 'the store is away');
    };
    world.hold = () => Promise.resolve(void (isAway = true));
    const { importer } = world.start('a');
    const id = await world.register();
    await until(() => asked >= 1, { what: 'it is to be written', everyMs: 2 });
    await world.clock.advance(5000);
    isAway = false;
    await world.clock.advance(5000);
    await until(() => world.image(id).state === undefined, { what: 'it is available', everyMs: 2 });
    expect(world.builds).toBe(1);
    await world.clock.advance(5000);
    expect(await world.blobKeys()).toEqual([world.image(id).blobKey]);
    expect([world.import(id), world.operation(id)?.status]).toEqual([undefined, 'succeeded']);
    await importer.close();
  },
);

it('whenever a process dies, the collector leaves nothing but the bytes of the image', async () => {
  const whole = new ImportingControllers();
  const { life, importer } = whole.start('a');
  const id = await whole.register();
  await until(() => whole.image(id).state === undefined, { what: 'it is made', everyMs: 1 });
  await importer.close();
  let left = 0;
  for (let effect = 0; effect < life.effects.length; effect += 1) {
    for (const when of ['before', 'after'] as const) {
      const world = new ImportingControllers();
      const dying = world.start('a', { effect, when });
      const imageId = await world.register();
      await until(() => dying.life.dead || world.image(imageId).state === undefined, { what: 'it dies', everyMs: 1 });
      const next = world.start('b');
      await until(() => world.image(imageId).state !== 'pending', { what: 'it is made', everyMs: 1 });
      left += (await world.blobKeys()).length - 1;
      const cloud: ControllerContext = {
        ...next.context,
        policy: { uploadKeepMs: 0, operationsKeepMs: 1 } as ControllerContext['policy'],
      };
      const { signal } = new AbortController();
      await collectJob({ cloud, signal, plan: false } as JobTools);
      expect(await world.blobKeys()).toEqual([world.image(imageId).blobKey]);
      await next.importer.close();
    }
  }
  // Else the collector had nothing to do, and this shows nothing.
  expect(left).toBeGreaterThan(0);
});
