import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../support/free-ports.ts';
import { type CliResult, NOVACTL, run, TestCloud } from '../../support/test-cloud.ts';

const AWS = '/usr/bin/aws';
const PYTHON = '/usr/bin/python3';
const DIST = '/usr/lib/python3/dist-packages';
const NEEDED = [AWS, `${DIST}/boto`, `${DIST}/boto3`];
const PROJECT = 'lab.x-1_y';

let cloud: TestCloud;
let port: number;
let account: string;
/** Of RSA, in a folder whose name no shell, parser or template must take for more than a name. */
let folder: string;

interface Made {
  readonly accessKeyId: string;
  readonly serial: string;
  readonly path: string;
}

beforeAll(async () => {
  [port = 0] = await freePorts(1);
  cloud = new TestCloud({
    NOVACTL_DRIVERS: 'simulated',
    NOVACTL_METADATA_LISTEN: 'none',
    NOVACTL_EC2_LISTEN: `127.0.0.1:${port}`,
  });
  await cloud.start();
  await cloud.ok('user', 'create', 'anna');
  await cloud.ok('project', 'create', PROJECT, '--manager', 'anna');
  account = (await cloud.json<{ accountId: string }>('project', 'show', PROJECT)).accountId;
  folder = join(cloud.dir, `anna's $HOME 50% "of" it`, 'lab');
  await write('--out', folder, '--key-type', 'rsa', '--ec2-url', `https://localhost:${port}`);
}, 60_000);
afterAll(() => cloud.destroy(), 60_000);

const write = (...words: string[]): Promise<Made> =>
  cloud.json<Made>('project', 'credentials', '--project', PROJECT, '--user', 'anna', ...words);

/** A program with nothing of whoever runs the tests. */
function client(file: string, args: readonly string[], extra: NodeJS.ProcessEnv = {}, cwd = '/'): Promise<CliResult> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: cloud.dir, LANG: 'C.UTF-8', ...extra };
  return new Promise((resolve) => {
    const child = execFile(file, [...args], { env, cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr });
    });
    child.stdin?.end();
  });
}

const script = (name: string): string => join(import.meta.dirname, name);

/** Reads novarc in that shell, then runs the words. */
const after = (shell: string, words: readonly string[], cwd?: string, from = folder): Promise<CliResult> =>
  client(shell, ['-euc', '. "$1/novarc"; shift; "$@"', shell, from, ...words], {}, cwd);

describe('the files of project credentials, by clients over TLS', () => {
  it('novarc serves the AWS CLI from any folder [real]', { timeout: 120_000 }, async ({ skip }) => {
    if (!existsSync(AWS)) skip('needs awscli, which is not installed');
    const { code, stderr } = await client('sh', [script('by_novarc.sh'), join(folder, 'novarc'), account], { AWS });
    expect(code, stderr).toBe(0);
    const listed = await client('sh', [script('by_profile.sh'), folder, PROJECT, `https://localhost:${port}`], { AWS });
    expect(listed).toEqual({ code: 0, stdout: 'by-novarc\n', stderr: '' });
  });

  it('novarc serves boto 2.49, and boto3 for STS [real]', async ({ skip }) => {
    if (!NEEDED.every((path) => existsSync(path))) skip('needs awscli, python3-boto and python3-boto3');
    const { code, stderr } = await after('sh', [PYTHON, script('by_novarc.py')]);
    expect(code, stderr).toBe(0);
  });

  it('novarc finds its files in sh and bash, also where another novarc is, and after it was moved [real]', async () => {
    const other = join(cloud.dir, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'novarc'), '');
    const show = ['sh', '-c', 'echo "$EC2_CERT"'];
    for (const shell of ['sh', 'bash'])
      expect((await after(shell, show, other)).stdout, shell).toBe(`${folder}/cert.pem\n`);
    const moved = join(cloud.dir, 'moved');
    renameSync(folder, moved);
    try {
      expect((await after('bash', show, '/', moved)).stdout).toBe(`${moved}/cert.pem\n`);
      expect((await after('sh', show, moved, moved)).stdout).toBe(`${moved}/cert.pem\n`);
      expect((await after('sh', show, '/', moved)).stderr).toContain('its files are not in /; cd to their folder');
    } finally {
      renameSync(moved, folder);
    }
  });
});

describe('the certificate of a user', () => {
  const file = (name: string): string => join(folder, name);

  async function openssl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await client('/usr/bin/openssl', args);
    expect(code, stderr).toBe(0);
    return stdout;
  }

  it('is signed by the authority that comes with it, for clients alone [real]', async () => {
    const ca = ['-x509_strict', '-CAfile', file('cacert.pem')];
    expect(await openssl('verify', ...ca, '-purpose', 'sslclient', file('cert.pem'))).toMatch(/: OK\n$/);
    const asServer = ['verify', ...ca, '-purpose', 'sslserver', file('cert.pem')];
    expect((await client('/usr/bin/openssl', asServer)).code).not.toBe(0);
    expect(await openssl('x509', '-in', file('cert.pem'), '-noout', '-subject')).toContain(
      `OU = ${PROJECT}, CN = anna`,
    );
  });

  it('takes a bundle’s key, which its private key alone gives back: AES-128-CBC and RSA, and CMS [real]', async () => {
    const at = (name: string): string => join(cloud.dir, name);
    const image = Buffer.alloc(100_000, 'image');
    writeFileSync(at('image'), image);
    const [key, iv] = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100'];
    writeFileSync(at('key'), key);
    const cipher = ['enc', '-aes-128-cbc', '-iv', iv];
    await openssl(...cipher, '-K', key, '-in', at('image'), '-out', at('part'));
    const wrap = ['pkeyutl', '-encrypt', '-certin', '-inkey', file('cert.pem')];
    await openssl(...wrap, '-in', at('key'), '-out', at('wrapped'));
    const unwrapped = await openssl('pkeyutl', '-decrypt', '-inkey', file('pk.pem'), '-in', at('wrapped'));
    expect(unwrapped).toBe(key);
    await openssl(...cipher, '-d', '-K', unwrapped, '-in', at('part'), '-out', at('again'));
    expect(readFileSync(at('again')).equals(image)).toBe(true);
    const der = ['-binary', '-outform', 'DER'];
    await openssl('cms', '-encrypt', ...der, '-aes-128-cbc', '-in', at('image'), '-out', at('cms'), file('cert.pem'));
    const other = await write('--out', at('second'), '--key-type', 'rsa');
    const open = (from: string, to: string) =>
      ['cms', '-decrypt', '-inform', 'DER', '-in', at('cms'), '-inkey', join(from, 'pk.pem'), '-out', at(to)] as const;
    await openssl(...open(folder, 'opened'));
    expect(readFileSync(at('opened')).equals(image)).toBe(true);
    await client('/usr/bin/openssl', open(other.path, 'not-opened'));
    const wrong = existsSync(at('not-opened')) ? readFileSync(at('not-opened')) : Buffer.alloc(0);
    expect(wrong.equals(image)).toBe(false);
  });

  it.each(['rsa', 'p256'])('lets its owner in where TLS asks who is there: %s [real]', async (type) => {
    const mine = type === 'rsa' ? folder : (await write('--out', join(cloud.dir, 'elliptic'))).path;
    // The cloud's own server key, as a server of this cloud that asks for certificates would have it.
    const pem = (name: string): Buffer => readFileSync(join(mine, name));
    const seen: string[] = [];
    const server = createServer(
      {
        key: readFileSync(join(cloud.dir, 'state', 'tls', 'server.key')),
        cert: readFileSync(join(cloud.dir, 'state', 'tls', 'server.pem')),
        ca: pem('cacert.pem'),
        requestCert: true,
        rejectUnauthorized: true,
      },
      (socket) => {
        seen.push(`${socket.authorized} ${socket.getPeerCertificate().subject.CN}`);
        socket.end('welcome\n');
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port: at } = server.address() as AddressInfo;
    const dial = ['s_client', '-connect', `127.0.0.1:${at}`, '-quiet', '-verify_return_error'];
    const trust = ['-CAfile', join(mine, 'cacert.pem')];
    const own = ['-cert', join(mine, 'cert.pem'), '-key', join(mine, 'pk.pem')];
    try {
      expect((await client('/usr/bin/openssl', [...dial, ...trust, ...own])).stdout).toContain('welcome');
      const nobody = await client('/usr/bin/openssl', [...dial, ...trust]);
      expect(nobody.stdout).not.toContain('welcome');
      expect(nobody.stderr).toContain('certificate required');
      expect(seen).toEqual(['true anna']);
    } finally {
      server.close();
    }
  });
});

describe('where the files go', () => {
  const modesIn = (path: string): Record<string, string> =>
    Object.fromEntries(
      ['', ...readdirSync(path, { recursive: true, encoding: 'utf8' })].map((name) => [
        name,
        (statSync(join(path, name)).mode & 0o777).toString(8),
      ]),
    );

  it('is nobody else’s to read, as files and as a zip, under any umask [sim]', async () => {
    const [out, zip] = [join(cloud.dir, 'open', 'out'), join(cloud.dir, 'all.zip')];
    const words = ['project', 'credentials', '--project', PROJECT, '--user', 'anna'];
    const novactl = (way: string, path: string) =>
      run('sh', ['-c', 'umask 000; exec "$@"', 'sh', NOVACTL, ...words, way, path], cloud.env);
    expect(await novactl('--out', out)).toMatchObject({ code: 0 });
    expect(await novactl('--zip', zip)).toMatchObject({ code: 0 });
    const files = [
      'novarc',
      'boto.cfg',
      'cacert.pem',
      'cert.pem',
      'cloud-cert.pem',
      'pk.pem',
      'provider.tf',
      'aws/config',
    ];
    expect(modesIn(out)).toEqual({
      ...{ '': '700', aws: '700' },
      ...Object.fromEntries([...files, 'aws/credentials'].map((name) => [name, '600'])),
    });
    expect((statSync(zip).mode & 0o777).toString(8)).toBe('600');
    expect(readFileSync(join(out, 'boto.cfg'), 'utf8')).toContain('127.0.0.1 will not do');
  });

  it('is left as it was by a second run, which then makes neither key nor certificate [sim]', async () => {
    const digest = (): string[] =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
        const path = join(folder, name);
        return statSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : name;
      });
    const made = async (): Promise<number> =>
      (await cloud.json<{ operations: unknown[] }>('op', 'list')).operations.length;
    const [files, operations] = [digest(), await made()];
    for (const [way, path, text] of [
      ['--out', folder, 'is not empty, and nothing in it is overwritten; name another by --out'],
      ['--zip', join(folder, 'novarc'), 'exists and is not overwritten; name another by --zip'],
    ] as const) {
      const again = await cloud.cli('project', 'credentials', '--project', PROJECT, '--user', 'anna', way, path);
      expect(again.code).toBe(5);
      expect(again.stderr).toContain(text);
    }
    expect(digest()).toEqual(files);
    expect(await made()).toBe(operations);
  });
});
