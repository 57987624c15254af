import type { Clock } from '../../../base/clock.ts';
import type { ErrorCode } from '../../../base/error-codes.ts';
import { CloudError } from '../../../base/errors.ts';

/** Every call of the three drivers, as faults and counts name them. */
export type SimCall =
  | 'facts'
  | 'inventory'
  | 'lookup'
  | 'define'
  | 'start'
  | 'shutdown'
  | 'reboot'
  | 'reset'
  | 'suspend'
  | 'resume'
  | 'destroy'
  | 'undefine'
  | 'ensureNetwork'
  | 'ensurePort'
  | 'guardPort'
  | 'removePort'
  | 'removeNetwork'
  | 'networkInventory'
  | 'ensureImage'
  | 'ensureOverlay'
  | 'writeSeed'
  | 'removeInstanceDir'
  | 'listInstanceDirs'
  | 'collect'
  | 'probe'
  | 'readConsole'
  | 'openConsole'
  | 'readClaim'
  | 'takeClaim'
  | 'record'
  | 'releaseClaim';

export interface SimFault {
  readonly call: SimCall;
  /** So many of the next calls; default 1. */
  readonly times?: number;
  /**
   * fail: nothing happens and the call says so. lose: it happens, and the call says that the connection broke. hang: it never
   * answers, and nothing happens.
   */
  readonly how: 'fail' | 'lose' | 'hang';
  /** Of `fail`; default HypervisorError. */
  readonly code?: ErrorCode;
  readonly message?: string;
}

/** What an owner that was followed by another may still do: look, and try to claim. */
const UNGUARDED: ReadonlySet<SimCall> = new Set([
  'facts',
  'inventory',
  'lookup',
  'networkInventory',
  'listInstanceDirs',
  'probe',
  'readConsole',
  'readClaim',
  'takeClaim',
]);

/** One process's connection to a host. */
export class SimSession {
  /** Of several processes; empty where there is one. */
  readonly processName: string;
  /** Its process died: nothing it asked for happens any more, and nobody hears an answer. */
  severed = false;
  /** With severed: what was under way to the host is carried out there all the same, unless somebody else has claimed it by then. */
  lingers = false;
  /** What it claimed the host with. */
  owner: { readonly epoch: number; readonly session: string } | undefined;
  readonly #closed = new AbortController();

  constructor(processName = '') {
    this.processName = processName;
  }

  get closed(): boolean {
    return this.#closed.signal.aborted;
  }

  close(): void {
    this.#closed.abort();
  }

  /** Never answers; rejects when the session is closed. */
  hang(): Promise<never> {
    return new Promise((_resolve, reject) => {
      if (this.severed) return;
      const end = (): void => reject(new CloudError('Unavailable', 'the connection was closed'));
      if (this.closed) end();
      else this.#closed.signal.addEventListener('abort', end, { once: true });
    });
  }
}

/** Told before and after each call of a session has its effect. */
export type SimWitness = (at: 'before' | 'after', call: SimCall, session: SimSession) => void;

/** The way of every driver call to a simulated host: latency, faults, and what a closed or dead session may still do. */
export class SimCalls {
  /** How often each call reached the host. */
  readonly counts = new Map<SimCall, number>();
  readonly #clock: Clock;
  readonly #latencyMs: () => number;
  readonly #unreachable: () => string | undefined;
  readonly #heldInstead: (session: SimSession) => string | undefined;
  readonly #onCall: SimWitness;
  #faults: { fault: SimFault; left: number }[] = [];

  constructor(parts: {
    clock: Clock;
    latencyMs: () => number;
    unreachable: () => string | undefined;
    /** The claim that stands in the place of the session's own; empty: none. */
    heldInstead: (session: SimSession) => string | undefined;
    onCall: SimWitness;
  }) {
    this.#clock = parts.clock;
    this.#latencyMs = parts.latencyMs;
    this.#unreachable = parts.unreachable;
    this.#heldInstead = parts.heldInstead;
    this.#onCall = parts.onCall;
  }

  inject(fault: SimFault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 });
  }

  clearFaults(): void {
    this.#faults = [];
  }

  /** Carries a call out: `effect` happens at once or not at all. */
  async run<T>(session: SimSession, call: SimCall, effect: () => T): Promise<T> {
    const fault = this.#takeFault(call);
    const wasAlive = !session.severed;
    const latencyMs = this.#latencyMs();
    if (latencyMs > 0) await this.#clock.sleep(latencyMs);
    else await Promise.resolve();
    if (!session.severed) this.#onCall('before', call, session);
    if (wasAlive && session.lingers && fault === undefined) this.#carryOutUnheard(session, call, effect);
    if (session.severed || fault?.how === 'hang') return session.hang();
    this.#refuse(session, call, fault);
    const result = effect();
    this.#onCall('after', call, session);
    if (session.severed) return session.hang();
    if (fault?.how === 'lose') {
      throw new CloudError('Unavailable', `the connection broke during ${call}`, { details: { outcome: 'unknown' } });
    }
    return result;
  }

  #carryOutUnheard(session: SimSession, call: SimCall, effect: () => unknown): void {
    try {
      this.#refuse(session, call, undefined);
      effect();
      this.#onCall('after', call, session);
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
    }
  }

  #refuse(session: SimSession, call: SimCall, fault: SimFault | undefined): void {
    const gone = session.closed ? 'the connection was closed' : this.#unreachable();
    if (gone !== undefined) throw new CloudError('Unavailable', gone);
    const holder = UNGUARDED.has(call) ? undefined : this.#heldInstead(session);
    if (holder !== undefined) {
      throw new CloudError('StaleEpoch', `${call}: another owner has claimed the host`, { details: { holder } });
    }
    this.counts.set(call, (this.counts.get(call) ?? 0) + 1);
    if (fault?.how !== 'fail') return;
    throw new CloudError(fault.code ?? 'HypervisorError', fault.message ?? `injected failure of ${call}`);
  }

  #takeFault(call: SimCall): SimFault | undefined {
    const entry = this.#faults.find(({ fault }) => fault.call === call);
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left === 0) this.#faults = this.#faults.filter((other) => other !== entry);
    return entry.fault;
  }
}
