import type { NetworkSpec } from '../../../ports/network-backend.ts';
import { formatIpv4, netmask, parseSubnet } from './ipv4.ts';
import { METADATA_ADDRESS } from './names.ts';

/** What a configuration needs to know besides the network. */
export interface DnsmasqPlace {
  readonly hosts: string;
  readonly leases: string;
  readonly pid: string;
  /** The unprivileged user that dnsmasq becomes. */
  readonly user: string;
  /** Of the bridge: dnsmasq's DHCP socket is bound to the device, so a bridge made anew needs a server started anew. */
  readonly bridgeIndex: number;
}

/**
 * How long a guest may keep its address without asking. An address belongs to its instance for life; an hour bounds how long a
 * changed router, MTU or name server goes unseen.
 */
const LEASE_TIME = '1h';

/**
 * dnsmasq.conf(5) for one bridge: DHCP for the known guests and DNS on the gateway. The spec must have passed checkNetwork.
 * Guests are told the gateway as their name server; `dns` are the servers that it asks (none: those of the host).
 */
export function renderDnsmasqConfig(network: NetworkSpec, place: DnsmasqPlace): string {
  const subnet = parseSubnet(network.cidr);
  const base = subnet === undefined ? network.gateway : formatIpv4(subnet.network);
  const mask = netmask(subnet?.prefix ?? 32);
  const leaseMax = subnet === undefined ? 1 : subnet.broadcast - subnet.network - 1;
  const { gateway, domain } = network;
  return [
    `# DHCP and DNS of network ${network.networkId} on ${network.bridge} (interface ${place.bridgeIndex}).`,
    '# Written by novactl: a change made here is lost.',
    `interface=${network.bridge}`,
    'except-interface=lo',
    'bind-dynamic',
    `user=${place.user}`,
    `pid-file=${place.pid}`,
    'no-hosts',
    ...(network.dns.length === 0 ? [] : ['no-resolv', ...network.dns.map((server) => `server=${server}`)]),
    'bogus-priv',
    'domain-needed',
    `domain=${domain}`,
    `local=/${domain}/`,
    'dhcp-authoritative',
    'no-ping',
    `dhcp-range=${base},static,${mask},${LEASE_TIME}`,
    `dhcp-lease-max=${leaseMax}`,
    `dhcp-leasefile=${place.leases}`,
    `dhcp-hostsfile=${place.hosts}`,
    // A guest of another host on the same wire is that host's to answer, also with a refusal.
    'dhcp-ignore=tag:!known',
    // Guests are known by their MAC, which is guarded, and by nothing that they say of themselves.
    'dhcp-ignore-clid',
    'dhcp-ignore-names',
    'dhcp-no-override',
    `dhcp-option=option:router,${gateway}`,
    `dhcp-option=option:dns-server,${gateway}`,
    `dhcp-option=option:mtu,${network.mtu}`,
    // For guests that take 169.254.0.0/16 for their own link; a client that takes this option ignores the router option (RFC 3442).
    `dhcp-option=option:classless-static-route,${METADATA_ADDRESS}/32,${gateway},0.0.0.0/0,${gateway}`,
    '',
  ].join('\n');
}
