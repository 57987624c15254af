import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../../src/base/errors.ts';
import type { OperationOutput } from '../../../src/messages/operations/index.ts';
import { cannedCloud, type CannedOptions } from '../../support/canned-cloud.ts';
import { FakeCloud } from '../../support/fake-cloud.ts';
import { runCli, type CliOptions } from '../../support/run-cli.ts';

let home: string;
let clouds: FakeCloud[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'novactl-files-'));
});
afterEach(async () => {
  for (const cloud of clouds) await cloud.close();
  clouds = [];
  rmSync(home, { recursive: true });
});

async function run(words: string[], canned: CannedOptions = {}, options: CliOptions = {}) {
  const cloud = await FakeCloud.start(cannedCloud(canned));
  clouds.push(cloud);
  const result = await runCli(words, { runDir: cloud.runDir, env: { HOME: home }, ...options });
  return { ...result, calls: cloud.calls };
}

describe('keypair create', () => {
  const path = () => join(home, '.config/novactl/keys/mine.pem');

  it('keeps the private half in a file for its owner alone', async () => {
    const { code, stdout, stderr } = await run(['keypair', 'create', 'mine', '--json']);
    expect(code).toBe(0);
    expect(readFileSync(path(), 'utf8')).toBe('-----BEGIN SECRET-----\n');
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(stdout + stderr).not.toContain('SECRET');
    expect(JSON.parse(stdout)).toMatchObject({ privateKeyFile: path() });
  });

  it('never writes over a file, and then makes no key pair', async () => {
    const out = join(home, 'there.pem');
    writeFileSync(out, 'mine');
    const { code, stderr, calls } = await run(['keypair', 'create', 'mine', '--out', out]);
    expect([code, calls]).toEqual([5, []]);
    expect(stderr).toContain(`${out} exists and is not overwritten; name another by --out`);
    expect(readFileSync(out, 'utf8')).toBe('mine');
  });

  it('leaves no file behind when it fails', async () => {
    const error = new CloudError('InvalidKeyPair.Duplicate', 'there is one');
    const { code } = await run(['keypair', 'create', 'mine'], { answers: { CreateKeyPair: error } });
    expect(code).toBe(5);
    expect(existsSync(path())).toBe(false);
  });
});

describe('what comes from files and stdin', () => {
  const sent = (calls: readonly { name: string; input: unknown }[], key: string) => {
    const input = calls.find(({ name }) => name === 'RunInstances')?.input as Record<string, string>;
    return Buffer.from(input[key] ?? '', 'base64').toString('utf8');
  };
  const launch = ['instance', 'run', '--image', 'tiny', '--user-data'];

  it('user data: text, a file, stdin', async () => {
    const file = join(home, 'user-data');
    writeFileSync(file, '#!/bin/sh\n');
    expect(sent((await run([...launch, 'hello wörld'])).calls, 'UserData')).toBe('hello wörld');
    expect(sent((await run([...launch, `@${file}`])).calls, 'UserData')).toBe('#!/bin/sh\n');
    expect(sent((await run([...launch, '-'], {}, { stdin: 'piped' })).calls, 'UserData')).toBe('piped');
  });

  it('user data over 16 KiB is refused before it is sent', async () => {
    const { code, stderr, calls } = await run([...launch, 'x'.repeat(16_385)]);
    expect([code, calls]).toEqual([2, []]);
    expect(stderr).toBe('novactl: --user-data must be at most 16384 bytes, not 16385\n');
  });

  it('a public key is read from its file', async () => {
    const file = join(home, 'id.pub');
    writeFileSync(file, 'ssh-ed25519 AAAA me\n');
    const { code, calls } = await run(['keypair', 'import', 'mine', '--public-key', file]);
    expect(code).toBe(0);
    expect(calls[0]?.input).toEqual({ KeyName: 'mine', PublicKeyMaterial: 'ssh-ed25519 AAAA me' });
  });
});

const IMAGE: OperationOutput<'DescribeImages'>['images'][number] = {
  ...{ imageId: 'ami-0123456789abcdef0', name: 'web', projectId: 'admin', sha256: '', state: 'pending' },
  ...{ kind: 'machine', architecture: 'x86_64', format: 'raw' },
  ...{ sizeBytes: 0, virtualSizeBytes: 0, public: false, createdAtMs: 1 },
};

describe('image import', () => {
  it('uploads the file, with a bar on a terminal, and registers it', async () => {
    const file = join(home, 'disk.raw');
    writeFileSync(file, Buffer.alloc(300_000));
    const words = [
      'image',
      'import',
      file,
      '--name',
      'mine',
      '--kernel',
      'k',
      '--ramdisk',
      'r',
      '--kernel-args',
      'quiet',
    ];
    const { code, calls, stderr } = await run(words, {}, { columns: 100 });
    expect(code).toBe(0);
    expect(calls[0]).toMatchObject({
      name: 'RegisterImage',
      input: {
        Name: 'mine',
        Kind: 'machine',
        BlobKey: 'upload/blob-0123456789abcdef0',
        KernelId: 'k',
        RamdiskId: 'r',
        KernelArgs: 'quiet',
      },
    });
    expect(stderr).toMatch(/\rmine {2}\[#*-*\] {2}\d+ % .*\r\u001b\[K/);
    const silent = await run(words);
    expect(silent.stderr).toBe(
      'registered the image tiny as ami-0123456789abcdef0 (op-0123456789abcdef0)\nstart it by: novactl instance run --image tiny\n',
    );
  });

  it('sends nothing in a dry run', async () => {
    const file = join(home, 'disk.raw');
    writeFileSync(file, 'x');
    const error = new CloudError('DryRunOperation', 'it would have been allowed');
    const words = ['image', 'import', file, '--name', 'mine', '--dry-run'];
    const { code, calls } = await run(words, { answers: { RegisterImage: error } });
    expect(code).toBe(0);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ dryRun: true });
  });

  it('of an object sends nothing, waits, and fails with the reason and its exit code', async () => {
    const pending = { ...IMAGE, state: 'pending' as const };
    const stateReason = { code: 'InvalidImage.Format', message: 'it has a backing file' };
    const failed = { ...IMAGE, state: 'failed' as const, stateReason };
    const answers = {
      RegisterImage: { image: pending, operationId: 'op-0123456789abcdef0' },
      DescribeImages: { images: [failed], rev: 1 },
    };
    const words = ['image', 'import', 's3://disks/web.qcow2', '--name', 'web'];
    const { code, stderr, calls } = await run(words, { answers });
    expect(code).toBe(2);
    expect(stderr).toContain('it has a backing file');
    expect(calls[0]?.input).toEqual({ Name: 'web', Kind: 'machine', Location: 'disks/web.qcow2' });
    const unwaited = await run([...words, '--no-wait', '--json'], { answers });
    expect([unwaited.code, unwaited.calls.length]).toEqual([0, 1]);
    expect(JSON.parse(unwaited.stdout)).toMatchObject({ image: { state: 'pending' } });
    const bundle = await run(['image', 'import', 'b/x.manifest.xml', '--name', 'x', '--no-wait'], { answers });
    expect(bundle.calls[0]?.input).toMatchObject({ Location: 'b/x.manifest.xml' });
  });

  it('of an instance waits until it is made, unless it is told not to', async () => {
    const made = { ...IMAGE, state: 'available' as const };
    const answers = {
      CreateImage: { image: IMAGE, operationId: 'op-0123456789abcdef0' },
      DescribeImages: { images: [made], rev: 1 },
    };
    const words = ['image', 'create', 'i-0123456789abcdef0', '--name', 'golden'];
    const waited = await run(words, { answers });
    expect(waited.calls.map(({ name }) => name)).toEqual(['CreateImage', 'DescribeImages']);
    expect([waited.code, waited.stderr]).toEqual([0, expect.stringContaining(`${IMAGE.imageId} is available`)]);
    const left = await run([...words, '--no-wait'], { answers });
    expect(left.calls.map(({ name }) => name)).toEqual(['CreateImage']);
    expect(left.stderr).toContain(`see how far it is by: novactl image show ${IMAGE.imageId}`);
  });

  it('that is removed while it is waited for is said to be gone', async () => {
    const answers = { CreateImage: { image: IMAGE, operationId: 'op-1' }, DescribeImages: { images: [], rev: 1 } };
    const { code, stderr } = await run(['image', 'create', 'i-1', '--name', 'golden'], { answers });
    expect([code, stderr]).toEqual([3, expect.stringContaining('is gone')]);
  });

  it('of tiny is left alone when it is there', async () => {
    const { code, stderr, calls } = await run(['image', 'build-tiny', '--output', 'name']);
    expect(code).toBe(0);
    expect(stderr).toContain('the image tiny exists already (ami-0123456789abcdef0); --force builds it again');
    expect(calls.map(({ name }) => name)).toEqual(['DescribeImages']);
  });
});

describe('what destroys', () => {
  const two = ['instance', 'terminate', 'i-1', 'i-2'];
  const asked = (stderr: string) => stderr.includes('[y/N]');

  it.each([
    ['asks at a terminal: no', two, 'n\n', 4, true],
    ['asks at a terminal: nothing typed', two, '', 4, true],
    ['asks at a terminal: yes', two, 'y\n', 0, true],
    ['does not ask with --yes', [...two, '--yes'], '', 0, false],
    ['does not ask about one instance', two.slice(0, 3), '', 0, false],
    ['asks about a host', ['host', 'remove', 'node1'], 'no\n', 4, true],
  ])('%s', async (_name, words, types, exit, asks) => {
    const { code, stderr, calls } = await run(words, {}, { types });
    expect([code, asked(stderr), calls.length]).toEqual([exit, asks, exit === 0 ? 1 : 0]);
  });

  it('does not ask off a terminal', async () => {
    const { code, stderr, calls } = await run(two);
    expect([code, asked(stderr), calls.length]).toEqual([0, false, 1]);
  });

  it('carries one token and the reason', async () => {
    const { calls } = await run([...two, '--reason', 'too old']);
    expect(calls[0]).toMatchObject({
      reason: 'too old',
      clientToken: expect.stringMatching(/^cli-[0-9a-f]{32}$/) as string,
    });
    const own = await run(['instance', 'run', '--image', 'tiny', '--client-token', 'mine']);
    expect(own.calls[0]?.clientToken).toBe('mine');
  });
});
