import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { createLocalShell } from '../../../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { SystemRandom } from '../../../../../src/base/random.ts';
import type { HostShell } from '../../../../../src/ports/host-shell.ts';
import type { ImageFile, ImageStore } from '../../../../../src/ports/image-store.ts';
import { createImageStore } from '../../../../../src/workers/drivers/qemu-img/image-store.ts';

const MIB = 1024 * 1024;
const ID = 'i-0123456789abcdef0';
const haveTools = spawnSync('qemu-img', ['--version']).status === 0 && process.getuid?.() === 0;
const bytesOf = (letter: string): Buffer => Buffer.alloc(MIB, letter);
const image = (letter: string, kind: ImageFile['kind'] = 'machine'): ImageFile => ({
  blobKey: letter,
  sha256: createHash('sha256').update(bytesOf(letter)).digest('hex'),
  sizeBytes: MIB,
  format: kind === 'machine' ? 'raw' : kind,
  kind,
});
const digest = (letter: string): string => image(letter).sha256;

let baseDir: string;
let shell: HostShell;

beforeEach((ctx: TestContext) => {
  if (!haveTools) ctx.skip('qemu-img and root are needed to make disks of another owner');
  baseDir = mkdtempSync(join(tmpdir(), 'novactl-cache-'));
  shell = createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });
});
afterEach(async () => {
  if (!haveTools) return;
  await shell.close();
  rmSync(baseDir, { recursive: true, force: true });
});

const store = (cacheBytes = 0, on: HostShell = shell): ImageStore =>
  createImageStore({
    ...{ shell: on, baseDir, cacheBytes, clock: new SystemClock() },
    source: (key) => Promise.resolve(Readable.from([bytesOf(key)])),
  });
const warm = { start: false } as const;
/** As if it was used so many days ago. */
const age = (letter: string, days: number): void => {
  const at = new Date(Date.UTC(2026, 0, 31 - days));
  utimesSync(join(baseDir, 'images', `${digest(letter)}.json`), at, at);
};
const there = (): string =>
  ['a', 'b', 'c', 'k'].filter((letter) => readdirSync(join(baseDir, 'images')).includes(digest(letter))).join('');
const startOn = async (images: ImageStore, letter: string): Promise<void> => {
  const basePath = await images.ensureImage(image(letter));
  await images.ensureOverlay({
    ...{ instanceId: ID, basePath, baseFormat: 'raw', virtualSizeBytes: MIB, uid: 64_055, gid: 102 },
  });
};
/** A host on which this happens before, or after, a command whose words are such. */
const meeting = (moment: 'before' | 'after', words: RegExp, work: () => Promise<unknown>): HostShell => {
  let isOver = false;
  const exec: HostShell['exec'] = async (argv, options) => {
    const isNow = !isOver && words.test(argv.join(' '));
    isOver ||= isNow;
    if (isNow && moment === 'before') await Promise.resolve().then(work);
    const result = await shell.exec(argv, options);
    if (isNow && moment === 'after') await work();
    return result;
  };
  return new Proxy(shell, { get: (target, name) => (name === 'exec' ? exec : bound(target, name)) });
};
const bound = (target: HostShell, name: string | symbol): unknown => {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
};
const all = { inUse: [], unknownGuests: false };

describe('the images that a host keeps', () => {
  it('[real] are listed with their last use and what stands on them, the least recently used first', async () => {
    const images = store();
    await startOn(images, 'a');
    await images.ensureImage(image('b'), warm);
    age('b', 3);
    const listed = await images.listImages();
    expect(listed.map(({ sha256, usedBy, sizeBytes }) => [sha256, usedBy, sizeBytes])).toEqual([
      [digest('b'), [], MIB],
      [digest('a'), [ID], MIB],
    ]);
    // A new session notes the use again.
    await store().ensureImage(image('b'), warm);
    expect((await images.listImages()).map(({ sha256 }) => sha256)).toEqual([digest('a'), digest('b')]);
  });

  it('[real] go by the budget, the least recently used first, and never one that a disk stands on', async () => {
    const images = store(2 * MIB);
    await startOn(images, 'a');
    await images.ensureImage(image('b'), warm);
    age('a', 9);
    age('b', 3);
    await images.ensureImage(image('c'), warm);
    expect(there()).toBe('ac');
    // The records know nothing of it; the disk does.
    const order = { keepSha256: [], minAgeMs: 0, remove: true };
    const tight = store(1);
    expect(await tight.collect(order)).toEqual([join(baseDir, 'images', digest('c'))]);
    expect(there()).toBe('a');
  });

  it('[real] stay while a disk is about to be made of them, and kernels while guests are unknown', async () => {
    const images = store(1);
    await images.ensureImage(image('a'));
    await images.ensureImage(image('b'), warm);
    expect(there()).toBe('ab');
    await images.ensureImage(image('k', 'kernel'), warm);
    expect(there()).toBe('ak');
    expect((await images.evictImages({ ...all, unknownGuests: true })).removed).toEqual([]);
    await expect(images.evictImages({ ...all, sha256: digest('a') })).rejects.toMatchObject({
      code: 'Conflict',
      details: { usedBy: ['an instance that is being started'] },
    });
    expect((await images.evictImages(all)).removed).toEqual([digest('k')]);
    expect(there()).toBe('a');
  });

  it('[real] that is named and in use is refused with what uses it; one that is not goes', async () => {
    const images = store();
    await startOn(images, 'a');
    await images.ensureImage(image('b'), warm);
    await expect(images.evictImages({ ...all, sha256: digest('a') })).rejects.toMatchObject({
      details: { usedBy: [ID] },
    });
    const inUse = [{ sha256: digest('b'), by: 'i-of-the-records' }];
    await expect(images.evictImages({ ...all, inUse, sha256: digest('b') })).rejects.toMatchObject({
      details: { usedBy: ['i-of-the-records'] },
    });
    expect(await images.evictImages(all)).toEqual({ removed: [digest('b')], removedBytes: MIB });
    expect(there()).toBe('a');
  });

  it('[real] all stay when there is a disk of which nobody can say what it stands on', async () => {
    const images = store();
    await startOn(images, 'a');
    await images.ensureImage(image('b'), warm);
    writeFileSync(join(baseDir, 'instances', ID, 'disk.qcow2'), 'broken');
    expect((await images.evictImages(all)).removed).toEqual([]);
    expect(await images.collect({ keepSha256: [], minAgeMs: -120_000, remove: true })).toEqual([]);
    expect(there()).toBe('ab');
  });

  it('[real] stay when a disk is made of them after the disks were looked at', async () => {
    await store().ensureImage(image('a'), warm);
    const images: ImageStore = store(
      0,
      meeting('after', /qemu-img info/, () => startOn(images, 'a')),
    );
    expect(await images.evictImages(all)).toEqual({ removed: [], removedBytes: 0 });
    expect(there()).toBe('a');
    const begun: ImageStore = store(
      0,
      meeting('after', /qemu-img info/, () => begun.ensureImage(image('b'))),
    );
    await store().ensureImage(image('b'), warm);
    expect(await begun.collect({ keepSha256: [], minAgeMs: -120_000, remove: true })).toEqual([]);
    expect(there()).toBe('ab');
  });

  it('[real] that are asked for while they go come anew', async () => {
    await store().ensureImage(image('a'), warm);
    let coming: Promise<string> | undefined;
    const images: ImageStore = store(
      0,
      meeting('before', new RegExp(`^rm -f .*${digest('a')}`), () => {
        coming = images.ensureImage(image('a'));
        return new Promise((resolve) => setTimeout(resolve, 100));
      }),
    );
    expect((await images.evictImages(all)).removed).toEqual([digest('a')]);
    await coming;
    expect(there()).toBe('a');
  });
});
