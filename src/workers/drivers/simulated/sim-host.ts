import type { Clock } from '../../../base/clock.ts';
import { uuidFrom } from '../../../base/ids.ts';
import type { DomainSpec, HypervisorEvent } from '../../../ports/hypervisor.ts';
import type { NetworkSpec, PortSpec } from '../../../ports/network-backend.ts';
import type { SimCall, SimSession } from './sim-calls.ts';
import { SimCalls } from './sim-calls.ts';
import { SimClaim } from './sim-claim.ts';
import { SimConsoles } from './sim-console.ts';
import type { SimDomain } from './sim-domains.ts';
import { SimDomains } from './sim-domains.ts';
import type { SimGuest, SimHostOptions } from './sim-options.ts';

/** A bridge and what hangs on it. */
export interface SimNetwork {
  readonly spec: NetworkSpec;
  /** DHCP entries by MAC. */
  readonly leases: Map<string, PortSpec>;
}

interface Listener {
  readonly session: SimSession;
  readonly hear: (event: HypervisorEvent) => void;
}

/**
 * One host of the simulated world: domains, bridges, taps, files. It lives on whoever connects to it or dies. What a test does to it by these
 * methods happens on the host itself, past the cloud; the drivers are in create-simulated-hosts.ts.
 */
export class SimHost {
  readonly name: string;
  readonly calls: SimCalls;
  readonly domains: SimDomains;
  /** By bridge name. */
  readonly networks = new Map<string, SimNetwork>();
  /** Tap -> its bridge and the domain that it belongs to; there while the domain is on. */
  readonly taps = new Map<string, { bridge: string; uuid: string }>();
  /** Anti-spoofing rules stand for these taps. */
  readonly guarded = new Set<string>();
  /** Digests of the image files in the cache. */
  readonly images = new Set<string>();
  /** Instance id -> the bytes of its disk. */
  readonly disks = new Map<string, number>();
  /** Instance id -> the bytes of its seed disk. */
  readonly seeds = new Map<string, number>();
  /** Instance id -> its console log. */
  readonly consoles = new Map<string, string>();
  /** Serial lines that somebody is connected to. */
  readonly lines = new SimConsoles();
  /** Who may change it. */
  readonly claim = new SimClaim();
  options: SimHostOptions;
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  #problem: string | undefined;
  #usedMib = 0;
  #pending: HypervisorEvent[] = [];

  constructor(
    name: string,
    clock: Clock,
    options: SimHostOptions,
    onCall: (at: 'before' | 'after', call: SimCall, session: SimSession, host: SimHost) => void,
  ) {
    this.name = name;
    this.options = options;
    this.#clock = clock;
    this.calls = new SimCalls({
      clock,
      latencyMs: () => this.options.latencyMs,
      unreachable: () => this.#problem,
      heldInstead: (session) => this.claim.heldInstead(session),
      onCall: (at, call, session) => onCall(at, call, session, this),
    });
    this.domains = new SimDomains({
      clock,
      guest: () => this.options.guest,
      refuseStart: (spec) => this.#refuseStart(spec),
      poweredOn: (domain) => this.#poweredOn(domain),
      poweredOff: (domain) => this.#poweredOff(domain),
      emit: (event) => this.#emit(event),
    });
  }

  /** Where the files of an instance are. */
  folder(instanceId: string): string {
    return `/sim/${this.name}/instances/${instanceId}`;
  }

  imagePath(sha256: string): string {
    return `/sim/${this.name}/images/${sha256}`;
  }

  watch(session: SimSession, hear: (event: HypervisorEvent) => void): { close(): void } {
    const listener: Listener = { session, hear };
    this.#listeners.add(listener);
    this.#clock.defer(() => {
      if (this.#listeners.has(listener)) this.#tell(listener, this.#link());
    });
    return { close: () => this.#listeners.delete(listener) };
  }

  /** The power goes: every domain is off, and nothing answers. */
  powerOff(): void {
    this.domains.hostDied();
    this.disconnect('the host does not answer');
  }

  powerOn(): void {
    this.reconnect();
  }

  /** Nothing can be asked (libvirtd is down, the network is); the guests live on. */
  disconnect(problem = 'libvirtd does not answer'): void {
    this.#problem = problem;
    this.lines.lose(problem);
    this.#emit(this.#link());
  }

  reconnect(): void {
    this.#problem = undefined;
    this.#emit(this.#link());
  }

  /** The guest powers itself off. */
  guestPowersOff(name: string): void {
    this.domains.powerOff(this.#need(name), 'shutdown');
  }

  /** QEMU dies. */
  crash(name: string): void {
    this.domains.powerOff(this.#need(name), 'crashed');
  }

  /** `virsh destroy` by the host's administrator. */
  destroyByHand(name: string): void {
    this.domains.destroy(this.#need(name).uuid);
  }

  /** `virsh start` by the host's administrator. */
  startByHand(name: string): void {
    this.domains.start(this.#need(name).uuid);
  }

  /** `virsh undefine` (and destroy) by the host's administrator. */
  undefineByHand(name: string): void {
    const { uuid } = this.#need(name);
    this.domains.destroy(uuid);
    this.domains.undefine(uuid);
  }

  /** A domain that somebody made who is not this cloud. */
  addForeignDomain(name: string): void {
    const uuid = uuidFrom('foreign', this.name, name);
    this.domains.define({
      name,
      uuid,
      virtType: 'kvm',
      memoryMib: 1,
      vcpus: 1,
      boot: { kind: 'disk' },
      disks: [],
      nics: [],
      consoleLogPath: '/dev/null',
      metadata: { cloudId: '', instanceId: '', generation: 0 },
    });
    this.domains.start(uuid);
  }

  /** How this guest behaves from now on. */
  setGuest(name: string, guest: Partial<SimGuest>): void {
    const domain = this.#need(name);
    domain.guest = { ...domain.guest, ...guest };
  }

  #need(name: string): SimDomain {
    const domain = this.domains.named(name);
    if (domain === undefined) throw new Error(`no domain ${name} on the simulated host ${this.name}`);
    return domain;
  }

  #refuseStart(spec: DomainSpec): string | undefined {
    const bridge = spec.nics.find((nic) => !this.networks.has(nic.bridge))?.bridge;
    if (bridge !== undefined) return `Cannot get interface MTU on '${bridge}': No such device`;
    const tap = spec.nics.find((nic) => this.taps.has(nic.tap))?.tap;
    if (tap !== undefined) return `Unable to create tap device ${tap}: Device or resource busy`;
    const path = spec.disks.find((disk) => !this.#hasFile(disk.source.path))?.source.path;
    if (path !== undefined) return `Cannot access storage file '${path}': No such file or directory`;
    if (this.#usedMib + spec.memoryMib > this.options.memoryMib) {
      return 'cannot set up guest memory: Cannot allocate memory';
    }
    return undefined;
  }

  #hasFile(path: string): boolean {
    const [, id = '', file] = /\/instances\/([^/]+)\/(disk|seed)$/.exec(path) ?? [];
    return file === 'disk' ? this.disks.has(id) : this.seeds.has(id);
  }

  /** Called again at a reset: the domain is on already, its guest begins anew. */
  #poweredOn(domain: SimDomain): void {
    const { spec, uuid } = domain;
    if (!spec.nics.some((nic) => this.taps.get(nic.tap)?.uuid === uuid)) {
      this.#usedMib += spec.memoryMib;
      for (const nic of spec.nics) this.taps.set(nic.tap, { bridge: nic.bridge, uuid });
    }
    const log = this.consoles.get(spec.name) ?? '';
    this.consoles.set(spec.name, `${log}simulated guest ${spec.name}: boot ${String(domain.starts)}\n`);
  }

  #poweredOff({ spec, uuid }: SimDomain): void {
    this.lines.end(uuid);
    this.#usedMib -= spec.memoryMib;
    for (const nic of spec.nics) {
      this.taps.delete(nic.tap);
      this.guarded.delete(nic.tap);
    }
  }

  #link(): HypervisorEvent {
    return this.#problem === undefined ? { kind: 'connected' } : { kind: 'disconnected', problem: this.#problem };
  }

  /** Events are heard in order, in a later turn; what happens while the connection is down is heard by nobody. */
  #emit(event: HypervisorEvent): void {
    if (this.#listeners.size === 0 || (event.kind === 'domain' && this.#problem !== undefined)) return;
    this.#pending.push(event);
    if (this.#pending.length > 1) return;
    this.#clock.defer(() => {
      const events = this.#pending;
      this.#pending = [];
      for (const one of events) for (const listener of [...this.#listeners]) this.#tell(listener, one);
    });
  }

  #tell({ session, hear }: Listener, event: HypervisorEvent): void {
    if (!session.closed && !session.severed) hear(event);
  }
}
