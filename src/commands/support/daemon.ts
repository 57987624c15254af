import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from './dirs.ts';
import type { Io } from './io.ts';

export interface Daemon {
  readonly logPath: string;
  /** How it ended; undefined while it runs. */
  exitCode(): number | undefined;
}

/** Starts this program anew in a session of its own, with its output in the log. */
export function startDaemon(io: Io, stateDir: string, words: readonly string[]): Daemon {
  const logDir = join(stateDir, 'log');
  const logPath = join(logDir, 'daemon.log');
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  mkdirSync(logDir, { recursive: true, mode: 0o700 });
  const log = openSync(logPath, 'a', 0o600);
  try {
    const [node = process.execPath, ...script] = io.self;
    const child = spawn(node, [...script, ...words], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...io.env },
    });
    let exitCode: number | undefined;
    child.once('error', () => (exitCode = 1));
    child.once('exit', (code) => (exitCode = code ?? 1));
    child.unref();
    return { logPath, exitCode: () => exitCode };
  } finally {
    closeSync(log);
  }
}

/** True when the process ended; one that nobody has waited for yet (a zombie, proc(5)) has ended too. */
export function processGone(pid: number): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat === undefined || /^\d+ \(.*\) [ZX] /s.test(stat);
}

/** The last thing that a daemon's log says: the message of a JSON line, or a line that the command line itself wrote. */
export function lastWords(path: string): string {
  const line = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  try {
    const { message } = JSON.parse(line) as { message?: string };
    return message ?? line;
  } catch {
    return line.replace(/^novactl: /, '').replace(/ \([A-Za-z.]+\)$/, '');
  }
}
