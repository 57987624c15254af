import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { CronMachine, LIBFAKETIME } from './cron-machine.ts';

interface Op {
  readonly name: string;
  readonly status: string;
  readonly targets: readonly string[];
  readonly from: string;
}

let machine: CronMachine;
beforeAll(async () => {
  machine = new CronMachine();
  await machine.cloud.ok('keypair', 'create', 'k1');
});
afterAll(async () => {
  await machine.stopCron();
  await machine.cloud.stop();
  rmSync(machine.dir, { recursive: true, force: true });
});

/** Why it can't be done here; undefined when it can. */
function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for a mount namespace';
  if (!existsSync('/usr/sbin/cron')) return "Debian's cron is not installed";
  return LIBFAKETIME === undefined ? 'libfaketime is not installed' : undefined;
}

async function watches(): Promise<Op[]> {
  const { operations } = await machine.cloud.json<{ operations: Op[] }>('op', 'list');
  return operations.filter(({ name, targets }) => name === 'StartMaintenance' && targets[0] === 'watch');
}

async function twoTicks(root: string): Promise<Op[]> {
  const before = (await watches()).length;
  machine.startCron(root);
  try {
    const ended = async (): Promise<Op[] | undefined> => {
      if (typeof machine.cronEnded === 'number') throw new Error(`cron ended with ${machine.cronEnded}`);
      const all = (await watches()).filter(({ status }) => status !== 'running');
      return all.length >= before + 2 ? all.slice(0, all.length - before) : undefined;
    };
    return await until(ended, { what: 'cron has run watch twice', timeoutMs: 60_000, everyMs: 500 });
  } finally {
    await machine.stopCron();
  }
}

describe('the installed cron file in Debian’s cron', () => {
  it('[real] runs two ticks with no daemon, and two with one', { timeout: 180_000 }, async (ctx) => {
    const why = missing();
    if (why !== undefined) return ctx.skip(why);
    const root = join(machine.dir, 'root');
    const plan = await machine.cloud.cli('maintain', 'install', '--cron', '--plan', '--root', root, ...machine.words);
    expect(plan.stdout).toContain('maintain watch --cron');
    expect(existsSync(root)).toBe(false);
    await machine.cloud.ok('maintain', 'install', '--cron', '--yes', '--root', root, ...machine.words);
    const file = join(root, 'etc/cron.d/novactl');
    expect(readFileSync(file, 'utf8')).toBe(plan.stdout);
    const alone = await twoTicks(root);
    expect(alone.map(({ status, from }) => `${status} ${from}`)).toEqual(alone.map(() => 'succeeded embedded'));
    await machine.cloud.start();
    const served = await twoTicks(root);
    expect(served.map(({ status, from }) => `${status} ${from}`)).toEqual(served.map(() => 'succeeded socket'));
    await machine.cloud.stop();
    await machine.cloud.ok('maintain', 'install', '--cron', '--remove', '--yes', '--root', root, ...machine.words);
    expect(existsSync(file)).toBe(false);
  });
});
