import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { CloudError } from '../../base/errors.ts';
import type { HostShell } from '../../ports/host-shell.ts';
import type { CpioEntry } from './cpio-archive.ts';
import { runTool } from './host-tools.ts';
import { loadOrder, moduleName } from './kernel-modules.ts';
import type { UnpackedKernel } from './kernel-package.ts';

/** Where each asset goes in the guest. */
const SCRIPTS: readonly { readonly asset: string; readonly path: string; readonly mode: number }[] = [
  { asset: 'init', path: 'init', mode: 0o755 },
  { asset: 'inittab', path: 'etc/inittab', mode: 0o644 },
  { asset: 'profile', path: 'etc/profile', mode: 0o644 },
  { asset: 'common', path: 'etc/novactl/common', mode: 0o644 },
  { asset: 'boot', path: 'etc/novactl/boot', mode: 0o755 },
  { asset: 'console', path: 'etc/novactl/console', mode: 0o755 },
  { asset: 'dhcp-event', path: 'etc/novactl/dhcp-event', mode: 0o755 },
  { asset: 'shutdown', path: 'etc/novactl/shutdown', mode: 0o755 },
  { asset: 'metadata', path: 'bin/metadata', mode: 0o755 },
  // Where acpid of busybox looks for what to do at the power button.
  { asset: 'power-button', path: 'etc/acpi/PWRF/00000080', mode: 0o755 },
];

const TEXTS: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/shadow': 'root:*:1::::::\n',
  'etc/group': 'root:x:0:\ntty:x:5:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
  'etc/hosts': '127.0.0.1 localhost\n',
  'etc/hostname': 'tiny\n',
};

const FOLDERS = ['dev', 'proc', 'sys', 'tmp', 'run', 'etc', 'root', 'bin', 'lib', 'usr', 'var', 'state', 'etc/novactl'];
const MORE_FOLDERS = ['etc/acpi', 'etc/acpi/PWRF', 'lib/modules', 'usr/lib'];
/** One folder of programs under all its usual names. */
const LINKS: Readonly<Record<string, string>> = {
  sbin: 'bin',
  'usr/bin': '../bin',
  'usr/sbin': '../bin',
  'var/run': '../run',
  'var/log': '../run',
};

/** Each is loaded if the kernel has it as a module; one that it has not at all is an error. */
export const WANTED_MODULES = [
  'button',
  'evdev',
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'virtio_scsi',
  'sd_mod',
  'virtio_rng',
  'isofs',
] as const;
/** Loaded where there is such a thing: the power button of arm64 guests that boot without firmware. */
const WELCOME_MODULES = ['gpio_keys'] as const;

/** The scripts of the guest, beside this file in the sources and under assets/ beside the bundle. */
function assetFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = ['assets', 'assets/tiny-image', '../assets/tiny-image', '../../assets/tiny-image'].map((place) =>
    join(here, place),
  );
  const found = places.find((place) => existsSync(join(place, 'inittab')));
  if (found === undefined)
    throw new CloudError('InternalError', `the tiny image's scripts are in none of ${places.join(', ')}`);
  return found;
}

async function scripts(): Promise<CpioEntry[]> {
  const folder = assetFolder();
  return Promise.all(
    SCRIPTS.map(async ({ asset, path, mode }) => {
      return { kind: 'file', path, mode, body: await readFile(join(folder, asset)) } as const;
    }),
  );
}

function skeleton(): CpioEntry[] {
  const folders = [...FOLDERS, ...MORE_FOLDERS].map((path) => {
    return { kind: 'folder', path, mode: path === 'root' ? 0o700 : path === 'tmp' ? 0o1777 : 0o755 } as const;
  });
  const links = Object.entries(LINKS).map(([path, target]) => ({ kind: 'link', path, target }) as const);
  const texts = Object.entries(TEXTS).map(([path, text]) => {
    return { kind: 'file', path, mode: path === 'etc/shadow' ? 0o600 : 0o644, body: Buffer.from(text) } as const;
  });
  // The kernel opens it for process 1 before anything is mounted.
  const console = { kind: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 } as const;
  // Scripts of users often ask for bash.
  const bash = {
    kind: 'file',
    path: 'bin/bash',
    mode: 0o755,
    body: Buffer.from('#!/bin/sh\nexec /bin/sh "$@"\n'),
  } as const;
  return [...folders, ...links, ...texts, console, bash];
}

async function busybox(shell: HostShell, path: string): Promise<CpioEntry[]> {
  const applets = (await runTool(shell, [path, '--list']))
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox');
  const links = applets.map((name) => ({ kind: 'link', path: `bin/${name}`, target: 'busybox' }) as const);
  return [{ kind: 'file', path: 'bin/busybox', mode: 0o755, body: await readFile(path) }, ...links];
}

/** The libraries and the loader of a program, from what ldd says. Absolute paths. */
export function parseLdd(text: string): string[] {
  const paths = text.split('\n').flatMap((line) => {
    const match = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)\s*$/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
  return [...new Set(paths)];
}

/** The program and what it is linked with, each under the path where the loader looks for it. */
async function dynamicPrograms(shell: HostShell, programs: readonly string[]): Promise<CpioEntry[]> {
  const libraries = new Set<string>();
  for (const program of programs)
    for (const path of parseLdd(await runTool(shell, ['ldd', program]))) libraries.add(path);
  const files = programs.map((path): [string, string] => [path, `bin/${path.slice(path.lastIndexOf('/') + 1)}`]);
  for (const path of libraries) files.push([path, path.slice(1)]);
  const folders = new Set<string>();
  for (const [, path] of files) {
    for (let at = dirname(path); at !== '.'; at = dirname(at)) folders.add(at);
  }
  const known = new Set([...FOLDERS, ...MORE_FOLDERS, ...Object.keys(LINKS)]);
  const newFolders = [...folders].filter((path) => !known.has(path));
  return [
    ...newFolders.map((path) => ({ kind: 'folder', path, mode: 0o755 }) as const),
    ...(await Promise.all(
      files.map(async ([from, path]) => ({ kind: 'file', path, mode: 0o755, body: await readFile(from) }) as const),
    )),
  ];
}

async function plainModule(shell: HostShell, path: string): Promise<Buffer> {
  if (path.endsWith('.gz')) return gunzipSync(await readFile(path));
  if (path.endsWith('.zst')) return zstdDecompressSync(await readFile(path));
  if (!path.endsWith('.xz')) return readFile(path);
  const text = await runTool(shell, ['sh', '-c', 'xz -dc -- "$1" | base64', 'sh', path]);
  return Buffer.from(text, 'base64');
}

async function modules(shell: HostShell, kernel: UnpackedKernel): Promise<CpioEntry[]> {
  const { order, missing } = loadOrder(
    [...WELCOME_MODULES, ...WANTED_MODULES],
    kernel.modulesDep,
    kernel.modulesBuiltin,
  );
  const lacking = missing.filter((name) => !(WELCOME_MODULES as readonly string[]).includes(name));
  if (lacking.length > 0) {
    throw new CloudError('UnsupportedOperation', `the kernel ${kernel.release} has no ${lacking.join(', ')}`);
  }
  const names = order.map((path) => `${moduleName(path)}.ko`);
  const files = order.map(async (path, index) => {
    const body = await plainModule(shell, join(kernel.modulesDir, path));
    return { kind: 'file', path: `lib/modules/${names[index] ?? ''}`, mode: 0o644, body } as const;
  });
  const list = Buffer.from(`${names.join('\n')}\n`);
  return [...(await Promise.all(files)), { kind: 'file', path: 'lib/modules/order', mode: 0o644, body: list }];
}

/** Everything in the guest's memory file system. */
export async function guestFiles(
  shell: HostShell,
  parts: { busybox: string; kernel: UnpackedKernel },
): Promise<CpioEntry[]> {
  const groups = await Promise.all([
    scripts(),
    busybox(shell, parts.busybox),
    dynamicPrograms(shell, ['/usr/sbin/dropbear', '/usr/bin/dropbearkey']),
    modules(shell, parts.kernel),
  ]);
  return [...skeleton(), ...groups.flat()];
}
