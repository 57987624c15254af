import { SHELL_TMP } from '../../../ports/host-shell.ts';

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

/** Makes the folders, parents before children, and sets the mode of those that exist. */
export function makeFoldersArgv(mode: number, folders: readonly string[]): string[] {
  return ['install', '-d', '-m', octal(mode), '--', ...folders];
}

/**
 * A qcow2 that holds only what differs from its base. The base's format is written into it: QEMU must never guess it from bytes
 * that a guest could have written.
 */
export function createOverlayArgv(overlay: {
  path: string;
  basePath: string;
  baseFormat: 'raw' | 'qcow2';
  virtualSizeBytes: number;
}): string[] {
  const { path, basePath, baseFormat, virtualSizeBytes } = overlay;
  return ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', basePath, '-F', baseFormat, path, String(virtualSizeBytes)];
}

export function ownArgv(uid: number, gid: number, path: string): string[] {
  return ['chown', '--', `${uid}:${gid}`, path];
}

export function modeArgv(mode: number, path: string): string[] {
  return ['chmod', '--', octal(mode), path];
}

/** Bytes and names to disk. */
export function syncArgv(...paths: string[]): string[] {
  return ['sync', '--', ...paths];
}

/** Gives the file its name unless that is taken; the exit code is then 1. */
export function nameUnlessTakenArgv(from: string, to: string): string[] {
  return ['ln', '-T', '--', from, to];
}

export function removeFileArgv(path: string): string[] {
  return ['rm', '-f', '--', path];
}

/** Everything below, but nothing that is mounted there. */
export function removeTreeArgv(path: string): string[] {
  return ['rm', '-rf', '--one-file-system', '--', path];
}

export function fileSizeArgv(path: string): string[] {
  return ['stat', '-c', '%s', '--', path];
}

export function isFileArgv(path: string): string[] {
  return ['test', '-f', path];
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

/** Free bytes for files in the folder, on a line after a heading. */
export function freeBytesArgv(path: string): string[] {
  return ['df', '-B1', '--output=avail', '--', path];
}

/** undefined when the answer is not understood. */
export function parseFreeBytes(stdout: string): number | undefined {
  const match = /^\s*Avail\s+(\d+)\s*$/.exec(stdout);
  return match === null ? undefined : Number(match[1]);
}
