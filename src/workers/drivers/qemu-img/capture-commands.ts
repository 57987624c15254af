import type { DiskOwner } from '../../../ports/disk-captures.ts';
import { MIB } from '../../../base/units.ts';

/** qemu-img reads what a guest wrote: it gets QEMU's own rights and no more memory than this. */
const CONVERT_MEMORY_BYTES = 4096 * MIB;

/** Only QEMU's user may look into the folder: a copy holds all that the guest's disk does. */
const COPY_DISK = `set -eu
install -d -m 0711 -- "$1"
install -d -m 0700 -o "$5" -g "$6" -- "$2"
rm -f -- "$4"
cp --reflink=auto --sparse=always -- "$3" "$4"
chown -- "$5:$6" "$4"`;

/** Where the file system can, the copy shares its blocks and takes no time; else holes stay holes. */
export function copyDiskArgv(
  at: { baseDir: string; capturesDir: string; disk: string; copy: string },
  { uid, gid }: DiskOwner,
): string[] {
  const places = [at.baseDir, at.capturesDir, at.disk, at.copy];
  return ['sh', '-c', COPY_DISK, 'sh', ...places, String(uid), String(gid)];
}

function unprivileged({ uid, gid }: DiskOwner, argv: readonly string[]): string[] {
  const ids = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--no-new-privs'];
  return ['setpriv', ...ids, '--', 'prlimit', `--as=${CONVERT_MEMORY_BYTES}`, ...argv];
}

/** Bytes that the flat disk will take. The format is said: QEMU must never guess it from what a guest wrote. */
export function measureArgv(copy: string, owner: DiskOwner): string[] {
  return unprivileged(owner, ['qemu-img', 'measure', '-f', 'qcow2', '-O', 'qcow2', '--output=json', copy]);
}

/** undefined when the answer is not understood. */
export function parseMeasured(stdout: string): number | undefined {
  return numberOf(stdout, 'required');
}

/**
 * Not compressed: that costs minutes of a processor that guests need, for bytes that blobs and hosts keep once, and every guest would pay at each read.
 */
export function flattenArgv(copy: string, flat: string, owner: DiskOwner): string[] {
  return unprivileged(owner, ['qemu-img', 'convert', '-q', '-f', 'qcow2', '-O', 'qcow2', '--', copy, flat]);
}

export function infoArgv(flat: string, owner: DiskOwner): string[] {
  return unprivileged(owner, ['qemu-img', 'info', '-f', 'qcow2', '--output=json', flat]);
}

/** undefined when the answer is not understood. */
export function parseVirtualSize(stdout: string): number | undefined {
  return numberOf(stdout, 'virtual-size');
}

function numberOf(json: string, field: string): number | undefined {
  try {
    const value = (JSON.parse(json) as Record<string, unknown>)[field];
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Size in bytes, and bytes that the file takes on the disk. */
export function sizesArgv(path: string): string[] {
  return ['stat', '-c', '%s %b %B', '--', path];
}

export function parseSizes(stdout: string): { sizeBytes: number; takenBytes: number } {
  const [size, blocks, block] = stdout.trim().split(' ').map(Number);
  return { sizeBytes: size ?? 0, takenBytes: (blocks ?? 0) * (block ?? 0) };
}

export function digestArgv(path: string): string[] {
  return ['sha256sum', '-b', '--', path];
}

/** undefined when the answer is not understood. */
export function parseDigest(stdout: string): string | undefined {
  return /^\\?([0-9a-f]{64}) /.exec(stdout)?.[1];
}

export function listFilesArgv(folder: string): string[] {
  return ['find', folder, '-mindepth', '1', '-maxdepth', '1', '-type', 'f', '-printf', '%f\\n'];
}
