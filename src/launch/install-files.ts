import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder, writeDurably } from '../base/durable-file.ts';
import { CloudError, errorText } from '../base/errors.ts';
import { ownerOf, type MaintenanceFile } from './maintenance-files.ts';

export interface InstallStep {
  readonly path: string;
  readonly action: 'write' | 'keep' | 'remove' | 'absent';
  readonly text: string;
}

export interface InstallOptions {
  /** What the paths are below; `/` but for an image of a machine. */
  readonly root: string;
  readonly remove: boolean;
  /** Also over a file that was edited by hand. */
  readonly force: boolean;
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileProblem(path, error);
  }
}

function fileProblem(path: string, error: unknown): CloudError {
  const { code } = error as NodeJS.ErrnoException;
  const isWrongPath = code === 'ENOTDIR' || code === 'EISDIR' || code === 'ENOENT';
  const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const kind = isWrongPath ? 'InvalidParameterValue' : denied ? 'OperationNotPermitted' : 'Unavailable';
  return new CloudError(kind, `${path}: ${errorText(error)}`, { cause: error });
}

/** What is to be done with each file. CloudError 'IncorrectState': one is not ours, or was edited by hand and `force` is not given. */
export async function planInstall(files: readonly MaintenanceFile[], options: InstallOptions): Promise<InstallStep[]> {
  const steps: InstallStep[] = [];
  for (const { path: plain, text } of files) {
    const path = join(options.root, plain);
    const there = await textOf(path);
    if (there !== undefined && there !== text) refuseForeign(path, there, options.force);
    if (options.remove) steps.push({ path, text: '', action: there === undefined ? 'absent' : 'remove' });
    else steps.push({ path, text, action: there === text ? 'keep' : 'write' });
  }
  return steps;
}

function refuseForeign(path: string, text: string, force: boolean): void {
  const owner = ownerOf(text);
  if (owner === 'foreign') {
    throw new CloudError('IncorrectState', `${path} was not made by novactl and is left as it is; move it away first`);
  }
  if (owner === 'edited' && !force) {
    throw new CloudError('IncorrectState', `${path} was edited by hand; --force gives that up`);
  }
}

/** Each file whole or not at all, mode 0644. cron and systemd pass over names like those of the halves. */
export async function applyInstall(steps: readonly InstallStep[]): Promise<void> {
  for (const step of steps) {
    await applyStep(step).catch((error: unknown) => {
      throw fileProblem(step.path, error);
    });
  }
}

async function applyStep({ path, action, text }: InstallStep): Promise<void> {
  if (action === 'write') {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    const tmpPath = join(dirname(path), `.novactl-${process.pid}.tmp`);
    await rm(tmpPath, { force: true });
    await writeDurably(path, [Buffer.from(text)], { mode: 0o644, tmpPath });
  } else if (action === 'remove') {
    await rm(path, { force: true });
    await syncFolder(dirname(path));
  }
}

/** systemd is what runs this machine (sd_booted(3)). */
export function runsSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

/** A cron that reads /etc/cron.d. */
export function hasCron(): boolean {
  return ['/usr/sbin/cron', '/usr/sbin/crond'].some((path) => existsSync(path));
}
