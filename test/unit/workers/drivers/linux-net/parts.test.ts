import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkSpec, PortSpec } from '../../../../../src/ports/network-backend.ts';
import {
  parseBridges,
  parseLinkNames,
  renderBridgeChanges,
} from '../../../../../src/workers/drivers/linux-net/bridge-plan.ts';
import { checkNetwork, checkPort } from '../../../../../src/workers/drivers/linux-net/check-spec.ts';
import { serverConfig } from '../../../../../src/workers/drivers/linux-net/dnsmasq.ts';
import { parseGuardChains } from '../../../../../src/workers/drivers/linux-net/firewall.ts';
import { parseForwarding } from '../../../../../src/workers/drivers/linux-net/forwarding.ts';
import {
  parseHosts,
  renderHosts,
  withoutPort,
  withoutStrangersLeases,
  withPort,
} from '../../../../../src/workers/drivers/linux-net/hosts-file.ts';
import { formatIpv4, netmask, parseIpv4, parseSubnet } from '../../../../../src/workers/drivers/linux-net/ipv4.ts';
import { bridgePaths } from '../../../../../src/workers/drivers/linux-net/names.ts';
import { parseEntryListing } from '../../../../../src/workers/drivers/linux-net/port-entries.ts';
import { networkA, portA } from './sample.ts';

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');

describe('parsers, fed with what the tools really printed', () => {
  it('reads bridges of ip -j -d addr', () => {
    const bridges = parseBridges(fixture('ip-bridges.json'));
    expect(bridges.map((bridge) => bridge.name)).toEqual(['nvb101', 'br-lan']);
    expect(bridges[0]).toMatchObject({
      mac: '02:16:3e:00:01:01',
      mtu: 1450,
      up: true,
      stp: false,
      alias: 'novactl:net-0123456789abcdef0',
      addresses: ['10.200.3.1/24'],
    });
    expect(bridges[1]).toMatchObject({ up: false, alias: undefined, addresses: [] });
    expect(parseBridges('[{},{}]')).toEqual([]);
    expect(parseBridges('')).toEqual([]);
  });

  it('says HostError for what is no answer of ip', () => {
    for (const text of ['Usage: ip', '{"a":1}', '[{"ifname":3}]']) {
      expect(() => parseBridges(text)).toThrow(expect.objectContaining({ code: 'HostError' }));
    }
  });

  it('reads members, guards, ip_forward and entries', () => {
    expect(parseLinkNames(fixture('ip-members.json'))).toEqual(['nvt0123456789a']);
    expect(parseGuardChains(fixture('nft-netdev-chains.json'))).toEqual(['port_nvt0123456789a']);
    expect(parseForwarding('1\n6a9c\n')).toEqual({ on: true, bootId: '6a9c' });
    expect(() => parseForwarding('')).toThrow(expect.objectContaining({ code: 'HostError' }));
    const listing = '/var/lib/x/net/nvb101/hosts:02:16:3e:00:02:01,10.200.3.5,web-1\nnonsense\n';
    expect(parseEntryListing(listing)).toEqual([{ bridge: 'nvb101', mac: portA.mac, address: portA.address }]);
  });

  it('knows its own DHCP server by its command line and nobody else', () => {
    const place = bridgePaths({ stateDir: '/s', runDir: '/r' }, 'nvb10');
    const config = '/r/net-nvb10/dnsmasq-0a.conf';
    expect(serverConfig(`dnsmasq\0--conf-file=${config}\0`, place)).toBe(config);
    expect(serverConfig(`/usr/sbin/dnsmasq\0--conf-file=${config}\0`, place)).toBe(config);
    expect(serverConfig(`cat\0--conf-file=${config}\0`, place)).toBeUndefined();
    expect(serverConfig('dnsmasq\0--conf-file=/r/net-nvb101/dnsmasq-0a.conf\0', place)).toBeUndefined();
    expect(serverConfig('dnsmasq\0-x\0/run/dnsmasq.pid\0', place)).toBeUndefined();
    expect(serverConfig('', place)).toBeUndefined();
  });
});

describe('bridge changes', () => {
  const [standing] = parseBridges(fixture('ip-bridges.json'));

  it('are none when the bridge is as wanted', () => {
    expect(renderBridgeChanges(standing!, networkA)).toBe('');
  });

  it('mend each thing alone', () => {
    const broken = { ...standing!, mac: 'fe:00:00:00:00:01', up: false, addresses: ['10.9.9.9/8'], stp: true };
    expect(renderBridgeChanges(broken, networkA).trim().split('\n')).toEqual([
      'link set dev nvb101 address 02:16:3e:00:01:01',
      'link set dev nvb101 type bridge stp_state 0',
      'address add 10.200.3.1/24 brd + dev nvb101',
      'address del 10.9.9.9/8 dev nvb101',
      'link set dev nvb101 up',
    ]);
  });
});

describe('hosts file', () => {
  const other = { mac: '02:16:3e:00:02:02', address: '10.200.3.6', hostname: 'db' };

  it('comes back as it was written', () => {
    const entries = withPort([other], portA);
    expect(parseHosts(renderHosts(entries)).length).toBe(2);
    expect(renderHosts(parseHosts(renderHosts(entries)))).toBe(renderHosts(entries));
  });

  it('holds a MAC and an address once', () => {
    const sameAddress = { ...other, address: portA.address };
    const sameMac = { ...other, mac: portA.mac };
    expect(withPort([sameAddress, sameMac], portA).map((entry) => entry.hostname)).toEqual(['web-1']);
    expect(withPort(withPort([other], portA), portA).length).toBe(2);
  });

  it('loses only the very entry that is removed', () => {
    expect(withoutPort(withPort([other], portA), portA)).toEqual([other]);
    const successor = { ...other, address: portA.address };
    expect(withoutPort([successor], portA)).toEqual([successor]);
  });

  it('leases of an address to another MAC are dropped, the rest is kept', () => {
    const own = `1780000000 ${portA.mac} ${portA.address} web-1 *\n`;
    const stranger = `1780000000 02:16:3e:00:09:09 ${portA.address} * *\n`;
    expect(withoutStrangersLeases(own, [portA])).toBeUndefined();
    expect(withoutStrangersLeases(stranger + own, [portA])).toBe(own);
    expect(withoutStrangersLeases('', [portA])).toBeUndefined();
  });
});

describe('IPv4', () => {
  it('parse and format are inverse', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
        expect(parseIpv4(formatIpv4(value))).toBe(value);
      }),
    );
  });

  it.for(['1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', ' 1.2.3.4', '1.2.3.4\n', '0x1.2.3.4', ''])(
    'refuses %j',
    (text) => {
      expect(parseIpv4(text)).toBeUndefined();
    },
  );

  it('subnets have no host bits and room for a guest', () => {
    expect(parseSubnet('10.200.3.0/24')).toEqual({ network: 0x0ac80300, prefix: 24, broadcast: 0x0ac803ff });
    for (const text of ['10.200.3.1/24', '10.200.3.0/31', '10.0.0.0/7', '10.0.0.0', '10.0.0.0/24/1', '10.0.0.0/x']) {
      expect(parseSubnet(text)).toBeUndefined();
    }
    expect([netmask(8), netmask(24), netmask(30)]).toEqual(['255.0.0.0', '255.255.255.0', '255.255.255.252']);
  });
});

describe('a spec is refused before anything is rendered', () => {
  const networks: readonly (readonly [string, Partial<NetworkSpec>])[] = [
    ['bridge', { bridge: 'eth0' }],
    ['bridge', { bridge: 'nvb1" drop' }],
    ['networkId', { networkId: 'net\nx' }],
    ['bridgeMac', { bridgeMac: '01:00:5e:00:00:01' }],
    ['cidr', { cidr: '10.200.3.7/24' }],
    ['gateway', { gateway: '10.200.4.1' }],
    ['gateway', { gateway: '10.200.3.255' }],
    ['dns', { dns: ['8.8.8.8\nuser=root'] }],
    ['domain', { domain: 'a b' }],
    ['domain', { domain: 'x\ndhcp-script=/bin/sh' }],
    ['mtu', { mtu: 100 }],
    ['metadata.address', { metadata: { address: 'localhost', port: 80 } }],
    ['metadata.port', { metadata: { address: '127.0.0.1', port: 0 } }],
  ];
  it.for(networks)('%s %j', ([parameter, change]) => {
    expect(() => checkNetwork({ ...networkA, ...change })).toThrow(
      expect.objectContaining({ code: 'InvalidParameterValue', details: { parameter } }),
    );
  });

  const ports: readonly (readonly [string, Partial<PortSpec>])[] = [
    ['tap', { tap: 'eth0' }],
    ['tap', { tap: 'nvt"' }],
    ['mac', { mac: '02:16:3E:00:00:01' }],
    ['mac', { mac: 'ff:ff:ff:ff:ff:ff' }],
    ['address', { address: '10.200.3.1' }],
    ['address', { address: '10.200.3.0' }],
    ['address', { address: '10.200.4.5' }],
    ['hostname', { hostname: 'a,10.200.3.9' }],
    ['hostname', { hostname: '-web' }],
    ['instanceId', { instanceId: '' }],
  ];
  it.for(ports)('%s %j', ([parameter, change]) => {
    expect(() => checkPort(networkA, { ...portA, ...change })).toThrow(
      expect.objectContaining({ code: 'InvalidParameterValue', details: { parameter } }),
    );
  });

  it('a good one passes', () => {
    expect(() => checkPort(networkA, portA)).not.toThrow();
  });
});
