import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { createLocalShell } from '../../../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { isCode } from '../../../../../src/base/errors.ts';
import { SystemRandom } from '../../../../../src/base/random.ts';
import type { DiskCaptures } from '../../../../../src/ports/disk-captures.ts';
import type { HostShell } from '../../../../../src/ports/host-shell.ts';
import { createDiskCaptures } from '../../../../../src/workers/drivers/qemu-img/disk-captures.ts';
import { createImageStore } from '../../../../../src/workers/drivers/qemu-img/image-store.ts';

const ID = 'i-0123456789abcdef0';
const IMAGE = 'ami-0123456789abcdef0';
const KEY = 'upload/blob-0123456789abcdef0';
const MIB = 1024 * 1024;
const owner = { uid: 64_055, gid: 102 };
const haveTools = spawnSync('qemu-img', ['--version']).status === 0 && process.getuid?.() === 0;

let root: string;
let baseDir: string;
let shell: HostShell;
let stored: Map<string, Buffer>;
let captures: DiskCaptures;
let base: Buffer;
const told: string[] = [];
const signal = new AbortController().signal;
const onProgress = (step: string): void => void (told.at(-1) === step || told.push(step));

beforeEach(async (ctx: TestContext) => {
  if (!haveTools) ctx.skip('qemu-img and root are needed to make disks of another owner');
  root = mkdtempSync(join(tmpdir(), 'novactl-captures-'));
  chmodSync(root, 0o755);
  baseDir = join(root, 'novactl-host');
  stored = new Map();
  told.length = 0;
  const [clock, random] = [new SystemClock(), new SystemRandom()];
  shell = createLocalShell({ clock, random });
  const blobs = {
    async put(key: string, body: Readable, options: { expectSha256?: string } = {}) {
      const bytes = Buffer.concat((await body.toArray()) as Buffer[]);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (sha256 !== options.expectSha256) throw new Error(`the host said ${options.expectSha256 ?? 'nothing'}`);
      stored.set(key, bytes);
      return { key, sizeBytes: bytes.length, sha256 };
    },
  };
  captures = createDiskCaptures({ shell, blobs, clock, baseDir });
  base = randomBytes(2 * MIB);
  const sha256 = createHash('sha256').update(base).digest('hex');
  const images = createImageStore({ shell, source: () => Promise.resolve(Readable.from([base])), clock, baseDir });
  const basePath = await images.ensureImage({
    ...{ blobKey: 'image/one', sha256, sizeBytes: base.length, format: 'raw', kind: 'machine' },
  });
  await images.ensureOverlay({
    ...{ instanceId: ID, basePath, baseFormat: 'raw', virtualSizeBytes: 8 * MIB, ...owner },
  });
});
afterEach(async () => {
  if (!haveTools) return;
  await shell.close();
  rmSync(root, { recursive: true });
});

const disk = (): string => join(baseDir, 'instances', ID, 'disk.qcow2');
const files = (): string[] => readdirSync(join(baseDir, 'captures')).sort();
const copy = (timeoutMs = 60_000): Promise<void> =>
  captures.copy({ imageId: IMAGE, instanceId: ID, owner, timeoutMs, signal });
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'resolved',
    (error: unknown) => (isCode(error, 'NotFound', 'HostError', 'Timeout') ? error.code : String(error)),
  );

describe('the disk of an instance', () => {
  it('[real] becomes one disk with what the guest wrote and what it stands on, and nothing is left on the host', async () => {
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0xab 1M 64k', disk()]);
    await copy();
    // What is written after the copy is not in the image.
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0xcd 4M 64k', disk()]);
    expect(statSync(join(baseDir, 'captures')).mode & 0o777).toBe(0o700);
    const flat = await captures.flatten({ imageId: IMAGE, blobKey: KEY, owner, signal, onProgress });
    expect(told).toEqual(['flattening', 'sending']);
    expect(flat).toMatchObject({ virtualSizeBytes: 8 * MIB, format: 'qcow2', blob: { key: KEY } });
    const file = join(root, 'flat.qcow2');
    writeFileSync(file, stored.get(KEY) ?? '');
    const info = JSON.parse(execFileSync('qemu-img', ['info', '--output=json', file], { encoding: 'utf8' })) as object;
    expect(info).not.toHaveProperty('backing-filename');
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', file, join(root, 'raw')]);
    const expected = Buffer.alloc(8 * MIB);
    base.copy(expected);
    expected.fill(0xab, MIB, MIB + 64 * 1024);
    const raw = execFileSync('cat', [join(root, 'raw')], { maxBuffer: 16 * MIB });
    expect(raw.equals(expected)).toBe(true);
    await captures.drop(IMAGE);
    expect(files()).toEqual([]);
  });

  it('[real] that is not there is said to be; half-made ones are found by the next session and go', async () => {
    rmSync(disk());
    expect(await codeOf(copy())).toBe('NotFound');
    writeFileSync(disk(), 'no qcow2');
    await copy();
    expect(await codeOf(captures.flatten({ imageId: IMAGE, blobKey: KEY, owner, signal, onProgress }))).toBe(
      'HostError',
    );
    expect(stored.size).toBe(0);
    expect(await captures.leftovers({ remove: true })).toEqual([]);
    const next = createDiskCaptures({
      shell,
      blobs: { put: () => Promise.reject(new Error()) },
      clock: new SystemClock(),
      baseDir,
    });
    const left = [join(baseDir, 'captures', `${IMAGE}.copy.qcow2`)];
    expect(await next.leftovers({ remove: false })).toEqual(left);
    expect(existsSync(left[0] ?? '')).toBe(true);
    expect(await next.leftovers({ remove: true })).toEqual(left);
    expect(files()).toEqual([]);
  });

  it('[real] a backing file that a guest could have written is never followed: only the format that we say counts', async () => {
    // A raw disk whose first bytes say that it is a qcow2 over another file of the host.
    execFileSync('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-u',
      '-b',
      '/etc/shadow',
      '-F',
      'raw',
      join(root, 'evil'),
      '8M',
    ]);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', join(root, 'evil'), disk()]);
    await copy();
    const flat = await captures.flatten({ imageId: IMAGE, blobKey: KEY, owner, signal, onProgress });
    expect(flat.virtualSizeBytes).toBe(Math.ceil(statSync(join(root, 'evil')).size / 512) * 512);
    expect((stored.get(KEY) ?? Buffer.alloc(0)).includes('root:')).toBe(false);
    await captures.drop(IMAGE);
  });

  it('[real] who is paused for an image is noted on the host until it is forgotten', async () => {
    expect(await captures.listPaused()).toEqual([]);
    const guest = { instanceId: ID, domainUuid: '4f3c7f0e-0000-5000-8000-000000000001' };
    await captures.notePaused(guest);
    await captures.notePaused(guest);
    writeFileSync(join(baseDir, 'captures', 'foreign.paused'), 'x');
    expect(await captures.listPaused()).toEqual([guest]);
    expect(await captures.leftovers({ remove: true })).toEqual([]);
    await captures.forgetPaused(ID);
    await captures.forgetPaused(ID);
    expect(await captures.listPaused()).toEqual([]);
  });
});
