import type { HostShell } from '../../../ports/host-shell.ts';
import type { NetworkInventory, PortSpec } from '../../../ports/network-backend.ts';
import type { DnsmasqServers } from './dnsmasq.ts';
import type { HostEntry } from './hosts-file.ts';
import { parseHosts, renderHosts, withoutPort, withoutStrangersLeases, withPort } from './hosts-file.ts';
import type { HostPaths } from './names.ts';
import { bridgePaths } from './names.ts';
import { readText, run } from './run.ts';

/** Reads what `awk '{print FILENAME ":" $0}'` made of the hosts files: `<state>/<bridge>/hosts:<line>`. */
export function parseEntryListing(text: string): NetworkInventory['leases'] {
  return text.split('\n').flatMap((line) => {
    const match = /\/([^/]+)\/hosts:(.*)$/.exec(line);
    const bridge = match?.[1];
    const [entry] = parseHosts(match?.[2] ?? '');
    return bridge === undefined || entry === undefined ? [] : [{ bridge, mac: entry.mac, address: entry.address }];
  });
}

/** Who may have which address: the hosts file of each bridge, and that its DHCP server has read it. Calls for one bridge come one by one. */
export class PortEntries {
  readonly #shell: HostShell;
  readonly #paths: HostPaths;
  readonly #servers: DnsmasqServers;
  /** What this process saw read: bridge -> file. A file that was written before a crash may never have been announced. */
  readonly #announced = new Map<string, string>();

  constructor(parts: { shell: HostShell; paths: HostPaths; servers: DnsmasqServers }) {
    this.#shell = parts.shell;
    this.#paths = parts.paths;
    this.#servers = parts.servers;
  }

  /** dnsmasq does not start without its hosts file. */
  async ensureFile(bridge: string): Promise<void> {
    const { hosts } = bridgePaths(this.#paths, bridge);
    if ((await readText(this.#shell, hosts)) === undefined) await this.#write(hosts, '');
  }

  /** False when the network does not stand (no hosts file, no DHCP server): ensure it and ask again. */
  ensure(bridge: string, ports: readonly PortSpec[]): Promise<boolean> {
    return this.#change(bridge, (entries) => ports.reduce(withPort, entries), ports);
  }

  /** Absent is success. */
  async remove(bridge: string, port: PortSpec): Promise<void> {
    await this.#change(bridge, (entries) => withoutPort(entries, port));
  }

  /** Writes the file when it changed, and sees to it that a running server knows it; whether one does. */
  async #change(
    bridge: string,
    change: (entries: readonly HostEntry[]) => readonly HostEntry[],
    newcomers: readonly PortSpec[] = [],
  ): Promise<boolean> {
    const { hosts } = bridgePaths(this.#paths, bridge);
    const before = await readText(this.#shell, hosts);
    if (before === undefined) return false;
    const after = renderHosts(change(parseHosts(before)));
    if (after !== before) await this.#write(hosts, after);
    const server = await this.#servers.find(bridge);
    if (server === undefined) return false;
    if (newcomers.length > 0 && (await this.#dropStrangersLeases(bridge, newcomers))) return true;
    const state = `${server.pid} ${after}`;
    if (this.#announced.get(bridge) !== state) {
      await this.#servers.reload(server);
      this.#announced.set(bridge, state);
    }
    return true;
  }

  /**
   * Takes the leases of earlier owners of the addresses away; whether there were any. dnsmasq holds its leases in memory and has no
   * command to forget one, so this alone starts it anew (which also makes it read the hosts file).
   */
  async #dropStrangersLeases(bridge: string, ports: readonly PortSpec[]): Promise<boolean> {
    const { leases } = bridgePaths(this.#paths, bridge);
    const text = await readText(this.#shell, leases);
    if (text === undefined || withoutStrangersLeases(text, ports) === undefined) return false;
    await this.#servers.restart(bridge, async () => {
      const last = (await readText(this.#shell, leases)) ?? '';
      const kept = withoutStrangersLeases(last, ports);
      if (kept !== undefined) await this.#write(leases, kept);
    });
    return true;
  }

  /** Readable for dnsmasq's own user: addresses and names are no secret of the host. */
  async #write(path: string, text: string): Promise<void> {
    await this.#shell.writeFile(path, text, { mode: 0o644 });
  }

  async list(): Promise<NetworkInventory['leases']> {
    const { stateDir } = this.#paths;
    if ((await this.#shell.exec(['test', '-d', stateDir])).exitCode !== 0) return [];
    const print = ['-exec', 'awk', '{print FILENAME ":" $0}', '{}', '+'];
    const depth = ['-mindepth', '2', '-maxdepth', '2', '-name', 'hosts', '-type', 'f'];
    return parseEntryListing(await run(this.#shell, ['find', stateDir, ...depth, ...print]));
  }
}
