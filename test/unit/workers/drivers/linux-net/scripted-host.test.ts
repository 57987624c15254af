import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { CloudError } from '../../../../../src/base/errors.ts';
import { silentLogger } from '../../../../../src/base/logger.ts';
import type { ExecResult, HostShell } from '../../../../../src/ports/host-shell.ts';
import { createLinuxNetwork } from '../../../../../src/workers/drivers/linux-net/linux-network.ts';
import { networkA, portA } from './sample.ts';

const ok = (stdout = ''): ExecResult => ({ exitCode: 0, stdout, stderr: '' });
const bridges = JSON.stringify([{ ifname: networkA.bridge, ifindex: 7 }]);

/** What a host that this machine is not would answer, by the first words of the command; all else succeeds and says nothing. */
function scriptedHost(answers: Readonly<Record<string, ExecResult>>): { shell: HostShell; commands: string[] } {
  const commands: string[] = [];
  const files = new Map<string, string>();
  const unused = (): Promise<never> => Promise.reject(new CloudError('HostError', 'not in this script'));
  const shell: HostShell = {
    name: 'scripted',
    exec: (argv) => {
      const command = argv.join(' ');
      commands.push(command);
      const [, answer = ok()] = Object.entries(answers).find(([start]) => command.startsWith(start)) ?? [];
      return Promise.resolve(answer);
    },
    readFile: (path) => {
      const text = files.get(path);
      return text === undefined
        ? Promise.reject(new CloudError('NotFound', `no file ${path}`))
        : Promise.resolve(Buffer.from(text));
    },
    writeFile: (path, body) => {
      files.set(path, body.toString());
      return Promise.resolve();
    },
    upload: unused,
    download: () => {
      throw new Error('not asked for');
    },
    connectUnix: unused,
    close: () => Promise.resolve(),
  };
  return { shell, commands };
}

const driverOn = (shell: HostShell) => createLinuxNetwork({ shell, clock: new SystemClock(), logger: silentLogger });
const usual = { 'ip -j -d addr show': ok(bridges), 'cat /proc/sys/net': ok('1\n6a9c\n') };
const failed = { exitCode: 1, stdout: '', stderr: 'no\n' };

/** A host where only what nft is given counts. */
function nftHost(answer: (script: string) => ExecResult): { shell: HostShell; scripts: string[] } {
  const scripts: string[] = [];
  const { shell } = scriptedHost({});
  const exec: HostShell['exec'] = (_argv, { stdin = '' } = {}) => {
    scripts.push(stdin.toString());
    return Promise.resolve(answer(stdin.toString()));
  };
  return { shell: { ...shell, exec }, scripts };
}

describe('Linux network on a host that this machine is not', () => {
  it('starts dnsmasq in a scope of its own where systemd runs', async () => {
    const { shell, commands } = scriptedHost({ ...usual, 'pgrep ': failed });
    await driverOn(shell).ensureNetwork(networkA);
    const start = commands.find((command) => command.includes('dnsmasq --conf-file='));
    expect(start).toMatch(
      /^systemd-run --quiet --collect --scope --slice=novactl-host\.slice -- env -u NOVACTL_SESSION dnsmasq --conf-file=\/run\/novactl-host\/net-nvb101\/dnsmasq-[0-9a-f]{16}\.conf$/,
    );
  });

  it('starts it plainly where there is none, as nobody where dnsmasq has no user', async () => {
    const { shell, commands } = scriptedHost({ ...usual, 'test -d': failed, 'id -u': failed });
    await driverOn(shell).ensureNetwork(networkA);
    const start = commands.find((command) => command.startsWith('env -u NOVACTL_SESSION dnsmasq '));
    const config = start?.split('--conf-file=')[1] ?? '';
    expect((await shell.readFile(config)).toString()).toContain('\nuser=nobody\n');
  });

  it('says what a command said when it fails', async () => {
    const stderr = '/dev/stdin:3:1-5: Error: syntax error\nmore\n';
    const { shell } = scriptedHost({ ...usual, 'nft -f -': { exitCode: 1, stdout: '', stderr } });
    await expect(driverOn(shell).guardPort(networkA, portA)).rejects.toMatchObject({
      code: 'HostError',
      message: '`nft -f -` failed on host scripted: /dev/stdin:3:1-5: Error: syntax error',
      details: { host: 'scripted', command: 'nft -f -', exitCode: 1, stderr: stderr.trim() },
    });
  });

  it('does once for many ports that are asked for together what it does for one', async () => {
    const answers: Record<string, ExecResult> = { ...usual };
    const { shell, commands } = scriptedHost(answers);
    const driver = driverOn(shell);
    await driver.ensureNetwork(networkA);
    const started = commands.find((command) => command.includes('dnsmasq --conf-file=')) ?? '';
    answers['cat /proc/77/cmdline'] = ok(started.slice(started.indexOf('dnsmasq ')).replace(' ', '\0'));
    await shell.writeFile(`/run/novactl-host/net-${networkA.bridge}/dnsmasq.pid`, '77\n');
    commands.length = 0;
    const ports = Array.from({ length: 20 }, (_, index) => ({
      ...portA,
      tap: `nvt${index}`,
      mac: `02:16:3e:00:00:${index.toString(16).padStart(2, '0')}`,
      address: portA.address.replace(/\d+$/, String(100 + index)),
    }));
    await Promise.all(
      ports.map(async (port) => {
        await driver.ensureNetwork(networkA);
        await driver.ensurePort(networkA, port);
        await driver.guardPort(networkA, port);
      }),
    );
    const times = (start: string): number => commands.filter((command) => command.startsWith(start)).length;
    expect([times('ip '), times('kill -HUP'), times('nft')]).toEqual([2, 1, 2]);
    const file = (await shell.readFile(`/var/lib/novactl-host/net/${networkA.bridge}/hosts`)).toString();
    for (const { mac, address } of ports) expect(file).toContain(`${mac},${address},`);
  });

  it('guards the others when one of the taps is gone', async () => {
    const { shell, scripts } = nftHost((script) => (script.includes('"nvtgone"') ? failed : ok()));
    const driver = driverOn(shell);
    const results = await Promise.allSettled(
      ['nvtfirst', 'nvtgone', 'nvtstays'].map((tap) => driver.guardPort(networkA, { ...portA, tap })),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(scripts.some((script) => script.includes('"nvtstays"') && !script.includes('"nvtgone"'))).toBe(true);
  });

  it('touches nothing for a spec that it refuses', async () => {
    const { shell, commands } = scriptedHost(usual);
    const bad = { ...networkA, bridge: 'eth0' };
    await expect(driverOn(shell).ensureNetwork(bad)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    await expect(driverOn(shell).removeNetwork(bad.networkId, '../etc')).rejects.toMatchObject({
      code: 'InvalidParameterValue',
    });
    expect(commands).toEqual([]);
  });
});
