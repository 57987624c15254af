import fs from 'node:fs/promises';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CloudError, errorText } from '../../base/errors.ts';

/** Who holds a state folder, for people. */
export interface LockHolder {
  readonly pid: number;
  readonly command: string;
  /** ISO 8601. */
  readonly since: string;
  /** Login name, and who ran sudo. */
  readonly user?: string;
  /** A command ends by itself soon; a daemon is stopped. */
  readonly kind?: 'command' | 'daemon';
}

export interface StateLock {
  /** Lets the folder go. A second call does nothing. */
  release(): void;
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && (code & 0xff) === SQLITE_BUSY;
}

async function readHolder(file: string): Promise<LockHolder | undefined> {
  try {
    return JSON.parse(await fs.readFile(file, 'utf8')) as LockHolder;
  } catch {
    return undefined;
  }
}

async function busy(dir: string, holderFile: string): Promise<CloudError> {
  const holder = await readHolder(holderFile);
  const who = holder === undefined ? 'another process' : holderText(holder);
  return new CloudError('LockBusy', `${dir} is in use by ${who}; wait until it ends, or stop it`, {
    details: { dir, ...(holder === undefined ? {} : { holder }) },
  });
}

/** `process 71 (novactl instance run, root) since 2026-01-02T03:04:05Z`. */
export function holderText({ pid, command, user, since }: LockHolder): string {
  return `process ${pid} (${[command, user].filter((word) => word !== undefined && word !== '').join(', ')}) since ${since}`;
}

/**
 * Who has the folder, by its note and while that process lives: a hint for who must not try the lock itself. Undefined: nobody, or nobody that this
 * process can see.
 */
export function seenHolder(dir: string, name = 'lock'): LockHolder | undefined {
  try {
    const holder = JSON.parse(readFileSync(path.join(dir, `${name}.holder`), 'utf8')) as LockHolder;
    return isAlive(holder.pid) ? holder : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function writeHolder(file: string, holder: LockHolder): Promise<void> {
  await fs.writeFile(`${file}.tmp`, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  await fs.rename(`${file}.tmp`, file);
}

/**
 * Makes this process the only one that works on the folder, until `release` or the process's death: an exclusive SQLite transaction
 * on `<name>.db` is a lock of the kernel, so that there is nothing stale to clean up. `<name>.holder` says who has it.
 * CloudError 'LockBusy' names the holder. Nothing else may open `<name>.db`: closing any descriptor of it drops a POSIX lock.
 */
export async function acquireStateLock(options: {
  dir: string;
  holder: LockHolder;
  /** Default `lock`. */
  name?: string;
}): Promise<StateLock> {
  const { dir, holder, name = 'lock' } = options;
  const file = path.join(dir, `${name}.db`);
  const holderFile = path.join(dir, `${name}.holder`);
  await fs.mkdir(dir, { recursive: true, mode: 0o700 });
  // Made by hand for its mode alone, and only when absent (see above).
  await fs.writeFile(file, '', { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (isBusy(error)) throw await busy(dir, holderFile);
    throw new CloudError('InternalError', `the lock ${file} cannot be taken: ${errorText(error)}`, { cause: error });
  }
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    // The holder's note goes first: after the lock it may be the next one's.
    rmSync(holderFile, { force: true });
    db.close();
  };
  try {
    await writeHolder(holderFile, holder);
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}
