import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CloudError, errnoOf, errorText } from '../../base/errors.ts';
import { zipArchive } from '../../base/zip.ts';

export interface SecretFile {
  readonly name: string;
  readonly text: string;
}

/** A place that is kept free, so that nothing secret is made that could not be kept. */
export interface SecretPlace {
  /** Of files that refer to one another; undefined in an archive. */
  readonly folder: string | undefined;
  readonly path: string;
  keep(files: readonly SecretFile[], nowMs: number): void;
  /** Takes it away again when nothing was kept. */
  dropIfEmpty(): void;
}

function refusal(flag: string, path: string, error: unknown): CloudError {
  return errnoOf(error) === 'EEXIST'
    ? new CloudError('AlreadyExists', `${path} exists and is not overwritten; name another by ${flag}`, {
        cause: error,
      })
    : new CloudError('InvalidParameterValue', `${flag}: ${errorText(error)}`, { cause: error });
}

function writeNew(path: string, bytes: Buffer): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    writeSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A folder of mode 0700 that is new or empty; each file 0600. */
export function reserveFolder(path: string): SecretPlace {
  let isNew = false;
  try {
    isNew = mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
    if (readdirSync(path).length > 0)
      throw new CloudError(
        'AlreadyExists',
        `${path} is not empty, and nothing in it is overwritten; name another by --out`,
      );
  } catch (error) {
    throw error instanceof CloudError ? error : refusal('--out', path, error);
  }
  let kept = false;
  return {
    ...{ folder: path, path },
    keep(files) {
      chmodSync(path, 0o700);
      for (const { name, text } of files) {
        mkdirSync(dirname(join(path, name)), { recursive: true, mode: 0o700 });
        writeNew(join(path, name), Buffer.from(text, 'utf8'));
      }
      kept = true;
    },
    dropIfEmpty() {
      if (!kept && isNew) rmSync(path, { recursive: true });
    },
  };
}

/** One archive of mode 0600, whose files are 0600 too. */
export function reserveArchive(path: string): SecretPlace {
  let fd: number;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw refusal('--zip', path, error);
  }
  let kept = false;
  return {
    ...{ folder: undefined, path },
    keep(files, nowMs) {
      const entries = files.map(({ name, text }) => ({ name, bytes: Buffer.from(text, 'utf8'), mode: 0o600 }));
      writeSync(fd, zipArchive(entries, nowMs));
      fsyncSync(fd);
      kept = true;
    },
    dropIfEmpty() {
      closeSync(fd);
      if (!kept) rmSync(path);
    },
  };
}
