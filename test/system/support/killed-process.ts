import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CliResult, NOVACTL } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import type { LabCloud } from './lab-cloud.ts';

/** A command under way. */
export interface StartedCommand {
  readonly pid: number;
  /** Code 255 for one that was killed. */
  readonly ended: Promise<CliResult>;
}

export function startCommand({ cloud }: LabCloud, words: readonly string[]): StartedCommand {
  const child = spawn(NOVACTL, words, { env: cloud.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 255, ...texts }));
  });
  return { pid: child.pid ?? 0, ended };
}

function isGone(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** Resolves when the process is dead; that it was dead before is fine. */
export async function kill9(pid: number): Promise<void> {
  if (isGone(pid)) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between the look and the signal.
  }
  await until(() => isGone(pid), { what: `process ${pid} is dead`, everyMs: 5 });
}

/** The cloud's daemon, started as a user starts it. */
export class UpDaemon {
  readonly #system: LabCloud;
  #pid = 0;

  constructor(system: LabCloud) {
    this.#system = system;
  }

  async up(): Promise<void> {
    this.#pid = (await this.#system.json<{ pid: number }>('up')).pid;
  }

  async kill9(): Promise<void> {
    if (this.#pid !== 0) await kill9(this.#pid);
    this.#pid = 0;
  }
}

/** What is killed in the middle of a command, and how the work goes on after that. */
export interface Victim {
  /** One word. */
  readonly name: string;
  /** Before the first command. */
  prepare(): Promise<void>;
  /** Starts the command, and kills after the given time; the command itself may go on when it is not what was killed. */
  interrupt(words: readonly string[], delayMs: number): Promise<StartedCommand>;
  /** The next owner; `again`: if it may be the same command, that is left to the caller. True when all that was recorded is done then; false when only the same command again will do it. */
  goOn(again: boolean): Promise<boolean>;
  close(): Promise<void>;
}

export function daemonVictim(system: LabCloud): Victim {
  const daemon = new UpDaemon(system);
  return {
    name: 'daemon',
    prepare: () => daemon.up(),
    async interrupt(words, delayMs) {
      const command = startCommand(system, words);
      await sleep(delayMs);
      await daemon.kill9();
      return command;
    },
    async goOn() {
      await daemon.up();
      return true;
    },
    close: () => daemon.kill9(),
  };
}

/** Exit codes of `maintain`: nothing to do, something was put right. */
const RECONCILED: readonly number[] = [0, 20];

export function embeddedVictim(system: LabCloud): Victim {
  return {
    name: 'embedded',
    prepare: () => Promise.resolve(),
    async interrupt(words, delayMs) {
      const command = startCommand(system, words);
      await sleep(delayMs);
      await kill9(command.pid);
      return command;
    },
    async goOn(again) {
      if (again) return false;
      const { code, stdout, stderr } = await system.cli('maintain', 'reconcile');
      if (!RECONCILED.includes(code)) throw new Error(`maintain reconcile ended with ${code}:\n${stderr}\n${stdout}`);
      return true;
    },
    close: () => Promise.resolve(),
  };
}
