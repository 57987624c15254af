import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { MIB } from '../../../src/base/units.ts';
import { S3Client } from '../../../src/client/s3/s3-client.ts';
import { SocketClient } from '../../../src/client/socket-client.ts';
import { spawnCli } from '../../support/spawn-cli.ts';
import type { CliResult } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { SandboxProcess } from '../ec2/sandbox-process.ts';

describe('the bucket and object commands over the socket of a sandbox [real]', () => {
  let sandbox: SandboxProcess;
  let client: SocketClient;
  const dir = mkdtempSync(join(tmpdir(), 'novactl-objects-'));
  const file = (name: string): string => join(dir, name);
  const env = (): NodeJS.ProcessEnv => ({
    ...sandbox.env,
    HOME: dir,
    XDG_CACHE_HOME: file('cache'),
    NOVACTL_STATE_DIR: sandbox.facts.stateDir,
    NOVACTL_RUN_DIR: sandbox.facts.runDir,
    NO_COLOR: '1',
  });
  const cli = (...args: string[]): Promise<CliResult> => spawnCli(env(), ...args).ended;
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli(...args);
    expect(code, stderr).toBe(0);
    return stdout;
  };

  beforeAll(async () => {
    sandbox = await SandboxProcess.start();
    client = new SocketClient({ socketPath: join(sandbox.facts.runDir, 'novactl.sock'), clock: new SystemClock() });
    await ok('bucket', 'create', 'box', '--versioning', '--quota-bytes', '1GiB');
  }, 120_000);
  afterAll(async () => {
    await client.close();
    await sandbox.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('puts, lists, shows, gets and deletes', async () => {
    mkdirSync(file('tree/sub'), { recursive: true });
    writeFileSync(file('tree/one.txt'), 'one\n');
    writeFileSync(file('tree/sub/two words.txt'), 'two\n');
    await ok('object', 'put', file('tree'), 'box/some/', '--recursive');
    expect(await ok('object', 'list', 'box/some/', '--output', 'name')).toBe('some/one.txt\nsome/sub/\n');
    const { objects } = JSON.parse(await ok('object', 'list', 'box', '--recursive', '--json')) as {
      objects: { key: string; sizeBytes: number }[];
    };
    expect(objects.map(({ key, sizeBytes }) => [key, sizeBytes])).toEqual([
      ['some/one.txt', 4],
      ['some/sub/two words.txt', 4],
    ]);
    expect(await ok('object', 'get', 'box/some/sub/two words.txt', '-')).toBe('two\n');
    expect(await ok('object', 'show', 'box/some/one.txt')).toMatch(/size +4 B \(4 bytes\)/);
    const twice = [
      await cli('object', 'get', 'box/some/one.txt', file('got')),
      await cli('object', 'get', 'box/some/one.txt', file('got')),
    ];
    expect(twice.map(({ code }) => code)).toEqual([0, 5]);
    expect(twice[1]?.stderr).toMatch(/got is there already; --force overwrites it/);
    await ok('object', 'delete', 'box/some/one.txt');
    expect(await ok('object', 'list', 'box/some/', '--versions')).toMatch(/deleted +yes.*some\/one\.txt\n.*4 B +no/);
    const refused = await cli('bucket', 'delete', 'box');
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringMatching(/box is not empty; --force/)]);
    expect(await ok('bucket', 'show', 'box')).toMatch(/versioning +enabled\nbytes +8 B of 1\.0 GiB/);
  }, 120_000);

  it('shares an object by an address that curl can get, and one by which curl can put', async () => {
    writeFileSync(file('shared'), 'for all\n');
    await ok('object', 'put', file('shared'), 'box/shared & ü.txt');
    const url = (await ok('object', 'share', 'box/shared & ü.txt')).trim();
    const curl = (...args: string[]): string => execFileSync('curl', ['-sS', '--fail-with-body', ...args]).toString();
    expect(curl(url)).toBe('for all\n');
    expect(() => curl(url.replace('X-Amz-Expires=3600', 'X-Amz-Expires=7200'))).toThrow(/403/);
    const drop = (await ok('object', 'share', 'box/drop', '--put', '--expires', '5m')).trim();
    curl('-T', file('shared'), drop);
    expect(await ok('object', 'get', 'box/drop', '-')).toBe('for all\n');
    const absent = await cli('object', 'share', 'box/nothing');
    expect([absent.code, absent.stderr]).toEqual([3, expect.stringMatching(/nothing/)]);
  }, 120_000);

  it('goes on with an upload that kill -9 cut off, and sends a part anew that is another one by now', async () => {
    const bytes = randomBytes(64 * MIB);
    writeFileSync(file('big'), bytes);
    const s3 = new S3Client((request) => client.s3(request));
    const cut = spawnCli(env(), 'object', 'put', file('big'), 'box/big', '--parallel', '1');
    const sent = async (): Promise<boolean> => {
      const [upload] = await s3.uploads('box', 'big');
      return upload !== undefined && (await s3.parts('box', 'big', upload.uploadId)).length >= 2;
    };
    await until(sent, { what: 'two parts are there', timeoutMs: 60_000, everyMs: 2 });
    cut.child.kill('SIGKILL');
    expect((await cut.ended).code).toBe(137);
    expect((await cli('object', 'show', 'box/big')).code).toBe(3);

    bytes[5 * MIB] = (bytes[5 * MIB] ?? 0) ^ 1;
    writeFileSync(file('big'), bytes);
    const { code, stderr } = await cli('object', 'put', file('big'), 'box/big', '--resume');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/put .*big into box\/big \((48|32|16)\.0 MiB in .*, (16|32|48)\.0 MiB were there already\)/);
    expect(await s3.uploads('box', '')).toEqual([]);
    expect(readdirSync(file('cache/novactl/uploads'))).toEqual([]);
    await ok('object', 'get', 'box/big', file('back'));
    const sha = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
    expect(sha(readFileSync(file('back')))).toBe(sha(bytes));
  }, 120_000);

  it('goes on with a download, and throws away what is not the object', async () => {
    const { etag } = await s3Head('box', 'big');
    const partial = file(`again.${etag}.part`);
    const whole = readFileSync(file('big'));
    writeFileSync(partial, whole.subarray(0, 40 * MIB));
    const { code, stderr } = await cli('object', 'get', 'box/big', file('again'));
    expect([code, stderr]).toEqual([0, expect.stringMatching(/\(24\.0 MiB in .*, 40\.0 MiB were there already\)/)]);
    expect(readFileSync(file('again')).equals(whole)).toBe(true);

    rmSync(file('again'));
    writeFileSync(partial, Buffer.alloc(40 * MIB));
    const wrong = await cli('object', 'get', 'box/big', file('again'));
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/are not those of box\/big: their CRC32/)]);
    expect([existsSync(file('again')), existsSync(partial)]).toEqual([false, false]);
  }, 120_000);

  it('takes stdin, limits a bucket, and deletes it with all that is in it', async () => {
    await ok('bucket', 'create', 'small');
    await ok('bucket', 'quota', 'small', '--objects', '1');
    await ok('object', 'put', file('shared'), 'small');
    const full = await cli('object', 'put', file('shared'), 'small/second');
    expect([full.code, full.stderr]).toEqual([6, expect.stringMatching(/QuotaExceeded/)]);
    await ok('bucket', 'quota', 'small', '--objects', 'none');
    const piped = spawnCli(env(), 'object', 'put', '-', 'small/none');
    expect((await piped.ended).code).toBe(0);
    await ok('bucket', 'delete', 'small', '--force', '--yes');
    const gone = await cli('object', 'list', 'small');
    expect([gone.code, gone.stderr]).toEqual([3, expect.stringMatching(/small/)]);
  }, 120_000);

  function s3Head(bucket: string, key: string): Promise<{ readonly etag: string }> {
    return new S3Client((request) => client.s3(request)).head(bucket, { key });
  }
});
