import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contains,
  formatIpv4,
  gatewayOf,
  guestOffsets,
  hostnameOf,
  macFrom,
  overlaps,
  parseCidr,
  parseIpv4,
  privateDnsName,
  subnetAt,
  subnetCount,
  tapName,
} from '../../../src/domain/addressing.ts';
import { newId } from '../../../src/base/ids.ts';
import { SeededRandom } from '../../../src/base/random.ts';

const anyAddress = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const anyNetwork = fc
  .tuple(anyAddress, fc.integer({ min: 0, max: 32 }))
  .map(([address, prefix]) => `${formatIpv4(address - (address % 2 ** (32 - prefix)))}/${prefix}`);

describe('IPv4 addresses', () => {
  it('go to a number and back', () => {
    fc.assert(fc.property(anyAddress, (address) => parseIpv4(formatIpv4(address)) === address));
    expect(parseIpv4('10.200.0.5')).toBe(0x0ac80005);
    expect(parseIpv4('255.255.255.255')).toBe(2 ** 32 - 1);
  });

  it.each([
    '',
    '10',
    '10.0.0',
    '10.0.0.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.01',
    '10.0.0.-1',
    '10.0.0.1 ',
    'a.b.c.d',
    '1e1.0.0.1',
  ])('%j is none', (text) => expect(parseIpv4(text)).toBeUndefined());
});

describe('networks', () => {
  it('know their base and size', () => {
    expect(parseCidr('10.200.0.0/13')).toEqual({ base: 0x0ac80000, prefix: 13, size: 2 ** 19 });
    expect(parseCidr('0.0.0.0/0')).toEqual({ base: 0, prefix: 0, size: 2 ** 32 });
    expect(parseCidr('10.0.0.1/32').size).toBe(1);
  });

  it.each([
    ['10.0.0.1/24', /bits set behind its \/24; the network is 10\.0\.0\.0\/24/],
    ['10.0.0.0/33', /is no IPv4 network; it must look like/],
    ['10.0.0.0', /is no IPv4 network/],
    ['10.0.0/24', /is no IPv4 network/],
    ['fd00::/8', /is no IPv4 network/],
    ['10.0.0.0/', /is no IPv4 network/],
  ])('%s is refused with what is right', (text, message) => {
    expect(() => parseCidr(text)).toThrow(message);
  });

  it('contain the addresses from their base to their end, and no other', () => {
    fc.assert(
      fc.property(anyNetwork, anyAddress, (text, address) => {
        const network = parseCidr(text);
        const mask = network.size - 1;
        expect(contains(network, address)).toBe(
          Math.floor(address / network.size) === Math.floor(network.base / network.size),
        );
        expect(contains(network, network.base + mask)).toBe(true);
      }),
    );
  });

  it('overlap where they share an address, whichever is asked first', () => {
    fc.assert(
      fc.property(anyNetwork, anyNetwork, (a, b) => {
        const [one, other] = [parseCidr(a), parseCidr(b)];
        const shared = contains(one, other.base) || contains(other, one.base);
        expect([overlaps(one, other), overlaps(other, one)]).toEqual([shared, shared]);
      }),
    );
  });

  it('are cut into subnets that lie side by side and fill them', () => {
    const range = parseCidr('10.200.0.0/20');
    const subnets = Array.from({ length: subnetCount(range, 22) }, (_, index) => subnetAt(range, 22, index));
    expect(subnets).toEqual(['10.200.0.0/22', '10.200.4.0/22', '10.200.8.0/22', '10.200.12.0/22']);
    expect(subnetCount(range, 19)).toBe(0);
  });

  it.each([
    ['10.200.4.0/22', '10.200.4.1', ['10.200.4.2', '10.200.7.253'], 1020],
    ['10.200.0.0/29', '10.200.0.1', ['10.200.0.2', '10.200.0.5'], 4],
  ])('%s: gateway, first and last guest', (text, gateway, [firstGuest, lastGuest], count) => {
    const network = parseCidr(text);
    const { first, end } = guestOffsets(network);
    expect(gatewayOf(network)).toBe(gateway);
    expect([formatIpv4(network.base + first), formatIpv4(network.base + end - 1)]).toEqual([firstGuest, lastGuest]);
    expect(end - first).toBe(count);
  });
});

describe('names of what an instance has', () => {
  it('MACs are local, unicast and as written', () => {
    expect(macFrom('a1b2c3')).toBe('02:16:3e:a1:b2:c3');
  });

  it('a tap name is short enough for Linux (15 bytes) and begins like the id', () => {
    const id = newId('instance', new SeededRandom(1));
    expect(tapName(id)).toBe(`nvt${id.slice(2, 13)}`);
    expect(tapName(id)).toHaveLength(14);
  });

  it('host names are those of EC2', () => {
    expect(hostnameOf('10.200.0.5')).toBe('ip-10-200-0-5');
    expect(privateDnsName('10.200.0.5', 'novalocal')).toBe('ip-10-200-0-5.novalocal');
  });
});
