/** A project's network as one host needs it. */
export interface NetworkSpec {
  readonly networkId: string;
  readonly bridge: string;
  readonly bridgeMac: string;
  /** For instance 10.200.3.0/24. */
  readonly cidr: string;
  /** The bridge's own address, and the guests' router and DHCP server. */
  readonly gateway: string;
  readonly dns: readonly string[];
  readonly domain: string;
  readonly mtu: number;
  /** Where guests' requests to 169.254.169.254:80 go: an address and port on this host. */
  readonly metadata?: { readonly address: string; readonly port: number };
}

/** One instance's place in a network. */
export interface PortSpec {
  readonly instanceId: string;
  readonly tap: string;
  readonly mac: string;
  readonly address: string;
  readonly hostname: string;
}

/** What a host has of ours. */
export interface NetworkInventory {
  readonly bridges: readonly string[];
  /** DHCP entries by bridge. */
  readonly leases: readonly { readonly bridge: string; readonly mac: string; readonly address: string }[];
}

/**
 * Bridges, DHCP, NAT and the metadata path on one host. Every call is in ensure form: twice is as good as once.
 * Errors: CloudError 'HostError' with the command's own words in details.
 */
export interface NetworkBackend {
  ensureNetwork(network: NetworkSpec): Promise<void>;
  /** DHCP entry (and whatever must stand before the domain starts). */
  ensurePort(network: NetworkSpec, port: PortSpec): Promise<void>;
  /** Anti-spoofing on the tap; called when the tap exists (after the domain was started). */
  guardPort(network: NetworkSpec, port: PortSpec): Promise<void>;
  /** Absent is success. */
  removePort(network: NetworkSpec, port: PortSpec): Promise<void>;
  /** Takes the bridge, its DHCP server and rules away. Refuses ('Busy') while a tap is still in the bridge. */
  removeNetwork(networkId: string, bridge: string): Promise<void>;
  inventory(): Promise<NetworkInventory>;
}
