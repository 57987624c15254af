import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalShell } from '../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { ExecResult, HostShell } from '../../../src/ports/host-shell.ts';
import type { NetworkBackend, NetworkSpec, PortSpec } from '../../../src/ports/network-backend.ts';
import { createLinuxNetwork } from '../../../src/workers/drivers/linux-net/linux-network.ts';
import { until } from '../../support/until.ts';

/** What udhcpc calls at each event: takes the lease and writes down what came with it. */
const LEASE_SCRIPT = `#!/bin/sh
[ "$1" = bound ] || exit 0
set > "$LEASE_FILE"
ip addr flush dev "$interface"
ip addr add "$ip/$mask" dev "$interface"
ip link set dev "$interface" mtu "$mtu"
ip route replace default via "$router" dev "$interface"
`;

/** Why the tests cannot run on this machine; undefined when they can. */
export function missingForLab(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const tools = [
    ['ip', '-V'],
    ['nft', '--version'],
    ['dnsmasq', '--version'],
    ['busybox', 'true'],
    ['curl', '-V'],
  ];
  for (const [command = '', ...args] of tools) {
    if (spawnSync(command, args).status !== 0) return `needs ${command}`;
  }
  const probe = `nvl${process.pid}-probe`;
  if (spawnSync('ip', ['netns', 'add', probe]).status !== 0) return 'needs network namespaces';
  spawnSync('ip', ['netns', 'del', probe]);
  return undefined;
}

export interface Guest {
  readonly ns: string;
  readonly port: PortSpec;
}

/**
 * A host, its guests and the world outside, each a network namespace, so that nothing touches the machine's own network:
 * guests hang on the host's bridges by a veth pair whose host end is named as a tap; 198.51.100.0/24 joins host (.2) and outside (.1).
 */
export class NetLab {
  readonly #shell = createLocalShell({ clock: new SystemClock(), random: new SystemRandom() });
  readonly #prefix = `nvl${process.pid}-`;
  readonly #namespaces: string[] = [];
  readonly #children: ChildProcess[] = [];
  readonly dir = mkdtempSync(join(tmpdir(), 'novactl-net-'));
  readonly host = `${this.#prefix}host`;
  readonly outside = `${this.#prefix}out`;

  static readonly OUTSIDE = '198.51.100.1';
  static readonly UPLINK = '198.51.100.2';

  async start(): Promise<void> {
    // dnsmasq reads its files as an unprivileged user.
    chmodSync(this.dir, 0o711);
    mkdirSync(join(this.dir, 'state'), { mode: 0o711 });
    writeFileSync(this.script, LEASE_SCRIPT, { mode: 0o755 });
    for (const ns of [this.host, this.outside]) await this.#addNamespace(ns);
    // A new namespace inherits what the machine has at the moment.
    await this.must(this.host, 'sysctl -q -w net.ipv4.ip_forward=0');
    await this.must(this.host, 'ip link add up0 type veth peer name up1');
    await this.must(this.host, `ip link set up1 netns ${this.outside}`);
    await this.must(this.host, `ip addr add ${NetLab.UPLINK}/24 dev up0`);
    await this.must(this.host, 'ip link set up0 up');
    await this.must(this.host, `ip route add default via ${NetLab.OUTSIDE}`);
    await this.must(this.outside, `ip addr add ${NetLab.OUTSIDE}/24 dev up1`);
    await this.must(this.outside, 'ip link set up1 up');
  }

  get script(): string {
    return join(this.dir, 'lease.sh');
  }

  get stateDir(): string {
    return join(this.dir, 'state', 'net');
  }

  get runDir(): string {
    return join(this.dir, 'run');
  }

  /** The host's shell, as the driver gets it: commands run in the host's namespace. */
  hostShell(): HostShell {
    const inner = createLocalShell({ clock: new SystemClock(), random: new SystemRandom(), name: 'lab' });
    return { ...inner, exec: (argv, options) => inner.exec(['ip', 'netns', 'exec', this.host, ...argv], options) };
  }

  /** A driver as a process that just started would make it. */
  driver(shell = this.hostShell()): NetworkBackend {
    return createLinuxNetwork({
      shell,
      clock: new SystemClock(),
      logger: silentLogger,
      stateDir: this.stateDir,
      runDir: this.runDir,
    });
  }

  /** Runs words split at spaces in a namespace. */
  exec(ns: string, words: string, env: Record<string, string> = {}): Promise<ExecResult> {
    return this.argv(ns, words.split(' '), env);
  }

  argv(ns: string, argv: readonly string[], env: Record<string, string> = {}): Promise<ExecResult> {
    return this.#shell.exec(['ip', 'netns', 'exec', ns, ...argv], { env });
  }

  async must(ns: string, words: string): Promise<string> {
    const result = await this.exec(ns, words);
    if (result.exitCode !== 0) throw new Error(`${words}: ${result.exitCode} ${result.stderr}`);
    return result.stdout;
  }

  async nft(ns: string, script: string): Promise<void> {
    const result = await this.#shell.exec(['ip', 'netns', 'exec', ns, 'nft', '-f', '-'], { stdin: script });
    if (result.exitCode !== 0) throw new Error(`nft: ${result.stderr}`);
  }

  /** A machine with the port's MAC, plugged into the bridge as libvirt does it. */
  async plug(network: NetworkSpec, port: PortSpec): Promise<Guest> {
    const ns = `${this.#prefix}${port.tap.slice(-4)}`;
    if (!this.#namespaces.includes(ns)) await this.#addNamespace(ns);
    await this.must(this.host, `ip link add ${port.tap} type veth peer name eth0 netns ${ns}`);
    await this.must(ns, `ip link set eth0 address ${port.mac} up`);
    await this.must(this.host, `ip link set ${port.tap} master ${network.bridge} up`);
    return { ns, port };
  }

  unplug(guest: Guest): Promise<string> {
    return this.must(this.host, `ip link del ${guest.port.tap}`);
  }

  /** What udhcpc got (its script's variables); undefined when nobody answered. */
  async lease(guest: Guest, tries = 5): Promise<Record<string, string> | undefined> {
    const file = join(this.dir, `lease-${guest.ns}`);
    rmSync(file, { force: true });
    const options = `-i eth0 -f -q -n -t ${tries} -T 1 -s ${this.script}`;
    const wanted = ['router', 'dns', 'mtu', 'domain', 'hostname', 'lease', 'staticroutes'];
    const asked = wanted.map((option) => `-O ${option}`).join(' ');
    const result = await this.exec(guest.ns, `busybox udhcpc ${options} ${asked}`, { LEASE_FILE: file });
    if (result.exitCode !== 0) return undefined;
    const lines = readFileSync(file, 'utf8').matchAll(/^(\w+)='(.*)'$/gm);
    return Object.fromEntries([...lines].map(([, name = '', value = '']) => [name, value]));
  }

  /** The body, or undefined when there was no answer in time. */
  async get(ns: string, url: string, timeoutSeconds = 5): Promise<string | undefined> {
    const result = await this.exec(ns, `curl -sS --fail --noproxy * --max-time ${timeoutSeconds} ${url}`);
    return result.exitCode === 0 ? result.stdout : undefined;
  }

  /** True when nothing answers: what is dropped can be told from what is slow only by waiting. */
  async silent(ns: string, url: string): Promise<boolean> {
    return (await this.get(ns, url, 1)) === undefined;
  }

  async pings(ns: string, address: string): Promise<boolean> {
    return (await this.exec(ns, `busybox ping -c 1 -W 1 ${address}`)).exitCode === 0;
  }

  /** A server that answers each request with the address it came from (test/real/linux-net/echo-server.ts). */
  async serve(ns: string, address: string, port: number): Promise<void> {
    await this.child(ns, [process.execPath, join(import.meta.dirname, 'echo-server.ts'), address, String(port)]);
  }

  /** Starts a long-running process and waits for its first line. */
  async child(ns: string, argv: readonly string[]): Promise<ChildProcess> {
    const child = this.spawn(ns, argv);
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes('\n') || child.exitCode !== null, { what: `${argv.join(' ')} is ready` });
    return child;
  }

  /** Starts a process that ends with the lab at the latest. */
  spawn(ns: string, argv: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', ns, ...argv], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#children.push(child);
    return child;
  }

  /** Process ids of this lab's dnsmasq servers. */
  async servers(bridge = ''): Promise<number[]> {
    const { stdout } = await this.#shell.exec([
      'pgrep',
      '-x',
      '-f',
      '--',
      `dnsmasq --conf-file=${this.runDir}/net-${bridge}.*`,
    ]);
    return stdout.split('\n').filter(Boolean).map(Number);
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const pid of await this.servers()) process.kill(pid, 'SIGKILL');
    for (const ns of this.#namespaces) spawnSync('ip', ['netns', 'del', ns]);
    rmSync(this.dir, { recursive: true, force: true });
    await this.#shell.close();
  }

  async #addNamespace(ns: string): Promise<void> {
    await this.#shell.exec(['ip', 'netns', 'add', ns]);
    this.#namespaces.push(ns);
    await this.must(ns, 'ip link set lo up');
  }
}
