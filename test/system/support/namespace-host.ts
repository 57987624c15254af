import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HostKey } from '../../../src/adapters/host-shell/ssh-host-key.ts';
import type { CliResult } from '../../support/test-cloud.ts';
import { run } from '../../support/test-cloud.ts';

/** How hosts are made, and what they have: see the head of the script. */
const SCRIPT = join(import.meta.dirname, '..', 'hosts', 'namespace-host');
const LABS = 250;
const TOOLS = [
  'libvirtd',
  'virtlogd',
  'qemu-system-x86_64',
  'unshare',
  'nsenter',
  'ip',
  '/usr/sbin/sshd',
  'ssh-keygen',
];

/** Why no hosts can be made here; undefined when they can. For ctx.skip(reason), or in the name of a suite. */
export function namespaceHostsMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to make hosts out of namespaces';
  for (const tool of TOOLS) {
    if (spawnSync('sh', ['-c', 'command -v "$1"', 'sh', tool]).status !== 0) return `${tool} is not installed`;
  }
  return undefined;
}

/** What is needed to log in to a host. */
export interface HostLogin {
  readonly host: string;
  readonly port: number;
  /** root; `operator`, who may sudo without a password, has the same key. */
  readonly user: string;
  /** File of the private key. */
  readonly identity: string;
  readonly hostKey: HostKey;
  /** Its line for a known_hosts file. */
  readonly knownHosts: string;
}

/** A hypervisor host with its own sshd, libvirtd and file system view. Off until start(). */
export class NamespaceHost {
  readonly name: string;
  readonly #lab: number;
  readonly #folder: string;

  constructor(lab: number, name: string) {
    this.name = name;
    this.#lab = lab;
    this.#folder = labFolder(lab);
  }

  /** Powers it on; the first time with an empty disk. Resolves when sshd listens and libvirt answers. */
  async start(): Promise<void> {
    await script(this.#lab, 'up', this.name);
  }

  powerOn(): Promise<void> {
    return this.start();
  }

  /** Everything in it dies at once; its disk stays. */
  async powerOff(): Promise<void> {
    await script(this.#lab, 'down', this.name);
  }

  async login(user: 'root' | 'operator' = 'root'): Promise<HostLogin> {
    const [host = '', port = '', type = '', base64 = '', fingerprint = ''] = (
      await script(this.#lab, 'show', this.name)
    )
      .trim()
      .split(' ');
    return {
      host,
      port: Number(port),
      user,
      identity: join(this.#folder, 'key'),
      hostKey: { type, base64, fingerprint },
      knownHosts: `${host} ${type} ${base64}`,
    };
  }

  /** A command in the host, without SSH. */
  exec(...argv: string[]): Promise<CliResult> {
    return run(SCRIPT, ['in', this.name, ...argv], environment(this.#lab));
  }

  /** A command in the host that must succeed; answers what it printed. */
  async ok(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.exec(...argv);
    if (code !== 0) throw new Error(`${argv.join(' ')} on ${this.name} ended with ${code}:\n${stderr}\n${stdout}`);
    return stdout;
  }

  /** A path of what its disk keeps, as this machine sees it: `var/lib/novactl-host`. */
  onDisk(path: string): string {
    return join(this.#folder, this.name, 'disk', path);
  }

  killLibvirtd(): Promise<string> {
    return script(this.#lab, 'libvirtd', this.name, 'kill');
  }

  startLibvirtd(): Promise<string> {
    return script(this.#lab, 'libvirtd', this.name, 'start');
  }

  /** Killed, and started again at once. */
  async restartLibvirtd(): Promise<void> {
    await this.killLibvirtd();
    await this.startLibvirtd();
  }

  /** The listener and every connection. */
  killSshd(): Promise<string> {
    return script(this.#lab, 'sshd', this.name, 'kill');
  }

  startSshd(): Promise<string> {
    return script(this.#lab, 'sshd', this.name, 'start');
  }

  async restartSshd(): Promise<void> {
    await this.killSshd();
    await this.startSshd();
  }

  /** Every SSH connection ends; new ones are taken. */
  cutConnections(): Promise<string> {
    return script(this.#lab, 'sshd', this.name, 'cut');
  }

  /** Its network swallows every packet, until thaw(). */
  freeze(): Promise<string> {
    return script(this.#lab, 'freeze', this.name);
  }

  thaw(): Promise<string> {
    return script(this.#lab, 'thaw', this.name);
  }

  /** Names of the domains that its libvirt has, with what it says of each. */
  async domains(): Promise<Map<string, string>> {
    const text = await this.ok('virsh', '-q', '-c', 'qemu:///system', 'list', '--all');
    const rows = text
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((words) => words.length >= 3);
    return new Map(rows.map((words) => [words[1] ?? '', words.slice(2).join(' ')]));
  }
}

/** Hosts on one network, reached from this machine and from each other. Nobody else's lab is touched. */
export class HostLab {
  readonly hosts: readonly NamespaceHost[];
  /** The interface of this machine that they all hang on. */
  readonly bridge: string;
  readonly #number: number;

  private constructor(number: number, hosts: readonly NamespaceHost[]) {
    this.#number = number;
    this.bridge = `nvlab${number}`;
    this.hosts = hosts;
  }

  /** The given number of hosts, h1, h2 ..., or those of these names, powered on. What a run that was killed left behind is removed first. */
  static async start(hosts: number | readonly string[]): Promise<HostLab> {
    await script(LABS, 'sweep');
    const number = await claim();
    const names = typeof hosts === 'number' ? Array.from({ length: hosts }, (_, index) => `h${index + 1}`) : hosts;
    const lab = new HostLab(
      number,
      names.map((name) => new NamespaceHost(number, name)),
    );
    try {
      for (const host of lab.hosts) await host.start();
    } catch (error) {
      await lab.destroy();
      throw error;
    }
    return lab;
  }

  /** Host h1, h2, ... counted from 0. */
  host(index: number): NamespaceHost {
    const host = this.hosts[index];
    if (host === undefined) throw new Error(`the lab has ${this.hosts.length} hosts, none with index ${index}`);
    return host;
  }

  /** Powers all off, and removes disks, bridge and folder. */
  async destroy(): Promise<void> {
    await script(this.#number, 'purge');
  }
}

function labFolder(lab: number): string {
  return `/var/lib/novactl-test-lab-${lab}`;
}

function environment(lab: number): NodeJS.ProcessEnv {
  return { ...process.env, LAB: String(lab) };
}

async function script(lab: number, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(SCRIPT, words, environment(lab));
  if (code !== 0) throw new Error(`namespace-host ${words.join(' ')} (lab ${lab}) ended with ${code}: ${stderr}`);
  return stdout;
}

async function claim(): Promise<number> {
  for (let step = 0; step < LABS; step += 1) {
    const number = ((process.pid + step) % LABS) + 1;
    if (existsSync(labFolder(number))) continue;
    const { code } = await run(SCRIPT, ['claim', String(process.pid)], environment(number));
    if (code === 0) return number;
  }
  throw new Error('every number of a lab is taken');
}
