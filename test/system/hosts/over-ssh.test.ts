import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliResult } from '../../support/test-cloud.ts';
import { run, TestCloud } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { HostLab, namespaceHostsMissing, type NamespaceHost } from '../support/namespace-host.ts';

const missing = namespaceHostsMissing();
const BOOT_MS = 120_000;

interface Row {
  readonly name: string;
  readonly state: string;
  readonly problem?: string;
  readonly transport: string;
  readonly orphans: string[];
}

interface Checks {
  readonly ok: boolean;
  readonly checks: { readonly check: string; readonly result: string; readonly seen: string; readonly mend?: string }[];
}

describe.skipIf(missing !== undefined)(
  `the administration of hosts over SSH [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let lab: HostLab;
    let h1: NamespaceHost;
    let cloud: TestCloud;
    let address = '';
    let fingerprint = '';
    let identity = '';
    let id = '';

    const hosts = async (): Promise<Row[]> => (await cloud.json<{ hosts: Row[] }>('host', 'list')).hosts;
    const problem = (pattern: RegExp): Promise<true> =>
      until(
        async () => (await hosts()).some((row) => row.state === 'down' && pattern.test(row.problem ?? '')) || undefined,
        {
          what: `the host is down, and why: ${String(pattern)}`,
          timeoutMs: 60_000,
          everyMs: 250,
        },
      );
    const add = (...words: string[]): Promise<CliResult> => cloud.cli('host', 'add', ...words, '--address', address);
    const letKeyIn = async (): Promise<void> =>
      appendFileSync(h1.onDisk('root/.ssh/authorized_keys'), await cloud.ok('host', 'key', '--quiet'));
    const newHostKey = async (): Promise<string> => {
      const path = '/etc/ssh/ssh_host_ed25519_key';
      await h1.ok('sh', '-c', `rm -f ${path}*; ssh-keygen -q -t ed25519 -N '' -f ${path}`);
      await h1.restartSshd();
      return (await h1.ok('ssh-keygen', '-l', '-f', `${path}.pub`)).split(' ')[1] ?? '';
    };

    beforeAll(async () => {
      lab = await HostLab.start(1);
      h1 = lab.host(0);
      ({
        host: address,
        hostKey: { fingerprint },
        identity,
      } = await h1.login());
      cloud = new TestCloud({ NOVACTL_HOST_DIR: '/var/lib/novactl-host', NOVACTL_METADATA_LISTEN: 'none' });
      await cloud.start();
    });
    afterAll(async () => {
      await cloud.kill9();
      await lab.destroy();
      await run('rm', ['-rf', cloud.dir]);
    });

    it('an unknown key is not trusted by itself: it is shown, with what to type', async () => {
      const { code, stderr } = await add('h1');
      expect([code, stderr]).toEqual([2, expect.stringContaining(`--fingerprint ${fingerprint}`)]);
      const wrong = fingerprint.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'));
      const other = await add('h1', '--fingerprint', wrong);
      expect(other.code, other.stderr).toBe(7);
      expect(other.stderr).toContain(fingerprint);
      expect(other.stderr).toContain(wrong);
      expect(await hosts()).toEqual([]);
    });

    it('a refused login says which line to put on the host, and the preflight says so too', async () => {
      const line = (await cloud.ok('host', 'key', '--quiet')).trim();
      const { code, stderr } = await add('h1', '--fingerprint', fingerprint);
      expect(code, stderr).toBe(7);
      const [type, base64] = line.split(' ');
      expect(stderr).toContain(`~root/.ssh/authorized_keys there: ${type} ${base64}`);
      const check = await add('h1', '--fingerprint', fingerprint, '--check', '--json');
      expect(check.code).toBe(5);
      const [row, ...more] = (JSON.parse(check.stdout) as Checks).checks;
      expect(more).toEqual([]);
      expect(row).toMatchObject({ check: 'ssh', result: 'fail', mend: expect.stringContaining(base64 ?? '-') });
    });

    it('the preflight looks at everything and leaves nothing', async () => {
      await letKeyIn();
      const look = (): Promise<string> =>
        h1.ok(
          'sh',
          '-c',
          'find /var/lib/novactl-host /tmp /etc | sort; ip -br link; nft list ruleset; virsh list --all',
        );
      const before = await look();
      const { code, stdout, stderr } = await add('h1', '--fingerprint', fingerprint, '--check', '--json');
      expect(code, stderr).toBe(0);
      expect(await look()).toBe(before);
      const { ok, checks } = JSON.parse(stdout) as Checks;
      expect(ok).toBe(true);
      expect(checks.map((row) => row.check)).toEqual([
        'ssh',
        'root',
        'claim',
        'programs',
        'libvirt',
        'guest',
        'disk',
        'memory',
        'bridge',
        'routes',
        'forwarding',
        'firewall',
        'dhcp',
        'metadata',
        'time',
      ]);
      expect(checks.find((row) => row.check === 'guest')?.seen).toMatch(/software emulation|under KVM/);
      expect(checks.filter((row) => row.result !== 'ok' && row.mend === undefined)).toEqual([]);
      expect(await hosts()).toEqual([]);
    });

    it('the preflight names rules of others, and what mends them mends them', async () => {
      await h1.ok('iptables', '-P', 'FORWARD', 'DROP');
      const firewall = async (): Promise<Checks['checks'][number] | undefined> =>
        (JSON.parse((await add('h1', '--fingerprint', fingerprint, '--check', '--json')).stdout) as Checks).checks.find(
          (row) => row.check === 'firewall',
        );
      const row = await firewall();
      expect(row).toMatchObject({ result: 'warn', seen: expect.stringContaining('ip filter FORWARD (policy drop)') });
      await h1.ok('sh', '-c', (row?.mend ?? '').replace(/ \(.*$/, ''));
      expect((await firewall())?.result).toBe('ok');
      await h1.ok('nft', 'delete', 'table', 'ip', 'filter');
    });

    it('is added, and a file that names it again changes nothing and adds what it can', async () => {
      const { code, stderr } = await add('h1', '--fingerprint', fingerprint);
      expect(code, stderr).toBe(0);
      expect(await hosts()).toMatchObject([{ name: 'h1', state: 'up', transport: `ssh://root@${address}:22` }]);
      const file = join(cloud.dir, 'hosts.txt');
      writeFileSync(file, `# the rack\nh1 ${fingerprint}\n\nroot@nowhere.invalid:2222 ${fingerprint} # dead\n`);
      const partly = await cloud.cli('host', 'add', '--from', file, '--json');
      expect(partly.code, partly.stderr).toBe(10);
      expect((JSON.parse(partly.stdout) as { hosts: unknown[] }).hosts).toMatchObject([
        { name: 'h1', result: 'there already' },
        { name: 'nowhere.invalid', result: 'failed' },
      ]);
      const twice = await add('other', '--fingerprint', fingerprint);
      expect([twice.code, twice.stderr]).toEqual([5, expect.stringContaining('this machine is a host already, as h1')]);
    });

    it(
      'a guest gets its metadata by its host’s SSH connection, and nobody else gets it',
      { timeout: 2 * BOOT_MS },
      async () => {
        await cloud.ok('image', 'build-tiny');
        await cloud.ok('keypair', 'create', 'mine');
        await cloud.ok('run-instance', '--image', 'tiny', '--type', 'm1.nano', '--key', 'mine', '--wait');
        const [row] = await cloud.instances();
        id = row?.instanceId ?? '';
        await until(async () => (await cloud.ok('instance', 'log', id)).includes('NOVACTL-READY') || undefined, {
          what: 'the guest is ready',
          timeoutMs: BOOT_MS,
          everyMs: 500,
        });
        const get = 'wget -qO- http://169.254.169.254/latest/meta-data';
        const answer = await cloud.cli('instance', 'ssh', id, '--', `${get}/instance-id; echo; ${get}/local-ipv4`);
        expect(answer.stdout, answer.stderr).toBe(`${id}\n${row?.privateIpAddress ?? ''}`);
        const host = await h1.exec('wget', '-qO-', 'http://127.0.0.1:18775/latest/meta-data/instance-id');
        expect([host.code, host.stdout]).toEqual([8, '']);
      },
    );

    it('in maintenance it gets no new instance, and keeps what it has', async () => {
      await cloud.ok('host', 'disable', 'h1', '--reason', 'new memory');
      const refused = await cloud.cli('run-instance', '--image', 'tiny', '--type', 'm1.nano');
      expect([refused.code, refused.stderr]).toEqual([
        6,
        expect.stringContaining('h1: the host is in state maintenance'),
      ]);
      expect((await h1.domains()).get(id)).toBe('running');
      await cloud.ok('host', 'enable', 'h1');
      expect((await hosts()).map((host) => host.state)).toEqual(['up']);
    });

    it('a changed key is refused and named, until the new one is pinned', async () => {
      const changed = await newHostKey();
      await problem(
        new RegExp(`${changed.replaceAll('+', String.raw`\+`)}.*${fingerprint.replaceAll('+', String.raw`\+`)}`),
      );
      const refused = await cloud.cli('host', 'set-key', 'h1');
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(`--fingerprint ${changed}`)]);
      await cloud.ok('host', 'set-key', 'h1', '--fingerprint', changed);
      fingerprint = changed;
      expect((await hosts()).map((host) => host.state)).toEqual(['up']);
      expect((await h1.domains()).get(id)).toBe('running');
    });

    it('is lost only when it is: then its instances end, and what comes back with it is an orphan', async () => {
      const lost = (): Promise<CliResult> => cloud.cli('host', 'remove', '--lost', 'h1', '--confirm=h1');
      expect((await lost()).stderr).toContain('h1 is not lost');
      await h1.killLibvirtd();
      await problem(/libvirt/);
      expect((await lost()).stderr).toContain('its SSH server answers with its own key');
      await h1.powerOff();
      await problem(/no way to that address|no answer|lost/);
      const unsure = await cloud.cli('host', 'remove', '--lost', 'h1', '--confirm=h2');
      expect([unsure.code, unsure.stderr]).toEqual([2, expect.stringContaining('--confirm')]);
      const done = await lost();
      expect(done.code, done.stderr).toBe(0);
      await until(async () => (await hosts()).length === 0 || undefined, { what: 'its record is gone' });
      expect(await cloud.instances()).toMatchObject([
        { instanceId: id, state: 'terminated', stateReason: { code: 'Server.HostLost' } },
      ]);
      await h1.powerOn();
      expect((await add('h1', '--fingerprint', fingerprint)).code).toBe(0);
      expect((await hosts()).map((host) => host.orphans)).toEqual([[id]]);
      await cloud.ok('host', 'remove', 'h1', '--yes');
    });

    it('a user who is not root is told each time what is missing', async () => {
      const as = (...words: string[]): Promise<CliResult> =>
        add('operator@h1', '--fingerprint', fingerprint, '--identity', identity, ...words);
      const said = async (...words: string[]): Promise<string> => {
        const { code, stderr } = await as(...words);
        expect(code, stderr).toBe(4);
        return stderr;
      };
      expect(await said()).toMatch(/operator is not root on .*--sudo/);
      expect(await said('--sudo')).toMatch(/libvirt does not let operator in.*usermod -aG libvirt operator/);
      const rights = String.raw`auth_unix_rw = "none"\nunix_sock_group = "libvirt"\nunix_sock_rw_perms = "0770"\n`;
      await h1.ok('sh', '-c', `printf '${rights}' >> /etc/libvirt/libvirtd.conf`);
      await h1.restartLibvirtd();
      expect(await said('--sudo')).toMatch(/can not open libvirt's socket \(srwxrwx--- .*usermod -aG libvirt operator/);
      await h1.ok('usermod', '-aG', 'libvirt', 'operator');
      const added = await as('--sudo');
      expect(added.code, added.stderr).toBe(0);
      expect((await hosts()).map((host) => [host.state, host.transport])).toEqual([
        ['up', `ssh://operator@${address}:22`],
      ]);
    });

    it('a taken metadata port leaves the host usable, and is said', async () => {
      await cloud.ok('host', 'remove', 'h1', '--yes');
      const holder = h1.exec('timeout', '60', 'python3', '-m', 'http.server', '18775', '--bind', '127.0.0.1');
      await until(
        async () => (await h1.exec('sh', '-c', 'ss -Hltn "sport = :18775" | grep -q .')).code === 0 || undefined,
        {
          what: 'the port is taken',
        },
      );
      expect((await add('h1', '--fingerprint', fingerprint)).code).toBe(0);
      const row = await until(async () => (await hosts()).find((host) => host.problem !== undefined), {
        what: 'the problem is said',
        timeoutMs: 45_000,
      });
      expect(row).toMatchObject({ state: 'up', problem: expect.stringMatching(/no metadata: .*port 18775/) });
      await h1.ok('pkill', '-f', 'http.server 18775');
      await holder;
    });
  },
);
