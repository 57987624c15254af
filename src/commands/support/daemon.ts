import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudError } from '../../base/errors.ts';
import { readIfThere } from './dirs.ts';
import type { Io } from './io.ts';

const TAIL_LINES = 5;

/** Starts this program anew in a session of its own, with its output in the log. */
export function startDaemon(io: Io, stateDir: string, words: readonly string[]): { pid: number; logPath: string } {
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
    child.unref();
    if (child.pid === undefined) throw new CloudError('InternalError', `${node} can't be started`);
    return { pid: child.pid, logPath };
  } finally {
    closeSync(log);
  }
}

/** True when the process ended; one that nobody has waited for yet (a zombie, proc(5)) has ended too. */
export function processGone(pid: number): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat === undefined || /^\d+ \(.*\) [ZX] /s.test(stat);
}

/** The last lines of the log, a JSON line as its message alone. */
export function logTail(path: string): string {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES);
  return lines
    .map((line) => {
      try {
        const { level, message } = JSON.parse(line) as { level?: string; message?: string };
        return message === undefined ? line : `${level ?? 'info'}: ${message}`;
      } catch {
        return line;
      }
    })
    .join('\n');
}
