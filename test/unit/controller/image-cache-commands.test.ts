import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { AdminServer } from '../../../src/controller/api/admin/admin-server.ts';
import type { ImageRecord } from '../../../src/domain/records.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { OperationOutput } from '../../../src/messages/operations/index.ts';
import { runCli, type CliRun } from '../../support/run-cli.ts';
import { startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';

const clock = new SystemClock();
let dir: string;
let sim: SimCloud;
let server: AdminServer;
let imageId: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-cache-'));
  sim = await startSimCloud({ hosts: ['node1', 'node2'] });
  const { gateway, blobs } = sim.cloud;
  const parts = { clock, random: new SystemRandom(), logger: silentLogger };
  server = new AdminServer({ gateway, blobs, ...parts, socketPath: join(dir, 'run/novactl.sock') });
  await server.start();
  imageId = await sim.addImage('spare', bytesOf('spare'));
});
afterAll(async () => {
  await server.close();
  await sim.close();
  rmSync(dir, { recursive: true });
});

/** A boot sector with a word in it, so that no other image has the same bytes. */
function bytesOf(word: string): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(word);
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

const cli = (...words: string[]): Promise<CliRun> =>
  runCli(['image', 'cache', ...words], { runDir: join(dir, 'run'), env: { HOME: dir }, clock });

type Cache = OperationOutput<'DescribeImageCache'>;

/** The hosts that keep the image. */
async function kept(name = 'spare'): Promise<string[]> {
  const { code, stdout, stderr } = await cli('list', '--json');
  expect([code, stderr]).toEqual([0, '']);
  const { images } = JSON.parse(stdout) as Cache;
  return images.filter((one) => one.images.some((image) => image.name === name)).map(({ hostName }) => hostName);
}

const record = (): ImageRecord | undefined => sim.store.get<ImageRecord>(KEYS.image(imageId))?.value;

describe('the images that hosts keep, by commands [sim]', () => {
  it('are brought to the hosts that are named, or to all, and are not there before', async () => {
    expect(await kept()).toEqual([]);
    const one = await cli('warm', 'spare', '--host', 'node2');
    expect([one.code, one.stderr]).toEqual([0, expect.stringContaining('node2: has it')]);
    expect(await kept()).toEqual(['node2']);
    expect((await cli('warm', imageId)).code).toBe(0);
    expect(await kept()).toEqual(['node1', 'node2']);
    const left = await cli('warm', 'spare', '--no-wait');
    expect([left.code, left.stderr]).toEqual([0, expect.stringContaining('node1: gets it')]);
  });

  it('are refused where the image or the host is not known, and in a dry run nothing is brought', async () => {
    expect((await cli('warm', 'nothing')).code).toBe(3);
    expect((await cli('warm', 'spare', '--host', 'node9')).code).toBe(3);
    expect((await cli('evict')).code).toBe(2);
    expect((await cli('evict', 'spare', '--all')).code).toBe(2);
    await sim.addImage('dry', bytesOf('dry'));
    await cli('warm', 'dry', '--dry-run');
    expect(await kept('dry')).toEqual([]);
  });

  it('go when nothing uses them; what an instance needs stays, and says for whom', async () => {
    const [instance] = (await sim.run({ ImageId: 'spare' })).instances;
    await sim.settled('running');
    const refused = await cli('evict', 'spare', '--host', instance?.hostName ?? 'node1');
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining(instance?.instanceId ?? '?')]);
    // The other host has none of it running.
    const both = await cli('evict', 'spare');
    expect([both.code, both.stderr]).toEqual([10, expect.stringContaining('1 of 2 hosts did not do it')]);
    expect(await kept()).toEqual([instance?.hostName]);
    await sim.call('TerminateInstances', { InstanceIds: [instance?.instanceId ?? ''] });
    await sim.settled('terminated');
    expect((await cli('evict', '--all')).code).toBe(0);
    expect(await kept()).toEqual([]);
  });

  it('of which the bytes are gone come to no host, and that is told with its reason', async () => {
    const { blobKey = '' } = record() ?? {};
    await sim.cloud.blobs.delete(blobKey);
    const { code, stderr } = await cli('warm', 'spare');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/node1: .*\n?.*node2: /s);
    expect(await kept()).toEqual([]);
  });
});
