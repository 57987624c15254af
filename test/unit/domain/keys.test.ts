import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isId } from '../../../src/base/ids.ts';
import { KEYS, operationIdAt, PREFIX } from '../../../src/domain/keys.ts';

const moment = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const chance = fc.stringMatching(/^[0-9a-f]{5}$/);

describe('operation ids and keys', () => {
  it('an id looks like every other id', () => {
    fc.assert(fc.property(moment, chance, (nowMs, hex) => isId('operation', operationIdAt(nowMs, hex))));
  });

  it('the keys of later operations come first', () => {
    fc.assert(
      fc.property(moment, moment, chance, chance, (a, b, x, y) => {
        fc.pre(a < b);
        expect(KEYS.operation(operationIdAt(b, y)) < KEYS.operation(operationIdAt(a, x))).toBe(true);
      }),
    );
  });

  it('different ids have different keys', () => {
    fc.assert(
      fc.property(moment, chance, chance, (nowMs, x, y) => {
        const same = KEYS.operation(operationIdAt(nowMs, x)) === KEYS.operation(operationIdAt(nowMs, y));
        expect(same).toBe(x === y);
      }),
    );
  });

  it('a fraction of a millisecond changes nothing', () => {
    expect(operationIdAt(1_700_000_000_000.9, 'abcde')).toBe(operationIdAt(1_700_000_000_000, 'abcde'));
  });
});

describe('keys', () => {
  it('each prefix is that of its keys and of no other kind', () => {
    const samples: Readonly<Record<keyof typeof PREFIX, string>> = {
      project: KEYS.project('p'),
      accessKey: KEYS.accessKey('AKIA1'),
      host: KEYS.host('h-1'),
      own: KEYS.own('h-1'),
      assign: KEYS.assign('compute', 'h-1'),
      aliveControllers: KEYS.alive('controller', 'node1'),
      service: KEYS.service('node1'),
      capacity: KEYS.capacity('h-1'),
      type: KEYS.type('m1.tiny'),
      image: KEYS.image('ami-1'),
      imageImport: KEYS.imageImport('ami-1'),
      keyPair: KEYS.keyPair('p', 'k'),
      network: KEYS.network('p'),
      vpc: KEYS.vpc('p', 'vpc-1'),
      internetGateway: KEYS.internetGateway('p', 'igw-1'),
      securityGroup: KEYS.securityGroup('p', 'sg-1'),
      address: KEYS.address('net-1', '10.0.0.2'),
      instance: KEYS.instance('i-1'),
      operation: KEYS.operation(operationIdAt(1, 'abcde')),
      publicAddress: KEYS.publicAddress('198.51.100.1'),
      snapshot: KEYS.snapshot('snap-1'),
      volume: KEYS.volume('vol-1'),
      token: KEYS.token('p', 'RunInstances', 't'),
      reservation: KEYS.reservation('r-1'),
      quota: KEYS.quota('p', 'u'),
      tags: KEYS.tags('i-1'),
      usage: KEYS.usage('p'),
      user: KEYS.user('u'),
      userCertificate: KEYS.userCertificate('4F'),
    };
    const others = [
      KEYS.accessKeyUse('AKIA1'),
      ...[KEYS.account('012345678901'), KEYS.userUse('u'), KEYS.directoryChange],
      ...[KEYS.cloud, KEYS.hostName('h'), KEYS.hostTransport({ kind: 'local' }), KEYS.imageName('p', 'i')],
      ...[
        KEYS.imageUse('ami-1'),
        KEYS.subnet('10.0.0.0/24'),
        KEYS.securityGroupName('vpc-1', 'web'),
        KEYS.networkUse('p'),
        KEYS.mac('02'),
        KEYS.interfaceName('nvt'),
        KEYS.userData('i-1'),
        KEYS.instanceAddress('i-1'),
        KEYS.instanceVolumes('i-1'),
      ],
    ];
    const all = [...Object.values(samples), ...others];
    for (const [name, prefix] of Object.entries(PREFIX)) {
      expect(all.filter((key) => key.startsWith(prefix))).toEqual([samples[name as keyof typeof PREFIX]]);
    }
  });

  it('one machine has one transport key', () => {
    expect(KEYS.hostTransport({ kind: 'local' })).toBe('host-transport/local');
    expect(KEYS.hostTransport({ kind: 'simulated', name: 'a' })).not.toBe(
      KEYS.hostTransport({ kind: 'simulated', name: 'b' }),
    );
  });
});
