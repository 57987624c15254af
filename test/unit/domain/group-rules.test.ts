import fc from 'fast-check';
import { isIPv6 } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ipv4Network, ipv6Network, ruleMatch } from '../../../src/domain/group-rules.ts';

describe('what a rule matches', () => {
  it.each([
    [
      { IpProtocol: 'TCP', FromPort: 22, ToPort: 80 },
      { protocol: 'tcp', fromPort: 22, toPort: 80 },
    ],
    [
      { IpProtocol: '17', FromPort: 0, ToPort: 0 },
      { protocol: 'udp', fromPort: 0, toPort: 0 },
    ],
    [{ IpProtocol: 'all', FromPort: 1, ToPort: 2 }, { protocol: '-1' }],
    [{ IpProtocol: '-1', FromPort: 0, ToPort: 0 }, { protocol: '-1' }],
    [{ IpProtocol: 'icmp' }, { protocol: 'icmp', fromPort: -1, toPort: -1 }],
    [
      { IpProtocol: 'icmp', FromPort: 8, ToPort: 0 },
      { protocol: 'icmp', fromPort: 8, toPort: 0 },
    ],
    [{ IpProtocol: '50', FromPort: 1, ToPort: 2 }, { protocol: '50' }],
  ])('%j is %j', (given, match) => {
    expect(ruleMatch(given)).toEqual(match);
  });

  it.each([
    [{ IpProtocol: 'tcp', FromPort: 22 }, 'MissingParameter', 'ToPort: tcp needs FromPort and ToPort, 0 to 65535'],
    [
      { IpProtocol: 'tcp', FromPort: -1, ToPort: -1 },
      'InvalidParameterValue',
      'FromPort: -1 to -1 is no range of ports',
    ],
    [{ IpProtocol: 'udp', FromPort: 2, ToPort: 1 }, 'InvalidParameterValue', 'FromPort: 2 to 1 is no range of ports'],
    [{ IpProtocol: 'icmp', FromPort: 256 }, 'InvalidParameterValue', 'FromPort: 256 is no type or code of ICMP'],
    [{ IpProtocol: '256' }, 'InvalidParameterValue', 'IpProtocol: there is no protocol "256"'],
    [{ IpProtocol: 'constructor' }, 'InvalidParameterValue', 'IpProtocol: there is no protocol "constructor"'],
  ])('%j is refused as %s', (given, code, message) => {
    expect(() => ruleMatch(given)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});

describe('networks of rules', () => {
  it.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.255/32', '255.255.255.255/32'],
  ])('%s is stored as %s', (given, stored) => {
    expect(ipv4Network(given)).toBe(stored);
  });

  it.each([
    ['::/0', '::/0'],
    ['::1/128', '::1/128'],
    ['2001:DB8::5/64', '2001:db8::/64'],
    ['1:0:0:2:0:0:0:3/128', '1:0:0:2::3/128'],
    ['1:0:2:0:3:0:4:0/128', '1:0:2:0:3:0:4:0/128'],
    ['::ffff:10.1.2.3/112', '::ffff:a01:0/112'],
    ['1:2:3:4:5:6:7:8/33', '1:2::/33'],
    ['1:2:f000:4:5:6:7:8/33', '1:2:8000::/33'],
  ])('%s is stored as %s', (given, stored) => {
    expect(ipv6Network(given)).toBe(stored);
  });

  it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0/8', '10.0.0.256/8', '::/0', ''])('%s is no IPv4 network', (given) => {
    expect(() => ipv4Network(given)).toThrow(expect.objectContaining({ code: 'InvalidParameterValue' }));
  });

  it.each([
    '::',
    '::/129',
    '1:2:3/64',
    ':::/0',
    '1::2::3/64',
    '1:2:3:4:5:6:7:8:9/64',
    '12345::/16',
    'g::/16',
    '1:2:3:4:5:6:7::8/64',
    '::1.2.3/64',
  ])('%s is no IPv6 network', (given) => {
    expect(() => ipv6Network(given)).toThrow(expect.objectContaining({ code: 'InvalidParameterValue' }));
  });

  it('of IPv6 stay what they are when they are read again, and are what Node takes for an address', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 0, max: 128 }), (address, prefix) => {
        const once = ipv6Network(`${address}/${prefix}`);
        expect(ipv6Network(once)).toBe(once);
        expect(isIPv6(once.slice(0, once.indexOf('/')))).toBe(true);
        if (prefix === 128) expect(new URL(`http://[${address}]/`).hostname).toBe(`[${once.slice(0, -4)}]`);
      }),
    );
  });
});
