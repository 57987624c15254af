import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { writeStillImage } from '../../support/still-image.ts';
import { NOVACTL, TestCloud, type CliResult } from '../../support/test-cloud.ts';

const PORT = 18_874;
const URL_ = `https://127.0.0.1:${PORT}`;
const SIMULATED = { NOVACTL_DRIVERS: 'simulated', NOVACTL_METADATA_PORT: '18876' };

interface Exported {
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly ca: string;
}

let cloud: TestCloud;
let elsewhere: Pick<TestCloud, 'cli'>;
let exported: Exported;
const secrets: string[] = [];

/** A command with something on its stdin, as on another machine: no folder of the cloud is known there. */
function piped(text: string, ...args: string[]): Promise<CliResult> {
  const env = { ...cloud.env, ...ELSEWHERE() };
  return new Promise((resolve) => {
    const child = spawn(NOVACTL, args, { env });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.on('close', (code) => resolve({ code: code ?? 255, stdout, stderr }));
    child.stdin.end(text);
  });
}

const ELSEWHERE = (): Record<string, string> => ({
  XDG_CONFIG_HOME: join(cloud.dir, 'elsewhere'),
  NOVACTL_STATE_DIR: '',
  NOVACTL_RUN_DIR: '',
  // What a user's own machine would have, and no cloud is there.
  NOVACTL_CONFIG: join(cloud.dir, 'elsewhere.yaml'),
  NOVACTL_API_LISTEN: '',
});
const contextsFile = (): string => join(cloud.dir, 'elsewhere', 'novactl', 'contexts.yaml');

beforeAll(async () => {
  cloud = new TestCloud({ ...SIMULATED, NOVACTL_API_LISTEN: `127.0.0.1:${PORT}` });
  writeFileSync(join(cloud.dir, 'elsewhere.yaml'), `stateDir: ${cloud.dir}/no/state\nrunDir: ${cloud.dir}/no/run\n`);
  await cloud.start();
  const { code, stdout, stderr } = await cloud.cli('context', 'export');
  expect(code, stderr).toBe(0);
  exported = parse(stdout) as Exported;
  secrets.push(exported.secretAccessKey);
  elsewhere = cloud.with(ELSEWHERE());
  const added = await piped(stdout, 'context', 'add', 'prod', '--from', '-');
  expect(added.code, added.stderr).toBe(0);
  expect((await elsewhere.cli('context', 'use', 'prod')).code).toBe(0);
});
afterAll(() => cloud.destroy());

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await elsewhere.cli(...args);
  expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}

// Each command is a process of its own, and a busy machine takes its time.
describe('a cloud elsewhere [real]', { timeout: 120_000 }, () => {
  it('gave out the key that was made with it', async () => {
    expect(exported).toMatchObject({ url: URL_, region: 'nova' });
    const { accessKeys } = await cloud.json<{ accessKeys: { accessKeyId: string; issued: boolean }[] }>(
      'access-key',
      'list',
    );
    expect(accessKeys).toEqual([expect.objectContaining({ accessKeyId: exported.accessKeyId, issued: true })]);
  });

  it('has the whole life of an instance', async () => {
    const image = join(cloud.dir, 'still.img');
    writeStillImage(image);
    await ok('host', 'add', 'sim1', '--simulated');
    await ok('image', 'import', image, '--name', 'still');
    await ok('keypair', 'create', 'mine', '--out', join(cloud.dir, 'mine.pem'));
    const made = JSON.parse(
      await ok('instance', 'run', '--image', 'still', '--type', 'm1.nano', '--key', 'mine', '--wait', '--json'),
    ) as { instances: { instanceId: string; state: string }[] };
    const [instance] = made.instances;
    expect(instance?.state).toBe('running');
    const id = instance?.instanceId ?? '';
    await ok('instance', 'stop', id, '--wait');
    await ok('instance', 'start', id, '--wait');
    await ok('instance', 'reboot', id);
    await ok('instance', 'log', id);
    await ok('instance', 'wait', id, '--for', 'running');
    for (const line of [
      'instance list',
      `instance show ${id}`,
      `why instance ${id}`,
      'why place --image still --type m1.nano',
      'host list',
      'host show sim1',
      'image list',
      'type list',
      'op list',
      'status',
      'dashboard --once',
      'keypair list',
      'access-key list',
      'config show',
      'version',
    ]) {
      expect(await ok(...line.split(' '))).not.toBe('');
    }
    await ok('instance', 'terminate', id, '--yes', '--wait');
    const { operations } = JSON.parse(await ok('op', 'list', '--json')) as {
      operations: { name: string; principal: string; from: string }[];
    };
    expect(operations.find(({ name }) => name === 'RunInstances')).toMatchObject({
      principal: `admin/${exported.accessKeyId}`,
      from: 'https 127.0.0.1',
    });
  });

  it('says what can be done on its own machine alone', async () => {
    for (const line of ['up', 'down', 'serve', 'context export']) {
      const { code, stderr } = await elsewhere.cli(...line.split(' '));
      expect(code, line).toBe(5);
      expect(stderr, line).toMatch(/acts on this machine.*--context local/);
    }
  });

  it('is chosen by flag, then variable, then file; local is this machine', async () => {
    const here = await elsewhere.cli('status', '--context', 'local');
    expect(here.stderr).toMatch(/no cloud/);
    const byVariable = await cloud.with({ ...ELSEWHERE(), NOVACTL_CONTEXT: 'local' }).cli('status');
    expect(byVariable.stderr).toMatch(/no cloud/);
    const flag = await cloud.with({ ...ELSEWHERE(), NOVACTL_CONTEXT: 'local' }).cli('status', '--context', 'prod');
    expect(flag.code).toBe(0);
    const folder = await cloud.with({ ...ELSEWHERE(), NOVACTL_RUN_DIR: join(cloud.dir, 'no', 'run') }).cli('status');
    expect(folder.stderr).toMatch(/no cloud/);
    const unknown = await elsewhere.cli('status', '--context', 'nosuch');
    expect(unknown).toMatchObject({ code: 2 });
    expect(unknown.stderr).toMatch(/nosuch.*local, prod/);
  });

  it('is shown without its secret', async () => {
    const shown = [
      await ok('context', 'show'),
      await ok('context', 'show', 'prod', '--json'),
      await ok('context', 'list', '--output', 'wide'),
      await ok('config', 'show'),
    ];
    expect(shown.join()).toContain(exported.accessKeyId);
    expect(shown.join()).not.toContain(exported.secretAccessKey);
  });

  it('is kept in a file for its owner alone, and refused when others may read it', async () => {
    expect(statSync(contextsFile()).mode & 0o777).toBe(0o600);
    chmodSync(contextsFile(), 0o644);
    const { code, stderr } = await elsewhere.cli('status');
    chmodSync(contextsFile(), 0o600);
    expect(code).toBe(4);
    expect(stderr).toMatch(/chmod 600/);
  });

  it('is added by parts, its authority fetched and compared by its fingerprint', async () => {
    const { stdout } = await cloud.cli('access-key', 'create', '--json');
    const made = JSON.parse(stdout) as { accessKeyId: string; secretAccessKey: string };
    secrets.push(made.secretAccessKey);
    expect(made.accessKeyId).not.toBe(exported.accessKeyId);
    const fingerprint = /"fingerprint":"([0-9A-F:]+)"/.exec(cloud.log)?.[1] ?? '';
    const add = (name: string, print: string, secret: string) =>
      piped(
        secret,
        'context',
        'add',
        name,
        '--url',
        URL_,
        '--access-key',
        made.accessKeyId,
        '--secret-stdin',
        '--fingerprint',
        print,
      );
    expect((await add('second', fingerprint, made.secretAccessKey)).code).toBe(0);
    expect(await ok('status', '--context', 'second')).toContain('cloud-');
    const other = await add(
      'third',
      fingerprint.replace(/^../, (first) => (first === '00' ? '11' : '00')),
      made.secretAccessKey,
    );
    expect(other).toMatchObject({ code: 4, stderr: expect.stringMatching(/--fingerprint/) as unknown });
    const wrong = await add('third', fingerprint, 'x'.repeat(40));
    expect(wrong).toMatchObject({ code: 4, stderr: expect.stringMatching(/SignatureDoesNotMatch/) as unknown });
    expect((await add('second', fingerprint, made.secretAccessKey)).code).toBe(5);
    await ok('access-key', 'delete', made.accessKeyId, '--yes');
    expect(await elsewhere.cli('status', '--context', 'second')).toMatchObject({ code: 4 });
    await ok('context', 'remove', 'second', '--yes');
  });

  it.each([
    ['context add x', /--url/],
    ['context add x --url http://h --access-key AKIAIOSFODNN7EXAMPLE --secret-stdin --fingerprint 00', /https/],
    [`context add x --url ${URL_} --access-key AKIAIOSFODNN7EXAMPLE --fingerprint 00`, /--secret-stdin/],
    [`context add x --url ${URL_} --access-key AKIAIOSFODNN7EXAMPLE --secret-stdin`, /--ca/],
    [`context add x --url ${URL_} --access-key akia --secret-stdin --ca /etc/hostname`, /AKIA/],
    [`context add x --url ${URL_} --access-key AKIAIOSFODNN7EXAMPLE --secret-stdin --ca /etc/hostname`, /PEM/],
    ['context add local --from -', /NAME/],
    ['context add x --from -', /context export/],
    ['context add x --from - --url https://h', /--from/],
    ['context use nosuch', /nosuch/],
    ['context remove nosuch --yes', /nosuch/],
    ['key create --user nosuch', /--user/],
    ['key delete AKIAIOSFODNN7EXAMPLE --yes', /AKIAIOSFODNN7EXAMPLE/],
    ['key delete x! --yes', /access key id/],
  ])('refuses "%s" in one line', async (line, wanted) => {
    const { code, stdout, stderr } = await piped('0123456789abcdef0123456789abcdef01234567', ...line.split(' '));
    expect([2, 3]).toContain(code);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(wanted);
  });

  it('starts as before when it is started again, and as a clear error without its seal key', async () => {
    await cloud.stop();
    await cloud.start();
    expect(await ok('status')).toContain('cloud-');
    await cloud.stop();
    const path = join(cloud.dir, 'state', 'seal.key');
    const key = readFileSync(path);
    const serve = async (text: Buffer): Promise<string> => {
      writeFileSync(path, text, { mode: 0o600 });
      const { code, stderr } = await cloud.cli('serve');
      expect(code).toBe(1);
      return stderr;
    };
    expect(await serve(Buffer.from('A'.repeat(43) + '='))).toMatch(/seal\.key/);
    expect(await serve(Buffer.from('junk'))).toMatch(/seal\.key: must hold 32 bytes/);
    writeFileSync(path, key, { mode: 0o600 });
    await cloud.start();
  });

  it('has its secrets in no log, record, error, process or file that others read', async () => {
    const found = (dir: string): string[] =>
      secrets.flatMap((secret) => {
        try {
          return execFileSync('grep', ['-rlF', '--', secret, dir], { encoding: 'utf8' }).trim().split('\n');
        } catch {
          return [];
        }
      });
    expect(secrets).toHaveLength(2);
    expect(found(cloud.dir)).toEqual([contextsFile()]);
    const everything = [
      cloud.log,
      await ok('op', 'list', '--json'),
      await ok('access-key', 'list', '--json'),
      (await elsewhere.cli('status', '--verbose')).stderr,
    ];
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => argvOf(pid));
    for (const secret of secrets) {
      expect(everything.join()).not.toContain(secret);
      expect(processes.join()).not.toContain(secret);
    }
  });
});

function argvOf(pid: string): string[] {
  try {
    return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
  } catch {
    return [];
  }
}
