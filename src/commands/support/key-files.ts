import { closeSync, fsyncSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CloudError, errnoOf, errorText } from '../../base/errors.ts';
import { userDirs } from '../../base/user-dirs.ts';
import type { Env } from './io.ts';

/** Where the private half of a key pair is kept. */
export function keyPath(env: Env, keyName: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(keyName)) {
    const allowed = '1 to 128 letters, digits, ".", "_" or "-", starting with a letter or digit';
    throw new CloudError('InvalidParameterValue', `NAME must be ${allowed}, not "${keyName}"`);
  }
  return join(userDirs(env).configDir, 'keys', `${keyName}.pem`);
}

export interface KeyFile {
  /** Writes the key and makes it last. */
  keep(material: string): void;
  /** Takes the file away again when no key was written. */
  dropIfEmpty(): void;
}

/** A new file of mode 0600; one that exists is refused. */
export function reserveKeyFile(path: string): KeyFile {
  let fd: number;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') {
      throw new CloudError('AlreadyExists', `${path} exists and is not overwritten; name another by --out`, {
        cause: error,
      });
    }
    throw new CloudError('InvalidParameterValue', `--out: ${errorText(error)}`, { cause: error });
  }
  let kept = false;
  return {
    keep(material) {
      writeSync(fd, material.endsWith('\n') ? material : `${material}\n`);
      fsyncSync(fd);
      kept = true;
    },
    dropIfEmpty() {
      closeSync(fd);
      if (!kept) unlinkSync(path);
    },
  };
}
