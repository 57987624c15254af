import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { HostShell } from '../../ports/host-shell.ts';
import { runTool } from './host-tools.ts';

/** A Debian kernel package, unpacked and never installed. */
export interface UnpackedKernel {
  /** `6.1.0-56-cloud-amd64` */
  readonly release: string;
  readonly imagePath: string;
  /** Paths in modulesDep are relative to it. */
  readonly modulesDir: string;
  readonly modulesDep: string;
  readonly modulesBuiltin: string;
}

const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;
const UNPACK_TIMEOUT_MS = 3 * 60_000;
const WORK_PREFIX = 'work-';
const STALE_WORK_MS = 60 * 60_000;

/** The kernel package that Debian's meta package means today, from the text of `apt-cache show`; undefined if it names none. */
export function kernelPackageOf(aptCacheShow: string): string | undefined {
  return /^Depends:.*?\b(linux-image-\d[^\s,(]*-cloud-(?:amd64|arm64))\b/m.exec(aptCacheShow)?.[1];
}

interface Where {
  readonly shell: HostShell;
  readonly clock: Clock;
  readonly cacheDir: string;
  readonly debianArch: string;
  readonly onStep: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What apt has to know of the network, which the shell keeps from commands. */
function networkEnv(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'APT_CONFIG'];
  const set = names.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(set);
}

const unpackedName = (name: string): string => `unpacked-${name}`;

async function newestUnpacked({ cacheDir, debianArch }: Where): Promise<string | undefined> {
  const names = await readdir(cacheDir);
  const kernels = names.filter((name) => name.startsWith(unpackedName('')) && name.endsWith(debianArch));
  const order = new Intl.Collator('en', { numeric: true });
  return kernels.sort((a, b) => order.compare(a, b)).at(-1);
}

/** Removes what builds that were killed left, but nothing that one beside us may be working in. */
async function removeStaleWork({ cacheDir, clock }: Where): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    const path = join(cacheDir, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
    if (clock.nowMs() - mtimeMs > STALE_WORK_MS) await rm(path, { recursive: true, force: true });
  }
}

async function removeOthers({ cacheDir }: Where, keep: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (name.startsWith(unpackedName('')) && name !== keep)
      await rm(join(cacheDir, name), { recursive: true, force: true });
  }
}

async function download(where: Where, name: string, folder: string): Promise<string> {
  const { shell, signal, onStep } = where;
  onStep(`downloading ${name}`);
  // As root apt would fetch as its own user, who cannot write here.
  const argv = ['env', '-C', folder, 'apt-get', '-q', '-o', 'APT::Sandbox::User=root', 'download', name];
  await runTool(shell, argv, { signal, timeoutMs: DOWNLOAD_TIMEOUT_MS, env: networkEnv() });
  const deb = (await readdir(folder)).find((file) => file.endsWith('.deb'));
  if (deb === undefined) throw new CloudError('HostError', `apt-get download ${name} left no package in ${folder}`);
  return join(folder, deb);
}

async function unpack(where: Where, name: string): Promise<void> {
  const { shell, cacheDir, signal, onStep } = where;
  await removeStaleWork(where);
  const work = await mkdtemp(join(cacheDir, WORK_PREFIX));
  try {
    const deb = await download(where, name, work);
    onStep(`unpacking ${name}`);
    const tree = join(work, 'tree');
    await runTool(shell, ['dpkg-deb', '-x', deb, tree], { signal, timeoutMs: UNPACK_TIMEOUT_MS });
    // From Debian 13 on the modules are under usr/lib; depmod looks in lib.
    if (!(await there(join(tree, 'lib')))) await symlink('usr/lib', join(tree, 'lib'));
    const [release = ''] = await readdir(join(tree, 'lib/modules'));
    await runTool(shell, ['depmod', '-b', tree, release], { signal });
    await rename(tree, join(cacheDir, unpackedName(name))).catch(async (error: unknown) => {
      // Another build was faster.
      if (!(await there(join(cacheDir, unpackedName(name))))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const there = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The folder in the cache; downloaded if need be. Without a network a kernel that is there already will do. */
async function cached(where: Where): Promise<string> {
  const { shell, debianArch, signal, onStep, cacheDir } = where;
  const meta = `linux-image-cloud-${debianArch}`;
  const shown = await shell.exec(['apt-cache', 'show', '--no-all-versions', meta], { ...(signal ? { signal } : {}) });
  const name = kernelPackageOf(shown.stdout);
  if (name !== undefined && (await there(join(cacheDir, unpackedName(name))))) return unpackedName(name);
  try {
    if (name !== undefined) {
      await unpack(where, name);
      await removeOthers(where, unpackedName(name));
      return unpackedName(name);
    }
    throw new CloudError(
      'HostError',
      `apt knows no kernel package ${meta}: run apt-get update first (Debian 12 or 13)`,
    );
  } catch (error) {
    const old = signal?.aborted === true ? undefined : await newestUnpacked(where);
    if (old === undefined) throw error;
    onStep(`${errorText(error)}; taking the kernel of an earlier download`);
    return old;
  }
}

/** Finds Debian's current cloud kernel for this machine, downloads and unpacks it into the cache if it is not there. */
export async function fetchKernel(where: Where): Promise<UnpackedKernel> {
  await mkdir(where.cacheDir, { recursive: true });
  const root = join(where.cacheDir, await cached(where));
  const [release = ''] = await readdir(join(root, 'lib/modules'));
  const modulesDir = join(root, 'lib/modules', release);
  return {
    release,
    imagePath: join(root, 'boot', `vmlinuz-${release}`),
    modulesDir,
    modulesDep: await readFile(join(modulesDir, 'modules.dep'), 'utf8'),
    modulesBuiltin: await readFile(join(modulesDir, 'modules.builtin'), 'utf8'),
  };
}
