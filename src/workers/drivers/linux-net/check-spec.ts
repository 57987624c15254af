import { CloudError } from '../../../base/errors.ts';
import type { NetworkSpec, PortSpec } from '../../../ports/network-backend.ts';
import type { Subnet } from './ipv4.ts';
import { isHostAddress, parseIpv4, parseSubnet } from './ipv4.ts';

const BRIDGE = /^nvb[0-9a-z-]{1,12}$/;
const TAP = /^nvt[0-9a-z]{1,12}$/;
const MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;
const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const ID = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Every word of a spec ends in a file or command that somebody else parses, so nothing is rendered before it passed here:
 * a hostname with a line break in it would otherwise be a line of configuration.
 */
function check(holds: boolean, parameter: string, value: unknown, allowed: string): void {
  if (holds) return;
  const shown = JSON.stringify(value);
  throw new CloudError('InvalidParameterValue', `${parameter} is ${shown}; it must be ${allowed}`, {
    details: { parameter },
  });
}

function isAddress(text: string): boolean {
  return parseIpv4(text) !== undefined;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}

export function checkBridgeName(bridge: string): void {
  check(BRIDGE.test(bridge), 'bridge', bridge, 'nvb and up to 12 of a-z, 0-9 and -');
}

/** CloudError 'InvalidParameterValue' unless every field can be rendered; the subnet in numbers. */
export function checkNetwork(network: NetworkSpec): Subnet {
  checkBridgeName(network.bridge);
  check(ID.test(network.networkId), 'networkId', network.networkId, 'an id');
  check(MAC.test(network.bridgeMac), 'bridgeMac', network.bridgeMac, 'a lower-case unicast MAC address');
  const subnet = parseSubnet(network.cidr);
  if (subnet === undefined) {
    throw new CloudError(
      'InvalidParameterValue',
      `cidr is ${JSON.stringify(network.cidr)}; it must be an IPv4 network of /8 to /30 without host bits`,
      { details: { parameter: 'cidr' } },
    );
  }
  const gateway = parseIpv4(network.gateway);
  check(
    gateway !== undefined && isHostAddress(subnet, gateway),
    'gateway',
    network.gateway,
    `an address in ${network.cidr}`,
  );
  for (const server of network.dns) check(isAddress(server), 'dns', server, 'IPv4 addresses');
  check(
    network.domain.length <= 200 && network.domain.split('.').every((label) => LABEL.test(label)),
    'domain',
    network.domain,
    'a DNS name',
  );
  check(
    Number.isInteger(network.mtu) && network.mtu >= 576 && network.mtu <= 65535,
    'mtu',
    network.mtu,
    '576 to 65535',
  );
  if (network.metadata !== undefined) {
    check(isAddress(network.metadata.address), 'metadata.address', network.metadata.address, 'an IPv4 address');
    check(isPort(network.metadata.port), 'metadata.port', network.metadata.port, '1 to 65535');
  }
  return subnet;
}

/** The same for a port, which must lie in its network. */
export function checkPort(network: NetworkSpec, port: PortSpec): void {
  const subnet = checkNetwork(network);
  check(ID.test(port.instanceId), 'instanceId', port.instanceId, 'an id');
  check(TAP.test(port.tap), 'tap', port.tap, 'nvt and up to 12 of a-z and 0-9');
  check(MAC.test(port.mac), 'mac', port.mac, 'a lower-case unicast MAC address');
  const address = parseIpv4(port.address);
  check(
    address !== undefined && isHostAddress(subnet, address) && port.address !== network.gateway,
    'address',
    port.address,
    `an address in ${network.cidr} other than the gateway`,
  );
  check(LABEL.test(port.hostname), 'hostname', port.hostname, 'one DNS label of at most 63 characters');
}
