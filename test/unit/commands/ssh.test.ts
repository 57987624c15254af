import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostKeysIn, knownHosts } from '../../../src/commands/support/host-keys.ts';
import { sshArgv } from '../../../src/commands/support/ssh-argv.ts';
import { ANSWERS, cannedCloud, INSTANCES, type CannedOptions } from '../../support/canned-cloud.ts';
import { FakeCloud } from '../../support/fake-cloud.ts';
import { runCli, type CliOptions } from '../../support/run-cli.ts';

/** An ed25519 public key as OpenSSH has it: name and key, each after its length. */
function freshKey(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const name = Buffer.from('ssh-ed25519');
  const length = (bytes: Buffer) => Buffer.from([0, 0, 0, bytes.length]);
  return Buffer.concat([length(name), name, length(raw), raw]).toString('base64');
}

const KEY = freshKey();
const OTHER = freshKey();
const BEGIN = '-----BEGIN SSH HOST KEY KEYS-----';
const END = '-----END SSH HOST KEY KEYS-----';

describe('host keys on a console', () => {
  const key = { type: 'ssh-ed25519', base64: KEY };

  it.each([
    ['the line of the tiny guest', `booting\r\nNOVACTL-HOSTKEY ssh-ed25519 ${KEY}\r\nlogin: `],
    ['the same after a time stamp', `[    2.345678] NOVACTL-HOSTKEY ssh-ed25519 ${KEY}\n`],
    ["cloud-init's block", `x\n${BEGIN}\nssh-ed25519 ${KEY} root@guest\n${END}\n`],
    ['a block behind a prefix', `ci-info: ${BEGIN}\nci-info: ssh-ed25519 ${KEY} root@guest\nci-info: ${END}\n`],
    ['the last boot of several', `NOVACTL-HOSTKEY ssh-ed25519 ${OTHER}\nNOVACTL-HOSTKEY ssh-ed25519 ${KEY}\n`],
  ])('are found: %s', (_name, text) => {
    expect(hostKeysIn(text)).toEqual([key]);
  });

  it.each([
    ['a key of a type that its bytes deny', `NOVACTL-HOSTKEY ssh-rsa ${KEY}`],
    ['an unknown type', `NOVACTL-HOSTKEY ssh-dss ${KEY}`],
    ['a line that is cut off', `NOVACTL-HOSTKEY ssh-ed25519 ${KEY.slice(0, 30)}`],
    ['a key outside a block', `ssh-ed25519 ${KEY} root@guest`],
    ['a block without its end', `${BEGIN}\nssh-ed25519 ${KEY} root@guest\n`],
    ['options before a key', `NOVACTL-HOSTKEY @cert-authority,* ssh-ed25519 ${KEY}`],
  ])('are not: %s', (_name, text) => {
    expect(hostKeysIn(text)).toEqual([]);
  });

  it('are pinned under the id of the instance', () => {
    expect(knownHosts('i-1', [key])).toBe(`i-1 ssh-ed25519 ${KEY}\n`);
  });
});

describe('the words for ssh', () => {
  const target = {
    instanceId: 'i-1',
    address: '10.0.0.2',
    login: 'root',
    knownHostsFile: '/k',
    batch: true,
    proxyCommand: undefined,
  };

  it('trust the pinned keys alone and try the named key alone', () => {
    const words = sshArgv({ ...target, identity: '/mine.pem', command: ['echo', 'a', 'b', 'a'] });
    const options = words.filter((_, index) => words[index - 1] === '-o');
    expect(options).toEqual([
      'StrictHostKeyChecking=yes',
      'UserKnownHostsFile=/k',
      'GlobalKnownHostsFile=/dev/null',
      'HostKeyAlias=i-1',
      'UpdateHostKeys=no',
      'ConnectTimeout=10',
      'ConnectionAttempts=5',
      'LogLevel=ERROR',
      'BatchMode=yes',
      'IdentitiesOnly=yes',
    ]);
    const rest = ['-i', '/mine.pem', '-l', 'root', '--', '10.0.0.2', 'echo', 'a', 'b', 'a'];
    expect(words.slice(-rest.length)).toEqual(rest);
  });

  it('leave the choice of keys to ssh where none is named', () => {
    const words = sshArgv({ ...target, identity: undefined, command: [] }).join(' ');
    expect(words).not.toMatch(/ -i |IdentitiesOnly/);
  });
});

describe('instance ssh', () => {
  let home: string;
  let cloud: FakeCloud;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'novactl-home-'));
  });
  afterEach(async () => {
    await cloud.close();
    rmSync(home, { recursive: true });
  });

  const [instance] = INSTANCES as [(typeof INSTANCES)[number]];
  const I = instance.instanceId;
  const console = (text: string) => ({
    instanceId: I,
    output: Buffer.from(text).toString('base64'),
    fromByte: 0,
    nextByte: text.length,
  });
  const one = { instances: [instance], rev: 1 };

  async function ssh(answers: CannedOptions['answers'], words: string[] = [], options: CliOptions = {}) {
    cloud = await FakeCloud.start(cannedCloud({ answers: { DescribeInstances: one, ...answers } }));
    const ran: (readonly string[])[] = [];
    const exec = (file: string, argv: readonly string[]) => ran.push([file, ...argv]) + 41;
    const env = { HOME: home };
    const result = await runCli(['instance', 'ssh', I, ...words], { runDir: cloud.runDir, env, exec, ...options });
    return { ...result, ran };
  }

  it('pins what the console says, runs ssh and ends as it ends', async () => {
    mkdirSync(join(home, '.config/novactl/keys'), { recursive: true });
    writeFileSync(join(home, '.config/novactl/keys/mine.pem'), '');
    const text = `NOVACTL-HOSTKEY ssh-ed25519 ${KEY}\n`;
    const { code, ran, stderr } = await ssh({ GetConsoleOutput: console(text) }, [
      '--',
      'echo',
      'a',
      'b',
      'a',
      '--json',
    ]);
    expect(code).toBe(42);
    expect(stderr).toBe(`pinned 1 host key of ${I} from its console\n`);
    const pinned = join(home, '.config/novactl/known_hosts.d', I);
    expect(readFileSync(pinned, 'utf8')).toBe(`${I} ssh-ed25519 ${KEY}\n`);
    expect(statSync(pinned).mode & 0o777).toBe(0o600);
    const [words = []] = ran;
    expect(words[0]).toBe('ssh');
    expect(words).toContain(`UserKnownHostsFile=${pinned}`);
    const tail = ['-i', join(home, '.config/novactl/keys/mine.pem'), '-l', 'root', '--', '10.200.0.2'];
    expect(words.slice(-11)).toEqual([...tail, 'echo', 'a', 'b', 'a', '--json']);
  });

  it('waits until the keys are there', async () => {
    let reads = 0;
    const answer = () => {
      reads += 1;
      return reads < 4 ? console('') : console(`NOVACTL-HOSTKEY ssh-ed25519 ${KEY}\n`);
    };
    const { code, stderr } = await ssh({ GetConsoleOutput: answer });
    expect([code, reads]).toEqual([42, 4]);
    expect(stderr.match(/waiting for/g)).toHaveLength(1);
  });

  it('never changes keys that are pinned', async () => {
    const folder = join(home, '.config/novactl/known_hosts.d');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, I), 'pinned before\n');
    const { code } = await ssh({}, ['--identity', '/mine.pem', '--login', 'admin']);
    expect(code).toBe(42);
    expect(readFileSync(join(folder, I), 'utf8')).toBe('pinned before\n');
    expect(cloud.calls.map(({ name }) => name)).not.toContain('GetConsoleOutput');
  });

  it('logs in as ec2-user where the image is another', async () => {
    const images = (ANSWERS.DescribeImages?.images ?? []).map((image) => ({ ...image, name: 'debian' }));
    const text = `NOVACTL-HOSTKEY ssh-ed25519 ${KEY}\n`;
    const { ran } = await ssh({ DescribeImages: { images, rev: 1 }, GetConsoleOutput: console(text) });
    expect(ran[0]?.join(' ')).toContain('-l ec2-user -- 10.200.0.2');
  });

  it('says what to do when the instance does not run', async () => {
    const stopped = { instances: [{ ...instance, state: 'stopped' as const }], rev: 1 };
    const { code, ran, stderr } = await ssh({ DescribeInstances: stopped });
    expect([code, ran]).toEqual([5, []]);
    expect(stderr).toContain(`${I} is stopped; wait by: novactl instance wait ${I} --for running`);
  });
});
