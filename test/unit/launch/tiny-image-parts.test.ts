import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLocalShell } from '../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { HostShell } from '../../../src/ports/host-shell.ts';
import { buildTinyImage } from '../../../src/launch/tiny-image/build-tiny.ts';
import { cpioArchive, type CpioEntry } from '../../../src/launch/tiny-image/cpio-archive.ts';
import { parseLdd } from '../../../src/launch/tiny-image/guest-files.ts';
import { requireTools } from '../../../src/launch/tiny-image/host-tools.ts';
import { loadOrder } from '../../../src/launch/tiny-image/kernel-modules.ts';
import { kernelPackageOf } from '../../../src/launch/tiny-image/kernel-package.ts';
import { tinyImage } from '../../support/tiny-image.ts';

const ENTRIES: readonly CpioEntry[] = [
  { kind: 'file', path: 'b', mode: 0o640, body: Buffer.from('hello') },
  { kind: 'folder', path: 'a', mode: 0o755 },
  { kind: 'link', path: 'a/l', target: '../b' },
  { kind: 'device', path: 'a/console', mode: 0o600, major: 5, minor: 1 },
  { kind: 'file', path: 'a/empty', mode: 0o755, body: Buffer.alloc(0) },
];

describe('cpio archive', () => {
  it('is what cpio lists [real]', (context) => {
    if (spawnSync('cpio', ['--version']).status !== 0) context.skip('cpio is not installed');
    const listing = execFileSync('cpio', ['-itvn', '--quiet'], {
      input: cpioArchive(ENTRIES),
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' },
    });
    const rows = listing.trimEnd().split('\n');
    expect(rows.map((row) => row.replace(/ +/g, ' '))).toEqual([
      'drwxr-xr-x 2 0 0 0 Jan 1 1970 a',
      'crw------- 1 0 0 5, 1 Jan 1 1970 a/console',
      '-rwxr-xr-x 1 0 0 0 Jan 1 1970 a/empty',
      'lrwxrwxrwx 1 0 0 4 Jan 1 1970 a/l -> ../b',
      '-rw-r----- 1 0 0 5 Jan 1 1970 b',
    ]);
  });

  it('depends on the entries alone, not on their order', () => {
    expect(cpioArchive([...ENTRIES].reverse()).equals(cpioArchive(ENTRIES))).toBe(true);
    expect(cpioArchive(ENTRIES).length % 512).toBe(0);
  });

  it('refuses a path that comes twice', () => {
    expect(() => cpioArchive([...ENTRIES, { kind: 'folder', path: 'b', mode: 0o755 }])).toThrowError('b is twice');
  });
});

describe('kernel modules', () => {
  const dep = [
    'kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko kernel/virtio.ko',
    'kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko',
    'kernel/net/core/failover.ko:',
    'kernel/virtio.ko.xz:',
    'kernel/virtio.ko:',
    'kernel/char/virtio-rng.ko: kernel/virtio.ko',
  ].join('\n');

  it('are loaded after what they need, once each, whatever the dash', () => {
    expect(loadOrder(['virtio_net', 'virtio_rng'], dep, '').order.map((path) => path.split('/').at(-1))).toEqual([
      'virtio.ko',
      'failover.ko',
      'net_failover.ko',
      'virtio_net.ko',
      'virtio-rng.ko',
    ]);
  });

  it('may be built in; else they are missing', () => {
    const builtin = 'kernel/drivers/acpi/button.ko\nkernel/fs/ext4/ext4.ko\n';
    expect(loadOrder(['button', 'ext4', 'zfs'], dep, builtin)).toEqual({ order: [], missing: ['zfs'] });
  });
});

describe('what the packages say', () => {
  it.each([
    [
      'Package: linux-image-cloud-amd64\nDepends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)\n',
      'linux-image-6.1.0-56-cloud-amd64',
    ],
    ['Depends: foo (>= 1), linux-image-6.12.48+deb13-cloud-arm64 (= 6.12)\n', 'linux-image-6.12.48+deb13-cloud-arm64'],
    ['Package: x\nDepends: linux-image-generic\n', undefined],
    ['', undefined],
  ])('the kernel that the meta package means: %j', (text, name) => {
    expect(kernelPackageOf(text)).toBe(name);
  });

  it('the libraries of a program, and the loader', () => {
    const text = [
      '\tlinux-vdso.so.1 (0x00007fe281daa000)',
      '\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007fe281c4e000)',
      '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fe281a30000)',
      '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fe281a30000)',
      '\t/lib64/ld-linux-x86-64.so.2 (0x00007fe281dac000)',
    ].join('\n');
    expect(parseLdd(text)).toEqual([
      '/lib/x86_64-linux-gnu/libz.so.1',
      '/lib/x86_64-linux-gnu/libc.so.6',
      '/lib64/ld-linux-x86-64.so.2',
    ]);
  });
});

describe('missing packages', () => {
  const shell = (lddExit: number): HostShell => ({
    ...createLocalShell({ clock: new SystemClock(), random: new SystemRandom() }),
    exec: () => Promise.resolve({ exitCode: lddExit, stdout: '', stderr: '' }),
  });

  it('are named, all at once', async () => {
    const bare = requireTools(shell(1), (path) => Promise.resolve(!/dropbear|busybox|qemu-img|depmod/.test(path)));
    await expect(bare).rejects.toMatchObject({
      code: 'UnsupportedOperation',
      message: expect.stringContaining('apt-get install busybox-static dropbear-bin kmod qemu-utils') as string,
    });
  });

  it('a busybox that needs libraries is the wrong one', async () => {
    const wrong = requireTools(shell(0), () => Promise.resolve(true));
    await expect(wrong).rejects.toMatchObject({ details: { packages: ['busybox-static'] } });
    expect(await requireTools(shell(1), () => Promise.resolve(true))).toEqual({ busybox: '/bin/busybox' });
  });
});

describe('the scripts of the guest', () => {
  const folder = join(import.meta.dirname, '../../../src/launch/tiny-image/assets');

  it.each(readdirSync(folder).filter((name) => name !== 'inittab'))('%s is sh', (name) => {
    const { status, stderr } = spawnSync('sh', ['-n', join(folder, name)], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe('building [real]', () => {
  it('twice gives the same bytes', async (context) => {
    const first = await tinyImage();
    if (typeof first === 'string') {
      context.skip(first);
      return;
    }
    const outDir = mkdtempSync(join(tmpdir(), 'novactl-again-'));
    try {
      const steps: string[] = [];
      const cacheDir = join(first.ramdiskPath, '../../kernel');
      const clock = new SystemClock();
      const again = await buildTinyImage({ outDir, cacheDir, clock, onStep: (text) => steps.push(text) });
      for (const path of ['kernelPath', 'ramdiskPath', 'rootDiskPath'] as const) {
        expect([path, readFileSync(again[path]).equals(readFileSync(first[path]))]).toEqual([path, true]);
      }
      expect(steps.at(-1)).toContain(`kernel ${again.kernelVersion}`);
      expect(readdirSync(outDir).sort()).toEqual(['initrd.gz', 'root.qcow2', 'vmlinuz']);
    } finally {
      rmSync(outDir, { recursive: true });
    }
  }, 300_000);

  it('ends when it is told to', async () => {
    const outDir = mkdtempSync(join(tmpdir(), 'novactl-abort-'));
    try {
      const signal = AbortSignal.abort(new Error('enough'));
      const build = buildTinyImage({ outDir, clock: new SystemClock(), onStep: () => undefined, signal });
      await expect(build).rejects.toThrowError(/enough|missing/);
    } finally {
      rmSync(outDir, { recursive: true });
    }
  });
});
