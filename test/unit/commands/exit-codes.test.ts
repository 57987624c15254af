import { afterEach, describe, expect, it } from 'vitest';
import { ERROR_TABLE, type ErrorCode } from '../../../src/base/error-codes.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { EXIT_CODES } from '../../../src/base/exit-codes.ts';
import { cannedCloud } from '../../support/canned-cloud.ts';
import { FakeCloud } from '../../support/fake-cloud.ts';
import { runCli } from '../../support/run-cli.ts';

const clouds: FakeCloud[] = [];
afterEach(async () => {
  for (const cloud of clouds.splice(0)) await cloud.close();
});

async function failing(error: CloudError, line = 'instance list'): Promise<Awaited<ReturnType<typeof runCli>>> {
  const cloud = await FakeCloud.start(
    cannedCloud({ answers: { DescribeInstances: error, RunInstances: error, StopInstances: error } }),
  );
  clouds.push(cloud);
  return runCli(line.split(' '), { runDir: cloud.runDir });
}

/** Below 400 it is no error of the cloud: S3 says so by a status without a body, and no command asks for it. */
const ERRORS = (Object.keys(ERROR_TABLE) as ErrorCode[]).filter((code) => ERROR_TABLE[code].status >= 400);

describe('the exit code of an error', () => {
  it.each(ERRORS)('%s is the one of the table', async (code) => {
    const { code: exit, stdout, stderr } = await failing(new CloudError(code, 'it is so'));
    expect(exit).toBe(ERROR_TABLE[code].exit);
    expect(stdout).toBe('');
    expect(stderr).toContain('it is so');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(Object.keys(EXIT_CODES)).toContain(String(exit));
  });

  it('has a meaning of its own for each exit code but those of maintenance and interrupts', () => {
    const used = new Set(Object.values(ERROR_TABLE).map(({ exit }) => exit));
    const unused = Object.keys(EXIT_CODES)
      .map(Number)
      .filter((exit) => !used.has(exit as 0));
    expect(unused).toEqual([20, 21, 22, 23, 24, 130]);
    expect(new Set(Object.values(EXIT_CODES)).size).toBe(Object.keys(EXIT_CODES).length);
  });

  it('comes with the error itself as JSON', async () => {
    const error = new CloudError('InsufficientInstanceCapacity', 'all is full', { details: { hosts: [] } });
    const { code, stderr } = await failing(error, 'instance list --output json');
    expect(code).toBe(6);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: error.code, message: 'all is full', details: { hosts: [] } },
    });
  });
});

describe('what the cloud refuses', () => {
  const issue = (parameter: string, text: string) => ({ parameter, text: `${parameter}: ${text}` });
  const refusal = (...issues: { parameter: string; text: string }[]) =>
    new CloudError('InvalidParameterValue', issues.map(({ text }) => text).join('; '), {
      details: { parameter: issues[0]?.parameter, issues },
    });

  it('is said by the flag, with the value and what is allowed', async () => {
    const error = refusal(issue('KeyName', 'must be short'), issue('ImageId', 'is no image'));
    const { code, stderr } = await failing(error, 'instance run --image tiny --key k_1');
    expect(code).toBe(2);
    expect(stderr).toBe('novactl: --key "k_1": must be short; --image "tiny": is no image\n');
  });

  it('is said by the word, where one of several is bad', async () => {
    const error = refusal(issue('InstanceIds.1', 'must look like i-0'));
    const { stderr } = await failing(error, 'instance stop i-1 x');
    expect(stderr).toBe('novactl: ID "x": must look like i-0\n');
  });

  it('speaks of flags in sentences too', async () => {
    const error = new CloudError('InvalidKeyPair.NotFound', 'KeyName: there is no key pair mine', {
      details: { parameter: 'KeyName' },
    });
    const { code, stderr } = await failing(error, 'instance run --image tiny --key mine');
    expect(code).toBe(3);
    expect(stderr).toBe('novactl: --key: there is no key pair mine (InvalidKeyPair.NotFound)\n');
  });

  it('is no failure when it was only asked whether it would be allowed', async () => {
    const error = new CloudError('DryRunOperation', 'it would have been allowed');
    const run = await failing(error, 'instance stop i-1 --dry-run');
    expect(run).toEqual({ code: 0, stdout: '', stderr: 'it would have been allowed\n' });
    expect(clouds[0]?.calls[0]).toMatchObject({ name: 'StopInstances', dryRun: true });
  });
});
