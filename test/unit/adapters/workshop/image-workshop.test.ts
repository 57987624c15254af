import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileBlobs } from '../../../../src/adapters/blobs/file-blobs.ts';
import { createWorkshop } from '../../../../src/adapters/workshop/image-workshop.ts';
import { convertVmdk, RESULT, SOURCE } from '../../../../src/adapters/workshop/qemu-img.ts';
import { NOBODY } from '../../../../src/adapters/workshop/run-tool.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import type { Blobs } from '../../../../src/ports/blobs.ts';
import type { BuildOrder, BuiltImage, ImageWorkshop } from '../../../../src/ports/image-workshop.ts';
import { qcow2Sample } from '../../domain/image-samples.ts';
import { SOUND_DESCRIPTOR, streamSample, vmdkSample } from '../../domain/vmdk-samples.ts';

const MIB = 1024 * 1024;
const HAS_QEMU_IMG = existsSync('/usr/bin/qemu-img');
const NO_QEMU_IMG = 'needs qemu-img (package qemu-utils)';

let dir: string;
let blobs: Blobs;
let workshop: ImageWorkshop;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'novactl-workshop-'));
  const random = new SystemRandom();
  blobs = createFileBlobs({ dir: join(dir, 'blobs'), random });
  workshop = createWorkshop({ dir: join(dir, 'imports'), blobs, clock: new SystemClock(), random });
});
afterEach(() => rm(dir, { recursive: true }));

const build = (bytes: Uint8Array | Readable, order: Partial<BuildOrder> = {}): Promise<BuiltImage> =>
  workshop.build(bytes instanceof Readable ? bytes : Readable.from([bytes]), {
    ...{ imageId: 'ami-0123456789abcdef0', kind: 'machine', maxVirtualBytes: 1024 * MIB },
    signal: new AbortController().signal,
    ...order,
  });

/** Why it is refused; nothing of it is anywhere. */
async function refusal(built: Promise<unknown>, code = 'InvalidImage.Format'): Promise<string> {
  const error = await built.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(await leftOver(), String(error)).toEqual([]);
  if (error instanceof CloudError && error.code === code) return error.message;
  throw error ?? new Error('it was accepted');
}

async function leftOver(): Promise<string[]> {
  const folders = ['imports', 'blobs/data', 'blobs/names'].map((name) => join(dir, name));
  const names = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return names.flat();
}

function qemuImg(...args: string[]): string {
  return execFileSync('/usr/bin/qemu-img', args, { encoding: 'utf8', cwd: dir });
}

/** A disk of 24 MiB with some bytes in it, in that format. */
async function diskAs(format: string, ...options: string[]): Promise<{ image: Buffer; disk: Buffer }> {
  const disk = Buffer.alloc(24 * MIB);
  for (const at of [0, 5 * MIB + 512, 24 * MIB - 4096]) createHash('sha512').update(`${at}`).digest().copy(disk, at);
  disk.set([0x55, 0xaa], 510);
  await writeFile(join(dir, 'disk.raw'), disk);
  qemuImg('convert', '-f', 'raw', '-O', format, ...options, 'disk.raw', 'disk.out');
  return { image: await readFile(join(dir, 'disk.out')), disk };
}

async function rawOf({ blob }: BuiltImage): Promise<Buffer> {
  await writeFile(join(dir, 'built.qcow2'), await buffer(await blobs.read(blob.key)));
  qemuImg('convert', '-f', 'qcow2', '-O', 'raw', 'built.qcow2', 'built.raw');
  return readFile(join(dir, 'built.raw'));
}

describe('an image that is taken', () => {
  it('as it is: raw, kernel, ramdisk; hashed, stored, told of as it goes', async () => {
    const raw = Buffer.alloc(MIB);
    raw.set([0x55, 0xaa], 510);
    const steps: string[] = [];
    const onProgress = (step: string, done: number): void => void steps.push(`${step} ${done}`);
    const built = await build(raw, { sizeBytes: MIB, onProgress });
    const sha256 = createHash('sha256').update(raw).digest('hex');
    expect(built).toMatchObject({
      blob: { sha256, sizeBytes: MIB },
      facts: { format: 'raw', detail: 'MBR' },
      notes: [],
    });
    expect(built.blob.key).toMatch(/^upload\/blob-[0-9a-f]{17}$/);
    expect((await buffer(await blobs.read(built.blob.key))).equals(raw)).toBe(true);
    expect(steps).toContain(`reading ${MIB}`);
    expect(steps.at(-1)).toBe(`storing ${MIB}`);
    const ramdisk = Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), Buffer.alloc(100)]);
    expect((await build(ramdisk, { kind: 'ramdisk', imageId: 'ari-1' })).facts.format).toBe('ramdisk');
    expect(await readdir(join(dir, 'imports'))).toEqual([]);
  });

  it.for(['compat=0.10', 'compat=1.1'])('a qcow2 (%s) byte by byte [real]', async (option, { skip }) => {
    if (!HAS_QEMU_IMG) skip(NO_QEMU_IMG);
    const { image, disk } = await diskAs('qcow2', '-o', option);
    const built = await build(image);
    expect(built.facts).toMatchObject({ format: 'qcow2', virtualSizeBytes: disk.length });
    expect((await buffer(await blobs.read(built.blob.key))).equals(image)).toBe(true);
    expect(built.notes).toEqual([]);
  });

  it.for(['monolithicSparse', 'streamOptimized'])(
    'a VMDK, as a qcow2 of the same disk: %s [real]',
    async (kind, { skip }) => {
      if (!HAS_QEMU_IMG) skip(NO_QEMU_IMG);
      const { image, disk } = await diskAs('vmdk', '-o', `subformat=${kind}`);
      const steps = new Set<string>();
      const built = await build(image, { onProgress: (step) => void steps.add(step) });
      expect(built.facts).toMatchObject({ format: 'qcow2', virtualSizeBytes: disk.length });
      expect(built.notes).toContain(`converted from vmdk (${kind})`);
      expect((await rawOf(built)).equals(disk)).toBe(true);
      expect([...steps]).toEqual(['reading', 'converting', 'storing']);
      expect(await readdir(join(dir, 'imports'))).toEqual([]);
    },
  );
});

describe('an image that is refused leaves nothing, and says why', () => {
  it.each<[string, () => Buffer, string, Partial<BuildOrder>?]>([
    ['nothing', () => Buffer.alloc(0), 'empty'],
    ['a backing file', () => qcow2Sample({ backingOffset: 200, backingSize: 11 }), 'backing file'],
    ['a data file', () => qcow2Sample({ incompatible: 4 }), 'external file'],
    ['snapshots', () => qcow2Sample({ snapshots: 1, snapshotsOffset: 0x30000 }), 'internal snapshots'],
    ['a huge disk', () => qcow2Sample({ size: 2n ** 40n, l1Size: 2048 }), '1.0 TiB, and 1.0 GiB are allowed'],
    ['a huge raw disk', () => Buffer.alloc(3 * MIB), '3.0 MiB, and 2.0 MiB', { maxVirtualBytes: 2 * MIB }],
    ['a huge VMDK', () => vmdkSample(), '16.0 MiB, and 1.0 MiB', { maxVirtualBytes: MIB }],
    ['less than announced', () => Buffer.alloc(MIB), '1048577 were announced (cut off?)', { sizeBytes: MIB + 1 }],
    ['the wrong kind', () => qcow2Sample(), 'not a kernel', { kind: 'kernel' }],
    ['a VMDK as a kernel', () => vmdkSample(), 'not a kernel', { kind: 'kernel' }],
    ['a VMDK of a host’s file', () => flat('RW 63 FLAT "/etc/shadow" 0'), 'RW 63 FLAT "/etc/shadow" 0'],
    ['a VMDK that wants to be read as a descriptor', () => vmdkSample({ capacity: 0 }), 'no capacity'],
    ['a VHDX', () => Buffer.from('vhdxfile'.padEnd(1024)), 'qemu-img convert -O qcow2 IN OUT'],
    ['a VDI', () => vdi(), 'qemu-img convert -O qcow2 IN OUT'],
  ])('%s', async (_, bytes, reason, order = {}) => {
    expect(await refusal(build(bytes(), order))).toContain(reason);
  });

  it('more bytes than such a disk may have, as soon as they come', async () => {
    let given = 0;
    function* endless(): Generator<Buffer> {
      for (;;) {
        given += MIB;
        yield Buffer.alloc(MIB);
      }
    }
    expect(await refusal(build(Readable.from(endless()), { maxVirtualBytes: MIB }))).toContain('larger than');
    expect(given).toBeLessThan(100 * MIB);
    expect(await refusal(build(Readable.from(endless()), { sizeBytes: 2 ** 40 }))).toContain('1.0 TiB or more');
  });

  it('what QEMU would not open, or not to its end: tables and data that are cut off [real]', async ({ skip }) => {
    if (!HAS_QEMU_IMG) skip(NO_QEMU_IMG);
    for (const [format, option, parts] of [
      // QEMU lets the last cluster of a qcow2 be short.
      ['qcow2', 'compat=1.1', [0.3, 0.6, 0.8]],
      ['vmdk', 'subformat=monolithicSparse', [0.3, 0.6, 0.8, 0.99]],
      // Behind its middle it has padding.
      ['vmdk', 'subformat=streamOptimized', [0.3, 0.5]],
    ] as const) {
      const { image } = await diskAs(format, '-o', option);
      for (const part of parts) {
        const cut = image.subarray(0, Math.floor((image.length * part) / 512) * 512);
        const why = await refusal(build(cut)).catch((error: unknown) => `${option} ${part}: ${String(error)}`);
        expect(why).toMatch(/cut off|refused|lies behind/);
      }
    }
    const damaged = qcow2Sample();
    damaged.writeBigUInt64BE(0x8000_0000_7fff_0000n, 0x30000);
    expect(await refusal(build(damaged))).toContain('is refused by qemu-img check');
  });

  it('its own error, and that of a source which breaks', async () => {
    const broken = Readable.from(
      (function* () {
        yield Buffer.alloc(MIB);
        throw new CloudError('AccessDenied', 'not any more');
      })(),
    );
    expect(await refusal(build(broken), 'AccessDenied')).toBe('not any more');
  });
});

const flat = (line: string): Buffer =>
  Buffer.from(SOUND_DESCRIPTOR.replace('monolithicSparse', 'monolithicFlat').replace(/RW .*/, line));

function vdi(): Buffer {
  const file = Buffer.alloc(1024);
  file.writeUInt32LE(0xbeda107f, 0x40);
  return file;
}

describe('a build that is given up', () => {
  it.for(['reading', 'checking', 'converting', 'storing'])('while %s leaves nothing [real]', async (at, { skip }) => {
    if (!HAS_QEMU_IMG) skip(NO_QEMU_IMG);
    const { image } = await diskAs(at === 'checking' ? 'qcow2' : 'vmdk');
    const abort = new AbortController();
    const onProgress = (step: string): void => {
      if (step === at) abort.abort(new CloudError('Conflict', 'deregistered'));
    };
    expect(await refusal(build(image, { signal: abort.signal, onProgress }), 'Conflict')).toBe('deregistered');
  });

  it('before it began, or while its source says nothing, leaves nothing', async () => {
    const abort = new AbortController();
    const silent = new Readable({ read: () => undefined });
    const built = refusal(build(silent, { signal: abort.signal }), 'Conflict');
    abort.abort(new CloudError('Conflict', 'deregistered'));
    expect(await built).toBe('deregistered');
    expect(silent.destroyed).toBe(true);
    expect(await refusal(build(Buffer.alloc(512), { signal: abort.signal }), 'Conflict')).toBe('deregistered');
  });

  it('by death: what it left goes at the next start', async () => {
    const folder = join(dir, 'imports', 'ami-0123456789abcdef0-aaaa');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'source'), 'half');
    await workshop.clean();
    expect(await readdir(join(dir, 'imports'))).toEqual([]);
    await rm(join(dir, 'imports'), { recursive: true });
    await workshop.clean();
  });
});

it('a small VMDK that unpacks to more than there is room for takes no more than its share of it [real]', async ({
  skip,
}) => {
  if (!HAS_QEMU_IMG) skip(NO_QEMU_IMG);
  await writeFile(join(dir, 'disk.raw'), Buffer.alloc(24 * MIB, 'A'));
  qemuImg('convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', 'disk.raw', SOURCE);
  expect((await stat(join(dir, SOURCE))).size).toBeLessThan(MIB);
  await writeFile(join(dir, RESULT), '');
  if (process.getuid?.() === 0) await chown(join(dir, RESULT), NOBODY, NOBODY);
  await chmod(join(dir, SOURCE), 0o444);
  await chmod(dir, 0o711);
  const limits = { virtualSizeBytes: 24 * MIB, maxBytes: 88 * MIB, roomBytes: 4 * MIB };
  const bench = { cwd: dir, ...limits, signal: new AbortController().signal, clock: new SystemClock() };
  await expect(convertVmdk(bench, () => undefined)).rejects.toMatchObject({
    code: 'Unavailable',
    message: 'no space is left to build the image: delete images or give the controller more room',
  });
  expect((await stat(join(dir, RESULT))).size).toBeLessThanOrEqual(4 * MIB);
});

it('two images at once are apart, and a folder is nobody else’s to read', async () => {
  const modes: number[] = [];
  const look = async (): Promise<void> => {
    for (const name of await readdir(join(dir, 'imports')))
      modes.push((await stat(join(dir, 'imports', name))).mode & 0o777);
  };
  const slowly = (byte: number): Readable =>
    Readable.from(
      (async function* () {
        yield Buffer.alloc(512, byte);
        await look();
        yield Buffer.alloc(512, byte);
      })(),
    );
  const [one, two] = await Promise.all([build(slowly(1)), build(slowly(2))]);
  expect(one.blob.sha256).not.toBe(two.blob.sha256);
  expect(new Set(modes)).toEqual(new Set([0o700]));
  expect((await stat(join(dir, 'imports'))).mode & 0o777).toBe(0o700);
});

it('a stream whose grains are behind its end is refused [real]', async ({ skip }) => {
  if (!HAS_QEMU_IMG) skip(NO_QEMU_IMG);
  const file = streamSample();
  file.writeUInt32LE(1_000_000, 27 * 512);
  expect(await refusal(build(file))).toMatch(/qemu-img (check|convert)/);
  await writeFile(join(dir, 'big'), vmdkSample());
  await truncate(join(dir, 'big'), 27 * 512);
  expect(await refusal(build(await readFile(join(dir, 'big'))))).toMatch(/refused/);
});
