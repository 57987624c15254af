import { spawnSync } from 'node:child_process';
import { NOVACTL, TestCloud } from '../support/test-cloud.ts';
import type { Bench } from './bench-row.ts';
import { benchRow } from './bench-row.ts';
import { median } from './spread.ts';

const RUNS = 21;
const PINNED = process.execPath;

/** CPU milliseconds (user and system, children too) of one run to its end, as bash counts them: to the millisecond. */
function cpuMs(argv: readonly string[], env: NodeJS.ProcessEnv): number {
  const script = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null 2>/dev/null';
  const { stderr } = spawnSync('bash', ['--norc', '-c', script, 'bash', ...argv], { env, encoding: 'utf8' });
  const [user, system] = stderr.trim().split(' ').map(Number);
  if (user === undefined || system === undefined) throw new Error(`bash did not time ${argv.join(' ')}: ${stderr}`);
  return 1000 * (user + system);
}

/** What a command costs to start: CPU of whole processes in turn with `node -e 0`, so that a busy machine slows both. */
export const bench: Bench = async ({ progress }) => {
  const cloud = new TestCloud();
  try {
    await cloud.start();
    const commands = { version: [NOVACTL, 'version'], list: [NOVACTL, 'instance', 'list'], node: [PINNED, '-e', '0'] };
    const taken: Record<keyof typeof commands, number[]> = { version: [], list: [], node: [] };
    for (let run = -2; run < RUNS; run += 1) {
      for (const name of ['version', 'list', 'node'] as const) {
        const ms = cpuMs(commands[name], cloud.env);
        if (run >= 0) taken[name].push(ms);
      }
      if (run % 7 === 0) progress(`round ${run} of ${RUNS}`);
    }
    const baseline = median(taken.node);
    const note = `median of ${RUNS}; baseline: node -e 0 of the same Node`;
    return [
      benchRow({
        name: 'cli.version-cpu',
        value: median(taken.version),
        unit: 'ms',
        baseline,
        goal: { of: 'ratio', atMost: 4 },
        note: `novactl version, through oclif; ${note}`,
      }),
      benchRow({
        name: 'cli.instance-list-cpu',
        value: median(taken.list),
        unit: 'ms',
        baseline,
        goal: { of: 'ratio', atMost: 5 },
        note: `with a daemon; ${note}`,
      }),
    ];
  } finally {
    await cloud.destroy();
  }
};
