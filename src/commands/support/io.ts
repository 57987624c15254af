import { assert } from '../../base/assert.ts';
import { SystemClock, type Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import type { Sink } from '../../views/output.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** What a command may touch of its process; tests give another. */
export interface Io {
  readonly env: Env;
  readonly uid: number;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: NodeJS.ReadableStream;
  /** Somebody sits there who can be asked. */
  readonly interactive: boolean;
  readonly clock: Clock;
  /** Text that nobody else will think of: 32 hex digits. */
  unique(): Promise<string>;
  /** Aborted by the first SIGINT or SIGTERM; its reason is an Interrupted. */
  readonly signal: AbortSignal;
  /** Runs another program on this terminal; resolves with its exit code (128 + signal when one ended it). */
  exec(file: string, argv: readonly string[]): Promise<number>;
  /** The words that start this program again: node and the script. */
  readonly self: readonly string[];
}

/** The user or the system told the program to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

const SIGNAL_NUMBER: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 };

async function execInherited(file: string, argv: readonly string[]): Promise<number> {
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, { stdio: 'inherit' });
    child.once('error', (error: NodeJS.ErrnoException) => {
      const text = error.code === 'ENOENT' ? `${file} is not installed here` : `${file}: ${error.message}`;
      reject(new CloudError('Unavailable', text, { cause: error }));
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + (SIGNAL_NUMBER[signal ?? ''] ?? 0)));
  });
}

const sink = (stream: NodeJS.WriteStream): Sink => ({
  write: (text) => {
    stream.write(text);
  },
  isTty: stream.isTTY,
  get columns() {
    return stream.isTTY ? stream.columns : undefined;
  },
});

/** Loaded when it is needed: the kernel's random numbers come with the whole of node:crypto. */
async function unique(): Promise<string> {
  const { randomHex, SystemRandom } = await import('../../base/random.ts');
  return randomHex(new SystemRandom(), 32);
}

/** This process. A second signal ends it at once. */
export function processIo(): Io {
  const aborter = new AbortController();
  const onSignal = (): void => {
    if (aborter.signal.aborted) process.exit(130);
    aborter.abort(new Interrupted('interrupted'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    env: process.env,
    uid: process.getuid?.() ?? 0,
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    stdin: process.stdin,
    interactive: process.stdin.isTTY && process.stderr.isTTY,
    clock: new SystemClock(),
    unique,
    signal: aborter.signal,
    exec: execInherited,
    self: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
  };
}

const IO_KEY = Symbol.for('novactl.io');

/** Hands the io to the commands through the oclif config that they get. */
export function attachIo(config: object, io: Io): void {
  Object.defineProperty(config, IO_KEY, { value: io });
}

export function ioOf(config: object): Io {
  const io = (config as { [IO_KEY]?: Io })[IO_KEY];
  assert(io !== undefined, 'a command runs by main(), which attaches the io');
  return io;
}
