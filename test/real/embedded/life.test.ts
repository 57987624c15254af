import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tapName } from '../../../src/domain/addressing.ts';
import { ensureLibvirtd } from '../../support/libvirtd.ts';
import { libvirtdMissing } from '../../support/private-libvirtd.ts';
import type { CliResult, InstanceRow } from '../../support/test-cloud.ts';
import { domains, run, TestCloud } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';

const missing = libvirtdMissing();
/** Software emulation under load: a boot takes 5 s on a quiet machine. */
const BOOT_MS = 120_000;
const SECRET = 'canary-4711';
const USER_DATA = `#!/bin/sh\necho "hello from user data: $(hostname)"\n# ${SECRET}\n`;

interface Operation {
  readonly name: string;
  readonly status: string;
  readonly principal: string;
  readonly from: string;
}

describe.skipIf(missing !== undefined)(
  `the life of a guest with no daemon [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cloud: TestCloud;
    let id = '';

    const log = (): Promise<string> => cloud.ok('instance', 'log', id);
    const ssh = (...command: string[]): Promise<CliResult> => cloud.cli('instance', 'ssh', id, '--', ...command);
    const state = async (): Promise<string> => (await cloud.json<InstanceRow>('instance', 'show', id)).state;
    const ready = (times: number): Promise<true> =>
      until(async () => ((await log()).split('NOVACTL-READY').length > times ? true : undefined), {
        what: `the guest said that it is ready ${times} times`,
        timeoutMs: BOOT_MS,
        everyMs: 1000,
      });

    beforeAll(async () => {
      await ensureLibvirtd();
      cloud = new TestCloud({ NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '30000' });
    }, 180_000);

    afterAll(async () => {
      await cloud.destroy();
    }, 120_000);

    it('is not begun by a read: that says how to make a cloud, and makes nothing [real]', async () => {
      for (const words of [['instance', 'list'], ['status'], ['op', 'list'], ['dashboard', '--once']]) {
        const { code, stderr } = await cloud.cli(...words);
        expect([words.join(' '), code]).toEqual([words.join(' '), 7]);
        expect(stderr).toContain('novactl host add --local');
      }
      expect(existsSync(join(cloud.dir, 'state'))).toBe(false);
    });

    it('gets its host, image and key without one [real]', { timeout: 120_000 }, async () => {
      const added = await cloud.cli('host', 'add', 'here', '--local');
      expect(added.code, added.stderr).toBe(0);
      expect(added.stderr).toContain('made a new cloud');
      await cloud.ok('image', 'build-tiny');
      await cloud.ok('keypair', 'create', 'mine');
      expect(existsSync(join(cloud.dir, 'run', 'novactl.sock'))).toBe(false);
    });

    it('shows hosts as they are recorded, and looks at the one that is asked for [real]', async () => {
      const list = await cloud.json<{ hosts: { state: string; unseen?: boolean }[] }>('host', 'list');
      expect(list.hosts).toEqual([expect.objectContaining({ state: 'up', unseen: true })]);
      expect(await cloud.ok('host', 'list')).toMatch(/recorded up.*not looked at/);
      const host = await cloud.json<{ unseen?: boolean; lastReport?: string }>('host', 'show', 'here');
      expect(host.unseen).toBeUndefined();
      expect(Date.parse(host.lastReport ?? '')).toBeGreaterThan(Date.now() - 60_000);
      const status = await cloud.cli('status');
      expect(status.code).toBe(7);
      expect(status.stdout).toContain('no daemon');
      expect(status.stderr).toContain('nothing runs');
    });

    it('runs when run-instance has ended, though nobody asked it to wait [real]', { timeout: 60_000 }, async () => {
      const file = join(cloud.dir, 'user-data.sh');
      writeFileSync(file, USER_DATA, { mode: 0o600 });
      const { code, stdout, stderr } = await cloud.cli(
        ...[
          'run-instance',
          '--image',
          'tiny',
          '--type',
          'm1.nano',
          '--key',
          'mine',
          '--user-data',
          `@${file}`,
          '--json',
        ],
      );
      expect(code, stderr).toBe(0);
      id = (JSON.parse(stdout) as { instances: InstanceRow[] }).instances[0]?.instanceId ?? '';
      expect(await state()).toBe('running');
      expect((await domains()).get(id)).toBe('running');
      const { operations } = await cloud.json<{ operations: Operation[] }>('op', 'list');
      expect(operations[0]).toMatchObject({ name: 'RunInstances', status: 'succeeded', from: 'embedded' });
    });

    it('has a seed disk that its QEMU alone can read [real]', () => {
      const path = join(cloud.dir, 'host', 'instances', id, 'seed.iso');
      const { mode, uid } = statSync(path);
      expect(mode & 0o777).toBe(0o600);
      expect(uid).toBe(statSync(join(cloud.dir, 'host', 'instances', id, 'disk.qcow2')).uid);
      expect(readFileSync(path).includes(SECRET)).toBe(true);
    });

    it('learns from the seed who it is, and runs its user data [real]', { timeout: BOOT_MS }, async () => {
      await ready(1);
      const text = await log();
      expect(text).toContain('NOVACTL-META-FROM seed');
      expect(text).toMatch(new RegExp(`NOVACTL-META ${id} ip-\\S+ m1.nano`));
      expect(text).toMatch(/hello from user data: ip-/);
    });

    it('lets its owner in by the key of the seed [real]', { timeout: BOOT_MS }, async () => {
      const answer = await ssh('cat', '/proc/sys/kernel/hostname');
      expect(answer.code, answer.stderr).toBe(0);
      expect(answer.stdout).toMatch(/^ip-/);
    });

    it('stops, starts without its user data, and reboots [real]', { timeout: 3 * BOOT_MS }, async () => {
      await cloud.ok('instance', 'stop', id);
      expect(await state()).toBe('stopped');
      expect((await domains()).get(id)).toBe('shut off');
      await cloud.ok('instance', 'start', '--wait', id);
      await ready(2);
      const text = await log();
      expect(text).toContain('NOVACTL-USERDATA-IGNORED it ran at the first boot');
      expect(text.split('hello from user data').length).toBe(2);
      await cloud.ok('instance', 'reboot', id);
      await ready(3);
      expect((await ssh('true')).code).toBe(0);
    });

    it(
      'is found by a daemon that starts, whose metadata service it can ask then [real]',
      { timeout: BOOT_MS },
      async () => {
        await cloud.start();
        const asked = await ssh('metadata', 'meta-data/instance-id');
        expect([asked.code, asked.stdout]).toEqual([0, id]);
        expect(await cloud.stop()).toBe(0);
        expect(await state()).toBe('running');
      },
    );

    it('is terminated, and nothing of it stays [real]', { timeout: BOOT_MS }, async () => {
      await cloud.ok('instance', 'terminate', '--yes', id);
      expect(await state()).toBe('terminated');
      expect((await domains()).has(id)).toBe(false);
      expect(readdirSync(join(cloud.dir, 'host', 'instances'))).toEqual([]);
      expect((await run('ip', ['-br', 'link'])).stdout).not.toContain(tapName(id));
      expect(cloud.log).not.toContain(SECRET);
    });
  },
);
