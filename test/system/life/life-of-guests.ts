import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { LabCloud, type PlacedInstance, type Way } from '../support/lab-cloud.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';

/** Software emulation under load: a boot takes 5 s on a quiet machine, and there are two. */
const BOOT_MS = 60_000;
const USER_DATA = '#!/bin/sh\necho "hello from user data: $(hostname)"\n';

const missing = namespaceHostsMissing();

/** Somebody elsewhere has no key of the cloud; their agent has one that the hosts let in. */
async function startAgent(system: LabCloud): Promise<{ socket: string; process: ChildProcess }> {
  const socket = join(system.cloud.dir, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  await until(() => existsSync(socket), { what: 'the agent listens' });
  const { identity } = await system.lab.host(0).login();
  await run('ssh-add', ['-q', identity], { ...process.env, SSH_AUTH_SOCK: socket });
  return { socket, process: agent };
}

/** The whole life of real guests on two hosts elsewhere. */
export function describeLifeOfGuests(way: Way): void {
  describe.skipIf(missing !== undefined)(
    `guests on two hosts over SSH, ${way} [real]${missing === undefined ? '' : `: ${missing}`}`,
    () => {
      let system: LabCloud;
      let rows: PlacedInstance[] = [];
      let agent: { socket: string; process: ChildProcess } | undefined;

      const consoleOf = (id: string): Promise<string> => system.ok('instance', 'log', id);
      const ready = (id: string, times: number): Promise<true> =>
        until(async () => (await consoleOf(id)).split('NOVACTL-READY').length > times || undefined, {
          what: `${id} said that it is ready ${times} times`,
          timeoutMs: BOOT_MS,
          everyMs: 500,
        });
      const first = (): PlacedInstance => {
        const [row] = rows;
        if (row === undefined) throw new Error('no instance was made');
        return row;
      };

      beforeAll(async () => {
        system = await LabCloud.start(way, { env: { NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '30000' } });
        if (way === 'https') agent = await startAgent(system);
        await system.ok('image', 'build-tiny');
        await system.ok('keypair', 'create', 'mine');
      });
      afterAll(async () => {
        agent?.process.kill();
        await system.destroy();
      });

      it('are placed on both', async () => {
        const file = join(system.cloud.dir, 'user-data.sh');
        writeFileSync(file, USER_DATA, { mode: 0o644 });
        const made = await system.json<{ instances: PlacedInstance[] }>(
          ...['run-instance', '--image', 'tiny', '--type', 'm1.nano', '--key', 'mine', '--count', '2'],
          ...['--user-data', `@${file}`, '--wait'],
        );
        rows = made.instances;
        expect(rows.map((row) => row.state)).toEqual(['running', 'running']);
        expect(rows.map((row) => row.hostName).toSorted()).toEqual(['h1', 'h2']);
        const domains = await system.domains();
        for (const { instanceId, hostName } of rows) {
          expect(domains.get(instanceId)).toEqual([{ host: hostName, state: 'running' }]);
        }
      });

      it('take their address by DHCP, know who they are, and run their user data', { timeout: BOOT_MS }, async () => {
        for (const { instanceId, privateIpAddress } of rows) {
          await ready(instanceId, 1);
          const text = await consoleOf(instanceId);
          expect(text).toContain(`NOVACTL-NET ${privateIpAddress}/`);
          expect(text).toMatch(new RegExp(`NOVACTL-META ${instanceId} \\S+ m1.nano`));
          expect(text).toContain(`hello from user data: ip-${privateIpAddress.replaceAll('.', '-')}`);
        }
      });

      it('let their owner in by ssh, through their host', { timeout: BOOT_MS }, async () => {
        const login = agent === undefined ? system : system.with({ SSH_AUTH_SOCK: agent.socket });
        for (const { instanceId, privateIpAddress } of rows) {
          const answer = await login.cli('instance', 'ssh', instanceId, '--', 'cat', '/proc/sys/kernel/hostname');
          expect(answer.code, answer.stderr).toBe(0);
          expect(answer.stdout.trim()).toBe(`ip-${privateIpAddress.replaceAll('.', '-')}`);
        }
      });

      it('stop with their disk kept, start again, and reboot', { timeout: 3 * BOOT_MS }, async () => {
        const { instanceId, hostName } = first();
        await system.ok('instance', 'stop', '--wait', instanceId);
        expect((await system.domains()).get(instanceId)).toEqual([{ host: hostName, state: 'shut off' }]);
        expect(await consoleOf(instanceId)).toContain('NOVACTL-SHUTDOWN');
        await system.ok('instance', 'start', '--wait', instanceId);
        await ready(instanceId, 2);
        await system.ok('instance', 'reboot', '--wait', instanceId);
        await ready(instanceId, 3);
        expect((await system.domains()).get(instanceId)).toEqual([{ host: hostName, state: 'running' }]);
      });

      it('are terminated, and nothing of them stays on the hosts', { timeout: BOOT_MS }, async () => {
        await system.ok('instance', 'terminate', '--yes', '--wait', ...rows.map((row) => row.instanceId));
        expect((await system.instances()).map((row) => row.state)).toEqual(['terminated', 'terminated']);
        expect([...(await system.domains()).keys()]).toEqual([]);
        for (const host of system.lab.hosts) {
          expect((await host.exec('ls', '/var/lib/novactl-host/instances')).stdout).toBe('');
          expect(await host.ok('ip', '-br', 'link')).not.toMatch(/\bnvb|\bnvt/);
          expect(await host.ok('nft', 'list', 'tables')).not.toContain('novactl');
          expect((await host.exec('pgrep', '-x', 'dnsmasq')).stdout).toBe('');
        }
      });
    },
  );
}
