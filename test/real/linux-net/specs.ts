import type { NetworkSpec, PortSpec } from '../../../src/ports/network-backend.ts';

/** Two projects' networks; the first has its metadata service on the host's loopback. */
export const red: NetworkSpec = {
  networkId: 'net-00000000000000001',
  bridge: 'nvb101',
  bridgeMac: '02:16:3e:00:01:01',
  cidr: '10.200.3.0/24',
  gateway: '10.200.3.1',
  dns: ['198.51.100.1'],
  domain: 'novalocal',
  mtu: 1450,
  metadata: { address: '127.0.0.1', port: 8775 },
};

export const blue: NetworkSpec = {
  networkId: 'net-00000000000000002',
  bridge: 'nvb-a1b2c3',
  bridgeMac: '02:16:3e:00:01:02',
  cidr: '10.200.4.0/24',
  gateway: '10.200.4.1',
  dns: [],
  domain: 'novalocal',
  mtu: 1500,
};

function port(number: number, address: string, hostname: string): PortSpec {
  return {
    instanceId: `i-0000000000000000${number}`,
    tap: `nvt0000000000${number}`,
    mac: `02:16:3e:00:02:0${number}`,
    address,
    hostname,
  };
}

export const red1 = port(1, '10.200.3.5', 'web-1');
export const red2 = port(2, '10.200.3.6', 'web-2');
export const blue1 = port(3, '10.200.4.5', 'db-1');
