import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { LabCloud, type PlacedInstance } from '../support/lab-cloud.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';

/** Software emulation under load. */
const BOOT_MS = 60_000;
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
});
