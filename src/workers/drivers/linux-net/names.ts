/** What this driver calls its things on a host. Interface names are bounded by the kernel's 15 characters. */
export const BRIDGE_PREFIX = 'nvb';
export const TAP_PREFIX = 'nvt';

/** The only nftables tables this driver touches, as family and name. */
export const TABLES = {
  filter: { family: 'inet', name: 'novactl' },
  guard: { family: 'netdev', name: 'novactl' },
  nat: { family: 'ip', name: 'novactl_nat' },
} as const;

/** Where guests look for the metadata service (EC2's address and port). */
export const METADATA_ADDRESS = '169.254.169.254';
export const METADATA_PORT = 80;

/** The chain that guards one tap, in `netdev novactl`. */
export function guardChain(tap: string): string {
  return `port_${tap}`;
}

/** The mark on a bridge of ours (its alias): which network it belongs to. */
export function bridgeAlias(networkId: string): string {
  return `novactl:${networkId}`;
}

/** Files of one host. State outlives a reboot, run files do not. */
export interface HostPaths {
  readonly stateDir: string;
  readonly runDir: string;
}

/** Files of one bridge. */
export interface BridgePaths {
  readonly stateDir: string;
  readonly runDir: string;
  /** `mac,address,hostname` a line: what dnsmasq may hand out. */
  readonly hosts: string;
  /** dnsmasq's own lease database. */
  readonly leases: string;
  readonly pid: string;
}

export function bridgePaths(paths: HostPaths, bridge: string): BridgePaths {
  const stateDir = `${paths.stateDir}/${bridge}`;
  const runDir = `${paths.runDir}/net-${bridge}`;
  return {
    stateDir,
    runDir,
    hosts: `${stateDir}/hosts`,
    leases: `${stateDir}/leases`,
    pid: `${runDir}/dnsmasq.pid`,
  };
}
