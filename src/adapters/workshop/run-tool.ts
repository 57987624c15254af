import { spawn, type ChildProcess } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';

/** Where Debian has programs; the environment of whoever started the cloud has no say. */
const FOLDERS = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'];
const OUTPUT_CHARACTERS = 65_536;
/** Nobody: owns nothing, may nothing. Debian's `nobody` and `nogroup`. */
export const NOBODY = 65_534;

export interface ToolLimits {
  /** Of address space. */
  readonly memoryBytes: number;
  /** Largest file that it may write. */
  readonly fileBytes: number;
  /** Of processor time, and of time on the wall. */
  readonly seconds: number;
}

export interface ToolRun {
  /** Work folder; what it reads and writes is named without a path. */
  readonly cwd: string;
  readonly argv: readonly string[];
  readonly limits: ToolLimits;
  readonly signal: AbortSignal;
  /** Each piece of standard output as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface ToolResult {
  /** Exit code; undefined: it was killed. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** The program's path, or undefined where it is not installed. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of FOLDERS) {
    const path = join(folder, name);
    const there = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  return undefined;
}

/**
 * The command with its limits. As root also: as nobody without any capability nor a way to get one, with no network, no other process in sight and none
 * that outlives it. What it works in is its current folder, whose parents are closed to it.
 */
export function confined(
  argv: readonly string[],
  { memoryBytes, fileBytes, seconds }: ToolLimits,
  isRoot: boolean,
): string[] {
  const limits = [
    'prlimit',
    `--as=${memoryBytes}`,
    `--fsize=${fileBytes}`,
    `--cpu=${seconds}`,
    '--nofile=64',
    '--core=0',
  ];
  if (!isRoot) return [...limits, '--', ...argv];
  const alone = ['unshare', '--net', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const nobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'];
  const bare = ['--inh-caps=-all', '--bounding-set=-all'];
  return [...alone, '--', ...limits, '--', ...nobody, ...bare, '--', ...argv];
}

/** The whole group: whatever it has started. */
function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** Runs a program on bytes that somebody else wrote. Errors: the signal's reason; 'Unavailable' when it can't be started. */
export async function runTool(run: ToolRun, clock: Pick<Clock, 'after'>): Promise<ToolResult> {
  const { argv, limits, signal, cwd, onOutput } = run;
  signal.throwIfAborted();
  const [file = '', ...args] = confined(argv, limits, process.getuid?.() === 0);
  const path = await findProgram(file);
  if (path === undefined)
    throw new CloudError('Unavailable', `${file} is missing on the controller: install util-linux`);
  // One arena: each of glibc's reserves 64 MiB of the address space, which is what is limited, for as many threads as wait for the disk.
  const env = { PATH: FOLDERS.join(':'), LC_ALL: 'C', MALLOC_ARENA_MAX: '1' };
  const child = spawn(path, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (said[name].length < OUTPUT_CHARACTERS) said[name] = (said[name] + text).slice(0, OUTPUT_CHARACTERS);
      if (name === 'stdout') onOutput?.(text);
    });
  }
  let timedOut = false;
  const timer = clock.after(limits.seconds * 1000, () => {
    timedOut = true;
    kill(child);
  });
  const onAbort = (): void => kill(child);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const code = await new Promise<number | undefined>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exit) => resolve(exit ?? undefined));
    });
    signal.throwIfAborted();
    return { code, timedOut, ...said };
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
