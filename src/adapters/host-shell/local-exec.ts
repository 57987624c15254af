import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Clock, Timer } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { SHELL_LIMITS, type ExecOptions, type ExecResult } from '../../ports/host-shell.ts';
import { guardedArgv } from './guard-script.ts';

/** How long output may still come after the command ended, when something it left running holds the pipes. */
const DRAIN_MS = 250;
/** How long a killed command may take to die before we stop waiting: it hangs in the kernel then. */
const DEATH_MS = 2000;

/** Only what tools need: what our own process was given (which may hold secrets) stays with it. */
function environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = ['HOME', 'USER', 'LOGNAME', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const path = [process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', '/usr/local/sbin:/usr/sbin:/sbin'].join(':');
  return { ...Object.fromEntries(kept), PATH: path, LC_ALL: 'C', ...extra };
}

/** The exit codes that shells give to a program that is absent (127) or cannot be run (126). */
const SPAWN_EXIT: Readonly<Record<string, { exitCode: number; text: string }>> = {
  ENOENT: { exitCode: 127, text: 'command not found' },
  ENOTDIR: { exitCode: 127, text: 'command not found' },
  EACCES: { exitCode: 126, text: 'permission denied' },
  ENOEXEC: { exitCode: 126, text: 'exec format error' },
};

function spawnFailure(command: string, error: NodeJS.ErrnoException): ExecResult | CloudError {
  const known = SPAWN_EXIT[error.code ?? ''];
  if (known !== undefined) return { exitCode: known.exitCode, stdout: '', stderr: `${command}: ${known.text}\n` };
  return new CloudError('HostError', `could not start ${command}: ${error.message}`, { cause: error });
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : (constants.signals[signal] ?? 0);
}

/** The command and what it started, unless that made a session of its own (as a daemon does). */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
}

interface Settle {
  resolve(result: ExecResult): void;
  reject(error: unknown): void;
}

/** One command on its way: collects output, ends once. */
class Run {
  readonly #argv: readonly string[];
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #settle: Settle;
  readonly #output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  #bytes = 0;
  #timers: Timer[] = [];
  #failure: unknown;
  #failed = false;
  #ended = false;
  #onEnd: () => void = () => undefined;

  constructor(argv: readonly string[], child: ChildProcess, clock: Clock, settle: Settle) {
    this.#argv = argv;
    this.#child = child;
    this.#clock = clock;
    this.#settle = settle;
  }

  start(options: ExecOptions, onEnd: () => void): void {
    this.#onEnd = onEnd;
    const child = this.#child;
    child.on('error', (error) => this.#spawnFailed(error));
    child.stdout?.on('data', (chunk: Buffer) => this.#take('stdout', chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#take('stderr', chunk));
    child.on('exit', (code, signal) => this.#exited(code ?? 128 + signalNumber(signal)));
    // A command that ends without reading its input is no failure: its exit code says what it is.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.stdin);
    const timeoutMs = options.timeoutMs ?? SHELL_LIMITS.timeoutMs;
    this.#timers.push(this.#clock.after(timeoutMs, () => this.fail(this.#timeoutError(timeoutMs))));
  }

  /** Kills the command; the promise rejects with `error` when it is dead. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
    killGroup(this.#child);
    this.#timers.push(this.#clock.after(DEATH_MS, () => this.#end()));
  }

  #timeoutError(timeoutMs: number): CloudError {
    return new CloudError('Timeout', `${this.#command()} did not end within ${timeoutMs} ms and was killed`, {
      details: { timeoutMs, stderr: this.#text('stderr').slice(-1000) },
    });
  }

  #command(): string {
    return this.#argv[0] ?? '';
  }

  #take(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    if (this.#failed) return;
    this.#bytes += chunk.length;
    if (this.#bytes > SHELL_LIMITS.outputBytes) {
      this.fail(
        new CloudError('HostError', `${this.#command()} wrote more than ${SHELL_LIMITS.outputBytes} bytes; killed`),
      );
      return;
    }
    this.#output[stream].push(chunk);
  }

  #text(stream: 'stdout' | 'stderr'): string {
    return Buffer.concat(this.#output[stream]).toString('utf8');
  }

  #spawnFailed(error: NodeJS.ErrnoException): void {
    // After a start the only errors are those of signals sent to it, which the exit tells better.
    if (this.#child.pid !== undefined) return;
    const outcome = spawnFailure(this.#command(), error);
    if (outcome instanceof CloudError) {
      this.#failed = true;
      this.#failure = outcome;
      this.#end();
    } else {
      this.#end(outcome);
    }
  }

  #exited(exitCode: number): void {
    if (this.#failed) {
      this.#end();
      return;
    }
    this.#cancelTimers();
    const finish = (): void => {
      this.#end({ exitCode, stdout: this.#text('stdout'), stderr: this.#text('stderr') });
    };
    this.#child.on('close', finish);
    this.#timers.push(this.#clock.after(DRAIN_MS, finish));
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  #end(result?: ExecResult): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimers();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.stdin?.destroy();
    this.#onEnd();
    if (result === undefined || this.#failed) this.#settle.reject(this.#failure);
    else this.#settle.resolve(result);
  }
}

/** Ends a command under way from outside. */
export interface RunningCommand {
  cancel(error: unknown): void;
}

/**
 * Runs argv without a shell, in a process group of its own, from the root folder. `running` holds it while it runs.
 * Like a shell it gives exit code 127 for an absent command and 128 + n for one that died of signal n.
 */
export function runLocally(
  argv: readonly string[],
  options: ExecOptions,
  clock: Clock,
  running: Set<RunningCommand>,
): Promise<ExecResult> {
  const [command = '', ...args] = guardedArgv(options.guard, argv);
  if (argv[0] === undefined || argv[0] === '' || argv.some((word) => word.includes('\0'))) {
    const message = 'a command needs a name, and its words cannot hold NUL';
    return Promise.reject(new CloudError('InvalidParameterValue', message));
  }
  const { signal } = options;
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    let child: ChildProcess;
    try {
      child = spawn(command, args, { cwd: '/', env: environment(options.env), detached: true, stdio: 'pipe' });
    } catch (error) {
      // Some failures (an argv that is too long) are thrown, others come as an event.
      const outcome = spawnFailure(command, error as NodeJS.ErrnoException);
      if (outcome instanceof CloudError) reject(outcome);
      else resolve(outcome);
      return;
    }
    const run = new Run(argv, child, clock, { resolve, reject });
    const onAbort = (): void => run.fail(signal?.reason);
    const handle: RunningCommand = { cancel: (error) => run.fail(error) };
    running.add(handle);
    signal?.addEventListener('abort', onAbort, { once: true });
    run.start(options, () => {
      running.delete(handle);
      signal?.removeEventListener('abort', onAbort);
    });
  });
}
