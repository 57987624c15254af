import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { zipArchive } from '../../../src/base/zip.ts';
import { credentialFiles, type Credentials } from '../../../src/views/credential-files.ts';
import { expectGolden } from '../../support/golden.ts';

const GOLDEN = ['novarc', 'aws-config', 'aws-credentials', 'boto.cfg', 'provider.tf'];
const PEM = { privateKey: 'KEY\n', certificate: 'CERT\n', authority: 'CA\n', bundling: 'CLOUD\n' };
const plain: Credentials = {
  ...{ projectId: 'lab', userName: 'anna', accountId: '123456789012', region: 'nova' },
  ...{ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  ...{ ec2Url: 'https://cloud.example:8773', s3Url: 'https://cloud.example:3333', folder: '/srv/lab' },
};
const odd: Credentials = {
  ...plain,
  secretAccessKey: `a'b"c$HOME\`id\`\\n%d{e}#;!~=`,
  s3Url: undefined,
  folder: undefined,
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-credentials-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(one: Credentials): void {
  for (const { name, text } of credentialFiles(one, PEM)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
}

/** What a shell has after it read the file. */
function sourced(shell: string, cwd = dir): Record<string, string> {
  const script = `set -eu; . "$1/novarc"; env -0`;
  const out = execFileSync(shell, ['-c', script, shell, dir], {
    cwd,
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
  });
  return Object.fromEntries(
    out.split('\0').map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  );
}

describe('the files of a project’s credentials', () => {
  it.each([
    ['plain', plain],
    ['odd', odd],
  ])('are rendered as before: %s', (name, one) => {
    const texts = credentialFiles(one, PEM).filter((file) => !file.name.endsWith('.pem'));
    expect(texts.map((file) => file.name.replace('/', '-'))).toEqual(GOLDEN);
    texts.forEach((file, at) => expectGolden(`credentials/${name}/${GOLDEN[at] ?? ''}`, file.text));
  });

  it.each(['sh', 'bash'])('%s has from novarc what was written into it, however odd [real]', (shell) => {
    write(odd);
    execFileSync(shell, ['-n', join(dir, 'novarc')]);
    expect(sourced(shell)).toMatchObject({
      EC2_ACCESS_KEY: 'AKIAIOSFODNN7EXAMPLE:lab',
      EC2_SECRET_KEY: odd.secretAccessKey,
      EC2_URL: 'https://cloud.example:8773/services/Cloud/',
      EC2_USER_ID: '123456789012',
      EC2_PRIVATE_KEY: join(dir, 'pk.pem'),
      EC2_CERT: join(dir, 'cert.pem'),
      NOVA_CERT: join(dir, 'cloud-cert.pem'),
      EUCALYPTUS_CERT: join(dir, 'cloud-cert.pem'),
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: odd.secretAccessKey,
      AWS_DEFAULT_REGION: 'nova',
      AWS_ENDPOINT_URL_EC2: 'https://cloud.example:8773',
      AWS_CA_BUNDLE: join(dir, 'cacert.pem'),
    });
    expect(sourced(shell)).not.toHaveProperty('S3_URL');
  });

  it('bash finds the files beside novarc, whatever folder it is in [real]', () => {
    write(plain);
    expect(sourced('bash', '/')).toMatchObject({ EC2_CERT: join(dir, 'cert.pem'), S3_URL: plain.s3Url });
  });

  it.each([
    ['https://10.0.0.1:8773', true],
    ['https://[fd00::1]:8773', true],
    ['http://10.0.0.1:8773', false],
    ['https://10.cloud.example:8773', false],
  ])('boto.cfg says where boto 2 will not take the server by TLS: %s', (ec2Url, said) => {
    const text = credentialFiles({ ...plain, ec2Url }, PEM).find(({ name }) => name === 'boto.cfg')?.text ?? '';
    expect(text.includes(`${new URL(ec2Url).hostname} will not do`)).toBe(said);
  });

  it('boto’s own parser reads the secret of boto.cfg, percent signs and all [real]', () => {
    write(odd);
    const script =
      'import configparser,sys;c=configparser.ConfigParser();c.read(sys.argv[1]);print(c.get("Credentials","aws_secret_access_key"))';
    const out = execFileSync('python3', ['-c', script, join(dir, 'boto.cfg')], { encoding: 'utf8' });
    expect(out).toBe(`${odd.secretAccessKey}\n`);
  });
});

describe('the zip archive', () => {
  const entries = credentialFiles(odd, PEM).map(({ name, text }) => ({ name, bytes: Buffer.from(text), mode: 0o600 }));

  it.each([
    ['python', ['python3', '-m', 'zipfile', '-t']],
    ['unzip', ['unzip', '-tq']],
  ])('%s finds it sound [real]', (_name, [file = '', ...args]) => {
    const path = join(dir, 'all.zip');
    writeFileSync(path, zipArchive(entries, Date.UTC(2026, 5, 1, 12, 30, 10)));
    expect(execFileSync(file, [...args, path], { encoding: 'utf8' })).toMatch(/Done testing|No errors detected/);
  });

  it('comes out as it went in, mode 0600, with its time [real]', () => {
    const path = join(dir, 'all.zip');
    writeFileSync(path, zipArchive(entries, Date.UTC(2026, 5, 1, 12, 30, 10)));
    const out = join(dir, 'out');
    mkdirSync(out);
    chmodSync(out, 0o700);
    execFileSync('unzip', ['-q', path, '-d', out], { env: { ...process.env, TZ: 'UTC' } });
    for (const { name, bytes } of entries) {
      const { mode, mtimeMs } = statSync(join(out, name));
      expect([mode & 0o777, mtimeMs]).toEqual([0o600, Date.UTC(2026, 5, 1, 12, 30, 10)]);
      expect(execFileSync('cat', [join(out, name)]).equals(bytes)).toBe(true);
    }
  });

  it('without anything in it is one all the same [real]', () => {
    const path = join(dir, 'none.zip');
    writeFileSync(path, zipArchive([], 0));
    expect(execFileSync('python3', ['-m', 'zipfile', '-l', path], { encoding: 'utf8' })).toMatch(/File Name/);
  });
});
