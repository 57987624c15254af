import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { AdminServer } from '../../../src/controller/api/admin/admin-server.ts';
import { runCli } from '../../support/run-cli.ts';
import { startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';

const clock = new SystemClock();
let dir: string;
let sim: SimCloud;
let server: AdminServer;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-cli-'));
  sim = await startSimCloud({ hosts: [] });
  server = new AdminServer({
    gateway: sim.cloud.gateway,
    blobs: sim.cloud.blobs,
    clock,
    random: new SystemRandom(),
    logger: silentLogger,
    socketPath: join(dir, 'run/novactl.sock'),
  });
  await server.start();
});
afterAll(async () => {
  await server.close();
  await sim.close();
  rmSync(dir, { recursive: true });
});

async function cli(...words: string[]) {
  return runCli(words, { runDir: join(dir, 'run'), env: { HOME: dir, SUDO_USER: 'ann' }, clock });
}

/** A command that must succeed; what it printed as JSON. */
async function json<T>(...words: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli(...words, '--json');
  expect([words.join(' '), code, stderr]).toEqual([words.join(' '), 0, stderr]);
  return JSON.parse(stdout) as T;
}

/** What --output name prints. */
async function names(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await cli(...words, '--output', 'name');
  expect([words.join(' '), code, stderr]).toEqual([words.join(' '), 0, stderr]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** A boot sector that says it is one. */
function disk(): Buffer {
  const bytes = Buffer.alloc(65_536);
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

describe('a cloud from the command line [sim]', () => {
  let ids: string[] = [];

  it('starts with nothing and says what to do about it [sim]', async () => {
    expect((await cli('host', 'list')).stderr).toBe(
      'no hosts; add this machine by: novactl host add --local, another by: novactl host add root@NAME\n',
    );
    expect((await cli('instance', 'list')).stderr).toContain('no instances; start one by');
    expect((await cli('status')).code).toBe(0);
  });

  it('takes a host, an image and a key pair [sim]', async () => {
    expect(await json('host', 'add', 'node1', '--simulated')).toMatchObject({ host: { name: 'node1', state: 'up' } });
    const file = join(dir, 'disk.raw');
    writeFileSync(file, disk());
    expect(await json('image', 'import', file, '--name', 'own')).toMatchObject({
      image: { name: 'own', format: 'raw' },
    });
    expect((await cli('keypair', 'create', 'mine')).code).toBe(0);
    expect(await names('keypair', 'list')).toEqual(['mine']);
  });

  it('plans without a change, then runs instances and waits for them [sim]', async () => {
    const words = ['instance', 'run', '--image', 'own', '--type', 'm1.nano', '--count', '2', '--key', 'mine'];
    expect(await names(...words, '--plan')).toHaveLength(2);
    expect(await names('instance', 'list')).toEqual([]);
    ids = await names(...words, '--wait', '--timeout', '20s', '--reason', 'spring sale');
    expect(ids).toHaveLength(2);
    expect(await names('instance', 'list', '--filter', 'state=running')).toEqual([...ids].sort());
  });

  it('gives the same instances for the same token [sim]', async () => {
    const words = ['instance', 'run', '--image', 'own', '--type', 'm1.nano', '--client-token', 'once'];
    const first = await names(...words);
    expect(await names(...words)).toEqual(first);
    const other = await cli(...words, '--name', 'another');
    expect([other.code, other.stderr]).toEqual([5, expect.stringContaining('--client-token')]);
    expect((await cli('instance', 'terminate', ...first, '--wait')).code).toBe(0);
  });

  it('stops, starts, reboots and explains [sim]', async () => {
    const [id = ''] = ids;
    for (const [verb, state] of [
      ['stop', 'stopped'],
      ['start', 'running'],
      ['reboot', 'running'],
    ] as const) {
      const { code, stderr } = await cli('instance', verb, id, '--wait', '--timeout', '20s');
      expect([verb, code, stderr]).toEqual([verb, 0, stderr]);
      expect(await json('instance', 'show', id)).toMatchObject({ state });
    }
    expect(await json('why', 'instance', id)).toMatchObject({ instance: { instanceId: id }, desired: 'running' });
    expect((await cli('instance', 'log', id)).code).toBe(0);
  });

  it('refuses what can not be, by flag and with the reason [sim]', async () => {
    const large = await cli('instance', 'run', '--image', 'own', '--type', 'm1.xlarge', '--count', '100');
    expect(large.code).toBe(6);
    const none = await cli('instance', 'run', '--image', 'none', '--type', 'm1.nano');
    expect([none.code, none.stderr]).toEqual([3, expect.stringMatching(/^novactl: --image: there is no image none/)]);
    const bad = await cli('instance', 'run', '--image', 'own', '--name', 'a b');
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringMatching(/^novactl: --name "a b": must be/)]);
    const unreachable = await cli('instance', 'wait', ids[0] ?? '', '--for', 'stopped');
    expect(unreachable.code).toBe(11);
  });

  it('ends them, and the record of all that is there [sim]', async () => {
    const { code, stderr } = await cli('instance', 'terminate', ...ids, '--yes', '--wait', '--timeout', '20s');
    expect([code, stderr]).toEqual([0, stderr]);
    expect(await names('instance', 'list')).toEqual([]);
    expect((await names('instance', 'list', '--all')).length).toBeGreaterThanOrEqual(2);
    const operations = (
      await json<{ operations: { name: string; reason?: string; principal: string }[] }>('op', 'list')
    ).operations;
    expect(operations.map(({ name }) => name)).toContain('TerminateInstances');
    expect(operations.find(({ reason }) => reason === 'spring sale')).toMatchObject({ name: 'RunInstances' });
    const [last = ''] = await names('op', 'list', '--limit', '1');
    expect((await cli('op', 'follow', last)).code).toBe(0);
    expect((await cli('host', 'remove', 'node1', '--yes')).code).toBe(0);
  });
});
