import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Command, Interfaces } from '@oclif/core';
import { SystemClock } from '../../src/base/clock.ts';
import { randomHex, SystemRandom } from '../../src/base/random.ts';
import type { Io } from '../../src/commands/support/io.ts';
import { Interrupted } from '../../src/commands/support/io.ts';
import { main } from '../../src/commands/support/main.ts';
import type { Sink } from '../../src/views/output.ts';
import { heardOfCli } from './canaries.ts';

const SRC = join(import.meta.dirname, '..', '..', 'src');
const pjson = JSON.parse(readFileSync(join(SRC, '..', 'package.json'), 'utf8')) as Interfaces.PJSON;

/** The moment at which tests run. */
export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export const NO_STATE = '/dev/null/state';

/** Always the same time of day; sleeps do not wait. */
export class StillClock extends SystemClock {
  override nowMs(): number {
    return NOW_MS;
  }

  override async sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => this.defer(() => resolve(undefined)));
    signal?.throwIfAborted();
  }
}

export interface CliOptions {
  /** Where the socket is. */
  readonly runDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Stdout and stderr are a terminal of this many columns. */
  readonly columns?: number;
  /** Somebody sits there; what they type. */
  readonly types?: string;
  readonly stdin?: string;
  readonly clock?: SystemClock;
  /** Stands for other programs (ssh); answers the exit code. */
  readonly exec?: (file: string, argv: readonly string[]) => number;
  /** Aborted: as if the user had pressed ctrl-c. */
  readonly interrupt?: AbortSignal;
}

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Recorder implements Sink {
  text = '';
  readonly isTty: boolean;
  readonly columns: number | undefined;

  constructor(columns: number | undefined) {
    this.isTty = columns !== undefined;
    this.columns = columns;
  }

  write(text: string | Uint8Array): void {
    this.text += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
  }
}

type Loaded = Record<string, Command.Class>;

/** Every command's class with its id, from the sources. */
async function loadAll(): Promise<{ id: string; command: Command.Class }[]> {
  const folder = join(SRC, 'commands');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => file.endsWith('.ts') && !file.startsWith('support/'));
  return Promise.all(
    sources.map(async (file) => {
      const [command] = Object.values((await import(join(folder, file))) as Loaded);
      if (command === undefined) throw new Error(`${file} exports no command`);
      return { id: file.slice(0, -'.ts'.length).replaceAll('/', ':'), command };
    }),
  );
}

let all: ReturnType<typeof loadAll> | undefined;

/** A command's class by its id or one of its other names. */
async function load(name: string): Promise<Command.Class> {
  all ??= loadAll();
  const found = (await all).find(({ id, command }) => id === name || command.aliases.includes(name));
  if (found === undefined) throw new Error(`no command ${name}`);
  found.command.id = found.id;
  return found.command;
}

/** One command line in this process, from its words to its exit code. */
export async function runCli(argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const stdout = new Recorder(options.columns);
  const stderr = new Recorder(options.columns);
  const aborter = new AbortController();
  options.interrupt?.addEventListener('abort', () => aborter.abort(new Interrupted('interrupted')), { once: true });
  const io: Io = {
    // Where nobody can make a folder: without a daemon a command works on the state itself.
    env: {
      HOME: '/nowhere',
      NOVACTL_STATE_DIR: NO_STATE,
      ...(options.runDir && { NOVACTL_RUN_DIR: options.runDir }),
      ...options.env,
    },
    uid: 0,
    stdout,
    stderr,
    stdin: Readable.from([options.types ?? options.stdin ?? '']),
    interactive: options.types !== undefined,
    clock: options.clock ?? new StillClock(),
    unique: () => Promise.resolve(randomHex(new SystemRandom(), 32)),
    signal: aborter.signal,
    exec: (file, words) => Promise.resolve(options.exec?.(file, words) ?? 127),
    self: [],
  };
  const code = await main(argv, io, { root: SRC, pjson: structuredClone(pjson), load, ignoreManifest: true });
  heardOfCli(argv, { stdout: stdout.text, stderr: stderr.text });
  return { code, stdout: stdout.text, stderr: stderr.text };
}
