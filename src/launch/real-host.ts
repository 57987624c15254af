import type { Clock } from '../base/clock.ts';
import { unreachable } from '../base/assert.ts';
import { CloudError, isCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { createLocalShell } from '../adapters/host-shell/local-shell.ts';
import { createSshShell } from '../adapters/host-shell/ssh-shell.ts';
import type { HostTransport } from '../domain/records.ts';
import type { Blobs } from '../ports/blobs.ts';
import type {
  ConsoleLogAsk,
  ConsoleLogSlice,
  ConsoleSlice,
  HostDrivers,
  HostProbe,
  OpenHostDrivers,
} from '../ports/host-drivers.ts';
import type { HostShell } from '../ports/host-shell.ts';
import type { Hypervisor } from '../ports/hypervisor.ts';
import type { Metrics } from '../ports/metrics.ts';
import { NO_METRICS } from '../ports/metrics.ts';
import { createLibvirtHypervisor, libvirtSocketCandidates } from '../workers/drivers/libvirt/libvirt-hypervisor.ts';
import { createConsoleLog } from '../workers/drivers/console-log/console-log.ts';
import { kvmBootsGuest } from '../workers/drivers/libvirt/kvm-probe.ts';
import { createLinuxNetwork } from '../workers/drivers/linux-net/linux-network.ts';
import { ShellClaim } from '../workers/drivers/host-claim/shell-claim.ts';
import { createDiskCaptures } from '../workers/drivers/qemu-img/disk-captures.ts';
import { hostLayout } from '../workers/drivers/qemu-img/host-layout.ts';
import { createImageStore } from '../workers/drivers/qemu-img/image-store.ts';
import type { CloudKey } from './cloud-key.ts';
import { explainLibvirt, libvirtSockets } from './explain-libvirt.ts';
import { freeDiskGib, hostRoutes, totalMemoryMib } from './host-facts.ts';
import { measuredHypervisor, measuredShell } from './measure.ts';
import type { AcceptMetadata } from './metadata-forward.ts';
import { MetadataForward } from './metadata-forward.ts';
import { sshTarget } from './ssh-access.ts';

export interface RealHostParts {
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: nobody reads them. */
  readonly metrics?: Metrics;
  /** What image files may take on a host; absent or 0: as much as is free. */
  readonly imageCacheBytes?: number;
  /** Folder on the host: disks, images, DHCP entries. */
  readonly hostDir: string;
  /** Logs in as `cloud`. */
  readonly cloudKey: CloudKey;
  /** Guests of hosts that are elsewhere reach the metadata service by a port of their host. Absent: they do not. */
  readonly metadata?: { readonly port: number; readonly accept: AcceptMetadata };
}

/** The shell of a host, and who it is there. */
export async function openShell(
  transport: HostTransport,
  parts: Pick<RealHostParts, 'clock' | 'random' | 'logger' | 'cloudKey'>,
): Promise<HostShell> {
  const { clock, random, logger, cloudKey } = parts;
  switch (transport.kind) {
    case 'local':
      return createLocalShell({ clock, random });
    case 'ssh':
      return createSshShell({ target: await sshTarget(transport, cloudKey), clock, random, logger });
    case 'simulated':
      throw new CloudError('UnsupportedOperation', 'simulated hosts exist only where drivers is set to simulated');
    default:
      return unreachable(transport);
  }
}

/** Real hosts: libvirt, Linux bridges, qemu-img, over a HostShell. */
export function realHosts(parts: RealHostParts): OpenHostDrivers {
  return async (transport, serve) => {
    const { metadata, clock, logger, metrics = NO_METRICS } = parts;
    const shell = measuredShell(await openShell(transport, parts), { clock, metrics });
    const forward =
      serve === undefined || metadata === undefined || shell.forwardIn === undefined
        ? undefined
        : (guarded: HostShell) => new MetadataForward({ shell: guarded, ...serve, ...metadata, clock, logger });
    return new RealHost(shell, parts, userOf(transport), forward);
  };
}

const userOf = (transport: HostTransport): string | undefined =>
  transport.kind === 'ssh' ? transport.user : undefined;

/** Bridges, rules and disks are root's. On this machine whoever runs the cloud was asked already. */
async function refuseOrdinaryUser(shell: HostShell, user: string | undefined): Promise<void> {
  const { stdout } = await shell.exec(['id', '-u']);
  if (user === undefined || stdout.trim() === '0') return;
  throw new CloudError(
    'OperationNotPermitted',
    `${user} is not root on ${shell.name}: log in as root, or put \`${user} ALL=(root) NOPASSWD: ALL\` into /etc/sudoers.d/novactl there and add the host with --sudo`,
  );
}

class RealHost implements HostDrivers {
  readonly hypervisor: Hypervisor;
  readonly network;
  readonly images;
  readonly captures;
  readonly claim: ShellClaim;
  readonly #shell: HostShell;
  readonly #hostDir: string;
  readonly #random: Random;
  readonly #user: string | undefined;
  #forward: MetadataForward | undefined;
  #owner: Promise<{ uid: number; gid: number }> | undefined;

  constructor(
    raw: HostShell,
    parts: RealHostParts,
    user: string | undefined,
    forward: ((shell: HostShell) => MetadataForward) | undefined,
  ) {
    const { clock, random, logger, blobs, hostDir, metrics = NO_METRICS } = parts;
    const [first = '', ...rest] = libvirtSocketCandidates;
    // The session before us may still hold the port until then.
    const onTaken = (): void => void (this.#forward ??= forward?.(this.claim.shell));
    this.claim = new ShellClaim({ shell: raw, clock, baseDir: hostDir, overSsh: raw.forwardIn !== undefined, onTaken });
    const { shell } = this.claim;
    this.#shell = shell;
    this.#user = user;
    this.#hostDir = hostDir;
    this.#random = random;
    const hypervisor = createLibvirtHypervisor({
      dial: () => shell.connectUnix(first),
      dialFallbacks: rest.map((path) => () => shell.connectUnix(path)),
      clock,
      random,
      logger,
    });
    this.hypervisor = measuredHypervisor(hypervisor, raw.name, { clock, metrics });
    this.network = createLinuxNetwork({ shell, clock, logger, stateDir: `${hostDir}/net` });
    this.images = createImageStore({
      ...{ shell, clock, logger, baseDir: hostDir, cacheBytes: parts.imageCacheBytes ?? 0 },
      source: (key) => blobs.read(key),
      presign: blobs.presign?.bind(blobs),
      presignCa: blobs.presignCa,
    });
    this.captures = createDiskCaptures({ shell, blobs, clock, baseDir: hostDir });
  }

  async probe(): Promise<HostProbe> {
    // What is wrong with the login or with sudo says so itself; libvirt would only say that nobody answers.
    await refuseOrdinaryUser(this.#shell, this.#user);
    const facts = await this.hypervisor.facts().catch(async (error: unknown) => {
      throw explainLibvirt(error, this.#user, await libvirtSockets(this.#shell));
    });
    const kvm = await kvmBootsGuest(this.#shell, {
      random: this.#random,
      owner: { uid: facts.qemuUid, gid: facts.qemuGid },
    });
    return {
      hostname: facts.hostname,
      architecture: facts.arch === 'aarch64' ? 'arm64' : 'x86_64',
      cpus: facts.cpus,
      memoryMib: await totalMemoryMib(this.#shell),
      diskGib: await freeDiskGib(this.#shell, this.#hostDir),
      virtType: kvm.works ? 'kvm' : 'qemu',
      virtReason: kvm.why,
      hypervisor: facts.hypervisor,
      hypervisorVersion: facts.hypervisorVersion,
      libvirtVersion: facts.libvirtVersion,
      routes: await hostRoutes(this.#shell),
    };
  }

  qemuOwner(): Promise<{ uid: number; gid: number }> {
    this.#owner ??= this.hypervisor
      .facts()
      .then(({ qemuUid, qemuGid }) => ({ uid: qemuUid, gid: qemuGid }))
      .catch((error: unknown) => {
        this.#owner = undefined;
        throw error;
      });
    return this.#owner;
  }

  consoleLogPath(instanceId: string): string {
    return `${hostLayout(this.#hostDir).instanceDir(instanceId)}/console.log`;
  }

  async readConsole(instanceId: string, fromByte: number, maxBytes: number): Promise<ConsoleSlice> {
    const path = this.consoleLogPath(instanceId);
    const { exitCode, stdout } = await this.#shell.exec(['stat', '-c', '%s', path]);
    const size = exitCode === 0 ? Number(stdout) : 0;
    const start = Math.min(size, fromByte < 0 ? Math.max(0, size + fromByte) : fromByte);
    try {
      const data = size === 0 ? Buffer.alloc(0) : await this.#shell.readFile(path, { fromByte: start, maxBytes });
      return { data, fromByte: start, nextByte: start + data.length };
    } catch (error) {
      if (isCode(error, 'NotFound')) return { data: Buffer.alloc(0), fromByte: 0, nextByte: 0 };
      throw error;
    }
  }

  warning(): string | undefined {
    return this.#forward?.problem;
  }

  readConsoleLog(instanceId: string, ask: ConsoleLogAsk): Promise<ConsoleLogSlice> {
    return createConsoleLog(this.#shell).read(this.consoleLogPath(instanceId), ask);
  }

  async close(): Promise<void> {
    await this.#forward?.close();
    await this.hypervisor.close();
    await this.#shell.close();
  }
}
