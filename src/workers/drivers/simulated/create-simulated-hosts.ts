import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import type { HostTransport } from '../../../domain/records.ts';
import type { Blobs } from '../../../ports/blobs.ts';
import type {
  ConsoleLogAsk,
  ConsoleLogSlice,
  ConsoleSlice,
  HostDrivers,
  HostProbe,
  OpenHostDrivers,
} from '../../../ports/host-drivers.ts';
import type { Hypervisor } from '../../../ports/hypervisor.ts';
import type { ImageStore } from '../../../ports/image-store.ts';
import type { NetworkBackend } from '../../../ports/network-backend.ts';
import { simulatedClaim } from './sim-claim.ts';
import type { SimCall } from './sim-calls.ts';
import { SimSession } from './sim-calls.ts';
import { SimHost } from './sim-host.ts';
import type { SimHostOptions } from './sim-options.ts';
import { SIM_HOST_DEFAULTS } from './sim-options.ts';
import { SimVolumes } from './sim-volumes.ts';

/** QEMU's user on every simulated host. */
const OWNER = { uid: 64_055, gid: 64_055 } as const;

/** A world of hosts in memory. It outlives every process of the cloud that connects to it. */
export interface SimulatedHosts {
  /** The drivers of one process; its images come from these blobs. The name tells its sessions from those of other processes. */
  openDrivers(blobs: Pick<Blobs, 'head'>, processName?: string): OpenHostDrivers;
  /** The host of that name; made at its first use. Transport `local` is the one named `local`. */
  host(name: string): SimHost;
  hosts(): SimHost[];
  readonly volumes: SimVolumes;
  /**
   * The process behind every open session dies: what it asked for and was not done yet never happens; or, `lingering`, happens in its time, as of a
   * command that goes on at the host without its SSH connection. With a name, those of that process alone.
   */
  severSessions(options?: { lingering: boolean; processName?: string }): void;
  /** Called before and after each call of a live session has its effect: a test may sever the session right there. */
  onCall: ((at: 'before' | 'after', call: SimCall, session: SimSession, host: SimHost) => void) | undefined;
}

export function createSimulatedHosts(parts: {
  clock: Clock;
  /** Of every host; a test may change one host's own. */
  options?: Partial<SimHostOptions>;
}): SimulatedHosts {
  const { clock } = parts;
  const hosts = new Map<string, SimHost>();
  const sessions = new Set<SimSession>();
  const hostNamed = (name: string): SimHost => {
    const known = hosts.get(name);
    if (known !== undefined) return known;
    const options = { ...SIM_HOST_DEFAULTS, ...parts.options };
    const host = new SimHost(name, clock, options, (...told) => world.onCall?.(...told));
    hosts.set(name, host);
    return host;
  };
  const world: SimulatedHosts = {
    onCall: undefined,
    openDrivers: (blobs, processName) => (transport) => {
      const session = new SimSession(processName);
      sessions.add(session);
      const drivers = simulatedDrivers(hostNamed(hostName(transport)), session, blobs, clock);
      return Promise.resolve({
        ...drivers,
        close: () => {
          session.close();
          sessions.delete(session);
          return Promise.resolve();
        },
      });
    },
    host: hostNamed,
    hosts: () => [...hosts.values()],
    volumes: new SimVolumes(clock, { disksLast: parts.options?.disksLast }),
    severSessions(options = { lingering: false }) {
      for (const session of sessions) {
        if (options.processName !== undefined && session.processName !== options.processName) continue;
        session.severed = true;
        session.lingers = options.lingering;
        sessions.delete(session);
      }
    },
  };
  return world;
}

function hostName(transport: HostTransport): string {
  return transport.kind === 'simulated' ? transport.name : transport.kind;
}

function simulatedDrivers(
  host: SimHost,
  session: SimSession,
  blobs: Pick<Blobs, 'head'>,
  clock: Clock,
): Omit<HostDrivers, 'close'> {
  const { calls } = host;
  return {
    claim: simulatedClaim(host, session, clock),
    hypervisor: simulatedHypervisor(host, session),
    network: simulatedNetwork(host, session),
    images: simulatedImages(host, session, blobs),
    probe: () => calls.run(session, 'probe', () => probe(host)),
    qemuOwner: () => Promise.resolve(OWNER),
    consoleLogPath: (instanceId) => `${host.folder(instanceId)}/console.log`,
    readConsole: (instanceId, fromByte, maxBytes) =>
      calls.run(session, 'readConsole', () => consoleSlice(host, instanceId, fromByte, maxBytes)),
    readConsoleLog: (instanceId, ask) =>
      calls.run(session, 'readConsole', () => consoleLogSlice(host, instanceId, ask)),
  };
}

function probe({ name, options }: SimHost): HostProbe {
  const { architecture, cpus, memoryMib, diskGib, virtType, routes } = options;
  return {
    ...{ hostname: name, architecture, cpus, memoryMib, diskGib, virtType, routes },
    virtReason: virtType === 'kvm' ? 'simulated' : 'simulated: there is no /dev/kvm',
    hypervisor: 'simulated',
    hypervisorVersion: '1.0.0',
    libvirtVersion: '1.0.0',
  };
}

function consoleSlice(host: SimHost, instanceId: string, fromByte: number, maxBytes: number): ConsoleSlice {
  const log = Buffer.from(host.consoles.get(instanceId) ?? '');
  const start = Math.min(log.length, fromByte < 0 ? Math.max(0, log.length + fromByte) : fromByte);
  const data = log.subarray(start, start + maxBytes);
  return { data, fromByte: start, nextByte: start + data.length };
}

/** The log of a simulated guest is never rotated: a cursor is an offset. */
function consoleLogSlice(host: SimHost, instanceId: string, ask: ConsoleLogAsk): ConsoleLogSlice {
  const from = ask.cursor === undefined ? -ask.tailBytes : Number(ask.cursor);
  // No bytes from the end is the end; -0 would be the beginning.
  const log = Buffer.byteLength(host.consoles.get(instanceId) ?? '');
  const slice = consoleSlice(
    host,
    instanceId,
    ask.cursor === undefined && ask.tailBytes === 0 ? log : from,
    ask.maxBytes,
  );
  return { data: slice.data, cursor: String(slice.nextByte), skipped: false, more: slice.nextByte < log };
}

function simulatedHypervisor(host: SimHost, session: SimSession): Hypervisor {
  const { calls, domains } = host;
  return {
    facts: () =>
      calls.run(session, 'facts', () => ({
        hypervisor: 'simulated',
        hypervisorVersion: '1.0.0',
        libvirtVersion: '1.0.0',
        hostname: host.name,
        arch: host.options.architecture === 'arm64' ? 'aarch64' : 'x86_64',
        cpus: host.options.cpus,
        memoryMib: host.options.memoryMib,
        qemuUid: OWNER.uid,
        qemuGid: OWNER.gid,
      })),
    inventory: () => calls.run(session, 'inventory', () => domains.all().map((domain) => domains.fact(domain))),
    lookup: (uuid) => calls.run(session, 'lookup', () => domains.lookup(uuid)),
    define: (spec) => calls.run(session, 'define', () => domains.define(spec)),
    start: (uuid) => calls.run(session, 'start', () => domains.start(uuid)),
    shutdown: (uuid) => calls.run(session, 'shutdown', () => domains.shutdown(uuid)),
    reboot: (uuid) => calls.run(session, 'reboot', () => domains.reboot(uuid)),
    reset: (uuid) => calls.run(session, 'reset', () => domains.reset(uuid)),
    suspend: (uuid) => calls.run(session, 'suspend', () => domains.suspend(uuid)),
    resume: (uuid) => calls.run(session, 'resume', () => domains.resume(uuid)),
    destroy: (uuid) => calls.run(session, 'destroy', () => domains.destroy(uuid)),
    undefine: (uuid) => calls.run(session, 'undefine', () => domains.undefine(uuid)),
    openConsole: (uuid, { force }) =>
      calls.run(session, 'openConsole', () => {
        const fact = domains.lookup(uuid);
        if (fact === undefined) throw new CloudError('NotFound', `no domain ${uuid} on ${host.name}`);
        if (fact.power !== 'running') throw new CloudError('IncorrectState', 'the guest is not running');
        return host.lines.open(uuid, force);
      }),
    watch: (listener) => host.watch(session, listener),
    explain: (verb, name) => `(simulated) ${verb} ${name}`,
    close: () => Promise.resolve(),
  };
}

function simulatedNetwork(host: SimHost, session: SimSession): NetworkBackend {
  const { calls, networks, taps, guarded } = host;
  return {
    ensureNetwork: (spec) =>
      calls.run(session, 'ensureNetwork', () => {
        const known = networks.get(spec.bridge);
        if (known === undefined) networks.set(spec.bridge, { spec, leases: new Map() });
        else refuseStranger(host, known.spec.networkId, spec.networkId, spec.bridge);
      }),
    ensurePort: (network, port) =>
      calls.run(session, 'ensurePort', () => {
        const known = networks.get(network.bridge) ?? { spec: network, leases: new Map() };
        networks.set(network.bridge, known);
        known.leases.set(port.mac, port);
      }),
    guardPort: (_network, port) =>
      calls.run(session, 'guardPort', () => {
        if (!taps.has(port.tap)) throw new CloudError('HostError', `there is no interface ${port.tap} on ${host.name}`);
        guarded.add(port.tap);
      }),
    removePort: (network, port) =>
      calls.run(session, 'removePort', () => {
        networks.get(network.bridge)?.leases.delete(port.mac);
        guarded.delete(port.tap);
      }),
    removeNetwork: (networkId, bridge) =>
      calls.run(session, 'removeNetwork', () => {
        const known = networks.get(bridge);
        if (known === undefined) return;
        refuseStranger(host, known.spec.networkId, networkId, bridge);
        const inside = [...taps].filter(([, tap]) => tap.bridge === bridge).map(([name]) => name);
        if (inside.length > 0) {
          throw new CloudError('Busy', `bridge ${bridge} on host ${host.name} still has guests: ${inside.join(', ')}`);
        }
        networks.delete(bridge);
      }),
    inventory: () =>
      calls.run(session, 'networkInventory', () => ({
        bridges: [...networks.keys()].sort(),
        leases: [...networks].flatMap(([bridge, { leases }]) =>
          [...leases.values()].map(({ mac, address }) => ({ bridge, mac, address })),
        ),
      })),
  };
}

function refuseStranger(host: SimHost, owner: string, asker: string, bridge: string): void {
  if (owner === asker) return;
  throw new CloudError('Conflict', `bridge ${bridge} on host ${host.name} belongs to ${owner}, not to ${asker}`);
}

function simulatedImages(host: SimHost, session: SimSession, blobs: Pick<Blobs, 'head'>): ImageStore {
  const { calls, images, disks } = host;
  return {
    async ensureImage(image) {
      if (!images.has(image.sha256)) {
        const blob = await blobs.head(image.blobKey);
        if (blob.sha256 !== image.sha256) {
          throw new CloudError('HostError', `${image.blobKey} has the digest ${blob.sha256}, not ${image.sha256}`);
        }
      }
      return calls.run(session, 'ensureImage', () => {
        images.add(image.sha256);
        return host.imagePath(image.sha256);
      });
    },
    ensureOverlay: (spec) =>
      calls.run(session, 'ensureOverlay', () => {
        const path = `${host.folder(spec.instanceId)}/disk`;
        if (disks.has(spec.instanceId)) return path;
        if (spec.mustExist === true && !host.options.disksLast) {
          throw new CloudError(
            'NotFound',
            `the disk of ${spec.instanceId} is not on ${host.name}: it has run before, so none is made in its place`,
          );
        }
        disks.set(spec.instanceId, spec.virtualSizeBytes);
        return path;
      }),
    writeSeed: (instanceId, image) =>
      calls.run(session, 'writeSeed', () => {
        host.seeds.set(instanceId, image.length);
        return `${host.folder(instanceId)}/seed`;
      }),
    removeInstanceDir: (instanceId) =>
      calls.run(session, 'removeInstanceDir', () => {
        disks.delete(instanceId);
        host.seeds.delete(instanceId);
        host.consoles.delete(instanceId);
      }),
    listInstanceDirs: () => calls.run(session, 'listInstanceDirs', () => [...disks.keys()].sort()),
    listImages: () =>
      calls.run(session, 'collect', () =>
        [...images].sort().map((sha256) => ({
          ...{ sha256, sizeBytes: 0, kind: 'machine', format: 'simulated', lastUsedMs: 0, usedBy: [] },
        })),
      ),
    transfers: () => [],
    evictImages: ({ sha256, inUse }) =>
      calls.run(session, 'collect', () => {
        const used = (digest: string): string[] => inUse.filter((one) => one.sha256 === digest).map(({ by }) => by);
        const wanted = [...images].filter((digest) => sha256 === undefined || digest === sha256);
        const users = sha256 === undefined ? [] : used(sha256);
        if (users.length > 0) {
          const message = `the image file ${sha256 ?? ''} on ${host.name} is in use by ${users.join(', ')}`;
          throw new CloudError('Conflict', message, { details: { usedBy: users } });
        }
        const removed = wanted.filter((digest) => used(digest).length === 0);
        for (const digest of removed) images.delete(digest);
        return { removed, removedBytes: 0 };
      }),
    collect: ({ keepSha256, remove }) =>
      calls.run(session, 'collect', () => {
        const surplus = [...images].filter((digest) => !keepSha256.includes(digest));
        if (remove) for (const digest of surplus) images.delete(digest);
        return surplus.map((digest) => host.imagePath(digest));
      }),
  };
}
