import type { Clock } from '../base/clock.ts';
import { unreachable } from '../base/assert.ts';
import { CloudError, isCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { createLocalShell } from '../adapters/host-shell/local-shell.ts';
import { createSshShell } from '../adapters/host-shell/ssh-shell.ts';
import type { SshIdentity, SshTarget } from '../adapters/host-shell/ssh-target.ts';
import type { SshTransport } from '../domain/records.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { ConsoleSlice, HostDrivers, HostProbe, OpenHostDrivers } from '../ports/host-drivers.ts';
import type { HostShell } from '../ports/host-shell.ts';
import type { Hypervisor } from '../ports/hypervisor.ts';
import { createLibvirtHypervisor, libvirtSocketCandidates } from '../workers/drivers/libvirt/libvirt-hypervisor.ts';
import { kvmBootsGuest } from '../workers/drivers/libvirt/kvm-probe.ts';
import { createLinuxNetwork } from '../workers/drivers/linux-net/linux-network.ts';
import { hostLayout } from '../workers/drivers/qemu-img/host-layout.ts';
import { createImageStore } from '../workers/drivers/qemu-img/image-store.ts';
import { freeDiskGib, hostRoutes, totalMemoryMib } from './host-facts.ts';

interface RealHostParts {
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Folder on the host: disks, images, DHCP entries. */
  readonly hostDir: string;
  /** The private key of login `cloud`. */
  readonly sshKeyPath: string;
}

/** Real hosts: libvirt, Linux bridges, qemu-img, over a HostShell. */
export function realHosts(parts: RealHostParts): OpenHostDrivers {
  return (transport) => {
    const { clock, random, logger } = parts;
    switch (transport.kind) {
      case 'local':
        return Promise.resolve(new RealHost(createLocalShell({ clock, random }), parts));
      case 'ssh': {
        const target = sshTarget(transport, parts.sshKeyPath);
        return Promise.resolve(new RealHost(createSshShell({ target, clock, random, logger }), parts));
      }
      case 'simulated':
        return Promise.reject(
          new CloudError('UnsupportedOperation', 'simulated hosts exist only where drivers is set to simulated'),
        );
      default:
        return unreachable(transport);
    }
  };
}

function sshTarget(transport: SshTransport, cloudKeyPath: string): SshTarget {
  const { host, port, user, hostKey, login, sudo, jump } = transport;
  const identity: SshIdentity =
    login.kind === 'agent' ? login : { kind: 'key', path: login.kind === 'cloud' ? cloudKeyPath : login.path };
  return { host, port, user, hostKey, identity, sudo, ...(jump === undefined ? {} : { jump: { ...jump, identity } }) };
}

class RealHost implements HostDrivers {
  readonly hypervisor: Hypervisor;
  readonly network;
  readonly images;
  readonly #shell: HostShell;
  readonly #hostDir: string;
  readonly #random: Random;
  #owner: Promise<{ uid: number; gid: number }> | undefined;

  constructor(shell: HostShell, parts: RealHostParts) {
    const { clock, random, logger, blobs, hostDir } = parts;
    const [first = '', ...rest] = libvirtSocketCandidates;
    this.#shell = shell;
    this.#hostDir = hostDir;
    this.#random = random;
    this.hypervisor = createLibvirtHypervisor({
      dial: () => shell.connectUnix(first),
      dialFallbacks: rest.map((path) => () => shell.connectUnix(path)),
      clock,
      random,
      logger,
    });
    this.network = createLinuxNetwork({ shell, clock, logger, stateDir: `${hostDir}/net` });
    this.images = createImageStore({ shell, source: (key) => blobs.read(key), clock, baseDir: hostDir });
  }

  async probe(): Promise<HostProbe> {
    const facts = await this.hypervisor.facts();
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

  async close(): Promise<void> {
    await this.hypervisor.close();
    await this.#shell.close();
  }
}
