import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { MAINTENANCE_JOBS } from '../../../src/domain/maintenance.ts';
import { NOVACTL, type CliResult } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { CronMachine, LIBFAKETIME } from './cron-machine.ts';

let machine: CronMachine;
beforeAll(async () => {
  machine = new CronMachine();
  await machine.cloud.ok('keypair', 'create', 'k1');
});
afterAll(async () => {
  await machine.cloud.stop();
  rmSync(machine.dir, { recursive: true, force: true });
});

interface Job {
  readonly job: string;
  readonly due: string;
  readonly running?: object;
  readonly last?: { readonly outcome: string; readonly error?: { readonly message: string } };
}

const lines = ({ stderr }: CliResult): string[] => stderr.split('\n').filter((line) => line !== '');
const status = async (job: string): Promise<Job | undefined> =>
  (await machine.cloud.json<{ jobs: Job[] }>('maintain', 'status')).jobs.find((one) => one.job === job);
const SILENT = { code: 0, stdout: '', stderr: '' };

describe('every job under cron’s environment', () => {
  it.each(MAINTENANCE_JOBS)('[real] %s is silent when all is well, with no daemon', async (job) => {
    expect(await machine.job(job)).toEqual(SILENT);
    expect((await status(job))?.last?.outcome).toBe('clean');
  });

  it('[real] all are silent with a daemon too', { timeout: 60_000 }, async () => {
    await machine.cloud.start();
    try {
      for (const job of MAINTENANCE_JOBS) expect([job, await machine.job(job)]).toEqual([job, SILENT]);
    } finally {
      await machine.cloud.stop();
    }
  });

  it.each(MAINTENANCE_JOBS)('[real] %s ends with 21 and one line while another holds the state', async (job) => {
    const held = await openFileStore({
      dir: machine.stateDir,
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: silentLogger,
    });
    try {
      const result = await machine.job(job);
      expect([result.code, result.stdout, lines(result).length]).toEqual([21, '', 1]);
      expect(result.stderr).toMatch(/LockBusy/);
    } finally {
      await held.close();
    }
  });

  it.each(MAINTENANCE_JOBS)('[real] %s ends with 22 and one line while paused', async (job) => {
    await machine.cloud.ok('maintain', 'pause', '--for', '1h', '--reason', 'a test');
    const result = await machine.job(job);
    expect([result.code, result.stdout, lines(result).length]).toEqual([22, '', 1]);
    expect(result.stderr).toMatch(/paused until .* \(a test\)/);
    await machine.cloud.ok('maintain', 'resume');
    expect((await machine.job(job)).code).toBe(0);
  });

  it.each(MAINTENANCE_JOBS)(
    '[real] %s ends with 24 and one line where there is no cloud, and makes none',
    async (job) => {
      const nowhere = join(machine.dir, 'nowhere');
      const result = await machine.job(job, { words: ['--set', `stateDir=${nowhere}`] });
      expect([result.code, result.stdout, lines(result).length]).toEqual([24, '', 1]);
      expect(existsSync(join(nowhere, 'journal.1'))).toBe(false);
    },
  );
});

describe('a full disk', () => {
  const fill = 'dd if=/dev/zero of="$at/fill" bs=1k 2>/dev/null || true';

  it('[real] under the backups is said in one line, 24, and nothing is left there', async (ctx) => {
    if (process.getuid?.() !== 0) return ctx.skip('needs root for a mount namespace');
    const at = join(machine.dir, 'full');
    mkdirSync(at);
    const result = await machine.jobWithMounts(
      `at="$dir/full"; mount -t tmpfs -o size=16k tmpfs "$at"; ${fill}; trap 'ls -A "$at"' EXIT`,
      'backup',
      ['--set', `backup.dir=${at}`],
    );
    expect([result.code, lines(result).length]).toEqual([24, 1]);
    expect(result.stderr).toMatch(/no space is left for the backup/);
    expect(await status('backup')).toMatchObject({ last: { outcome: 'failed' } });
    expect((await machine.job('backup')).code).toBe(0);
  });

  it('[real] under the state is 24 and one line for every job', async (ctx) => {
    if (process.getuid?.() !== 0) return ctx.skip('needs root for a mount namespace');
    for (const job of MAINTENANCE_JOBS) {
      const result = await machine.jobWithMounts(
        `cp -a "$dir/state" "$dir/copy"; at="$dir/state"; mount -t tmpfs -o size=512k tmpfs "$at"
         cp -a "$dir/copy/." "$at"; rm -r "$dir/copy"; ${fill}`,
        job,
      );
      expect([job, result.code, result.stdout, lines(result).length]).toEqual([job, 24, '', 1]);
    }
    expect((await machine.job('watch')).code).toBe(0);
  });
});

/** Bytes of the journal: it grows when the start of a run is recorded. */
function journalBytes(): number {
  const names = readdirSync(machine.stateDir).filter((name) => name.startsWith('journal.'));
  return names.reduce((sum, name) => sum + statSync(join(machine.stateDir, name)).size, 0);
}

describe('a holder that was killed', () => {
  it('[real] holds nothing up, and its run is told to have been cut off', { timeout: 120_000 }, async () => {
    // So much to read that a run is still going on when it is killed.
    const disk = join(machine.dir, 'disk.raw');
    const boot = Buffer.alloc(512);
    boot.writeUInt16LE(0xaa55, 510);
    writeFileSync(disk, boot);
    truncateSync(disk, 256 * 1024 * 1024);
    await machine.cloud.ok('image', 'import', disk, '--name', 'large');
    for (let round = 0; round < 4; round += 1) {
      const before = journalBytes();
      const words = ['maintain', 'verify', '--cron', ...machine.words];
      const child = spawn(NOVACTL, words, { stdio: 'ignore', detached: true });
      const gone = new Promise((resolve) => child.once('exit', resolve));
      await until(() => journalBytes() > before, { what: 'its start is recorded', everyMs: 1 });
      process.kill(-(child.pid ?? 0), 'SIGKILL');
      await gone;
      expect((await status('verify'))?.running).toMatchObject({ isLive: false });
      expect(await machine.job('verify')).toEqual(SILENT);
    }
    const { operations } = await machine.cloud.json<{ operations: { status: string; error?: { message: string } }[] }>(
      'op',
      'list',
    );
    expect(operations.filter((one) => one.status === 'running')).toEqual([]);
    expect(operations.filter((one) => one.error?.message.includes('ended before it did') === true)).toHaveLength(4);
    await machine.cloud.ok('image', 'delete', 'large', '--yes');
  });
});

describe('a clock that was set back', () => {
  const back = { LD_PRELOAD: LIBFAKETIME ?? '', FAKETIME: '-3d', DONT_FAKE_MONOTONIC: '1' };

  it('[real] stops no job, and no pause outlasts its length for it', { timeout: 60_000 }, async (ctx) => {
    if (LIBFAKETIME === undefined) return ctx.skip('libfaketime is not installed');
    for (const job of MAINTENANCE_JOBS) expect((await machine.job(job)).code).toBe(0);
    for (const job of MAINTENANCE_JOBS) expect([job, await machine.job(job, { env: back })]).toEqual([job, SILENT]);
    await machine.cloud.ok('maintain', 'pause', '--for', '1h');
    expect((await machine.job('watch')).code).toBe(22);
    expect((await machine.job('watch', { env: back })).code).toBe(0);
    await machine.cloud.ok('maintain', 'resume');
    // The last run now lies three days behind or ahead; both are told, and neither is waited for.
    expect((await status('verify'))?.due).toBe('in-time');
    expect((await status('watch'))?.due).toBe('overdue');
    expect((await machine.job('watch')).code).toBe(0);
  });
});
