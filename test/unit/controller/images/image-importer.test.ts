import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { CloudError } from '../../../../src/base/errors.ts';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import type { ImageRecord } from '../../../../src/domain/records.ts';
import { ImportingControllers } from '../../../support/importing-controllers.ts';
import { md5 } from '../../../support/object-samples.ts';
import { until } from '../../../support/until.ts';
import { bootSector } from '../../../support/sim-cloud.ts';

const problemsOfImages = (world: ImportingControllers): string[] =>
  checkRecords(world.store.range('')).filter((text) => text.includes('image'));

async function ended(world: ImportingControllers, id: string): Promise<ImageRecord> {
  await until(() => world.store.get<ImageRecord>(KEYS.image(id))?.value.state !== 'pending', {
    what: `${id} is not pending`,
    everyMs: 2,
  });
  return world.image(id);
}

it('makes an image of an object, and the operation ends with it', async () => {
  const world = new ImportingControllers();
  const { importer } = world.start('a');
  const id = await world.register();
  expect(world.operation(id)?.status).toBe('running');
  const image = await ended(world, id);
  expect(image).toMatchObject({ format: 'raw', sizeBytes: 512, virtualSizeBytes: 512, architecture: 'x86_64' });
  expect(image.notes).toEqual(['looked at']);
  expect(image.state).toBeUndefined();
  expect(await world.blobKeys()).toEqual([image.blobKey]);
  expect(world.import(id)).toBeUndefined();
  expect(world.operation(id)).toMatchObject({ status: 'succeeded', pending: [] });
  expect(world.operation(id)?.steps.map(({ step }) => step)).toEqual(['reading']);
  expect(problemsOfImages(world)).toEqual([]);
  await importer.close();
});

it('tells why it failed, and leaves nothing', async () => {
  const world = new ImportingControllers();
  const { importer } = world.start('a');
  world.objects.set('b/odd', Buffer.alloc(700, 1));
  world.objects.set('b/closed', new CloudError('AccessDenied', 'no'));
  const cases = { odd: 'InvalidImage.Format', missing: 'InvalidManifest', closed: 'AuthFailure' };
  for (const [key, code] of Object.entries(cases)) {
    const id = await world.register({ kind: 'object', bucket: 'b', key });
    const image = await ended(world, id);
    expect(image).toMatchObject({ state: 'failed', stateReason: { code } });
    expect(world.operation(id)).toMatchObject({ status: 'failed', error: { code } });
  }
  expect(await world.blobKeys()).toEqual([]);
  expect(problemsOfImages(world)).toEqual([]);
  await importer.close();
});

it('is not made of an object that was replaced since it was registered', async () => {
  const world = new ImportingControllers();
  const id = await world.register({ kind: 'object', bucket: 'b', key: 'disk', etag: md5(bootSector()) });
  world.objects.set('b/disk', Buffer.concat([bootSector(), bootSector()]));
  const { importer } = world.start('a');
  const image = await ended(world, id);
  expect(image).toMatchObject({ state: 'failed', stateReason: { code: 'InvalidManifest' } });
  expect(image.stateReason?.message).toContain('another object now than when the image was registered');
  expect(await world.blobKeys()).toEqual([]);
  await importer.close();
});

it('tries again what could not be read for now, three times at most', async () => {
  const world = new ImportingControllers();
  const { importer } = world.start('a');
  world.objects.set('b/disk', new CloudError('Unavailable', 'the endpoint is away'));
  const twice = await world.register();
  await until(() => world.import(twice)?.attempts === 1, { what: 'it was tried', everyMs: 2 });
  await world.clock.advance(4000);
  expect(world.import(twice)?.attempts).toBe(1);
  world.objects.set('b/disk', bootSector());
  await world.clock.advance(2000);
  expect((await ended(world, twice)).state).toBeUndefined();
  world.objects.set('b/disk', new CloudError('Unavailable', 'the endpoint is away'));
  const never = await world.register();
  await until(
    async () => {
      await world.clock.advance(6000);
      return world.image(never).state === 'failed';
    },
    { what: 'it fails', everyMs: 2 },
  );
  expect(world.image(never).stateReason).toEqual({ code: 'Unavailable', message: 'the endpoint is away' });
  await importer.close();
});

it('is made once by two controllers, and never more than two at a time by one', async () => {
  const world = new ImportingControllers();
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  world.hold = () => gate;
  const [a, b] = [world.start('a'), world.start('b')];
  const ids = await Promise.all(Array.from({ length: 6 }, () => world.register()));
  await until(() => world.builds === 4, { what: 'each makes two', everyMs: 2 });
  await world.clock.settle(50);
  expect(world.builds).toBe(4);
  release();
  for (const id of ids) expect((await ended(world, id)).state).toBeUndefined();
  expect(world.builds).toBe(6);
  expect(await world.blobKeys()).toHaveLength(6);
  await Promise.all([a.importer.close(), b.importer.close()]);
});

it('is given up when the image is deregistered, whatever was made by then', async () => {
  const world = new ImportingControllers();
  let reached = false;
  let isAborted = false;
  world.hold = (signal) => {
    reached = true;
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        isAborted = true;
        reject(signal.reason as Error);
      });
    });
  };
  const { importer } = world.start('a');
  const id = await world.register();
  await until(() => reached, { what: 'it is being made', everyMs: 2 });
  await world.store.txn({ dels: [KEYS.image(id), KEYS.imageImport(id), KEYS.imageName('p', id)] });
  await until(() => isAborted, { what: 'it is stopped', everyMs: 2 });
  await world.clock.settle(50);
  expect(world.store.get(KEYS.image(id))).toBeUndefined();
  expect(await world.blobKeys()).toEqual([]);
  await importer.close();
});

it('drops what it made for an image that somebody else has ended meanwhile', async () => {
  const world = new ImportingControllers();
  const { importer } = world.start('a');
  let id = '';
  // At the last moment, when nothing looks at the signal any more.
  world.hold = async () => {
    await world.store.txn({ dels: [KEYS.image(id), KEYS.imageImport(id), KEYS.imageName('p', id)] });
    world.hold = () => Promise.resolve();
  };
  world.heedless = true;
  id = await world.register();
  await until(() => world.builds === 1 && world.store.get(KEYS.image(id)) === undefined, {
    what: 'it is gone',
    everyMs: 2,
  });
  await importer.close();
  expect(await world.blobKeys()).toEqual([]);
});

it('a process that ends in order leaves it to the next, with all attempts', async () => {
  const world = new ImportingControllers();
  world.hold = (signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const first = world.start('a');
  const id = await world.register();
  await until(() => world.builds === 1, { what: 'it is being made', everyMs: 2 });
  await first.importer.close();
  expect(world.import(id)).toMatchObject({ attempts: 0 });
  expect(world.import(id)?.session).toBeUndefined();
  world.hold = () => Promise.resolve();
  const second = world.start('b');
  expect((await ended(world, id)).state).toBeUndefined();
  await second.importer.close();
});

it('progress is written every two seconds at most, with its rate', async () => {
  const world = new ImportingControllers();
  let release = (): void => undefined;
  world.hold = () => new Promise<void>((resolve) => (release = resolve));
  const { importer } = world.start('a');
  const id = await world.register();
  await until(() => world.import(id)?.doneBytes === 512, { what: 'the first is written at once', everyMs: 2 });
  expect(world.import(id)).toMatchObject({ step: 'reading', totalBytes: 512, attempts: 1, session: 'a' });
  release();
  await ended(world, id);
  await importer.close();
});

it('what was sent to be converted goes when the image is made, and when it fails', async () => {
  const world = new ImportingControllers();
  const { importer } = world.start('a');
  for (const bytes of [bootSector(), Buffer.alloc(700, 1)]) {
    const blobKey = 'upload/blob-00000000000000001';
    await world.blobs.put(blobKey, Readable.from([bytes]));
    const id = await world.register({ kind: 'upload', blobKey });
    await ended(world, id);
    await until(async () => !(await world.blobKeys()).includes(blobKey), { what: 'it is gone', everyMs: 2 });
  }
  await importer.close();
});

it('what was sent once and is made two images of stays until both are made', async () => {
  const world = new ImportingControllers();
  const blobKey = 'upload/blob-00000000000000001';
  await world.blobs.put(blobKey, Readable.from([bootSector()]));
  const gates: (() => void)[] = [];
  world.hold = () => new Promise<void>((resolve) => gates.push(resolve));
  const { importer } = world.start('a');
  await world.register();
  await until(() => gates.length === 1, { what: 'one turn is taken', everyMs: 2 });
  const ids = [await world.register({ kind: 'upload', blobKey }), await world.register({ kind: 'upload', blobKey })];
  for (const at of [1, 2]) {
    await until(() => gates.length === at + 1, { what: 'one of them is being made', everyMs: 2 });
    gates[at]?.();
  }
  for (const id of ids) expect((await ended(world, id)).stateReason).toBeUndefined();
  await until(async () => !(await world.blobKeys()).includes(blobKey), { what: 'it is gone', everyMs: 2 });
  gates[0]?.();
  await importer.close();
});

it('hosts that say nothing hold up the images of their own instances alone', async () => {
  const world = new ImportingControllers();
  for (const id of ['h-1', 'h-2']) await world.store.txn({ puts: [{ key: KEYS.host(id), value: { id, name: id } }] });
  const { importer } = world.start('a');
  const ofHost = (hostId: string) => world.register({ kind: 'instance', instanceId: 'i-1', hostId });
  const silent = [await ofHost('h-1'), await ofHost('h-1'), await ofHost('h-1')];
  const begun = (): number => silent.filter((id) => world.import(id)?.attempts === 1).length;
  await until(() => begun() === 2, { what: 'two are begun', everyMs: 2 });
  const elsewhere = await ofHost('h-2');
  await until(() => world.import(elsewhere)?.attempts === 1, { what: 'another host has its turn', everyMs: 2 });
  expect((await ended(world, await world.register())).state).toBeUndefined();
  expect(begun()).toBe(2);
  await importer.close();
});

it('a process that has nothing to make removes what an earlier one left', async () => {
  const world = new ImportingControllers();
  const { importer } = world.start('a');
  expect(world.cleans).toBe(1);
  await ended(world, await world.register());
  expect(world.cleans).toBe(1);
  await importer.close();
});

it('three processes that die with it are enough', async () => {
  const world = new ImportingControllers();
  world.hold = () => new Promise(() => undefined);
  const id = await world.register();
  for (const name of ['a', 'b', 'c']) {
    const before = world.builds;
    world.start(name);
    await until(() => world.builds === before + 1, { what: `${name} makes it`, everyMs: 2 });
    world.alive.delete(name);
  }
  const { importer } = world.start('d');
  const image = await ended(world, id);
  expect(image).toMatchObject({ state: 'failed', stateReason: { code: 'InternalError' } });
  expect(image.stateReason?.message).toContain('begun 3 times');
  expect(world.operation(id)).toMatchObject({ status: 'failed' });
  expect(world.builds).toBe(3);
  await importer.close();
});

it('whenever a process dies, another ends the import, and what is left over no record names', async () => {
  const whole = new ImportingControllers();
  const { life, importer } = whole.start('a');
  await ended(whole, await whole.register());
  await importer.close();
  expect(life.effects.filter((name) => name === 'txn').length).toBeGreaterThanOrEqual(2);
  expect(life.effects).toContain('put');
  for (let effect = 0; effect < life.effects.length; effect += 1) {
    for (const when of ['before', 'after'] as const) {
      const world = new ImportingControllers();
      const dying = world.start('a', { effect, when });
      const id = await world.register();
      await until(() => dying.life.dead || world.image(id).state === undefined, { what: 'it dies', everyMs: 1 });
      const next = world.start('b');
      const image = await ended(world, id);
      expect([image.state, world.import(id), world.operation(id)?.status]).toEqual([undefined, undefined, 'succeeded']);
      const keys = await world.blobKeys();
      expect(keys).toContain(image.blobKey);
      // The collector takes what was stored and not recorded: nothing names it.
      expect(keys.length).toBeLessThanOrEqual(2);
      expect(problemsOfImages(world)).toEqual([]);
      await next.importer.close();
    }
  }
});
