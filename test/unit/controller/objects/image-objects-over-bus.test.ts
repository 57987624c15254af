import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileBlobs } from '../../../../src/adapters/blobs/file-blobs.ts';
import { createMemoryBus } from '../../../../src/adapters/bus/memory-bus.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { imageObjectsOverBus } from '../../../../src/controller/objects/image-objects-over-bus.ts';
import { ObjectStages } from '../../../../src/controller/objects/object-stages.ts';
import { ServiceDirectory } from '../../../../src/controller/services/service-directory.ts';
import { type ServiceHello, TOPIC } from '../../../../src/messages/worker.ts';
import type { Blobs } from '../../../../src/ports/blobs.ts';
import type { Bus } from '../../../../src/ports/bus.ts';
import type { ImageObjects } from '../../../../src/ports/image-objects.ts';
import { until } from '../../../support/until.ts';

const clock = new SystemClock();
const random = new SystemRandom();
const logger = silentLogger;
const asker = { name: 'ann', projectId: 'p-1', roles: ['member'] };
const disk = { bucket: 'disks', key: 'a.raw' };

let dir: string;
let blobs: Blobs;
let bus: Bus;
let stages: ObjectStages;
let images: ImageObjects;
/** What the process with the objects has under that key now. */
let there: { etag: string; body: () => Readable };

function hello(serviceId: string, roles: string[]): ServiceHello {
  const times = { startedAtMs: 1, atMs: 1 };
  const bus = { engine: 'memory', waiting: 0, handling: 0 };
  const process = { v: 1, session: serviceId, version: '1', machine: 'm', pid: 1, state: 'ready' } as const;
  return { ...process, ...times, serviceId, roles, bus };
}

let services: ServiceDirectory;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-objects-bus-'));
  blobs = createFileBlobs({ dir, random });
  bus = createMemoryBus({ clock, random, logger });
  there = { etag: 'e1', body: () => Readable.from([Buffer.from('the first bytes')]) };
  const objects: ImageObjects = {
    open({ projectId }) {
      if (projectId !== 'p-1') return Promise.reject(new CloudError('AccessDenied', 'not yours'));
      const { etag, body } = there;
      return Promise.resolve({ sizeBytes: 15, etag, versionId: 'null', read: () => Promise.resolve(body()) });
    },
  };
  const parts = { clock, logger, objects, blobs, keeper: () => Promise.resolve(undefined) };
  stages = new ObjectStages(parts);
  await bus.serve(TOPIC.objects('shelf'), stages.handlers());
  services = new ServiceDirectory(() => clock.monotonicMs());
  services.hello(hello('shelf', ['objectstore']));
  const process = { name: 'here' } as Parameters<typeof imageObjectsOverBus>[0]['process'];
  images = imageObjectsOverBus({ bus, blobs, services, process, clock, random, logger });
});
afterEach(async () => {
  await stages.close();
  await bus.close();
  rmSync(dir, { recursive: true, force: true });
});

const copies = async (): Promise<number> => (await blobs.list('upload/')).length;

describe('objects of another process of the cloud', () => {
  it('are read by way of a copy, which is gone afterwards', async () => {
    const object = await images.open(asker, disk);
    expect(object).toMatchObject({ sizeBytes: 15, etag: 'e1', versionId: 'null' });
    expect(await text(await object.read())).toBe('the first bytes');
    expect(await text(await object.read({ start: 4, end: 9 }))).toBe('first');
    const unread = await object.read();
    expect(await copies()).toBeGreaterThan(0);
    unread.destroy();
    await until(async () => (await copies()) === 0, { what: 'no copy is left' });
  });

  it('are refused by the process that has them', async () => {
    await expect(images.open({ ...asker, projectId: 'p-2' }, disk)).rejects.toMatchObject({ code: 'AccessDenied' });
  });

  it('are not read as another one than was looked at', async () => {
    const object = await images.open(asker, disk);
    there = { ...there, etag: 'e2' };
    await expect(object.read()).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringContaining('disks/a.raw is another object now') as string,
    });
    expect(await copies()).toBe(0);
  });

  it('leave nothing when their bytes end in an error', async () => {
    there = { ...there, body: () => Readable.from(failing()) };
    const object = await images.open(asker, disk);
    await expect(object.read()).rejects.toMatchObject({ code: 'CorruptState' });
    expect(await copies()).toBe(0);
  });

  it('are copied no further when nobody wants them any more', async () => {
    const body = new PassThrough();
    body.write('the');
    there = { ...there, body: () => body };
    const object = await images.open(asker, disk);
    const stop = new AbortController();
    const seen: number[][] = [];
    const read = object.read(undefined, {
      signal: stop.signal,
      onProgress: (done, total) => {
        seen.push([done, total]);
        stop.abort(new CloudError('Conflict', 'deregistered'));
      },
    });
    await expect(read).rejects.toMatchObject({ code: 'Conflict', message: 'deregistered' });
    expect(seen).toEqual([[3, 15]]);
    await until(() => body.destroyed, { what: 'the object is not read any more' });
    expect(await copies()).toBe(0);
  });

  it('are refused when two processes have the role, each with others', async () => {
    services.hello(hello('other', ['api', 'objectstore']));
    await expect(images.open(asker, disk)).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringContaining('other (on m) and shelf (on m) have them') as string,
    });
  });
});

async function* failing(): AsyncGenerator<Buffer> {
  yield Buffer.from('the first');
  await Promise.resolve();
  throw new CloudError('CorruptState', 'damaged');
}
