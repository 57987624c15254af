import type { HostReport, Outcome, Progress } from '../../messages/worker.ts';

/** What a worker last said of one domain. */
export interface DomainObservation {
  readonly hostId: string;
  readonly power: string;
  readonly reason?: string;
  readonly seq: number;
  readonly session: string;
  readonly atMs: number;
}

/** What is known of one host from its reports. */
export interface HostObservation {
  readonly session: string;
  readonly up: boolean;
  readonly problem?: string;
  /** Wall clock of the worker at the report. */
  readonly atMs: number;
  /** Our own monotonic clock when it arrived. */
  readonly arrivedAtMs: number;
  /** A whole report of this session has arrived. */
  readonly whole: boolean;
  /** Every domain name on the host, ours or not. */
  readonly domains: ReadonlySet<string>;
}

/** How long a report that nobody asks about any more is kept; bounds the outcome table. */
const OUTCOMES_KEPT = 50_000;

/**
 * The last reports, in memory: they are repeated facts, not state. A report is dropped when the same worker session
 * has already said something newer of the same domain.
 */
export class Observations {
  readonly #hosts = new Map<string, HostObservation>();
  readonly #domains = new Map<string, DomainObservation>();
  readonly #outcomes = new Map<string, Outcome>();
  readonly #progress = new Map<string, Progress>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Takes a report in; answers the names of the domains whose observation changed. */
  report(report: HostReport): string[] {
    const before = this.#hosts.get(report.hostId);
    const sameSession = before?.session === report.session;
    const domains = new Set(report.whole || !sameSession ? [] : before.domains);
    const changed: string[] = [];
    for (const fact of report.facts) {
      domains.add(fact.name);
      if (this.#observe(report, fact.name, fact.power, fact.reason)) changed.push(fact.name);
    }
    if (report.whole) changed.push(...this.#missing(report, domains));
    this.#hosts.set(report.hostId, {
      session: report.session,
      up: report.up,
      ...(report.problem === undefined ? {} : { problem: report.problem }),
      atMs: report.atMs,
      arrivedAtMs: this.#monotonicMs(),
      whole: report.whole || (sameSession && before.whole),
      domains,
    });
    return changed;
  }

  /** Domains that a whole report does not name any more are absent. */
  #missing(report: HostReport, present: ReadonlySet<string>): string[] {
    const gone: string[] = [];
    for (const [name, known] of this.#domains) {
      if (known.hostId !== report.hostId || present.has(name)) continue;
      if (this.#observe(report, name, 'absent', undefined)) gone.push(name);
    }
    return gone;
  }

  #observe(
    at: { hostId: string; session: string; seq: number; atMs: number },
    name: string,
    power: string,
    reason: string | undefined,
  ): boolean {
    const known = this.#domains.get(name);
    if (known !== undefined && known.session === at.session && known.seq > at.seq) return false;
    const next = {
      hostId: at.hostId,
      power,
      ...(reason === undefined ? {} : { reason }),
      seq: at.seq,
      session: at.session,
      atMs: at.atMs,
    };
    this.#domains.set(name, next);
    return known?.power !== power || known.reason !== reason;
  }

  outcome(outcome: Outcome, atMs: number): void {
    this.#progress.delete(outcome.instanceId);
    if (this.#outcomes.size >= OUTCOMES_KEPT) {
      const oldest = this.#outcomes.keys().next();
      if (oldest.done !== true) this.#outcomes.delete(oldest.value);
    }
    this.#outcomes.set(outcome.commandId, outcome);
    const at = { hostId: outcome.hostId, session: outcome.session, seq: outcome.seq, atMs };
    if (outcome.fact !== undefined) this.#observe(at, outcome.instanceId, outcome.fact.power, outcome.fact.reason);
    else if (outcome.ok && outcome.verb === 'remove') this.#observe(at, outcome.instanceId, 'absent', undefined);
  }

  outcomeOf(commandId: string): Outcome | undefined {
    return this.#outcomes.get(commandId);
  }

  forgetOutcome(commandId: string): void {
    this.#outcomes.delete(commandId);
  }

  progress(progress: Progress): void {
    this.#progress.set(progress.instanceId, progress);
  }

  progressOf(instanceId: string): Progress | undefined {
    return this.#progress.get(instanceId);
  }

  forgetInstance(instanceId: string): void {
    this.#progress.delete(instanceId);
    this.#domains.delete(instanceId);
  }

  host(hostId: string): HostObservation | undefined {
    return this.#hosts.get(hostId);
  }

  forgetHost(hostId: string): void {
    this.#hosts.delete(hostId);
  }

  /**
   * What the host last said of the domain: absent when a whole report of its session did not name it, undefined when nobody knows
   * (no whole report yet).
   */
  domain(hostId: string, name: string): DomainObservation | undefined {
    const host = this.#hosts.get(hostId);
    const known = this.#domains.get(name);
    if (known !== undefined && known.hostId === hostId) return known;
    if (host?.whole !== true) return undefined;
    return { hostId, power: 'absent', seq: 0, session: host.session, atMs: host.atMs };
  }

  get nowMonotonicMs(): number {
    return this.#monotonicMs();
  }
}
