import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliResult, NOVACTL, run } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { closingChecks, importStillImage } from '../support/closing-checks.ts';
import type { PlacedInstance } from '../support/cloud-commands.ts';
import { exactChecks } from '../support/exact-checks.ts';
import { clusterMissing, LabCluster } from '../support/lab-cluster.ts';

const missing = clusterMissing();
/** Software emulation under load. */
const BOOT_MS = 90_000;
const NOWHERE = '/nonexistent/novactl';
const STILL = ['run-instance', '--image', 'still', '--type', 'm1.nano', '--wait', '--json'];

interface Host {
  readonly name: string;
  readonly state: string;
}

describe.skipIf(missing !== undefined)(
  `a client's day on two apis, three controllers and two workers [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cluster: LabCluster;
    /** Signed over TLS by the second api, as from another machine. */
    let elsewhere: NodeJS.ProcessEnv = {};
    let tiny: PlacedInstance;

    const succeed = async (answer: Promise<CliResult>): Promise<string> => {
      const { code, stdout, stderr } = await answer;
      expect(code, `${stderr}\n${stdout}`).toBe(0);
      return stdout;
    };
    const first = (...words: string[]): Promise<string> => succeed(cluster.via('a1').cli(...words));
    const second = (...words: string[]): Promise<string> => succeed(cluster.via('a2').cli(...words));
    const byHttps = (...words: string[]): Promise<string> => succeed(run(NOVACTL, words, elsewhere));
    const shown = async (by: typeof first, id: string): Promise<PlacedInstance> =>
      JSON.parse(await by('instance', 'show', id, '--json')) as PlacedInstance;
    const booted = (id: string, times: number): Promise<true> =>
      until(async () => (await second('instance', 'log', id)).split('NOVACTL-READY').length > times || undefined, {
        what: `${id} said that it is ready ${times} times`,
        timeoutMs: BOOT_MS,
        everyMs: 500,
      });

    beforeAll(async () => {
      cluster = await LabCluster.start();
    });
    afterAll(async () => {
      await cluster?.destroy();
    });

    it('every process is known to both apis', async () => {
      for (const by of [first, second]) {
        const { services } = JSON.parse(await by('service', 'list', '--json')) as { services: { serviceId: string }[] };
        const names = services.map(({ serviceId }) => serviceId).toSorted();
        expect(names).toEqual(cluster.processes.map(({ name }) => name).toSorted());
      }
    });

    it('a key and images that came by one api are there at the other', async () => {
      await first('keypair', 'create', 'mine');
      expect(await second('keypair', 'list', '--json')).toContain('"mine"');
      await importStillImage(cluster);
      await second('image', 'build-tiny');
      const { images } = JSON.parse(await first('image', 'list', '--json')) as { images: { name: string }[] };
      expect(images.map(({ name }) => name)).toEqual(expect.arrayContaining(['still', 'tiny']));
    });

    it('another machine works over TLS', async () => {
      const home = join(cluster.dir, 'elsewhere');
      mkdirSync(home, { mode: 0o700 });
      const entry = await second('context', 'export', '--url', cluster.httpsUrl);
      const { env } = cluster.process('a2');
      elsewhere = {
        ...{ PATH: env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, 'config'), NO_COLOR: '1' },
        ...{ NOVACTL_STATE_DIR: NOWHERE, NOVACTL_RUN_DIR: NOWHERE, NOVACTL_CONTEXT: 'lab' },
      };
      const add = ['--context', 'local', 'context', 'add', 'lab', '--from', '-'];
      await succeed(run(NOVACTL, add, elsewhere, entry));
      expect(await byHttps('status')).toContain('etcd');
    });

    it('an instance that was run by one is described by the other', { timeout: BOOT_MS }, async () => {
      const made = JSON.parse(await first(...STILL, '--count', '4')) as { instances: PlacedInstance[] };
      expect(made.instances.map(({ state }) => state)).toEqual(Array<string>(4).fill('running'));
      for (const { instanceId, hostName } of made.instances) {
        expect(await shown(second, instanceId)).toMatchObject({ instanceId, state: 'running', hostName });
      }
      await closingChecks(cluster);
      await second('instance', 'terminate', '--yes', '--wait', ...made.instances.map(({ instanceId }) => instanceId));
    });

    it('a guest boots, and knows who it is by a worker that has no store', { timeout: 2 * BOOT_MS }, async () => {
      const file = join(cluster.dir, 'user-data.sh');
      writeFileSync(file, '#!/bin/sh\necho "hello from user data: $(hostname)"\n', { mode: 0o644 });
      const words = [
        'run-instance',
        '--image',
        'tiny',
        '--type',
        'm1.nano',
        '--key',
        'mine',
        '--user-data',
        `@${file}`,
      ];
      const made = JSON.parse(await byHttps(...words, '--wait', '--json')) as { instances: PlacedInstance[] };
      expect(made.instances).toHaveLength(1);
      [tiny] = made.instances as [PlacedInstance];
      await first('instance', 'wait', tiny.instanceId, '--for', 'running');
      await booted(tiny.instanceId, 1);
      const text = await first('instance', 'log', tiny.instanceId);
      expect(text).toMatch(new RegExp(`NOVACTL-META ${tiny.instanceId} \\S+ m1.nano`));
      expect(text).toContain('hello from user data: ip-');
    });

    it('its console is open by either api', { timeout: BOOT_MS }, async () => {
      const typed = (name: string): Promise<CliResult> =>
        run(
          'sh',
          [
            '-c',
            'printf "echo x$((40 + 2))y\\r" | "$1" instance console "$2" --linger 5s',
            'sh',
            NOVACTL,
            tiny.instanceId,
          ],
          cluster.process(name).env,
        );
      for (const name of ['a1', 'a2']) expect(await succeed(typed(name))).toContain('echo x42y');
    });

    it('it stops, starts and reboots', { timeout: 3 * BOOT_MS }, async () => {
      const { instanceId, hostName } = tiny;
      await first('instance', 'stop', '--wait', instanceId);
      expect((await cluster.domains()).get(instanceId)).toEqual([{ host: hostName, state: 'shut off' }]);
      expect(await shown(second, instanceId)).toMatchObject({ state: 'stopped' });
      await second('instance', 'start', '--wait', instanceId);
      await booted(instanceId, 2);
      await byHttps('instance', 'reboot', '--wait', instanceId);
      await booted(instanceId, 3);
    });

    it('it is terminated, and records and hosts agree', { timeout: BOOT_MS }, async () => {
      await byHttps('instance', 'terminate', '--yes', '--wait', tiny.instanceId);
      expect(await shown(first, tiny.instanceId)).toMatchObject({ state: 'terminated' });
      expect(await exactChecks(cluster)).toEqual([]);
    });

    it('a host goes and comes back', { timeout: BOOT_MS }, async () => {
      const hosts = async (by: typeof first): Promise<string[]> =>
        (JSON.parse(await by('host', 'list', '--json')) as { hosts: Host[] }).hosts.map(
          ({ name, state }) => `${name} ${state}`,
        );
      await first('host', 'remove', 'h2', '--yes');
      expect(await hosts(first)).toEqual(['h1 up']);
      await cluster.addHost(cluster.lab.host(1));
      let said: string[] = [];
      await until(async () => (said = await hosts(second)).join() === 'h1 up,h2 up', {
        what: () => `both are up at the other api, which says ${said.join()}`,
        timeoutMs: 30_000,
        everyMs: 200,
      });
      const made = JSON.parse(await second(...STILL, '--count', '2')) as { instances: PlacedInstance[] };
      expect(made.instances.map(({ hostName }) => hostName).toSorted()).toEqual(['h1', 'h2']);
      await first('instance', 'terminate', '--yes', '--wait', ...made.instances.map(({ instanceId }) => instanceId));
      expect(await exactChecks(cluster)).toEqual([]);
    });
  },
);
