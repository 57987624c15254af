import { spawn, type ChildProcess } from 'node:child_process';
import { heardOfCli } from './canaries.ts';
import { NOVACTL, type CliResult } from './test-cloud.ts';

export interface SpawnedCli {
  readonly child: ChildProcess;
  /** What it has said until now. */
  readonly stderr: () => string;
  /** Its end; code 128 + n when signal n ended it. */
  readonly ended: Promise<CliResult>;
}

const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** A command that can be watched and killed while it runs. */
export function spawnCli(env: NodeJS.ProcessEnv, ...args: string[]): SpawnedCli {
  const child = spawn(NOVACTL, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<CliResult>((resolve) => {
    child.once('close', (code, signal) => {
      heardOfCli(args, { stdout, stderr });
      resolve({ code: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0), stdout, stderr });
    });
  });
  return { child, stderr: () => stderr, ended };
}
