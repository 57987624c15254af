import { readdirSync, readFileSync, readlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EndpointCloud } from '../../support/endpoint-cloud.ts';
import { writeStillImage } from '../../support/still-image.ts';
import { until } from '../../support/until.ts';
import { startCommand } from '../support/killed-process.ts';
import { LabCloud, type PlacedInstance } from '../support/lab-cloud.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';

/** Software emulation under load. */
const BOOT_MS = 60_000;
/** Copies of disks wait while the file is there: a disk so slow that what comes in the middle can be met. */
const SLOW_COPY = `#!/bin/sh
while [ -e /run/slow-disk ]; do sleep 0.05; done
exec /usr/bin/cp "$@"
`;
const FETCHED_BYTES = 64 * 1024 * 1024;
const missing = namespaceHostsMissing();
const title = `images of instances on a host over SSH [real]${missing === undefined ? '' : `: ${missing}`}`;

interface Image {
  readonly imageId: string;
  readonly name: string;
  readonly state: string;
  readonly sha256: string;
  readonly kernelId?: string;
  readonly notes?: readonly string[];
}

interface Process {
  readonly argv: string;
  readonly environ: string;
}

/** The first process with that name in a process namespace, as /proc/self/ns/pid tells it there. */
function processIn(namespace: string, name: string): Process | undefined {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (argv.split('\0')[0] !== name || readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) continue;
      return { argv, environ: readFileSync(`/proc/${pid}/environ`, 'utf8') };
    } catch {
      // It has ended meanwhile.
    }
  }
  return undefined;
}

describe.skipIf(missing !== undefined)(title, () => {
  let system: LabCloud;
  let guest: PlacedInstance;

  const host = () => system.lab.host(0);
  const ready = (id: string): Promise<true> =>
    until(async () => (await system.ok('instance', 'log', id)).includes('NOVACTL-READY') || undefined, {
      what: `${id} is ready`,
      timeoutMs: BOOT_MS,
      everyMs: 500,
    });
  const inGuest = async (id: string, ...words: string[]): Promise<string> => {
    const answer = await system.cli('instance', 'ssh', '--login', 'root', id, '--', ...words);
    expect(answer.code, answer.stderr).toBe(0);
    return answer.stdout.trim();
  };
  const run = async (image: string): Promise<PlacedInstance> => {
    const words = ['run-instance', '--image', image, '--type', 'm1.nano', '--key', 'mine', '--wait'];
    const [made] = (await system.json<{ instances: PlacedInstance[] }>(...words)).instances;
    if (made === undefined) throw new Error('no instance was made');
    return made;
  };
  const create = async (name: string): Promise<Image> =>
    (await system.json<{ image: Image }>('image', 'create', guest.instanceId, '--name', name)).image;
  const captures = async (): Promise<string> => (await host().exec('ls', '/var/lib/novactl-host/captures')).stdout;

  beforeAll(async () => {
    system = await LabCloud.start('daemon', { hosts: 1 });
    await system.ok('image', 'build-tiny');
    await system.ok('keypair', 'create', 'mine');
    guest = await run('tiny');
    await ready(guest.instanceId);
  });
  afterAll(() => system.destroy());

  it(
    'of a running one holds what it wrote; it was paused for a moment, and goes on',
    { timeout: 2 * BOOT_MS },
    async () => {
      await inGuest(guest.instanceId, 'sh', '-c', "'echo before > /state/written; sync'");
      const image = await create('golden');
      expect(image.state).toBe('available');
      expect(image.notes?.join()).toMatch(/the guest was paused for \S+s/);
      expect((await system.domains()).get(guest.instanceId)).toEqual([{ host: 'h1', state: 'running' }]);
      expect(await captures()).toBe('');
      await inGuest(guest.instanceId, 'sh', '-c', "'echo after > /state/written; sync'");
      expect(await inGuest(guest.instanceId, 'cat', '/state/written')).toBe('after');
    },
  );

  it('boots again, with the same kernel and what was written before', { timeout: 2 * BOOT_MS }, async () => {
    const again = await run('golden');
    await ready(again.instanceId);
    expect(await inGuest(again.instanceId, 'cat', '/state/written')).toBe('before');
    const { images } = await system.json<{ images: Image[] }>('image', 'list');
    const kernels = images.filter(({ name }) => name === 'tiny' || name === 'golden').map(({ kernelId }) => kernelId);
    expect(kernels).toEqual([kernels[0], kernels[0]]);
    await system.ok('instance', 'terminate', '--yes', '--wait', again.instanceId);
  });

  it(
    'whose worker is killed while the guest is paused: the next one lets it go on, and the image is made',
    { timeout: 2 * BOOT_MS },
    async () => {
      const { instanceId } = guest;
      const power = async (): Promise<string | undefined> => (await host().domains()).get(instanceId);
      await host().ok('sh', '-c', 'printf %s "$1" >/usr/local/bin/cp && chmod 0755 /usr/local/bin/cp', 'sh', SLOW_COPY);
      await host().ok('touch', '/run/slow-disk');
      const command = startCommand(system, ['image', 'create', instanceId, '--name', 'cut', '--no-wait', '--json']);
      await until(async () => (await power()) === 'paused', { what: 'the guest is paused' });
      expect((await command.ended).code).toBe(0);
      await system.cloud.kill9();
      expect([await power(), await captures()]).toEqual(['paused', expect.stringContaining(`${instanceId}.paused`)]);
      await host().ok('rm', '/run/slow-disk');

      await system.cloud.start();
      await until(async () => (await power()) === 'running', { what: 'the guest goes on' });
      const image = async (): Promise<Image | undefined> =>
        (await system.json<{ images: Image[] }>('image', 'list')).images.find(({ name }) => name === 'cut');
      const ended = await until(async () => ((await image())?.state === 'pending' ? undefined : image()), {
        what: 'the image is made, or is not',
        timeoutMs: BOOT_MS,
        everyMs: 200,
      });
      expect(ended).toMatchObject({ state: 'available' });
      expect([await power(), await captures()]).toEqual(['running', '']);
      expect(await inGuest(instanceId, 'cat', '/state/written')).toBe('after');
      await host().ok('rm', '/usr/local/bin/cp');
      await system.ok('image', 'delete', 'cut', '--yes');
    },
  );

  it('of a stopped one is made without starting it, and outlives it', { timeout: 2 * BOOT_MS }, async () => {
    await system.ok('instance', 'stop', '--wait', '--force', guest.instanceId);
    const image = await create('cold');
    expect(image.notes ?? []).toEqual([]);
    expect((await system.domains()).get(guest.instanceId)).toEqual([{ host: 'h1', state: 'shut off' }]);
    await system.ok('instance', 'terminate', '--yes', '--wait', guest.instanceId);
    const again = await run('cold');
    expect(again.state).toBe('running');
    await system.ok('instance', 'terminate', '--yes', '--wait', again.instanceId);
    expect(await captures()).toBe('');
  });

  it(
    'and of a cloud that moved to an endpoint: the host fetches them itself, by an address that nobody else sees',
    { timeout: 2 * BOOT_MS },
    async () => {
      const { host: address } = await host().login();
      const there = await EndpointCloud.start(address.replace(/\d+$/, '1'));
      try {
        await system.cloud.stop();
        Object.assign(system.cloud.env, there.settings(join(system.dir, 'endpoint-secret')));
        await system.cloud.start();
        const disk = join(system.dir, 'fetched.raw');
        writeStillImage(disk);
        truncateSync(disk, FETCHED_BYTES);
        await system.ok('image', 'import', disk, '--name', 'fetched');
        const namespace = (await host().ok('readlink', '/proc/self/ns/pid')).trim();
        const running = run('fetched');
        const curl = await until(() => processIn(namespace, 'curl'), { what: 'the host fetches', everyMs: 1 });
        expect(curl.argv).toBe('curl\0-q\0--config\0-\0');
        const { instanceId, state } = await running;
        expect(state).toBe('running');
        const [get] = there.cloud.log
          .split('\n')
          .filter((line) => line.includes('S3 access') && line.includes(address));
        expect(get).toContain(`"bytes":${FETCHED_BYTES}`);
        const said = [curl.environ, system.log, there.cloud.log, await system.ok('op', 'list', '--json')];
        expect(said.join('\n')).not.toMatch(/X-Amz-Signature|did not fetch/i);
        await system.withRecords((records) => expect(JSON.stringify(records.range(''))).not.toContain('X-Amz-'));
        await system.ok('instance', 'terminate', '--yes', '--wait', instanceId);
      } finally {
        await there.destroy();
      }
    },
  );
});
