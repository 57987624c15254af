import type { PortSpec } from '../../../ports/network-backend.ts';

/** One line of dnsmasq's dhcp-hostsfile. */
export interface HostEntry {
  readonly mac: string;
  readonly address: string;
  readonly hostname: string;
}

/** Reads what renderHosts wrote; lines of another shape are left out. */
export function parseHosts(text: string): HostEntry[] {
  return text.split('\n').flatMap((line) => {
    const [mac, address, hostname, ...rest] = line.trim().split(',');
    if (mac === undefined || address === undefined || hostname === undefined || rest.length > 0) return [];
    return [{ mac, address, hostname }];
  });
}

/** Sorted, so that equal entries are equal files. */
export function renderHosts(entries: readonly HostEntry[]): string {
  const lines = entries.map((entry) => `${entry.mac},${entry.address},${entry.hostname}\n`);
  return lines.sort().join('');
}

/**
 * The entries with the port's in them. An older entry with its MAC or its address goes: dnsmasq refuses to start with two entries
 * for one address, and the store hands out each of them once.
 */
export function withPort(entries: readonly HostEntry[], port: PortSpec): HostEntry[] {
  const others = entries.filter((entry) => entry.mac !== port.mac && entry.address !== port.address);
  return [...others, { mac: port.mac, address: port.address, hostname: port.hostname }];
}

/** The entries without the port's: both its MAC and its address must match, so that a late removal takes no successor's entry. */
export function withoutPort(entries: readonly HostEntry[], port: PortSpec): HostEntry[] {
  return entries.filter((entry) => entry.mac !== port.mac || entry.address !== port.address);
}

/**
 * dnsmasq's lease file without leases of the ports' addresses to another MAC; undefined when there are none. While such a lease lasts,
 * dnsmasq denies the address to the guest it is configured for.
 */
export function withoutStrangersLeases(
  leases: string,
  ports: readonly Pick<PortSpec, 'mac' | 'address'>[],
): string | undefined {
  const owners = new Map(ports.map(({ mac, address }) => [address, mac]));
  const lines = leases.split('\n');
  const kept = lines.filter((line) => {
    const [, leaseMac, leaseAddress = ''] = line.split(' ');
    const owner = owners.get(leaseAddress);
    return owner === undefined || owner === leaseMac;
  });
  return kept.length === lines.length ? undefined : kept.join('\n');
}
