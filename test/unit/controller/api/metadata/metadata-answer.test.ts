import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../../../src/base/clock.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { SeededRandom } from '../../../../../src/base/random.ts';
import { answerMetadata } from '../../../../../src/controller/api/metadata/metadata-answer.ts';
import { METADATA_VERSIONS, readMetadata } from '../../../../../src/controller/api/metadata/metadata-tree.ts';
import type { MetadataView } from '../../../../../src/controller/api/metadata/metadata-view.ts';
import { SessionTokens } from '../../../../../src/controller/api/metadata/session-tokens.ts';
import { bare, full } from './sample.ts';

const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';
const TOKEN = 'x-aws-ec2-metadata-token';

/** A clock that stands until it is moved. */
function standingClock(): Clock & { ms: number } {
  return Object.assign(new SystemClock(), {
    ms: 1000,
    monotonicMs(this: { ms: number }): number {
      return this.ms;
    },
  });
}

const newTokens = (seed = 1, clock: Clock = standingClock()): SessionTokens =>
  new SessionTokens({ clock, random: new SeededRandom(seed) });

describe('the tree', () => {
  const rows: readonly (readonly [path: string, expected: string | undefined])[] = [
    ['', METADATA_VERSIONS.join('\n')],
    ['/', METADATA_VERSIONS.join('\n')],
    ['/latest', 'dynamic/\nmeta-data/\nuser-data'],
    ['/latest/', 'dynamic/\nmeta-data/\nuser-data'],
    ['/1.0/meta-data/ami-id', full.imageId],
    ['/2009-04-04/meta-data/instance-id', full.instanceId],
    ['/2021-03-23/meta-data/instance-type', 'm1.tiny'],
    ['//latest//meta-data/ami-launch-index', '2'],
    ['/latest/meta-data/ami-manifest-path', '(unknown)'],
    ['/latest/meta-data/kernel-id', full.kernelId],
    ['/latest/meta-data/ramdisk-id', full.ramdiskId],
    ['/latest/meta-data/reservation-id', full.reservationId],
    ['/latest/meta-data/hostname', 'web-1'],
    ['/latest/meta-data/local-hostname', 'web-1'],
    ['/latest/meta-data/local-ipv4', '127.0.0.2'],
    ['/latest/meta-data/public-ipv4', '203.0.113.9'],
    ['/latest/meta-data/mac', full.mac],
    ['/latest/meta-data/instance-action', 'none'],
    ['/latest/meta-data/security-groups', 'default\nweb'],
    ['/latest/meta-data/placement/', 'availability-zone\nregion'],
    ['/latest/meta-data/placement/availability-zone', 'novaa'],
    ['/latest/meta-data/placement/region', 'nova'],
    ['/latest/meta-data/block-device-mapping/', 'ami\nroot'],
    ['/latest/meta-data/block-device-mapping/root', '/dev/vda'],
    ['/latest/meta-data/public-keys/', '0=ops\n1=dev'],
    ['/latest/meta-data/public-keys/1', 'openssh-key'],
    ['/latest/meta-data/public-keys/1/openssh-key', 'ssh-ed25519 BBBB dev'],
    ['/latest/meta-data/network/interfaces/macs', `${full.mac}/`],
    [`/latest/meta-data/network/interfaces/macs/${full.mac}/local-ipv4s`, '127.0.0.2'],
    ['/latest/dynamic', 'instance-identity/'],
    ['/latest/dynamic/instance-identity', 'document'],
    ['/latest/meta-data/ami-id/', undefined],
    ['/latest/meta-data/ami-id/x', undefined],
    ['/latest/meta-data/nothing', undefined],
    ['/latest/meta-data/public-keys/2', undefined],
    ['/latest/meta-data/public-keys/0=ops', undefined],
    ['/2037-01-01/meta-data/', undefined],
    ['/latest/../latest/user-data', undefined],
    ['/latest/meta-data/constructor', undefined],
    ['/latest/meta-data/__proto__', undefined],
    ['/latest/%75ser-data', undefined],
  ];
  it.for(rows)('%s', ([path, expected]) => {
    expect(readMetadata(full, path)).toBe(expected);
  });

  it('lists what an instance has and nothing that it lacks', () => {
    const names = (view: MetadataView): string[] => String(readMetadata(view, '/latest/meta-data/')).split('\n');
    const lacking = ['kernel-id', 'public-ipv4', 'public-keys/', 'ramdisk-id', 'security-groups'];
    expect(names(full)).toEqual(expect.arrayContaining(lacking));
    expect(names(full).filter((name) => !lacking.includes(name))).toEqual(names(bare));
    expect(readMetadata(bare, '/latest/')).toBe('dynamic/\nmeta-data/');
    expect(readMetadata(bare, '/latest/user-data')).toBeUndefined();
  });

  it('can be walked to its end: every listed name is there', () => {
    const walk = (path: string): number => {
      const here = readMetadata(full, path);
      expect(here, path).toBeDefined();
      if (!path.endsWith('/')) return 1;
      const names = String(here).split('\n');
      const below = names.map((name) => (path.endsWith('/public-keys/') ? `${name.split('=')[0] ?? ''}/` : name));
      return below.reduce((count, name) => count + walk(path + name), 0);
    };
    expect(walk('/latest/')).toBeGreaterThan(25);
  });

  it('gives user data as the bytes that they are, and an identity document', () => {
    expect(readMetadata(full, '/latest/user-data')).toEqual(full.userData);
    expect(JSON.parse(String(readMetadata(full, '/latest/dynamic/instance-identity/document')))).toMatchObject({
      accountId: '123456789012',
      architecture: 'x86_64',
      availabilityZone: 'novaa',
      imageId: full.imageId,
      instanceId: full.instanceId,
      kernelId: full.kernelId,
      pendingTime: '2026-01-02T03:04:05Z',
      privateIp: '127.0.0.2',
      region: 'nova',
      version: '2017-09-30',
    });
  });
});

describe('requests', () => {
  const tokens = newTokens();
  const rows: readonly (readonly [
    what: string,
    view: MetadataView | undefined,
    method: string,
    target: string,
    headers: Record<string, string>,
    status: number,
  ])[] = [
    ['a stranger', undefined, 'GET', '/', {}, 404],
    ['a stranger who wants a token', undefined, 'PUT', '/latest/api/token', { [TTL]: '60' }, 404],
    ['version 1', full, 'GET', '/latest/meta-data/', {}, 200],
    ['version 1 with a query', full, 'GET', '/latest/meta-data/?x=/y', {}, 200],
    ['HEAD', full, 'HEAD', '/latest/meta-data/', {}, 200],
    ['version 1 where a token is required', bare, 'GET', '/latest/meta-data/', {}, 401],
    ['also the root', bare, 'GET', '/', {}, 401],
    ['a false token where none is required', full, 'GET', '/latest/meta-data/', { [TOKEN]: 'x' }, 401],
    ['an empty token', full, 'GET', '/latest/meta-data/', { [TOKEN]: '' }, 401],
    ['no such path', full, 'GET', '/latest/nothing', {}, 404],
    ['POST', full, 'POST', '/latest/meta-data/', {}, 405],
    ['DELETE', full, 'DELETE', '/latest/user-data', {}, 405],
    ['PUT elsewhere', full, 'PUT', '/latest/user-data', { [TTL]: '60' }, 405],
    ['GET of the token', full, 'GET', '/latest/api/token', {}, 405],
    ['a token under another version', full, 'PUT', '/2021-03-23/api/token', { [TTL]: '60' }, 405],
    ['a token', full, 'PUT', '/latest/api/token', { [TTL]: '1' }, 200],
    ['the longest token', bare, 'PUT', '/latest/api/token', { [TTL]: '21600' }, 200],
    ['too long', full, 'PUT', '/latest/api/token', { [TTL]: '21601' }, 400],
    ['no time', full, 'PUT', '/latest/api/token', { [TTL]: '0' }, 400],
    ['negative', full, 'PUT', '/latest/api/token', { [TTL]: '-1' }, 400],
    ['no number', full, 'PUT', '/latest/api/token', { [TTL]: '1e3' }, 400],
    ['without the header', full, 'PUT', '/latest/api/token', {}, 400],
    ['through a proxy', full, 'PUT', '/latest/api/token', { [TTL]: '60', 'x-forwarded-for': '10.0.0.1' }, 403],
  ];
  it.for(rows)('%s', ([, view, method, target, headers, status]) => {
    expect(answerMetadata({ method, target, headers }, view, tokens).status).toBe(status);
  });
});

describe('tokens', () => {
  const read = (view: MetadataView, tokens: SessionTokens, token: string): number =>
    answerMetadata({ method: 'GET', target: '/latest/meta-data/', headers: { [TOKEN]: token } }, view, tokens).status;

  it('open the tree until they expire', () => {
    const clock = standingClock();
    const tokens = newTokens(1, clock);
    const answer = answerMetadata(
      { method: 'PUT', target: '/latest/api/token', headers: { [TTL]: '60' } },
      bare,
      tokens,
    );
    expect(answer.headers[TTL]).toBe('60');
    const token = String(answer.body);
    expect(read(bare, tokens, token)).toBe(200);
    clock.ms += 59_999;
    expect(read(bare, tokens, token)).toBe(200);
    clock.ms += 1;
    expect(read(bare, tokens, token)).toBe(401);
  });

  it('are one instance and one process alone', () => {
    const tokens = newTokens();
    const token = tokens.issue(bare.instanceId, 60);
    expect(read(full, tokens, token)).toBe(401);
    expect(read(bare, newTokens(2), token)).toBe(401);
    expect(tokens.issue(bare.instanceId, 60)).not.toBe(token);
  });

  it('are worth nothing with any character changed, added or taken away', () => {
    const tokens = newTokens();
    const token = tokens.issue(bare.instanceId, 60);
    const changed = [...token].map((char, at) => token.slice(0, at) + (char === 'A' ? 'Q' : 'A') + token.slice(at + 1));
    const others = [
      ...changed,
      token.slice(1),
      token.slice(0, -1),
      `${token}A`,
      `${token}=`,
      ` ${token}`,
      token.repeat(2),
    ];
    expect(others.filter((other) => tokens.accepts(bare.instanceId, other))).toEqual([]);
    expect(tokens.accepts(bare.instanceId, token)).toBe(true);
  });
});
