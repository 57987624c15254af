import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureLibvirtd } from '../../support/libvirtd.ts';
import { libvirtdMissing } from '../../support/private-libvirtd.ts';
import type { CliResult, InstanceRow } from '../../support/test-cloud.ts';
import { domains, run, TestCloud } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';

const missing = libvirtdMissing();
/** Software emulation under load: a boot takes 5 s on a quiet machine. */
const BOOT_MS = 90_000;
const USER_DATA = '#!/bin/sh\necho "hello from user data: $(hostname)"\n';

interface Listing {
  readonly instances: InstanceRow[];
}

describe.skipIf(missing !== undefined)(
  `the life of a guest [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cloud: TestCloud;
    let id = '';
    let address = '';

    const console_ = (): Promise<string> => cloud.ok('instance', 'log', id);
    const readyCount = async (): Promise<number> => (await console_()).split('NOVACTL-READY').length - 1;
    const ssh = (...command: string[]): Promise<CliResult> => cloud.cli('instance', 'ssh', id, '--', ...command);
    const ready = (times: number): Promise<true> =>
      until(async () => ((await readyCount()) >= times ? true : undefined), {
        what: `the guest said that it is ready ${times} times`,
        timeoutMs: BOOT_MS,
        everyMs: 250,
      });
    const state = (): Promise<InstanceRow> => cloud.json<InstanceRow>('instance', 'show', id);

    beforeAll(async () => {
      await ensureLibvirtd();
      cloud = new TestCloud({ NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '30000' });
      await cloud.start();
      await cloud.ok('host', 'add', 'here', '--local');
      await cloud.ok('image', 'build-tiny');
      await cloud.ok('keypair', 'create', 'mine');
    }, 180_000);

    afterAll(async () => {
      await cloud.destroy();
    }, 60_000);

    it('run-instance --wait --json prints one JSON document and the guest is up', async () => {
      const file = join(cloud.dir, 'user-data.sh');
      writeFileSync(file, USER_DATA);
      const { code, stdout, stderr } = await cloud.cli(
        ...['run-instance', '--image', 'tiny', '--type', 'm1.nano', '--key', 'mine', '--name', 'first'],
        ...['--user-data', `@${file}`, '--wait', '--json'],
      );
      expect(code, stderr).toBe(0);
      const [row] = (JSON.parse(stdout) as Listing).instances;
      expect(row?.state).toBe('running');
      id = row?.instanceId ?? '';
      address = row?.privateIpAddress ?? '';
      expect((await domains()).get(id)).toBe('running');
    });

    it('boots, takes its address by DHCP and reads its metadata', { timeout: BOOT_MS }, async () => {
      await ready(1);
      const text = await console_();
      expect(text).toContain(`NOVACTL-NET ${address}/`);
      expect(text).toMatch(new RegExp(`NOVACTL-META ${id} \\S+ m1.nano`));
    });

    it('runs its user data', async () => {
      const text = await console_();
      expect(text).toContain(`hello from user data: ip-${address.replaceAll('.', '-')}`);
    });

    it('lets its owner in by ssh, the host key pinned from the console', { timeout: BOOT_MS }, async () => {
      const answer = await ssh('cat', '/proc/sys/kernel/hostname');
      expect(answer.stderr).not.toContain('WARNING');
      expect(answer.code, answer.stderr).toBe(0);
      expect(answer.stdout.trim()).toBe(`ip-${address.replaceAll('.', '-')}`);
      expect((await ssh('exit', '7')).code).toBe(7);
    });

    it('refuses another key', { timeout: BOOT_MS }, async () => {
      const other = join(cloud.dir, 'other');
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
      chmodSync(other, 0o600);
      const answer = await cloud.cli('instance', 'ssh', id, '--identity', other, '--', 'true');
      expect(answer.code).toBe(255);
      expect(answer.stderr).toContain('Permission denied');
    });

    it('stops by ACPI, with its disk kept, and starts again', { timeout: 2 * BOOT_MS }, async () => {
      await cloud.ok('instance', 'stop', '--wait', id);
      expect((await domains()).get(id)).toBe('shut off');
      expect(await console_()).toContain('NOVACTL-SHUTDOWN');
      await cloud.ok('instance', 'start', '--wait', id);
      await ready(2);
      expect((await state()).privateIpAddress).toBe(address);
      expect((await ssh('true')).code).toBe(0);
    });

    it('reboots', { timeout: 2 * BOOT_MS }, async () => {
      await cloud.ok('instance', 'reboot', '--wait', id);
      await ready(3);
      expect((await state()).state).toBe('running');
    });

    it('lives on while libvirtd is restarted, and is under control after', { timeout: BOOT_MS }, async (context) => {
      const script = join(import.meta.dirname, '..', '..', '..', 'packaging', 'libvirtd-start');
      const ours = await run('test', ['-s', '/run/novactl/libvirtd-start.state']);
      if (ours.code !== 0) context.skip('this libvirtd was not started by us, so it is not ours to restart');
      const pid = (await run('pgrep', ['-f', `guest=${id}`])).stdout.trim();
      try {
        expect((await run(script, ['--stop'])).code).toBe(0);
        await until(async () => (await cloud.ok('status')).includes('down'), {
          what: 'the cloud says that the host is down',
        });
        expect((await state()).state).toBe('running');
      } finally {
        expect((await run(script, [])).code).toBe(0);
      }
      await until(
        async () => ((await cloud.json<{ problems: string[] }>('status')).problems.length === 0 ? true : undefined),
        {
          what: 'the cloud works with the host again',
          timeoutMs: 60_000,
        },
      );
      expect((await run('pgrep', ['-f', `guest=${id}`])).stdout.trim()).toBe(pid);
      expect((await ssh('true')).code).toBe(0);
    });

    it('is noticed within 2 s when it powers itself off', { timeout: BOOT_MS }, async () => {
      const qemu = (await run('pgrep', ['-f', `guest=${id}`])).stdout.trim();
      expect(qemu).toMatch(/^\d+$/);
      await ssh('poweroff');
      await until(async () => ((await run('test', ['-d', `/proc/${qemu}`])).code === 0 ? undefined : true), {
        what: 'QEMU ended',
        timeoutMs: 30_000,
      });
      const began = performance.now();
      const row = await until(
        async () => {
          const now = await state();
          return now.state === 'stopped' ? now : undefined;
        },
        { what: 'the cloud says stopped', timeoutMs: 10_000 },
      );
      expect(performance.now() - began).toBeLessThan(2000);
      expect(row.stateReason?.code).toBe('Client.InstanceInitiatedShutdown');
    });

    it('is terminated, and nothing of it stays on the host', { timeout: BOOT_MS }, async () => {
      await cloud.ok('instance', 'start', '--wait', id);
      await cloud.ok('instance', 'terminate', '--yes', '--wait', id);
      expect((await state()).state).toBe('terminated');
      expect((await domains()).has(id)).toBe(false);
      expect((await run('ls', [join(cloud.dir, 'host', 'instances')])).stdout).toBe('');
      const links = (await run('ip', ['-br', 'link'])).stdout;
      expect(links).not.toMatch(/\bnvb|\bnvt/);
      expect((await run('nft', ['list', 'tables'])).stdout).not.toContain('novactl');
      expect((await run('pgrep', ['-f', `dnsmasq.*${cloud.dir}`])).stdout).toBe('');
    });

    it('left no secret in the log', () => {
      const secret =
        readFileSync(join(cloud.dir, 'config', 'novactl', 'keys', 'mine.pem'), 'utf8').split('\n')[2] ?? '';
      expect(secret.length).toBeGreaterThan(20);
      expect(cloud.log).not.toContain(secret);
      expect(cloud.log).not.toContain('hello from user data');
    });
  },
);
