import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureLibvirtd } from '../../support/libvirtd.ts';
import { libvirtdMissing } from '../../support/private-libvirtd.ts';
import { spawnCli, type SpawnedCli } from '../../support/spawn-cli.ts';
import { writeStillImage } from '../../support/still-image.ts';
import type { InstanceRow } from '../../support/test-cloud.ts';
import { domains, TestCloud } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';

const missing = libvirtdMissing();
/** A guest that never obeys the power button has six times this under software emulation: enough for what is done meanwhile, and no longer. */
const STOP_TIMEOUT_MS = '2000';
const RUN = ['instance', 'run', '--image', 'still', '--type', 'm1.nano'];

describe.skipIf(missing !== undefined)(
  `commands with no daemon on one state folder [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cloud: TestCloud;

    const start = (...args: string[]): SpawnedCli => spawnCli(cloud.env, ...args);
    const live = async (): Promise<string[]> =>
      (await cloud.instances()).filter((row) => row.state !== 'terminated').map((row) => row.instanceId);
    const ids = (stdout: string): string[] =>
      (JSON.parse(stdout) as { instances: InstanceRow[] }).instances.map((row) => row.instanceId);
    /** A guest that ignores the power button, being asked to stop: a command that takes its time. */
    const slowStop = async (...flags: string[]): Promise<{ id: string; stop: SpawnedCli }> => {
      const [id = ''] = ids(await cloud.ok(...RUN, '--json'));
      const stop = start('instance', 'stop', id, ...flags);
      await until(async () => (await cloud.json<InstanceRow>('instance', 'show', id)).state === 'stopping', {
        what: 'the stop is recorded',
        timeoutMs: 30_000,
      });
      return { id, stop };
    };

    beforeAll(async () => {
      await ensureLibvirtd();
      cloud = new TestCloud({ NOVACTL_INSTANCES_STOP_TIMEOUT_MS: STOP_TIMEOUT_MS });
      const image = join(cloud.dir, 'still.raw');
      writeStillImage(image);
      await cloud.ok('host', 'add', 'here', '--local');
      await cloud.ok('image', 'import', image, '--name', 'still');
    }, 120_000);

    afterAll(async () => {
      const all = (await cloud.instances()).map((row) => row.instanceId);
      await cloud.destroy();
      const seen = await domains();
      expect(all.filter((id) => seen.has(id))).toEqual([]);
    }, 120_000);

    it(
      'eight at once do their work one after another, each says for whom it waits [real]',
      { timeout: 180_000 },
      async () => {
        const all = await Promise.all(Array.from({ length: 8 }, () => start(...RUN, '--json').ended));
        for (const { code, stderr } of all) expect(code, stderr).toBe(0);
        const waited = all.filter(({ stderr }) => /waiting for process \d+ \(novactl instance run, \w+/.test(stderr));
        expect(waited.length).toBeGreaterThanOrEqual(7);
        const made = all.flatMap(({ stdout }) => ids(stdout));
        expect(new Set(made).size).toBe(8);
        const seen = await domains();
        expect(made.map((id) => seen.get(id))).toEqual(made.map(() => 'running'));
        await cloud.ok('instance', 'terminate', '--yes', ...made);
        expect(await live()).toEqual([]);
      },
    );

    it.each([300, 700, 1100, 1500, 2000])(
      'one that is killed after %i ms is finished by the next [real]',
      { timeout: 120_000 },
      async (afterMs) => {
        const token = `killed-${afterMs}`;
        const words = [...RUN, '--count', '3', '--client-token', token, '--json'];
        const first = start(...words);
        const timer = setTimeout(() => first.child.kill('SIGKILL'), afterMs);
        await first.ended;
        clearTimeout(timer);
        const made = ids(await cloud.ok(...words));
        expect(made.length).toBe(3);
        expect((await live()).sort()).toEqual(made.toSorted());
        const seen = await domains();
        expect(made.map((id) => seen.get(id))).toEqual(['running', 'running', 'running']);
        await cloud.ok('instance', 'terminate', '--yes', ...made);
        expect(await live()).toEqual([]);
        const left = await domains();
        expect(made.filter((id) => left.has(id))).toEqual([]);
      },
    );

    it(
      'reads take no lock and see the change as it goes on; another change is refused or waits [real]',
      { timeout: 120_000 },
      async () => {
        const { id, stop } = await slowStop();
        const wait = start('instance', 'wait', id, '--for', 'stopped');
        const list = await cloud.cli('instance', 'list', '--no-wait-lock');
        expect([list.code, list.stderr]).toEqual([0, '']);
        expect((await cloud.cli('instance', 'log', id)).code).toBe(0);
        expect(await cloud.ok('dashboard', '--once')).toContain(id);
        const refused = await cloud.cli('keypair', 'create', 'never', '--no-wait-lock');
        expect(refused.code).toBe(9);
        expect(refused.stderr).toMatch(
          /is in use by process \d+ \(novactl instance stop i-\w+, \w+.*\) since .*\(LockBusy\)/,
        );
        const impatient = await cloud.cli('instance', 'stop', id, '--timeout', '1s');
        expect(impatient.code).toBe(9);
        expect((await stop.ended).code).toBe(0);
        expect((await wait.ended).code).toBe(0);
        await cloud.ok('instance', 'terminate', '--yes', id);
      },
    );

    it('one that is interrupted says what is left, and the next goes on [real]', { timeout: 120_000 }, async () => {
      const { id, stop } = await slowStop();
      stop.child.kill('SIGINT');
      const { code, stderr } = await stop.ended;
      expect(code).toBe(130);
      expect(stderr).toContain(`unfinished: ${id} (stop`);
      expect((await domains()).get(id)).toBe('running');
      await cloud.ok('instance', 'stop', '--force', id);
      expect((await domains()).get(id)).toBe('shut off');
      await cloud.ok('instance', 'terminate', '--yes', id);
    });

    it('one whose time is over says what is left [real]', { timeout: 120_000 }, async () => {
      const { id, stop } = await slowStop('--timeout', '2s');
      const { code, stderr } = await stop.ended;
      expect(code).toBe(8);
      expect(stderr).toContain(id);
      await cloud.ok('instance', 'terminate', '--yes', id);
      expect((await domains()).has(id)).toBe(false);
    });

    it('up waits for a command and says so [real]', { timeout: 120_000 }, async () => {
      const { id, stop } = await slowStop();
      const up = await cloud.cli('up', '--timeout', '90s');
      try {
        expect(up.code, up.stderr).toBe(0);
        expect(up.stderr).toMatch(/waiting for process \d+ \(novactl instance stop/);
        expect((await stop.ended).code).toBe(0);
        await cloud.ok('instance', 'terminate', '--yes', '--wait', id);
      } finally {
        await cloud.ok('down');
      }
    });

    it('a command that waits for a daemon goes to it when it answers [real]', { timeout: 60_000 }, async () => {
      await cloud.start();
      try {
        const elsewhere = join(cloud.dir, 'run-elsewhere');
        const waiting = spawnCli({ ...cloud.env, NOVACTL_RUN_DIR: elsewhere }, ...RUN, '--json');
        await until(() => waiting.stderr().includes('waiting for process'), { what: 'it waits for the daemon' });
        expect(waiting.stderr()).toContain('novactl serve');
        mkdirSync(elsewhere, { mode: 0o700 });
        symlinkSync(join(cloud.dir, 'run', 'novactl.sock'), join(elsewhere, 'novactl.sock'));
        const { code, stdout, stderr } = await waiting.ended;
        expect(code, stderr).toBe(0);
        await cloud.ok('instance', 'terminate', '--yes', '--wait', ...ids(stdout));
      } finally {
        await cloud.stop();
      }
    });
  },
);
