import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStillImage } from '../support/still-image.ts';
import { run, TestCloud } from '../support/test-cloud.ts';
import {
  filesThatHold,
  hitsInRecords,
  namesIn,
  pemSecret,
  type Secret,
  wordSecret,
} from '../system/support/canary-search.ts';
import { ProcessSampler, type ProcessSamples } from '../system/support/process-sampler.ts';

/** Nothing else on this machine says these words. */
const token = (what: string): string => `Canary${what}${randomBytes(8).toString('hex')}Zq`;

let cloud: TestCloud;
let samples: ProcessSamples;
const secrets: Secret[] = [];
const printed: string[] = [];

const mine = (name: string): string => join(cloud.dir, 'mine', name);

function keep(name: string, text: string): string {
  writeFileSync(mine(name), text, { mode: 0o600 });
  return mine(name);
}

/** What goes to stderr is told to everybody; stdout is the answer, which may be the secret. */
async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cloud.cli(...args);
  expect(code, `${args.join(' ')}\n${stderr}`).toBe(0);
  printed.push(stderr);
  return stdout;
}

async function refused(...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await cloud.cli(...args);
  expect(code, args.join(' ')).not.toBe(0);
  printed.push(stdout, stderr);
}

async function plantAndUse(): Promise<void> {
  const [given, password, data] = [token('Given'), token('Password'), token('Data')];
  secrets.push(wordSecret('given secret', given), wordSecret('password', password), wordSecret('user data', data));
  await ok('key', 'create', '--access-key', 'CANARY', '--secret-file', keep('given', given));
  await refused('key', 'create', '--access-key', 'CANARY', '--secret-file', mine('given'));
  await ok('user', 'create', 'anna', '--password-file', keep('password', password));
  await refused('user', 'create', 'anna', '--password-file', mine('password'));
  await ok('key', 'create', '--out', mine('made'));
  secrets.push(wordSecret('made secret', readFileSync(mine('made'), 'utf8').trim()));
  await ok('key', 'rotate', 'CANARY', '--out', mine('rotated'));
  secrets.push(wordSecret('rotated secret', readFileSync(mine('rotated'), 'utf8').trim()));
  await ok('project', 'credentials', '--out', mine('folder'), '--ec2-url', 'https://cloud.example:8773');
  const [, secret = ''] =
    /aws_secret_access_key = (\S+)/.exec(readFileSync(mine('folder/aws/credentials'), 'utf8')) ?? [];
  secrets.push(wordSecret('secret of credentials', secret), pemSecret('private key', mine('folder/pk.pem')));
  const master = readFileSync(join(cloud.dir, 'state', 'seal.key'), 'utf8').trim();
  secrets.push(wordSecret('old master key', master));
  await ok('key', 'rotate-master', '--yes');
  secrets.push(wordSecret('master key', readFileSync(join(cloud.dir, 'state', 'seal.key'), 'utf8').trim()));
  await ok('host', 'add', 'sim1', '--simulated');
  writeStillImage(mine('still'));
  await ok('image', 'import', mine('still'), '--name', 'still');
  await ok(
    'instance',
    'run',
    '--image',
    'still',
    '--type',
    'm1.nano',
    '--user-data',
    `@${keep('data', data)}`,
    '--wait',
  );
  for (const line of [
    'key list --output wide',
    'op list --json',
    'quota show',
    'user list --json',
    'instance list --json',
  ])
    printed.push(await ok(...line.split(' ')));
}

beforeAll(async () => {
  cloud = new TestCloud({ NOVACTL_DRIVERS: 'simulated', NOVACTL_METADATA_LISTEN: 'none', NOVACTL_LOG_LEVEL: 'debug' });
  mkdirSync(join(cloud.dir, 'mine'), { mode: 0o700 });
  writeFileSync(join(cloud.dir, 'stamp'), '');
  await pause(20);
  await cloud.start();
  const sampler = new ProcessSampler();
  await plantAndUse();
  samples = await sampler.stop();
}, 120_000);
afterAll(() => cloud.destroy(), 60_000);

/** Where each may be: with its owner, and user data in its record, which is not sealed (SECURITY.md). */
const KEPT: readonly (readonly [where: RegExp, secrets: RegExp])[] = [
  [/^mine\//, /./],
  [/^state\/seal\.key$/, /^master key$/],
  [/^state\/(journal|replica)[^/]*$/, /^user data$/],
];

async function strays(): Promise<string[]> {
  const hits = await filesThatHold([cloud.dir], join(cloud.dir, 'stamp'), secrets);
  return hits.flatMap(({ path, secrets: names }) => {
    const place = path.slice(cloud.dir.length + 1);
    const wrong = names.filter((name) => !KEPT.some(([where, which]) => where.test(place) && which.test(name)));
    return wrong.map((name) => `${place}: ${name}`);
  });
}

describe('planted secrets', () => {
  it('are in no log, record or other file but their own [sim]', async () => {
    expect(secrets).toHaveLength(9);
    expect(cloud.log).toContain('CreateAccessKey');
    expect(await strays()).toEqual([]);
    const ofRecords = hitsInRecords(join(cloud.dir, 'state'), secrets).map(({ key, name }) => `${name} in ${key}`);
    expect(ofRecords.filter((hit) => !/^user data in userdata\/i-[0-9a-f]{17}$/.test(hit))).toEqual([]);
  });

  it('are in no message, error, list or operation record [sim]', () => {
    expect(printed.join('\n')).toContain('RotateMasterKey');
    expect(namesIn(printed.join('\n'), secrets)).toEqual([]);
  });

  it('are in no argument list and no environment of any process [real]', () => {
    expect(samples.rounds).toBeGreaterThan(10);
    expect(samples.argv.some((words) => words.includes('rotate-master'))).toBe(true);
    expect(namesIn([...samples.argv, ...samples.environ].join('\n'), secrets)).toEqual([]);
  });

  it('are found where a control plants one: in the log, and in an argument list [real]', async () => {
    const secret = secrets.find(({ name }) => name === 'password');
    const word = secret?.spellings[0] ?? '';
    const other = mine('../control.log');
    appendFileSync(other, `{"level":"info","body":"${Buffer.from(`x${word}`).toString('base64')}"}\n`);
    chmodSync(other, 0o600);
    expect(await strays()).toEqual(['control.log: password']);
    writeFileSync(other, '');
    const sampler = new ProcessSampler();
    await run('sh', ['-c', 'sleep 1; true', word]);
    const seen = await sampler.stop();
    expect(namesIn(seen.argv.join('\n'), secrets)).toEqual(['password']);
  });
});
