import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStillKernel } from '../../support/still-image.ts';
import { run, type CliResult } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { HostLab, namespaceHostsMissing, type NamespaceHost } from '../support/namespace-host.ts';

const missing = namespaceHostsMissing();

const domainXml = (name: string): string => `
<domain type='qemu'><name>${name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64'>hvm</type><kernel>/var/lib/novactl-host/still</kernel></os>
<devices><serial type='file'><source path='/var/lib/novactl-host/${name}.log'/></serial></devices></domain>`;

describe.skipIf(missing !== undefined)(
  `hosts out of namespaces [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let lab: HostLab;
    let h1: NamespaceHost;
    let h2: NamespaceHost;

    const ssh = async (host: NamespaceHost, user: 'root' | 'operator', ...words: string[]): Promise<CliResult> => {
      const { identity, knownHosts, host: address } = await host.login(user);
      const known = join(host.onDisk('root'), 'known');
      writeFileSync(known, `${knownHosts}\n`);
      const options = ['BatchMode=yes', `UserKnownHostsFile=${known}`, 'ConnectTimeout=2', 'IdentitiesOnly=yes'];
      return run('ssh', ['-i', identity, ...options.flatMap((one) => ['-o', one]), `${user}@${address}`, ...words]);
    };
    const guest = (host: NamespaceHost, name: string): string => {
      writeStillKernel(host.onDisk('var/lib/novactl-host/still'));
      writeFileSync(host.onDisk(`var/lib/novactl-host/${name}.xml`), domainXml(name));
      return `/var/lib/novactl-host/${name}.xml`;
    };

    beforeAll(async () => {
      lab = await HostLab.start(2);
      h1 = lab.host(0);
      h2 = lab.host(1);
    });
    afterAll(async () => {
      await lab.destroy();
      expect((await run('ip', ['-br', 'link'])).stdout).not.toContain(lab.bridge);
    });

    it('have names, users, and libvirts of their own', async () => {
      for (const host of lab.hosts) {
        expect((await ssh(host, 'root', 'hostname')).stdout).toBe(`${host.name}\n`);
        expect((await ssh(host, 'operator', 'id -un; sudo -n id -un')).stdout).toBe('operator\nroot\n');
        expect([...(await host.domains()).keys()]).toEqual([]);
      }
      const uuid = async (host: NamespaceHost): Promise<string> =>
        /<uuid>(.*)<\/uuid>/.exec(await host.ok('virsh', '-c', 'qemu:///system', 'capabilities'))?.[1] ?? '';
      expect(await uuid(h1)).not.toBe(await uuid(h2));
      expect(await h1.ok('cat', '/proc/sys/kernel/random/boot_id')).not.toBe(
        await h2.ok('cat', '/proc/sys/kernel/random/boot_id'),
      );
    });

    it('run guests, as QEMU’s own user, which no other host has', async () => {
      const file = guest(h1, 'one');
      await h1.ok('virsh', '-q', '-c', 'qemu:///system', 'define', file);
      await h1.ok('virsh', '-q', '-c', 'qemu:///system', 'start', 'one');
      expect((await h1.domains()).get('one')).toBe('running');
      expect((await h1.ok('ps', '-o', 'user=', '-C', 'qemu-system-x86_64')).trim()).toMatch(/^libvirt(-qemu|\+)$/);
      expect((await h2.domains()).has('one')).toBe(false);
    });

    it('keep their guests while libvirtd and sshd are killed and started', async () => {
      await h1.restartLibvirtd();
      await until(async () => (await h1.exec('virsh', '-q', '-c', 'qemu:///system', 'uri')).code === 0, {
        what: 'libvirt answers again',
      });
      expect((await h1.domains()).get('one')).toBe('running');
      await h1.killSshd();
      expect((await ssh(h1, 'root', 'true')).code).toBe(255);
      await h1.startSshd();
      expect((await ssh(h1, 'root', 'true')).code).toBe(0);
      const long = ssh(h1, 'root', 'sleep 60');
      await until(async () => (await h1.exec('pgrep', '-x', 'sleep')).stdout.split('\n').length > 2, {
        what: 'the command runs',
      });
      await h1.cutConnections();
      expect((await long).code).toBe(255);
      expect((await ssh(h1, 'root', 'true')).code).toBe(0);
    });

    it('swallow packets when frozen, without a word', async () => {
      await h1.freeze();
      const answer = await ssh(h1, 'root', 'true');
      await h1.thaw();
      expect(answer.code).toBe(255);
      expect(answer.stderr).toMatch(/timed out|No route/);
      expect((await ssh(h1, 'root', 'true')).code).toBe(0);
    });

    it('lose what ran and keep what is on their disk when they are powered off and on', async () => {
      const before = await h1.login();
      const boot = await h1.ok('cat', '/proc/sys/kernel/random/boot_id');
      await h1.powerOff();
      expect((await ssh(h1, 'root', 'true')).code).toBe(255);
      await h1.powerOn();
      expect((await h1.domains()).get('one')).toBe('shut off');
      expect(await h1.login()).toEqual(before);
      expect(await h1.ok('cat', '/proc/sys/kernel/random/boot_id')).not.toBe(boot);
      const kept = await ssh(h1, 'root', 'cat', '/var/lib/novactl-host/one.xml');
      expect(kept, kept.stderr).toMatchObject({ code: 0, stdout: domainXml('one') });
      await h1.ok('virsh', '-q', '-c', 'qemu:///system', 'start', 'one');
      expect(existsSync(h1.onDisk('var/lib/novactl-host/one.log'))).toBe(true);
    });
  },
);
