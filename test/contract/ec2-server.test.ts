import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { xmlText } from '../../src/base/xml.ts';
import { jsonLogger } from '../../src/base/logger.ts';
import { accountActions } from '../../src/controller/api/ec2/actions/account.ts';
import { Ec2Cloud, formOf, replyOf, type Ec2Reply } from '../support/ec2-cloud.ts';

const BODY = formOf({ Action: 'DescribeRegions', Version: '2016-11-15' });
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const REGION_CONFIG = {
  region: 'east',
  zone: 'east-1',
  regions: ['west', { name: 'east', zones: ['east-1', 'east-2'] }],
};

const lines: string[] = [];
const logger = jsonLogger({ level: 'debug', nowMs: () => 0, write: (line) => void lines.push(line) });
const refusal = ({ status, code, message }: Ec2Reply): string => `${status} ${code}: ${message}`;

let cloud: Ec2Cloud;
beforeAll(async () => {
  const limits = { headersMs: 300, requestMs: 900, checkEveryMs: 50 };
  cloud = await Ec2Cloud.start({ logger, limits });
});
afterAll(() => cloud.close());
afterEach(() => vi.restoreAllMocks());

/** What comes back for bytes as they are, one element each time that some came; until the server ends the connection. */
function rawChunks(text: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const chunks: string[] = [];
    const socket = connect(cloud.port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => chunks.push(chunk.toString('utf8')));
    socket.on('error', reject);
    socket.on('close', () => resolve(chunks));
  });
}

async function raw(text: string): Promise<Ec2Reply> {
  const whole = (await rawChunks(text)).join('');
  const [head = '', body = ''] = whole.split('\r\n\r\n');
  return replyOf(Number(head.split(' ')[1]), {}, body);
}

const rawRequest = (start: string, headers: readonly string[], body = ''): string =>
  `${start}\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n${body}`;

describe('requests that no client makes [sim]', () => {
  const host = 'Host: 127.0.0.1';
  const form = 'Content-Type: application/x-www-form-urlencoded';
  const end = 'Connection: close';
  it.each<[string, string, RegExp]>([
    [
      'two hosts',
      rawRequest('GET / HTTP/1.1', [host, 'Host: other', end]),
      /^400 MalformedQueryString: the header host is there 2 times/,
    ],
    ['no host', rawRequest('GET / HTTP/1.0', []), /^400 MalformedQueryString: the request has no Host/],
    ['a host that is none', rawRequest('GET / HTTP/1.1', ['Host: a b<c>', end]), /no host name/],
    [
      'a length and chunks',
      rawRequest('POST / HTTP/1.1', [host, form, 'Content-Length: 3', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
      /^400 MalformedQueryString: this is no HTTP/,
    ],
    [
      'two lengths',
      rawRequest('POST / HTTP/1.1', [host, form, 'Content-Length: 3', 'Content-Length: 4'], 'abcd'),
      /no HTTP request/,
    ],
    ['a folded header', rawRequest('GET / HTTP/1.1', [host, 'X-A: b', ' Transfer-Encoding: chunked', end]), /^400 /],
    [
      'an absolute target',
      rawRequest('GET http://other/ HTTP/1.1', [host, end]),
      /^400 MalformedQueryString: the target of the request must be a path/,
    ],
    ['a star', rawRequest('OPTIONS * HTTP/1.1', [host, end]), /must be a path/],
    ['another path', rawRequest('GET /latest/ HTTP/1.1', [host, end]), /^400 InvalidAction: there is nothing at/],
    [
      'another method',
      rawRequest('DELETE / HTTP/1.1', [host, end]),
      /^400 InvalidAction: the EC2 API takes GET and POST/,
    ],
    [
      'nothing of HTTP',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\r\n\r\n',
      /^400 MalformedQueryString: this is no HTTP/,
    ],
    ['large headers', rawRequest('GET / HTTP/1.1', [host, `X-A: ${'b'.repeat(100_000)}`]), /^413 RequestTooLarge: /],
    [
      'a strange expectation',
      rawRequest('POST / HTTP/1.1', [host, 'Expect: cake', 'Content-Length: 0', end]),
      /^400 MalformedQueryString: Expect/,
    ],
    [
      'headers that never end',
      'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n',
      /^400 MalformedQueryString: the request did not come/,
    ],
    [
      'a body that never ends',
      rawRequest('POST / HTTP/1.1', [host, form, 'Content-Length: 9'], 'abc'),
      /did not come to its end/,
    ],
  ])('are refused in words: %s', async (_, text, expected) => {
    const reply = await raw(text);
    expect(refusal(reply)).toMatch(expected);
    expect(reply.requestId).toMatch(/^req-[0-9a-f]{17}$/);
  });

  it.each<[string, Record<string, string>, string, RegExp]>([
    ['of another type', { 'content-type': 'application/json' }, '{}', /must be application\/x-www-form-urlencoded/],
    ['packed', { ...FORM, 'content-encoding': 'gzip' }, 'x', /must not be encoded/],
    [
      'in another alphabet',
      { ...FORM, 'content-type': `${FORM['content-type']}; charset=utf-7` },
      'x',
      /must be application/,
    ],
    ['that is not UTF-8', FORM, 'a=%ff', /is not UTF-8/],
    ['with a parameter without name', FORM, '=a', /is no name of a parameter/],
    ['with a parameter twice', FORM, 'a=1&a=2', /"a" is there twice/],
    [
      'with too many parameters',
      FORM,
      Array.from({ length: 2001 }, (_, at) => `a${at}=1`).join('&'),
      /^413 RequestTooLarge: .*2001 parameters/,
    ],
    ['of 10 MB', FORM, 'a=1&'.repeat(2_500_000), /^413 RequestTooLarge: the body is larger/],
  ])('are refused for a body %s', async (_, headers, body, expected) => {
    // Who sends what is too large may find the connection ended before the answer is read.
    const sent = cloud.send({ headers: { host: '127.0.0.1', ...headers }, body }).catch((error: unknown) => {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) as string });
      return undefined;
    });
    const reply = await sent;
    if (body.length < 1_000_000) expect(reply).toBeDefined();
    if (reply !== undefined) expect(refusal(reply)).toMatch(expected);
    expect((await cloud.ask('DescribeRegions')).status).toBe(200);
  });

  it('are refused for a parameter in the query and in the body', async () => {
    const reply = await cloud.send({ target: '/?Action=DescribeRegions', headers: { host: 'h', ...FORM }, body: BODY });
    expect(refusal(reply)).toMatch(/"Action" is there twice \(query and body/);
  });
});

describe('the EC2 server [sim]', () => {
  it('answers in one write, with the request id in header and body', async () => {
    const headers = Object.entries(cloud.signed(BODY)).map(([name, value]) => `${name}: ${value}`);
    const chunks = await rawChunks(
      rawRequest('POST / HTTP/1.1', [...headers, `content-length: ${BODY.length}`, 'connection: close'], BODY),
    );
    expect(chunks).toHaveLength(1);
    expect(chunks[0]).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*<\/DescribeRegionsResponse>$/);
  });

  it('refuses a version that is none of EC2s, an action that is none, and what is missing', async () => {
    for (const Version of ['2009-10-31', '2016-11-16', '2011-1-1', 'x"><y']) {
      expect(refusal(await cloud.ask('DescribeRegions', { Version }))).toMatch(/^400 NoSuchVersion: /);
    }
    for (const Version of ['2009-11-30', '2013-02-01', '2016-11-15']) {
      expect((await cloud.ask('DescribeRegions', { Version })).status).toBe(200);
    }
    expect(refusal(await cloud.ask('MakeCoffee'))).toMatch(/^400 InvalidAction: /);
    expect(refusal(await cloud.ask('constructor'))).toMatch(/^400 InvalidAction: /);
    expect(refusal(await cloud.ask(''))).toMatch(/^400 MissingParameter: Action/);
    expect(refusal(await cloud.ask('DescribeRegions', { Version: '' }))).toMatch(/^400 MissingParameter: Version/);
  });

  it('refuses a parameter that the action does not know, by its name', async () => {
    const reply = await cloud.ask('DescribeRegions', { 'Filtre.1.Name': 'x' });
    expect(refusal(reply)).toMatch(/^400 UnknownParameter: Filtre\.1\.Name: /);
  });

  it('changes nothing for a request with an unknown parameter, or with DryRun', async () => {
    const names = async (): Promise<string> => (await cloud.ask('DescribeKeyPairs')).text;
    const before = (await names()).replace(/req-\w+/, '');
    expect(refusal(await cloud.ask('CreateKeyPair', { KeyName: 'k', Colour: 'red' }))).toMatch(
      /^400 UnknownParameter: Colour/,
    );
    expect(refusal(await cloud.ask('CreateKeyPair', { KeyName: 'k', DryRun: 'true' }))).toMatch(
      /^412 DryRunOperation: ./,
    );
    expect(refusal(await cloud.ask('DescribeRegions', { DryRun: 'true' }))).toMatch(/^412 DryRunOperation: ./);
    expect((await names()).replace(/req-\w+/, '')).toBe(before);
  });

  it('says nothing of what went wrong inside, and logs it under the id of the request', async () => {
    vi.spyOn(accountActions as { DescribeRegions: () => unknown }, 'DescribeRegions').mockImplementation(() => {
      throw new TypeError('canary-in-the-stack');
    });
    const { EC2_ACTIONS } = await import('../../src/controller/api/ec2/actions/index.ts');
    vi.spyOn(EC2_ACTIONS as { DescribeRegions: () => unknown }, 'DescribeRegions').mockImplementation(() => {
      throw new TypeError('canary-in-the-stack');
    });
    const reply = await cloud.ask('DescribeRegions');
    expect(refusal(reply)).toMatch(/^500 InternalError: an internal error has occurred; /);
    expect(reply.text).not.toContain('canary');
    const line = lines.find((one) => one.includes('canary-in-the-stack')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({ level: 'error', requestId: reply.requestId, action: 'DescribeRegions' });
    expect(lines.join('')).not.toContain(cloud.key.secretAccessKey);
  });

  it('slows down one key, says when to come again, and serves it then; others meanwhile', async () => {
    const slow = await Ec2Cloud.start({ ec2: { rateLimit: { changePerSecond: 5, changeBurst: 3 } } });
    const stop = (key = slow.key): Promise<Ec2Reply> => slow.ask('StopInstances', {}, key);
    try {
      const { accessKey, secretAccessKey } = await slow.sim.call('CreateAccessKey', {});
      // What does not hold costs the key nothing.
      for (let at = 0; at < 5; at += 1) await stop({ ...slow.key, secretAccessKey: 'wrong' });
      const replies: Ec2Reply[] = [];
      for (let at = 0; at < 6; at += 1) replies.push(await stop());
      expect(replies.slice(0, 3).map(({ code }) => code)).not.toContain('RequestLimitExceeded');
      const slowed = replies.find(({ code }) => code === 'RequestLimitExceeded');
      expect(slowed?.status).toBe(503);
      expect(slowed?.headers['retry-after']).toBe('1');
      expect((await slow.ask('DescribeRegions')).status).toBe(200);
      const other = await stop({ accessKeyId: accessKey.accessKeyId, secretAccessKey });
      expect(other.code).not.toBe('RequestLimitExceeded');
      await slow.sim.clock.sleep(1000);
      expect((await stop()).code).not.toBe('RequestLimitExceeded');
    } finally {
      await slow.close();
    }
  });
});

describe('several regions [sim]', () => {
  it('are told apart by the signature, and share nothing of a project', async () => {
    const two = await Ec2Cloud.start({ config: REGION_CONFIG });
    const ask = async (region: string, parameters: Record<string, string>): Promise<Ec2Reply> => {
      const body = formOf({ Version: '2016-11-15', ...parameters });
      return two.send({ headers: two.signed(body, { region }), body });
    };
    try {
      const regions = await ask('west', { Action: 'DescribeRegions' });
      expect(regions.text.match(/<regionName>\w+/g)).toEqual(['<regionName>east', '<regionName>west']);
      expect(refusal(await ask('nova', { Action: 'DescribeRegions' }))).toMatch(
        /^401 AuthFailure: .*serves east, west/,
      );
      expect(refusal(await ask('west', { Action: 'CreateKeyPair', KeyName: 'mine' }))).toBe('200 : ');
      const named = async (region: string): Promise<string | undefined> =>
        xmlText((await ask(region, { Action: 'DescribeKeyPairs' })).xml, 'keySet', 'item', 'keyName');
      expect(await named('west')).toBe('mine');
      expect(await named('east')).toBeUndefined();
    } finally {
      await two.close();
    }
  });
});
