import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { createLocalShell } from '../../adapters/host-shell/local-shell.ts';
import type { Clock } from '../../base/clock.ts';
import { writeDurably } from '../../base/durable-file.ts';
import { CloudError } from '../../base/errors.ts';
import { SystemRandom } from '../../base/random.ts';
import { humanBytes, MIB } from '../../base/units.ts';
import type { HostShell } from '../../ports/host-shell.ts';
import { cpioArchive } from './cpio-archive.ts';
import { guestFiles } from './guest-files.ts';
import { DEBIAN_ARCH, requireTools, runTool } from './host-tools.ts';
import { fetchKernel } from './kernel-package.ts';

export interface TinyImage {
  readonly kernelPath: string;
  readonly ramdiskPath: string;
  /** qcow2, 16 MiB: an empty ext4 file system labelled `novactl-tiny`, where the guest keeps its host key. */
  readonly rootDiskPath: string;
  readonly kernelVersion: string;
  readonly architecture: 'x86_64' | 'arm64';
  /** The kernel's command line that suits it. */
  readonly kernelArgs: string;
}

export interface TinyImageOptions {
  readonly outDir: string;
  /** Keeps the unpacked kernel, for the next build. Default `<outDir>/cache`. */
  readonly cacheDir?: string;
  readonly clock: Clock;
  readonly onStep: (text: string) => void;
  readonly signal?: AbortSignal;
}

const ROOT_DISK_BYTES = 16 * MIB;
const CONSOLE = { x86_64: 'ttyS0', arm64: 'ttyAMA0' } as const;
/** What the kernel may leave out in a guest that lives for minutes: half a second of 4 where the processor is emulated. */
const QUICK_BOOT = 'quiet cryptomgr.notests nokaslr rcupdate.rcu_expedited=1';
/** Fixed, so that two builds give the same bytes. */
const FILE_SYSTEM_ID = '6e6f7661-6374-4c00-8000-74696e790001';

async function writeRamdisk(path: string, archive: Buffer): Promise<number> {
  // Level 6: a higher one makes it 1 % smaller, and every boot waits the longer for it.
  const packed = await promisify(gzip)(archive, { level: 6 });
  await writeWhole(path, packed);
  return packed.length;
}

async function writeWhole(path: string, body: Uint8Array): Promise<void> {
  const tmpPath = `${path}.tmp`;
  await rm(tmpPath, { force: true });
  await writeDurably(path, [body], { mode: 0o644, tmpPath });
}

async function makeRootDisk(shell: HostShell, path: string, signal: AbortSignal | undefined): Promise<void> {
  const raw = `${path}.raw`;
  const tmp = `${path}.tmp`;
  await runTool(shell, ['truncate', '-s', String(ROOT_DISK_BYTES), raw], { signal });
  const features = ['-t', 'ext4', '-O', '^64bit,^metadata_csum', '-J', 'size=1', '-m', '0', '-L', 'novactl-tiny'];
  const fixed = ['-U', FILE_SYSTEM_ID, '-E', `hash_seed=${FILE_SYSTEM_ID},lazy_itable_init=0`];
  const env = { E2FSPROGS_FAKE_TIME: '1', SOURCE_DATE_EPOCH: '1' };
  await runTool(shell, ['mke2fs', '-q', '-F', ...features, ...fixed, raw], { signal, env });
  await runTool(shell, ['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, tmp], { signal });
  await rename(tmp, path);
  await rm(raw);
}

/**
 * Makes the test guest of this project from Debian's own packages: the cloud kernel (downloaded and unpacked, never installed) and a
 * memory file system with busybox and dropbear. The same packages give the same bytes.
 * CloudError 'UnsupportedOperation' names what is missing here; 'HostError' what failed.
 */
export async function buildTinyImage(options: TinyImageOptions): Promise<TinyImage> {
  const { outDir, clock, onStep, signal } = options;
  const arch = DEBIAN_ARCH[process.arch];
  if (arch === undefined) {
    throw new CloudError(
      'UnsupportedOperation',
      `there is no tiny image for ${process.arch}; x86-64 and arm64 have one`,
    );
  }
  const shell = createLocalShell({ clock, random: new SystemRandom(), name: 'here' });
  try {
    const { busybox } = await requireTools(shell);
    await mkdir(outDir, { recursive: true });
    const cacheDir = options.cacheDir ?? join(outDir, 'cache');
    const kernel = await fetchKernel({ shell, clock, cacheDir, debianArch: arch.debian, onStep, signal });
    const paths = {
      kernelPath: join(outDir, 'vmlinuz'),
      ramdiskPath: join(outDir, 'initrd.gz'),
      rootDiskPath: join(outDir, 'root.qcow2'),
    };
    onStep(`packing the ramdisk (kernel ${kernel.release})`);
    const size = await writeRamdisk(paths.ramdiskPath, cpioArchive(await guestFiles(shell, { busybox, kernel })));
    await writeWhole(paths.kernelPath, await readFile(kernel.imagePath));
    signal?.throwIfAborted();
    onStep('making the root disk');
    await makeRootDisk(shell, paths.rootDiskPath, signal);
    onStep(`the tiny image is ready: kernel ${kernel.release}, ramdisk ${humanBytes(size)}`);
    return {
      ...paths,
      kernelVersion: kernel.release,
      architecture: arch.ec2,
      kernelArgs: `console=${CONSOLE[arch.ec2]} ${QUICK_BOOT}`,
    };
  } finally {
    await shell.close();
  }
}
