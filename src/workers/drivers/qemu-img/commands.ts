import { SHELL_TMP } from '../../../ports/host-shell.ts';

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

/** Makes the folders, parents before children, and sets the mode of those that exist. */
export function makeFoldersArgv(mode: number, folders: readonly string[]): string[] {
  return ['install', '-d', '-m', octal(mode), '--', ...folders];
}

/**
 * The whole making of a disk, so that it costs one command on the host. One that is there stays. Folders, the overlay beside its place, owner and mode, to disk, then its name
 * (unless somebody gave an instance's disk that name meanwhile, which wins), and the names to disk.
 */
const CREATE_OVERLAY = `set -eu
base=$1 instances=$2 folder=$3 tmp=$4 disk=$5
if test -f "$disk"; then exit 0; fi
install -d -m 0711 -- "$base" "$instances" "$folder"
rm -f -- "$tmp"
qemu-img create -q -f qcow2 -b "$6" -F "$7" "$tmp" "$8"
chown -- "$9" "$tmp"
chmod -- 0600 "$tmp"
sync -- "$tmp"
ln -T -- "$tmp" "$disk" 2>/dev/null || test -f "$disk"
rm -f -- "$tmp"
sync -- "$folder" "$instances"`;

/**
 * A qcow2 that holds only what differs from its base. The base's format is written into it: QEMU must never guess it from bytes
 * that a guest could have written.
 */
export function createOverlayArgv(
  at: { baseDir: string; instancesDir: string; folder: string; tmp: string; disk: string },
  overlay: { basePath: string; baseFormat: 'raw' | 'qcow2'; virtualSizeBytes: number; uid: number; gid: number },
): string[] {
  const { baseDir, instancesDir, folder, tmp, disk } = at;
  const { basePath, baseFormat, virtualSizeBytes, uid, gid } = overlay;
  const places = [baseDir, instancesDir, folder, tmp, disk];
  return ['sh', '-c', CREATE_OVERLAY, 'sh', ...places, basePath, baseFormat, String(virtualSizeBytes), `${uid}:${gid}`];
}

/** Everything below, but nothing that is mounted there. */
export function removeTreeArgv(path: string): string[] {
  return ['rm', '-rf', '--one-file-system', '--', path];
}

export function isFolderArgv(path: string): string[] {
  return ['test', '-d', path];
}

export function listFoldersArgv(path: string): string[] {
  return ['find', path, '-mindepth', '1', '-maxdepth', '1', '-type', 'd', '-printf', '%f\\n'];
}

/** What uploads that were cut off left; those under way are younger. */
export function removeStaleTmpArgv(path: string, olderThanMin: number): string[] {
  const name = `${SHELL_TMP.prefix}*${SHELL_TMP.suffix}`;
  return ['find', path, '-maxdepth', '1', '-type', 'f', '-name', name, '-mmin', `+${olderThanMin}`, '-delete'];
}

/** Names of image files that nobody touched for longer, by the host's own clock. */
export function listOldImagesArgv(imagesDir: string, olderThanMin: number): string[] {
  const name = ['-regextype', 'posix-extended', '-regex', '.*/[0-9a-f]{64}'];
  return ['find', imagesDir, '-maxdepth', '1', ...name, '-type', 'f', '-mmin', `+${olderThanMin}`, '-printf', '%f\\n'];
}

/** Paths of what uploads that were cut off left. */
export function listStaleTmpArgv(path: string, olderThanMin: number): string[] {
  return [...removeStaleTmpArgv(path, olderThanMin).slice(0, -1), '-printf', '%p\\n'];
}

export function removeFilesArgv(paths: readonly string[]): string[] {
  return ['rm', '-f', '--', ...paths];
}

/** Free bytes for files in the folder, on a line after a heading. */
export function freeBytesArgv(path: string): string[] {
  return ['df', '-B1', '--output=avail', '--', path];
}

/** undefined when the answer is not understood. */
export function parseFreeBytes(stdout: string): number | undefined {
  const match = /^\s*Avail\s+(\d+)\s*$/.exec(stdout);
  return match === null ? undefined : Number(match[1]);
}
