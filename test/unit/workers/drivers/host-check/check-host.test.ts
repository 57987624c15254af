import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CloudError } from '../../../../../src/base/errors.ts';
import type { HostCheckRow } from '../../../../../src/ports/host-reach.ts';
import type { HostShell } from '../../../../../src/ports/host-shell.ts';
import { checkHost, type CheckHostParts } from '../../../../../src/workers/drivers/host-check/check-host.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { ManualClock } from '../../../../support/manual-clock.ts';
import { CAPTURED, NOW_MS, NFT_DOCKER, type Answers } from './captured.ts';

/** A shell that answers with captured output; the key is the beginning of the command. */
function scripted(answers: Answers): HostShell {
  const unused = (): Promise<never> => Promise.reject(new Error('the preflight only runs commands'));
  return {
    name: 'h1',
    exec: (argv) => {
      const line = argv.join(' ');
      const key = Object.keys(answers)
        .filter((begin) => line.startsWith(begin))
        .toSorted((a, b) => b.length - a.length)[0];
      if (key === undefined) return Promise.reject(new Error(`nothing was captured of ${line}`));
      const answer = answers[key] ?? '';
      if (answer instanceof Error) return Promise.reject(answer);
      const result = { exitCode: 0, stdout: '', stderr: '' };
      return Promise.resolve(typeof answer === 'string' ? { ...result, stdout: answer } : { ...result, ...answer });
    },
    readFile: unused,
    writeFile: unused,
    upload: unused,
    download: () => {
      throw new Error('not asked for');
    },
    connectUnix: unused,
    close: () => Promise.resolve(),
  };
}

function partsWith(answers: Partial<Answers>, over: Partial<CheckHostParts> = {}): CheckHostParts {
  return {
    shell: scripted({ ...CAPTURED, ...answers } as Answers),
    clock: new ManualClock(NOW_MS),
    hostDir: '/var/lib/novactl-host',
    metadataPort: 8775,
    cloudId: 'cloud-0123456789abcdef0',
    fixedRange: '10.200.0.0/13',
    login: { user: 'root', sudo: false, remote: true, text: 'root at 10.0.0.5 port 22' },
    libvirt: () =>
      Promise.resolve({
        ...{ hypervisor: 'QEMU', hypervisorVersion: '7.2.22', libvirtVersion: '9.0.0', hostname: 'h1', arch: 'x86_64' },
        ...{ cpus: 2, memoryMib: 24_000, qemuUid: 64_055, qemuGid: 64_055 },
      }),
    bootGuest: () => Promise.resolve({ works: true, why: 'a guest ran under KVM' }),
    ...over,
  };
}

const text = (rows: readonly HostCheckRow[]): string =>
  rows
    .map(({ check, result, seen, mend }) => `${check} ${result}: ${seen}\n${mend === undefined ? '' : `    ${mend}\n`}`)
    .join('');

const golden = (name: string, rows: readonly HostCheckRow[]): void =>
  expectGolden(join('host-check', `${name}.txt`), text(rows));

describe('the preflight of a host', () => {
  it('of a host that has all', async () => {
    golden('fit', await checkHost(partsWith({})));
  });

  it('of a host where everything is amiss', async () => {
    const rows = await checkHost(
      partsWith(
        {
          'cat /var/lib/novactl-host/claim': '{"v":1,"epoch":3,"session":"s","cloudId":"cloud-fffffffffffffffff"}\n',
          'sh -c for p': 'nft\ndnsmasq\n',
          'sh -c d=$1': '      Avail Mounted on\n1073741824 /\n',
          'cat /proc/meminfo': 'MemTotal:         524288 kB\nMemAvailable:     262144 kB\n',
          'sh -c if [ -d': '\nip utility, iproute2-6.1.0\n',
          'ip -j -4 route': '[{"dst":"default","dev":"eth0"},{"dst":"10.0.0.0/8","dev":"eth1"}]',
          'cat /proc/sys/net/ipv4/ip_forward': '0\n',
          'nft -j list ruleset': NFT_DOCKER,
          'ss -H -lunp': 'UNCONN 0 0 0.0.0.0:67 0.0.0.0:* users:(("dhcpd",pid=7,fd=7))\n',
          'ss -H -ltnp': 'LISTEN 0 5 0.0.0.0:8775 0.0.0.0:* users:(("python3",pid=9,fd=3))\n',
          'date +%s.%N': `${NOW_MS / 1000 - 3600}.5\n`,
        },
        {
          libvirt: () =>
            Promise.reject(
              new CloudError('OperationNotPermitted', 'libvirt does not let me in', {
                details: { mend: 'usermod -aG libvirt me' },
              }),
            ),
          bootGuest: (accelerator) => Promise.resolve({ works: false, why: `QEMU failed under ${accelerator}` }),
        },
      ),
    );
    golden('unfit', rows);
  });

  it('of a host without KVM, with the old iptables and networks inside the range', async () => {
    const rows = await checkHost(
      partsWith(
        {
          'cat /var/lib/novactl-host/claim': '{"v":1,"epoch":3,"session":"s","cloudId":"cloud-0123456789abcdef0"}\n',
          'sh -c d=$1': '      Avail Mounted on\n5368709120 /srv\n',
          'cat /proc/meminfo': 'MemTotal:        1548576 kB\nMemAvailable:    1262144 kB\n',
          'ip -j -4 route': '[{"dst":"10.201.4.0/24","dev":"virbr1"},{"dst":"10.202.0.9","dev":"wg0"}]',
          'sh -c grep -q filter': '-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n',
          'ss -H -lunp': 'UNCONN 0 0 0.0.0.0%virbr0:67 0.0.0.0:* users:(("dnsmasq",pid=812,fd=3))\n',
          'ss -H -ltnp': 'LISTEN 0 128 127.0.0.1:8775 0.0.0.0:* users:(("sshd",pid=99,fd=9))\n',
          'date +%s.%N': `${NOW_MS / 1000 + 5}.0\n`,
        },
        { bootGuest: (kind) => Promise.resolve({ works: kind === 'tcg', why: 'there is no /dev/kvm on that host' }) },
      ),
    );
    golden('warnings', rows);
  });

  it('ends where the way in is closed', async () => {
    const refused = new CloudError('Unavailable', 'h1 refuses the login', { details: { mend: 'put this line there' } });
    expect(await checkHost(partsWith({ true: refused }))).toEqual([
      { check: 'ssh', result: 'fail', seen: 'h1 refuses the login', mend: 'put this line there' },
    ]);
    const noSudo = new CloudError('HostError', 'sudo wants a password', { details: { reason: 'sudo' } });
    const rows = await checkHost(partsWith({ true: noSudo, 'id -u': noSudo }));
    expect(rows.map(({ check, result }) => `${check} ${result}`)).toEqual(['ssh ok', 'root fail']);
    expect((await checkHost(partsWith({ 'id -u': '1000\n' }))).at(-1)).toMatchObject({ check: 'root', result: 'fail' });
  });
});
