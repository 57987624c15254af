import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBelow, SeededRandom, type Random } from '../../src/base/random.ts';
import { EC2_ACTIONS } from '../../src/controller/api/ec2/actions/index.ts';
import type { RawEc2Request } from '../../src/controller/api/ec2/ec2-request.ts';
import { Ec2Cloud, formOf } from '../support/ec2-cloud.ts';

const COUNT = Number(process.env.NOVACTL_EC2_MUTATIONS ?? '20000');
const SEED = Number(process.env.NOVACTL_EC2_SEED ?? '20261122');
/** Of all the mutations so many are signed again, so that they come past the signature. */
const SIGNED_SHARE = 0.5;

let cloud: Ec2Cloud;
beforeAll(async () => {
  cloud = await Ec2Cloud.start({
    ec2: { signatureV2: 'on', rateLimit: { describePerSecond: 0, changePerSecond: 0, runPerSecond: 0 } },
  });
});
afterAll(() => cloud.close());

const pick = <T>(random: Random, from: readonly T[]): T => from[randomBelow(random, from.length)] as T;

/** Parameters that some action takes, so that mutations reach what reads them. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  'Filter.1.Name': ['instance-state-name', 'tag:Name', 'zone', 'nothing'],
  'Filter.1.Value.1': ['*', 'running', '?', '\\*'],
  'InstanceId.1': ['i-00000000000000000', 'i-1', 'tiny'],
  MaxResults: ['5', '1000', '-1', '0', '1e9'],
  NextToken: ['AAAA', '{}', 'null'],
  KeyName: ['k', '', 'a'.repeat(300), '\u0000'],
  'TagSpecification.1.ResourceType': ['instance', 'volume'],
  'TagSpecification.1.Tag.1.Key': ['k', '__proto__', 'aws:x'],
  ImageId: ['still', 'ami-00000000000000000'],
  MinCount: ['1', '0', '1e3'],
  MaxCount: ['1', '0'],
  DryRun: ['true', 'false', 'perhaps'],
  ClientToken: ['t', ' '],
  'IpPermissions.1.IpRanges.1.CidrIp': ['0.0.0.0/0', '1.2.3.4/33'],
  'BlockDeviceMapping.1.Ebs.VolumeSize': ['1', 'x', '999999999999999'],
  'a.b.c.d.e.f.g.h.i': ['x'],
};

function validBody(random: Random): string {
  const parameters: Record<string, string> = { Action: pick(random, Object.keys(EC2_ACTIONS)), Version: '2016-11-15' };
  for (let left = randomBelow(random, 5); left > 0; left -= 1) {
    const name = pick(random, Object.keys(PARAMETERS));
    parameters[name] = pick(random, PARAMETERS[name] ?? ['']);
  }
  return formOf(parameters);
}

const JUNK = [
  '%',
  '%zz',
  '%00',
  '&',
  '&&',
  '=',
  '+',
  '.',
  '..',
  ';',
  '\u{1f600}',
  '%ff',
  '<',
  ']]>',
  '0',
  '-1',
  '/',
  ':',
];

/** One small change somewhere in the text. */
function mutated(random: Random, text: string): string {
  const at = randomBelow(random, text.length + 1);
  const length = randomBelow(random, 8);
  const changes: readonly (() => string)[] = [
    () => text.slice(0, at) + text.slice(at + length),
    () => text.slice(0, at) + pick(random, JUNK) + text.slice(at),
    () => text.slice(0, at) + pick(random, JUNK) + text.slice(at + length),
    () => text.slice(0, at) + String.fromCharCode(33 + randomBelow(random, 94)) + text.slice(at + 1),
    () => `${text}&${text.slice(at, at + 20)}`,
    () => text.slice(0, at),
    () => text.slice(0, at) + text.slice(at, at + length).repeat(1 + randomBelow(random, 30)) + text.slice(at),
  ];
  return pick(random, changes)();
}

interface Weight {
  readonly heapBytes: number;
  readonly records: number;
  /** How many of each kind keep the event loop alive. */
  readonly handles: ReadonlyMap<string, number>;
}

/** What is held after a full collection. */
function weigh(): Weight {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const handles = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) handles.set(kind, (handles.get(kind) ?? 0) + 1);
  return { heapBytes: process.memoryUsage().heapUsed, records: cloud.sim.store.count(''), handles };
}

/** What requests made and may stay: some code that was compiled late, and the records of those that succeeded. */
function expectNoLeak(before: Weight, after: Weight, requests: number): void {
  const allowedBytes = 2 ** 20 + 16 * requests + 8192 * (after.records - before.records);
  expect(after.heapBytes - before.heapBytes, `heap grown by ${requests} requests`).toBeLessThan(allowedBytes);
  for (const [kind, count] of after.handles)
    expect(count - (before.handles.get(kind) ?? 0), `${kind} left by ${requests} requests`).toBeLessThanOrEqual(3);
}

/** Lines of a stack, places of the source, folders of this machine, the names that JavaScript gives its own mistakes. */
const INTERNALS =
  /\n\s+at |\bfile:\/\/|\/src\/|node_modules|\.[cm]?[jt]s:\d|\[object |TypeError|ZodError|is not a function|Cannot read prop/;

function leaksInternals(body: string): boolean {
  return INTERNALS.test(body) || [process.cwd(), cloud.sim.stateDir].some((path) => body.includes(path));
}

const flat = (headers: Readonly<Record<string, string>>): string[] => Object.entries(headers).flat();

/** A request that was valid, with some of it changed: before it was signed, or after. */
function mutation(random: Random): RawEc2Request {
  const whole = { url: '/', method: 'POST', remoteAddress: 'test' };
  const valid = validBody(random);
  if (random.unit() < SIGNED_SHARE) {
    // Half of them keep action and version, and so come to the action.
    const head = random.unit() < 0.5 ? 0 : valid.indexOf('&Version=') + '&Version=2016-11-15'.length;
    let rest = valid.slice(head);
    for (let left = randomBelow(random, 3); left >= 0; left -= 1) rest = mutated(random, rest);
    const body = valid.slice(0, head) + rest;
    return { ...whole, body: Buffer.from(body), rawHeaders: flat(cloud.signed(body)) };
  }
  const headers = flat(cloud.signed(valid));
  const part = randomBelow(random, headers.length + 3);
  if (part === headers.length) return { ...whole, rawHeaders: headers, body: Buffer.from(mutated(random, valid)) };
  if (part === headers.length + 1) {
    return {
      ...whole,
      rawHeaders: headers,
      body: Buffer.from(valid),
      url: mutated(random, `/services/Cloud/?${valid}`),
    };
  }
  if (part === headers.length + 2) {
    const old = `${valid}&AWSAccessKeyId=${cloud.key.accessKeyId}&SignatureVersion=2&SignatureMethod=HmacSHA1&Timestamp=2026-01-01T00:00:00Z&Signature=${'A'.repeat(27)}%3D`;
    return {
      ...whole,
      method: 'GET',
      rawHeaders: ['Host', 'x'],
      body: Buffer.alloc(0),
      url: `/?${mutated(random, old)}`,
    };
  }
  const changed = headers.map((text, at) => (at === part ? mutated(random, text) : text));
  return { ...whole, rawHeaders: changed, body: Buffer.from(valid) };
}

describe('random changes of valid requests [sim]', () => {
  it(
    `get an answer that EC2 could give: ${COUNT} of them, seed ${SEED}`,
    { timeout: 15 * COUNT + 60_000 },
    async () => {
      const random = new SeededRandom(SEED);
      const codes = new Map<string, number>();
      const warm = Math.floor(COUNT / 4);
      let before = weigh();
      for (let at = 0; at < COUNT; at += 1) {
        if (at === warm) before = weigh();
        const request = mutation(random);
        const { status, body } = await cloud.edge.answer(request);
        const code =
          /<Code>([^<]+)<\/Code><Message>[^<]+<\/Message>/.exec(body)?.[1] ?? (status === 200 ? 'ok' : 'none');
        const shown = `mutation ${at}: ${request.method} ${request.url} ${request.rawHeaders.join('|')} ${request.body.toString()} -> ${body}`;
        if (code === 'none' || status === 500 || /InternalError/.test(body) || leaksInternals(body)) expect.fail(shown);
        if (!/<(requestId|RequestID)>req-[0-9a-f]{17}</.test(body)) expect.fail(shown);
        if (body.includes(cloud.key.secretAccessKey)) expect.fail(shown);
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
      expectNoLeak(before, weigh(), COUNT - warm);
      // They reached both sides of the signature, and what is behind it.
      expect(codes.get('AuthFailure')).toBeGreaterThan(COUNT / 100);
      expect(codes.get('ok')).toBeGreaterThan(COUNT / 200);
      expect(codes.get('UnknownParameter')).toBeGreaterThan(COUNT / 100);
      expect(codes.size).toBeGreaterThan(8);
      expect((await cloud.ask('DescribeRegions')).status).toBe(200);
    },
  );
});
