import fs from 'node:fs/promises';
import path from 'node:path';
import { freeBytes } from '../../base/free-bytes.ts';
import { acquireStateLock, type LockHolder, type StateLock } from './state-lock.ts';

/** An open file of ours: written at known places by one writer. */
export interface PortFile {
  /** Writes all of it, or rejects. */
  write(data: Uint8Array, position: number): Promise<void>;
  /** The bytes, and what is needed to find them again, are on stable storage (fdatasync). */
  datasync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * What the file engine asks of a file system. Injected, so that tests can make each step slow, fail, or be the last one before a
 * power cut. Errors are Node's (`code` ENOSPC, EIO ...).
 */
export interface FilePort {
  /** Creates the folder (0700) and those above it; what exists is left as it is. */
  makeDir(dir: string): Promise<void>;
  /** File names in the folder. */
  list(dir: string): Promise<string[]>;
  /** Undefined when the file is absent. */
  read(file: string): Promise<Buffer | undefined>;
  /** Opens for writing; makes the file (0600) when it is absent, empties it when `truncate`. */
  open(file: string, options: { truncate: boolean }): Promise<PortFile>;
  /** Replaces the target. */
  rename(from: string, to: string): Promise<void>;
  /** Absent is success. */
  remove(file: string): Promise<void>;
  /** Names made, replaced and removed in the folder are on stable storage. */
  syncDir(dir: string): Promise<void>;
  /** What an ordinary user may still write there. */
  freeBytes(dir: string): Promise<number>;
  /** Keeps other processes out of the folder; CloudError 'LockBusy'. */
  lock(dir: string, holder: LockHolder): Promise<StateLock>;
}

class SystemFile implements PortFile {
  readonly #handle: fs.FileHandle;

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async write(data: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < data.length) {
      const { bytesWritten } = await this.#handle.write(data, done, data.length - done, position + done);
      done += bytesWritten;
    }
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  async truncate(bytes: number): Promise<void> {
    await this.#handle.truncate(bytes);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await fs.open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The machine's own file system. */
export const systemFiles: FilePort = {
  async makeDir(dir) {
    const made = await fs.mkdir(dir, { recursive: true, mode: 0o700 });
    // A new folder's own name must last too, or everything in it is lost with it.
    if (made !== undefined) await syncFolder(path.dirname(made));
  },
  list: (dir) => fs.readdir(dir),
  async read(file) {
    try {
      return await fs.readFile(file);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  },
  async open(file, { truncate }) {
    const { O_WRONLY, O_CREAT, O_TRUNC } = fs.constants;
    return new SystemFile(await fs.open(file, O_WRONLY | O_CREAT | (truncate ? O_TRUNC : 0), 0o600));
  },
  rename: (from, to) => fs.rename(from, to),
  remove: (file) => fs.rm(file, { force: true }),
  syncDir: syncFolder,
  freeBytes,
  lock: (dir, holder) => acquireStateLock({ dir, holder, name: 'store' }),
};
