import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import type { NetworkBackend, NetworkInventory, NetworkSpec, PortSpec } from '../../../ports/network-backend.ts';
import { findOrMakeBridge, listBridges, refuseBusyBridge, removeBridge, settleBridge } from './bridge.ts';
import { checkBridgeName, checkNetwork, checkPort } from './check-spec.ts';
import { DnsmasqServers } from './dnsmasq.ts';
import { Firewall } from './firewall.ts';
import { Forwarding } from './forwarding.ts';
import type { HostPaths } from './names.ts';
import { bridgePaths } from './names.ts';
import { PortEntries } from './port-entries.ts';
import { readText, run } from './run.ts';
import { Serial } from './serial.ts';

export interface LinuxNetworkParts {
  readonly shell: HostShell;
  readonly clock: Clock;
  readonly logger: Logger;
  /** DHCP entries and leases, kept over a reboot of the host. Default /var/lib/novactl-host/net. */
  readonly stateDir?: string;
  /** Process ids and configurations of what runs. Default /run/novactl-host. */
  readonly runDir?: string;
}

/** Orders what changes the host as a whole; each bridge has an order of its own below it. */
const HOST = 'host';
/** Orders what changes the guards of taps. */
const GUARDS = 'guards';
/** What joins the others of its kind that wait. */
const PORTS = 'ports';

/**
 * Linux bridges, dnsmasq and nftables on one host (see NetworkBackend). Touches nothing but interfaces named nvb*, the tables
 * `inet novactl`, `netdev novactl` and `ip novactl_nat`, its two folders, and net.ipv4.ip_forward, which is put back when the
 * last network goes if it was off before the first.
 *
 * A host whose own rules drop forwarded or incoming packets drops ours too: an accept here does not overrule a drop there.
 */
class LinuxNetwork implements NetworkBackend {
  readonly #shell: HostShell;
  readonly #paths: HostPaths;
  readonly #servers: DnsmasqServers;
  readonly #entries: PortEntries;
  readonly #firewall: Firewall;
  readonly #forwarding: Forwarding;
  readonly #serial = new Serial();

  constructor(parts: LinuxNetworkParts) {
    const { shell, clock, logger } = parts;
    const paths = {
      stateDir: parts.stateDir ?? '/var/lib/novactl-host/net',
      runDir: parts.runDir ?? '/run/novactl-host',
    };
    this.#shell = shell;
    this.#paths = paths;
    this.#servers = new DnsmasqServers({ shell, clock, logger, paths });
    this.#entries = new PortEntries({ shell, paths, servers: this.#servers });
    this.#firewall = new Firewall(shell);
    this.#forwarding = new Forwarding(shell, paths.stateDir);
  }

  async ensureNetwork(network: NetworkSpec): Promise<void> {
    checkNetwork(network);
    await this.#serial.join(HOST, network.bridge, network, async (wanted) => {
      for (const one of distinct(wanted)) await this.#makeNetwork(one);
      return [];
    });
  }

  #makeNetwork(network: NetworkSpec): Promise<void> {
    return this.#serial.run(network.bridge, async () => {
      const [bridge] = await Promise.all([findOrMakeBridge(this.#shell, network), this.#makeFolders(network.bridge)]);
      await Promise.all([
        settleBridge(this.#shell, bridge, network).then(() => this.#servers.ensure(network, bridge.index)),
        // The rules come before what lets packets through.
        this.#firewall.ensureNetwork(network).then(() => this.#forwarding.ensureOn()),
      ]);
    });
  }

  async ensurePort(network: NetworkSpec, port: PortSpec): Promise<void> {
    checkPort(network, port);
    const ensureEntry = (): Promise<boolean> =>
      this.#serial.join(network.bridge, PORTS, port, async (ports) => {
        const stands = await this.#entries.ensure(network.bridge, ports);
        return ports.map(() => stands);
      });
    if (await ensureEntry()) return;
    // No DHCP server runs: whatever ended it may have ended more.
    await this.ensureNetwork(network);
    await ensureEntry();
  }

  async guardPort(network: NetworkSpec, port: PortSpec): Promise<void> {
    checkPort(network, port);
    const result = await this.#serial.join(GUARDS, PORTS, port, (ports) => this.#firewall.guardPorts(ports));
    if (result.status === 'rejected') throw result.reason;
  }

  async removePort(network: NetworkSpec, port: PortSpec): Promise<void> {
    checkPort(network, port);
    await this.#serial.run(network.bridge, () => this.#entries.remove(network.bridge, port));
    await this.#serial.run(GUARDS, () => this.#firewall.removePortGuard(port.tap));
  }

  async removeNetwork(networkId: string, bridge: string): Promise<void> {
    checkBridgeName(bridge);
    await this.#serial.run(HOST, () =>
      this.#serial.run(bridge, async () => {
        await refuseBusyBridge(this.#shell, networkId, bridge);
        await this.#servers.stop(bridge);
        await removeBridge(this.#shell, bridge);
        const place = bridgePaths(this.#paths, bridge);
        await run(this.#shell, ['rm', '-rf', '--', place.runDir, place.stateDir]);
        if ((await listBridges(this.#shell)).length > 0) await this.#firewall.removeNetwork(bridge);
        else await this.#leaveHost();
      }),
    );
  }

  async inventory(): Promise<NetworkInventory> {
    const bridges = await listBridges(this.#shell);
    return { bridges: bridges.map((bridge) => bridge.name).sort(), leases: await this.#entries.list() };
  }

  /** With the hosts file, without which dnsmasq does not start. Where that stands in both folders, nothing is run. */
  async #makeFolders(bridge: string): Promise<void> {
    const { stateDir, runDir } = this.#paths;
    const place = bridgePaths(this.#paths, bridge);
    const marks = await Promise.all([readText(this.#shell, place.hosts), readText(this.#shell, place.pid)]);
    if (marks.every((mark) => mark !== undefined)) return;
    const parent = stateDir.slice(0, Math.max(1, stateDir.lastIndexOf('/')));
    // 0711: dnsmasq reads its hosts file as an unprivileged user. Each level is named, since -m holds for what is named alone.
    await run(this.#shell, ['mkdir', '-p', '-m', '0711', '--', parent, stateDir, place.stateDir, runDir, place.runDir]);
    await this.#entries.ensureFile(bridge);
  }

  async #leaveHost(): Promise<void> {
    await this.#firewall.removeTables();
    await this.#forwarding.restore();
    // What somebody else keeps in them stays, and so do they.
    await this.#shell.exec(['rmdir', '--', this.#paths.stateDir, this.#paths.runDir]);
  }
}

/** Specifications that say the same are one; the last place counts, so that the newest wish is carried out last. */
function distinct(networks: readonly NetworkSpec[]): NetworkSpec[] {
  const found = new Map<string, NetworkSpec>();
  for (const network of networks) {
    const text = JSON.stringify(network);
    found.delete(text);
    found.set(text, network);
  }
  return [...found.values()];
}

/** The network backend of one host over its shell, which must be root there (itself or by sudo). */
export function createLinuxNetwork(parts: LinuxNetworkParts): NetworkBackend {
  return new LinuxNetwork(parts);
}
