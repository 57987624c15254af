import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOVACTL, TestCloud } from '../support/test-cloud.ts';
import type { Bench } from './bench-row.ts';
import { benchRow } from './bench-row.ts';

const RUNS = 21;
const PINNED = process.execPath;

/** CPU seconds (user and system, children too) of one run to its end, by the shell's own `times`. */
function cpuMs(argv: readonly string[], env: NodeJS.ProcessEnv, scratch: string): number {
  // The second line of `times` is of the children that have been waited for.
  const script = `"$@" >/dev/null 2>&1; times > ${scratch}`;
  spawnSync('sh', ['-c', script, 'sh', ...argv], { env });
  const words = (readFileSync(scratch, 'utf8').split('\n')[1] ?? '').split(' ');
  return words.reduce((sum, word) => {
    const [, minutes = '0', seconds = '0'] = /^(\d+)m([\d.]+)s$/.exec(word) ?? [];
    return sum + 60_000 * Number(minutes) + 1000 * Number(seconds);
  }, 0);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** What a command costs to start: CPU of whole processes in turn with `node -e 0`, so that a busy machine slows both. */
export const bench: Bench = async ({ progress }) => {
  const cloud = new TestCloud();
  try {
    await cloud.start();
    const scratch = join(cloud.dir, 'times');
    writeFileSync(scratch, '');
    const commands = { version: [NOVACTL, 'version'], list: [NOVACTL, 'instance', 'list'], node: [PINNED, '-e', '0'] };
    const taken: Record<keyof typeof commands, number[]> = { version: [], list: [], node: [] };
    for (let run = -2; run < RUNS; run += 1) {
      for (const name of ['version', 'list', 'node'] as const) {
        const ms = cpuMs(commands[name], cloud.env, scratch);
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
