import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalShell } from '../../../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { SystemRandom } from '../../../../../src/base/random.ts';
import type { HostShell } from '../../../../../src/ports/host-shell.ts';
import type { ImageFile, ImageStore, OverlaySpec } from '../../../../../src/ports/image-store.ts';
import { createImageStore } from '../../../../../src/workers/drivers/qemu-img/image-store.ts';
import { qcow2Sample } from '../../../domain/image-samples.ts';

const ID = 'i-0123456789abcdef0';
const OTHER = 'i-0123456789abcdef1';
const MIB = 1024 * 1024;
const haveQemuImg = spawnSync('qemu-img', ['--version']).status === 0;
const isRoot = process.getuid?.() === 0;
const why = !haveQemuImg ? 'qemu-img is not installed' : 'changing the owner of a disk needs root';

interface Info {
  format: string;
  filename: string;
  'virtual-size': number;
  'backing-filename'?: string;
  'backing-filename-format'?: string;
}
const chain = (path: string): Info[] =>
  JSON.parse(
    execFileSync('qemu-img', ['info', '--backing-chain', '--output=json', '-f', 'qcow2', path], { encoding: 'utf8' }),
  ) as Info[];
const imageOf = (bytes: Buffer, format: ImageFile['format'] = 'raw'): ImageFile => ({
  blobKey: 'image/one',
  sha256: createHash('sha256').update(bytes).digest('hex'),
  sizeBytes: bytes.length,
  format,
  kind: 'machine',
});

describe('image store on a host', () => {
  let root: string;
  let baseDir: string;
  let shell: HostShell;
  let bytes: Buffer;
  let reads: string[];
  let store: ImageStore;
  let commands: string[][];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'novactl-images-'));
    baseDir = join(root, 'novactl-host');
    bytes = randomBytes(2 * MIB);
    reads = [];
    commands = [];
    const local = createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });
    shell = {
      ...local,
      exec: (argv, options) => {
        commands.push([...argv]);
        return local.exec(argv, options);
      },
    };
    store = newStore();
  });
  afterEach(async () => {
    await shell.close();
    await rm(root, { recursive: true });
  });

  const newStore = (): ImageStore =>
    createImageStore({
      shell,
      clock: new SystemClock(),
      baseDir,
      source: (key) => {
        reads.push(key);
        return Promise.resolve(Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]));
      },
    });
  const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);
  const overlay = (over: Partial<OverlaySpec> = {}): OverlaySpec => ({
    instanceId: ID,
    basePath: join(baseDir, 'images', imageOf(bytes).sha256),
    baseFormat: 'raw',
    virtualSizeBytes: 8 * MIB,
    uid: 64_055,
    gid: 102,
    ...over,
  });

  describe('ensureImage', () => {
    it('uploads once, readable for QEMU, and trusts it from then on [real]', async () => {
      const image = imageOf(bytes);
      const path = await store.ensureImage(image);
      expect(path).toBe(join(baseDir, 'images', image.sha256));
      expect((await readFile(path)).equals(bytes)).toBe(true);
      expect([await mode(path), await mode(baseDir), await mode(join(baseDir, 'images'))]).toEqual([
        '644',
        '711',
        '711',
      ]);
      expect(await store.ensureImage(image)).toBe(path);
      expect(await newStore().ensureImage(image)).toBe(path);
      expect(reads).toEqual(['image/one']);
    });

    it('many callers at once share one upload [real]', async () => {
      const paths = await Promise.all(Array.from({ length: 25 }, () => store.ensureImage(imageOf(bytes))));
      expect(new Set(paths).size).toBe(1);
      expect(reads).toHaveLength(1);
    });

    it('uploads again what is not what it was [real]', async () => {
      const image = imageOf(bytes);
      const path = await store.ensureImage(image);
      const marker = `${path}.json`;
      const damages = [
        () => truncate(path, 5),
        () => rm(path),
        () => rm(marker),
        () => writeFile(marker, '{'),
        () => writeFile(marker, JSON.stringify({ v: 1, sha256: image.sha256, sizeBytes: 1 })),
        () => writeFile(marker, JSON.stringify({ v: 2, sha256: image.sha256, sizeBytes: image.sizeBytes })),
      ];
      for (const [index, damage] of damages.entries()) {
        await damage();
        await store.ensureImage(image);
        expect(reads).toHaveLength(index + 2);
        expect((await readFile(path)).equals(bytes)).toBe(true);
      }
    });

    it('other bytes than announced are refused, and nothing is kept [real]', async () => {
      const image = { ...imageOf(bytes), sha256: 'a'.repeat(64) };
      const answers = await Promise.allSettled([store.ensureImage(image), store.ensureImage(image)]);
      for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'HostError' } });
      expect(await readdir(join(baseDir, 'images'))).toEqual([]);
      expect(await store.ensureImage(imageOf(bytes))).toContain('/images/');
    });

    it('removes old leavings of uploads, and only those [real]', async () => {
      await mkdir(join(baseDir, 'images'), { recursive: true });
      for (const name of ['.novactl-0011.tmp', '.novactl-0022.tmp', 'keep.tmp']) {
        await writeFile(join(baseDir, 'images', name), '');
      }
      for (const name of ['.novactl-0011.tmp', 'keep.tmp']) {
        execFileSync('touch', ['-d', '1 hour ago', join(baseDir, 'images', name)]);
      }
      const image = imageOf(bytes);
      await store.ensureImage(image);
      const left = ['.novactl-0022.tmp', image.sha256, `${image.sha256}.json`, 'keep.tmp'];
      expect((await readdir(join(baseDir, 'images'))).sort()).toEqual(left.sort());
    });

    it('says so before the host runs full', async () => {
      const full: HostShell = {
        ...shell,
        exec: async (argv, options) =>
          argv[0] === 'df'
            ? { exitCode: 0, stdout: '      Avail\n300000000\n', stderr: '' }
            : shell.exec(argv, options),
      };
      const source = (): Promise<Readable> => Promise.reject(new Error('must not be asked'));
      const small = createImageStore({ shell: full, source, clock: new SystemClock(), baseDir });
      const image = { ...imageOf(bytes), sizeBytes: 100 * MIB };
      await expect(small.ensureImage(image)).rejects.toMatchObject({ code: 'InsufficientInstanceCapacity' });
    });

    it('refuses digests that are paths', async () => {
      for (const sha256 of ['', '../x', 'A'.repeat(64), `${'a'.repeat(64)}/`]) {
        const ensure = store.ensureImage({ ...imageOf(bytes), sha256 });
        await expect(ensure).rejects.toMatchObject({ code: 'InvalidParameterValue' });
      }
      expect(commands).toEqual([]);
    });
  });

  describe('ensureOverlay', () => {
    it('makes a qcow2 over the base, for QEMU alone [real]', async (context) => {
      if (!haveQemuImg || !isRoot) context.skip(why);
      const basePath = await store.ensureImage(imageOf(bytes));
      const path = await store.ensureOverlay(overlay({ basePath }));
      expect(path).toBe(join(baseDir, 'instances', ID, 'disk.qcow2'));
      const [disk, base] = chain(path);
      expect(disk).toMatchObject({ format: 'qcow2', 'virtual-size': 8 * MIB, 'backing-filename-format': 'raw' });
      expect(base).toMatchObject({ format: 'raw', filename: basePath, 'virtual-size': 2 * MIB });
      const { uid, gid, nlink } = await stat(path);
      expect([uid, gid, nlink, await mode(path)]).toEqual([64_055, 102, 1, '600']);
      expect([await mode(join(baseDir, 'instances')), await mode(join(baseDir, 'instances', ID))]).toEqual([
        '711',
        '711',
      ]);
      expect(await readdir(join(baseDir, 'instances', ID))).toEqual(['disk.qcow2']);
    });

    it('never makes anew what is there [real]', async (context) => {
      if (!haveQemuImg || !isRoot) context.skip(why);
      const basePath = await store.ensureImage(imageOf(bytes));
      const path = await store.ensureOverlay(overlay({ basePath }));
      execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x5a 0 64k', path]);
      const before = await stat(path);
      const again = overlay({ basePath: '/nowhere', virtualSizeBytes: 1, uid: 1, mustExist: true });
      expect(await newStore().ensureOverlay(again)).toBe(path);
      const { ino, ctimeMs, size, uid } = before;
      expect(await stat(path)).toMatchObject({ ino, ctimeMs, size, uid });
      expect(execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'read -P 0x5a 0 64k', path]).toString()).not.toContain(
        'failed',
      );
    });

    it('does not replace a lost disk of an instance that has run', async () => {
      await expect(store.ensureOverlay(overlay({ mustExist: true }))).rejects.toMatchObject({ code: 'NotFound' });
      // Only looked at: no command that could make one was run.
      expect(commands).toEqual([]);
    });

    it('starts over where an earlier try stopped [real]', async (context) => {
      if (!haveQemuImg || !isRoot) context.skip(why);
      const basePath = await store.ensureImage(imageOf(bytes));
      await mkdir(join(baseDir, 'instances', ID), { recursive: true, mode: 0o700 });
      await writeFile(join(baseDir, 'instances', ID, 'disk.qcow2.tmp'), 'half a disk');
      const path = await store.ensureOverlay(overlay({ basePath }));
      expect(chain(path)).toHaveLength(2);
      expect(await readdir(join(baseDir, 'instances', ID))).toEqual(['disk.qcow2']);
      expect(await mode(join(baseDir, 'instances', ID))).toBe('711');
    });

    it('a failure leaves no disk, and the next try works [real]', async (context) => {
      if (!haveQemuImg || !isRoot) context.skip(why);
      const failing = store.ensureOverlay(overlay({ basePath: join(root, 'absent') }));
      await expect(failing).rejects.toMatchObject({
        code: 'HostError',
        message: expect.stringContaining('absent') as string,
      });
      const basePath = await store.ensureImage(imageOf(bytes));
      const all = Array.from({ length: 5 }, () => store.ensureOverlay(overlay({ basePath })));
      expect(new Set(await Promise.all(all)).size).toBe(1);
      expect(commands.filter(([, , script]) => script?.includes('qemu-img') === true)).toHaveLength(2);
    });

    it('a base of raw bytes stays raw, whatever header is in it [real]', async (context) => {
      if (!haveQemuImg || !isRoot) context.skip(why);
      bytes = qcow2Sample({ backingOffset: 0x1000, backingSize: 11 });
      bytes.write('/etc/passwd', 0x1000);
      const basePath = await store.ensureImage(imageOf(bytes));
      const path = await store.ensureOverlay(overlay({ basePath }));
      const files = chain(path);
      expect(files.map((file) => [file.filename, file.format])).toEqual([
        [path, 'qcow2'],
        [basePath, 'raw'],
      ]);
      expect(files[1]?.['backing-filename']).toBeUndefined();
    });

    it('refuses ids that are paths', async () => {
      for (const instanceId of ['', '..', '../../etc', 'i-0123456789abcdef0/..', 'vol-0123456789abcdef0']) {
        await expect(store.ensureOverlay(overlay({ instanceId }))).rejects.toMatchObject({
          code: 'InvalidParameterValue',
        });
        await expect(store.removeInstanceDir(instanceId)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
      }
      expect(commands).toEqual([]);
    });
  });

  it('says which program is missing on the host', async () => {
    const bare: HostShell = {
      ...shell,
      exec: () => Promise.resolve({ exitCode: 127, stdout: '', stderr: 'not found' }),
    };
    const source = (): Promise<Readable> => Promise.reject(new Error('must not be asked'));
    const remove = createImageStore({ shell: bare, source, clock: new SystemClock(), baseDir }).removeInstanceDir(ID);
    await expect(remove).rejects.toMatchObject({
      code: 'HostError',
      message: expect.stringContaining('installed') as string,
    });
  });

  it('lists and removes the folders of instances, and nothing else [real]', async () => {
    expect(await store.listInstanceDirs()).toEqual([]);
    expect(await readdir(root)).toEqual([]);
    const instances = join(baseDir, 'instances');
    for (const name of [OTHER, ID, 'lost+found', 'i-xyz']) await mkdir(join(instances, name), { recursive: true });
    await writeFile(join(instances, 'i-0123456789abcdef2'), 'a file');
    await writeFile(join(instances, ID, 'disk.qcow2'), 'x');
    expect(await store.listInstanceDirs()).toEqual([ID, OTHER]);
    await store.removeInstanceDir(ID);
    await store.removeInstanceDir(ID);
    expect(await store.listInstanceDirs()).toEqual([OTHER]);
    expect(await readdir(instances)).toHaveLength(4);
  });
});
