import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { writeStillImage } from '../../support/still-image.ts';
import { type CliResult, NOVACTL, TestCloud } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';

const PORT = 18_878;
const SETTINGS = {
  NOVACTL_DRIVERS: 'simulated',
  NOVACTL_METADATA_PORT: '18879',
  NOVACTL_API_LISTEN: `127.0.0.1:${PORT}`,
};

let cloud: TestCloud;
/** On a machine of their own: no folder of the cloud is known there. */
let env: Record<string, string>;
let key = '';

/** bob is a developer of lab and a plain member of den; the key works in lab. */
beforeAll(async () => {
  cloud = new TestCloud(SETTINGS);
  await cloud.start();
  await cloud.ok('host', 'add', 'sim1', '--simulated');
  const image = join(cloud.dir, 'still.img');
  writeStillImage(image);
  await cloud.ok('user', 'create', 'bob');
  for (const project of ['lab', 'den', 'hidden']) await cloud.ok('project', 'create', project);
  for (const project of ['lab', 'den']) await cloud.ok('project', 'add-member', project, 'bob');
  await cloud.ok('role', 'add', 'developer', 'bob', '--project', 'lab');
  await cloud.ok('image', 'import', image, '--name', 'still', '--project', 'lab');
  const made = await cloud.json<{ accessKeyId: string; secretAccessKey: string }>(
    ...['key', 'create', '--user', 'bob', '--project', 'lab'],
  );
  key = made.accessKeyId;
  const exported = parse(await cloud.ok('context', 'export')) as object;
  const config = join(cloud.dir, 'bob');
  mkdirSync(join(config, 'novactl'), { recursive: true, mode: 0o700 });
  const { accessKeyId, secretAccessKey } = made;
  const file = { current: 'work', contexts: { work: { ...exported, accessKeyId, secretAccessKey } } };
  writeFileSync(join(config, 'novactl', 'contexts.yaml'), stringify(file), { mode: 0o600 });
  chmodSync(config, 0o700);
  writeFileSync(join(cloud.dir, 'bob.yaml'), `stateDir: ${cloud.dir}/no/state\nrunDir: ${cloud.dir}/no/run\n`);
  env = {
    ...{ XDG_CONFIG_HOME: config, NOVACTL_CONFIG: join(cloud.dir, 'bob.yaml') },
    ...{ NOVACTL_STATE_DIR: '', NOVACTL_RUN_DIR: '', NOVACTL_API_LISTEN: '' },
  };
}, 120_000);
afterAll(() => cloud.destroy());

const bob = (...args: string[]): Promise<CliResult> => cloud.with(env).cli(...args);

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await bob(...args);
  expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}
const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await ok(...args, '--json')) as T;

interface Rows {
  readonly instances: readonly { readonly instanceId: string; readonly state: string; readonly projectId?: string }[];
}
interface Self {
  readonly userName: string;
  readonly projectId: string;
  readonly standings: readonly string[];
}

describe('a plain member, by the command line from elsewhere [sim]', { timeout: 120_000 }, () => {
  it('has the everyday commands', async () => {
    expect(await json<Self>('whoami')).toMatchObject({ userName: 'bob', projectId: 'lab' });
    await ok('keypair', 'create', 'mine', '--out', join(cloud.dir, 'mine.pem'));
    const run = await json<Rows>('run-instance', '--image', 'still', '--type', 'm1.nano', '--key', 'mine', '--wait');
    const id = run.instances[0]?.instanceId ?? '';
    expect(run.instances).toMatchObject([{ state: 'running' }]);
    expect((await json<Rows>('instance', 'list')).instances.map((row) => row.instanceId)).toEqual([id]);
    expect(await ok('instance', 'show', id)).toContain(id);
    await ok('instance', 'stop', id, '--wait');
    await ok('instance', 'start', id, '--wait');
    const { quotas } = await json<{ quotas: { kind: string; used: number }[] }>('quota', 'show');
    expect(quotas.find(({ kind }) => kind === 'instances')?.used).toBe(1);
    const { accessKeys } = await json<{ accessKeys: { accessKeyId: string }[] }>('key', 'list');
    expect(accessKeys.map((row) => row.accessKeyId)).toEqual([key]);
    const second = await json<{ accessKeyId: string }>('key', 'create');
    await ok('key', 'delete', second.accessKeyId, '--yes');
    await ok('instance', 'terminate', id, '--yes', '--wait');
    await ok('keypair', 'delete', 'mine', '--yes');
  });

  it('sees and revokes the certificates that were made with credentials', async () => {
    const out = join(cloud.dir, 'credentials');
    const { serial } = await json<{ serial: string }>(
      ...['project', 'credentials', '--out', out, '--ec2-url', 'https://cloud.example:8773'],
    );
    expect(await ok('certificate', 'list')).toMatch(new RegExp(`${serial} +bob +lab +ec +good `));
    await ok('certificate', 'revoke', serial.toLowerCase(), '--yes');
    expect(await ok('certificate', 'list')).toMatch(new RegExp(`${serial} +bob +lab +ec +revoked `));
    const missing = await bob('certificate', 'revoke', 'AB12', '--yes');
    expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining('there is no certificate AB12')]);
    expect((await bob('certificate', 'revoke', 'xyz', '--yes')).code).toBe(2);
  });

  it.each([
    [['host', 'list'], 4, /DescribeHosts is for cloudadmin.* bob\/AKIA\w+ is .*member.* in project lab/],
    [['user', 'create', 'eve'], 4, /CreateUser is for cloudadmin/],
    [['quota', 'set', 'instances=9'], 4, /SetQuota is for cloudadmin/],
    [['project', 'show', 'hidden'], 3, /there is no project hidden/],
    [['project', 'delete', 'lab', '--yes'], 4, /DeleteProject is for cloudadmin/],
    [['key', 'create', '--user', 'admin'], 4, /what is admin's is made by admin, or by a cloudadmin/],
    [['instance', 'show', 'i-0123456789abcdef0'], 3, /there is no instance i-0123456789abcdef0/],
    [['run-instance', '--image', 'nothing'], 3, /there is no image nothing/],
  ])('%j is refused, and told why', async (words, code, text) => {
    const refused = await bob(...words);
    expect([refused.code, refused.stdout]).toEqual([code, '']);
    expect(refused.stderr).toMatch(text);
    expect(refused.stderr).not.toMatch(/\n\s+at /);
  });

  it('works in each of their projects by --project and NOVACTL_PROJECT, and in no other', async () => {
    expect(await json<Self>('whoami', '--project', 'den')).toMatchObject({ projectId: 'den', standings: ['member'] });
    expect(await json<Self>('--project', 'den', 'whoami')).toMatchObject({ projectId: 'den' });
    const there = cloud.with({ ...env, NOVACTL_PROJECT: 'den' });
    expect(JSON.parse((await there.cli('whoami', '--json')).stdout)).toMatchObject({ projectId: 'den' });
    const flagWins = await there.cli('whoami', '--project', 'lab', '--json');
    expect(JSON.parse(flagWins.stdout)).toMatchObject({ projectId: 'lab' });
    const role = await bob('instance', 'terminate', 'i-0123456789abcdef0', '--yes', '--project', 'den');
    expect([role.code, role.stderr]).toEqual([4, expect.stringMatching(/bob\/AKIA\w+ is member in project den/)]);
    const [hidden, nothing] = await Promise.all(['hidden', 'nothing'].map((name) => bob('whoami', '--project', name)));
    expect(hidden?.code).toBe(4);
    expect(hidden?.stderr.replaceAll('hidden', 'NAME')).toBe(nothing?.stderr.replaceAll('nothing', 'NAME'));
    const bad = await bob('whoami', '--project', '../lab');
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringMatching(/--project/)]);
    expect((await bob('whoami', '--project', 'caf\u00e9\n')).stderr).toContain(
      '--project must be the name of a project',
    );
  });

  it('loses what is open within seconds of losing the key, with exit code 4', async () => {
    const run = await json<Rows>('run-instance', '--image', 'still', '--type', 'm1.nano', '--wait');
    const id = run.instances[0]?.instanceId ?? '';
    const follow = spawn(NOVACTL, ['instance', 'log', id, '--follow'], { env: { ...cloud.env, ...env } });
    const console = spawn(NOVACTL, ['instance', 'console', id], { env: { ...cloud.env, ...env } });
    const ends = [follow, console].map(
      (child) =>
        new Promise<{ code: number | null; stderr: string }>((resolve) => {
          let stderr = '';
          child.stderr.on('data', (chunk) => (stderr += String(chunk)));
          child.once('close', (code) => resolve({ code, stderr }));
        }),
    );
    let echoed = '';
    console.stdout.on('data', (chunk) => (echoed += String(chunk)));
    console.stdin.write('hello\r');
    await until(() => echoed.includes('hello'), { what: 'the console is open', timeoutMs: 30_000 });
    await cloud.ok('key', 'disable', key);
    for (const { code, stderr } of await Promise.all(ends)) {
      expect(stderr).toContain(`the access key ${key} is disabled since this was opened`);
      expect(code).toBe(4);
    }
    const next = await bob('instance', 'list');
    expect([next.code, next.stderr]).toEqual([4, expect.stringContaining(key)]);
  });
});

describe('the administrator of the machine [sim]', { timeout: 120_000 }, () => {
  it('works in any project by --project, over the socket and with no daemon', async () => {
    expect(await cloud.json<Self>('whoami', '--project', 'den')).toMatchObject({ projectId: 'den' });
    const { code, stderr } = await cloud.cli('whoami', '--project', 'nothing');
    expect([code, stderr]).toEqual([3, expect.stringContaining('--project: there is no project nothing')]);
    expect((await cloud.cli('instance', 'list', '--project', 'no/name')).code).toBe(2);
    await cloud.stop();
    expect(await cloud.json<Self>('whoami', '--project', 'den')).toMatchObject({ projectId: 'den' });
    expect((await cloud.cli('whoami', '--project', 'nothing')).stderr).toBe(stderr);
  });
});
