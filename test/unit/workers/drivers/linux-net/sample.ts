import type { NetworkSpec, PortSpec } from '../../../../../src/ports/network-backend.ts';

/** One project's network on a host, with everything a spec can have. */
export const networkA: NetworkSpec = {
  networkId: 'net-0123456789abcdef0',
  bridge: 'nvb101',
  bridgeMac: '02:16:3e:00:01:01',
  cidr: '10.200.3.0/24',
  gateway: '10.200.3.1',
  dns: ['192.0.2.53', '192.0.2.54'],
  domain: 'novalocal',
  mtu: 1450,
  metadata: { address: '127.0.0.1', port: 8775 },
};

/** Another project's, with only what a spec must have. */
export const networkB: NetworkSpec = {
  networkId: 'net-0123456789abcdef1',
  bridge: 'nvb-a1b2c3',
  bridgeMac: '02:16:3e:00:01:02',
  cidr: '10.200.4.0/26',
  gateway: '10.200.4.1',
  dns: [],
  domain: 'cloud.example',
  mtu: 1500,
};

export const portA: PortSpec = {
  instanceId: 'i-0123456789abcdef0',
  tap: 'nvt0123456789a',
  mac: '02:16:3e:00:02:01',
  address: '10.200.3.5',
  hostname: 'web-1',
};
