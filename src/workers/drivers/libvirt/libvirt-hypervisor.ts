import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import type {
  DomainFact,
  DomainSpec,
  Hypervisor,
  HypervisorEvent,
  HypervisorFacts,
} from '../../../ports/hypervisor.ts';
import type { TypedParam } from './codec.ts';
import { openConsoleStream } from './console-stream.ts';
import { lifecycleEvent, powerOf } from './domain-state.ts';
import { renderDomainXml } from './domain-xml.ts';
import { explainInVirsh } from './explain.ts';
import { parseCapabilities, versionText } from './facts.ts';
import { libvirtCode, VIR_ERR } from './libvirt-errors.ts';
import { Link, type Dial } from './link.ts';
import { byUuid, PROCEDURES, type Procedure } from './procedures.ts';

/** Generous where QEMU is started or probed: under TCG, or with a /dev/kvm that does not work, that takes seconds to a minute. */
const TIMEOUT_MS = {
  read: 30_000,
  capabilities: 60_000,
  define: 60_000,
  start: 90_000,
  change: 60_000,
} as const;

const STATS_STATE = 1;
const SHUTDOWN_ACPI = 1;
const REBOOT_ACPI = 1;
/** MANAGED_SAVE, SNAPSHOTS_METADATA and NVRAM go with the domain; each of them alone would make undefine fail. */
const UNDEFINE_ALL = 1 | 2 | 4;

export interface LibvirtOptions {
  /** A connection to the daemon's read-write socket. */
  readonly dial: Dial;
  /** Tried in order when `dial` fails: see libvirtSocketCandidates. */
  readonly dialFallbacks?: readonly Dial[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Read-write sockets in the order to try them: the modular daemon's own, then the monolithic (or virtproxyd's). */
export const libvirtSocketCandidates: readonly string[] = ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock'];

const numberParam = (params: readonly TypedParam[], field: string): number => {
  const found = params.find((param) => param.field === field);
  return found?.type === 'int' ? found.value : 0;
};

/** A connection that broke before the call went out, or under a read: nothing can have happened. */
function mayAskAgain(error: unknown, read: boolean): boolean {
  if (!isCode(error, 'Unavailable')) return false;
  return read || error.details?.['outcome'] === 'not-sent';
}

class LibvirtHypervisor implements Hypervisor {
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** The problem last told to the listeners; undefined while connected. */
  #down: string | undefined;
  readonly #listeners = new Set<(event: HypervisorEvent) => void>();
  /** Short calls and events: five slow ones on a connection would block everything behind them. */
  readonly #control: Link;
  readonly #work: Link;
  readonly #consoleLink: (onDown: (problem: string) => void) => Link;
  readonly #consoles = new Set<Duplex>();

  constructor(options: LibvirtOptions) {
    const { clock, random, logger } = options;
    this.#clock = clock;
    this.#logger = logger;
    const common = { dials: [options.dial, ...(options.dialFallbacks ?? [])], clock, random, logger };
    const deaf = { onLifecycle: () => undefined, onUp: () => undefined };
    this.#consoleLink = (onDown) =>
      new Link({ ...common, name: 'console', events: false, keepalive: false, ...deaf, onDown });
    const quiet = { ...deaf, onDown: () => undefined };
    this.#work = new Link({ ...common, ...quiet, name: 'work', events: false });
    this.#control = new Link({
      ...common,
      name: 'control',
      events: true,
      onLifecycle: (message) => this.#emit(lifecycleEvent(message)),
      onUp: () => this.#emitUp(),
      onDown: (problem) => this.#emitDown(problem),
    });
  }

  async facts(): Promise<HypervisorFacts> {
    const read = <R>(procedure: Procedure<void, R>): Promise<R> =>
      this.#call(this.#control, procedure, undefined, TIMEOUT_MS.capabilities);
    const [capabilities, node, hostname, version, library] = await Promise.all([
      read(PROCEDURES.capabilities),
      read(PROCEDURES.nodeInfo),
      read(PROCEDURES.hostname),
      read(PROCEDURES.version),
      read(PROCEDURES.libVersion),
    ]);
    return {
      hypervisor: 'QEMU',
      hypervisorVersion: versionText(version.value),
      libvirtVersion: versionText(library.value),
      hostname: hostname.value,
      cpus: node.cpus,
      memoryMib: Number(node.memoryKib / 1024n),
      ...parseCapabilities(capabilities.value),
    };
  }

  async inventory(): Promise<DomainFact[]> {
    const args = { doms: [], stats: STATS_STATE, flags: 0 };
    const { records } = await this.#call(this.#control, PROCEDURES.allStats, args, TIMEOUT_MS.read);
    return records.map(({ dom, params }) => ({
      name: dom.name,
      uuid: dom.uuid,
      ...powerOf(numberParam(params, 'state.state'), numberParam(params, 'state.reason')),
    }));
  }

  async lookup(uuid: string): Promise<DomainFact | undefined> {
    try {
      const [found, state] = await Promise.all([
        this.#call(this.#control, PROCEDURES.lookupByUuid, { uuid }, TIMEOUT_MS.read),
        this.#state(uuid),
      ]);
      return { name: found.dom.name, uuid: found.dom.uuid, ...powerOf(state.state, state.reason) };
    } catch (error) {
      if (isCode(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async define(spec: DomainSpec): Promise<void> {
    const args = { xml: renderDomainXml(spec), flags: 0 };
    try {
      await this.#call(this.#work, PROCEDURES.defineXml, args, TIMEOUT_MS.define);
    } catch (error) {
      if (libvirtCode(error) === VIR_ERR.operationFailed) await this.#explainClash(spec, error);
      throw error;
    }
  }

  async start(uuid: string): Promise<void> {
    await this.#settled(uuid, 'running', () =>
      this.#call(this.#work, PROCEDURES.create, { dom: byUuid(uuid), flags: 0 }, TIMEOUT_MS.start),
    );
  }

  async shutdown(uuid: string): Promise<void> {
    await this.#settled(uuid, 'shutoff', () =>
      this.#call(this.#work, PROCEDURES.shutdown, { dom: byUuid(uuid), flags: SHUTDOWN_ACPI }, TIMEOUT_MS.change),
    );
  }

  /**
   * libvirt asks for a power-off and starts the guest again when it comes. A guest that ignores it keeps the mark: its next power-off,
   * hours later and of its own will, becomes a restart. reset() and shutdown() clear the mark (seen on libvirt 9.0), so one of them
   * has to follow when the guest did not reboot in time.
   */
  async reboot(uuid: string): Promise<void> {
    await this.#call(this.#work, PROCEDURES.reboot, { dom: byUuid(uuid), flags: REBOOT_ACPI }, TIMEOUT_MS.change);
  }

  async reset(uuid: string): Promise<void> {
    await this.#call(this.#work, PROCEDURES.reset, { dom: byUuid(uuid), flags: 0 }, TIMEOUT_MS.change);
  }

  async suspend(uuid: string): Promise<void> {
    await this.#settled(uuid, 'paused', () =>
      this.#call(this.#work, PROCEDURES.suspend, { dom: byUuid(uuid) }, TIMEOUT_MS.change),
    );
  }

  async resume(uuid: string): Promise<void> {
    await this.#settled(uuid, 'running', () =>
      this.#call(this.#control, PROCEDURES.resume, { dom: byUuid(uuid) }, TIMEOUT_MS.change),
    );
  }

  async destroy(uuid: string): Promise<void> {
    await this.#settled(uuid, 'shutoff', () =>
      this.#call(this.#control, PROCEDURES.destroy, { dom: byUuid(uuid), flags: 0 }, TIMEOUT_MS.change),
    );
  }

  async undefine(uuid: string): Promise<void> {
    try {
      await this.#call(
        this.#control,
        PROCEDURES.undefine,
        { dom: byUuid(uuid), flags: UNDEFINE_ALL },
        TIMEOUT_MS.change,
      );
    } catch (error) {
      if (!isCode(error, 'NotFound')) throw error;
    }
  }

  async openConsole(uuid: string, { force }: { readonly force: boolean }): Promise<Duplex> {
    const isOn = async (): Promise<boolean> => {
      const fact = await this.lookup(uuid);
      return fact?.power === 'running' || fact?.power === 'paused';
    };
    const console = await openConsoleStream({ uuid, force, clock: this.#clock, link: this.#consoleLink, isOn });
    this.#consoles.add(console);
    console.once('close', () => this.#consoles.delete(console));
    return console;
  }

  watch(listener: (event: HypervisorEvent) => void): { close(): void } {
    const own = (event: HypervisorEvent): void => listener(event);
    this.#listeners.add(own);
    if (this.#control.up) {
      this.#clock.defer(() => {
        if (this.#listeners.has(own) && this.#control.up) own({ kind: 'connected' });
      });
    }
    this.#control.keep();
    return {
      close: () => {
        this.#listeners.delete(own);
        if (this.#listeners.size === 0) this.#control.release();
      },
    };
  }

  explain(verb: Parameters<Hypervisor['explain']>[0], name: string): string {
    return explainInVirsh(verb, name);
  }

  close(): Promise<void> {
    this.#listeners.clear();
    for (const console of this.#consoles) console.destroy(new CloudError('Unavailable', 'this hypervisor was closed'));
    this.#control.close();
    this.#work.close();
    return Promise.resolve();
  }

  #emit(event: HypervisorEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // A listener's mistake must not cost the connection that everybody shares.
        this.#logger.error('libvirt: an event listener failed', { event: event.kind, error: errorText(error) });
      }
    }
  }

  /** Each failed attempt to reconnect says the same again: told once. */
  #emitDown(problem: string): void {
    if (this.#down === problem) return;
    this.#down = problem;
    this.#emit({ kind: 'disconnected', problem });
  }

  #emitUp(): void {
    this.#down = undefined;
    this.#emit({ kind: 'connected' });
  }

  #state(uuid: string): Promise<{ state: number; reason: number }> {
    return this.#call(this.#control, PROCEDURES.state, { dom: byUuid(uuid), flags: 0 }, TIMEOUT_MS.read);
  }

  async #call<A, R>(link: Link, procedure: Procedure<A, R>, args: A, timeoutMs: number): Promise<R> {
    const rpc = await link.ready();
    try {
      return await rpc.call(procedure, args, timeoutMs);
    } catch (error) {
      if (!mayAskAgain(error, procedure.read)) throw error;
    }
    return (await link.ready()).call(procedure, args, timeoutMs);
  }

  /** Runs a change; when libvirt says that the state does not allow it, that is success if the domain is where it should go. */
  async #settled(
    uuid: string,
    wanted: 'running' | 'paused' | 'shutoff',
    change: () => Promise<unknown>,
  ): Promise<void> {
    try {
      await change();
    } catch (error) {
      if (libvirtCode(error) !== VIR_ERR.operationInvalid) throw error;
      const { state, reason } = await this.#state(uuid);
      if (powerOf(state, reason).power !== wanted) throw error;
    }
  }

  /** Throws the clear error when another domain holds the spec's name or its uuid. */
  async #explainClash(spec: DomainSpec, cause: unknown): Promise<void> {
    const [sameName, sameUuid] = await Promise.allSettled([
      this.#call(this.#control, PROCEDURES.lookupByName, { name: spec.name }, TIMEOUT_MS.read),
      this.#call(this.#control, PROCEDURES.lookupByUuid, { uuid: spec.uuid }, TIMEOUT_MS.read),
    ]);
    const other =
      sameName.status === 'fulfilled' && sameName.value.dom.uuid !== spec.uuid
        ? sameName.value.dom
        : sameUuid.status === 'fulfilled' && sameUuid.value.dom.name !== spec.name
          ? sameUuid.value.dom
          : undefined;
    if (other === undefined) return;
    throw new CloudError(
      'AlreadyExists',
      `the host has a domain ${other.name} with uuid ${other.uuid} already, which is not ${spec.name} (${spec.uuid}): look at it with virsh dumpxml, then remove it with virsh undefine`,
      { cause, details: { name: other.name, uuid: other.uuid } },
    );
  }
}

/** A host's libvirt daemon, spoken to in its own RPC. Nothing is dialled before the first call or watch(). */
export function createLibvirtHypervisor(options: LibvirtOptions): Hypervisor {
  return new LibvirtHypervisor(options);
}
