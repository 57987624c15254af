import type { HostReport, Outcome, Progress } from '../../messages/worker.ts';

/** What a worker last said of one domain. */
export interface DomainObservation {
  readonly hostId: string;
  readonly power: string;
  readonly reason?: string;
  /** Of the domain, where the report said it. */
  readonly uuid?: string;
  readonly seq: number;
  readonly session: string;
  readonly atMs: number;
}

/** What is known of one host from its reports. */
export interface HostObservation {
  readonly session: string;
  readonly epoch: number;
  /** Of the newest report that said something of the host as a whole. */
  readonly seq: number;
  readonly up: boolean;
  readonly problem?: string;
  /** What is wrong although it is up. */
  readonly warning?: string;
  /** Wall clock of the worker at the report. */
  readonly atMs: number;
  /** Our own monotonic clock when it arrived. */
  readonly arrivedAtMs: number;
  /** A whole report of this session has arrived. */
  readonly whole: boolean;
  /** By name, every domain that a report named, ours or not; `absent` when a later one did not. */
  readonly domains: ReadonlyMap<string, DomainObservation>;
}

/** What outcomes have said of a host's domains. */
interface Early {
  readonly epoch: number;
  readonly domains: Map<string, DomainObservation>;
}

interface Seen extends Omit<HostObservation, 'domains'> {
  readonly domains: Map<string, DomainObservation>;
  /** Of the session's newest whole report. */
  readonly wholeSeq: number | undefined;
}

/** Reports of the session with a larger seq were made after this was said. */
export interface ReportMark {
  readonly session: string;
  readonly seq: number;
}

/**
 * Power of a domain whose command has ended well, which is told again from the ledger without a look: what was seen before it is over, and what is
 * there now the next report says.
 */
const UNKNOWN = 'unknown';

/** How long a report that nobody asks about any more is kept; bounds the outcome table. */
const OUTCOMES_KEPT = 50_000;

/**
 * The last reports, in memory: they are repeated facts, not state. What is older than what is known is dropped: a report of an earlier epoch,
 * and of one session whatever has a smaller seq than what was said of the same domain, or of the host.
 */
export class Observations {
  readonly #hosts = new Map<string, Seen>();
  /** Of hosts that have not reported here yet. */
  readonly #early = new Map<string, Early>();
  readonly #outcomes = new Map<string, Outcome>();
  readonly #progress = new Map<string, Progress>();
  /** Host -> which reports count again for its domains; undefined: nobody can say yet. */
  readonly #doubted = new Map<string, ReportMark | undefined>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Takes a report in; answers the names of the domains whose observation changed. */
  report(report: HostReport): string[] {
    const before = this.#hosts.get(report.hostId);
    const { epoch, domains } = before ?? this.#early.get(report.hostId) ?? { epoch: report.epoch, domains: new Map() };
    if (report.epoch < epoch) return [];
    this.#early.delete(report.hostId);
    const sameSession = before?.session === report.session;
    const changed: string[] = [];
    for (const fact of report.facts) {
      if (observe(domains, report, fact.name, fact.power, fact.reason, fact.uuid)) changed.push(fact.name);
    }
    if (report.whole) changed.push(...missing(domains, report));
    const stale = sameSession && before.seq > report.seq;
    this.#hosts.set(report.hostId, {
      session: report.session,
      epoch: report.epoch,
      ...(stale ? linkOf(before) : linkOf(report)),
      arrivedAtMs: this.#monotonicMs(),
      whole: report.whole || (sameSession && before.whole),
      wholeSeq: wholeSeqOf(sameSession ? before : undefined, report),
      domains,
    });
    return changed;
  }

  /** What a former owner of the host says of a command is not taken: the owner of now has been given it again. */
  outcome(outcome: Outcome, atMs: number): void {
    const host = this.#hosts.get(outcome.hostId);
    if (host !== undefined && outcome.epoch < host.epoch) return;
    this.#progress.delete(outcome.instanceId);
    if (this.#outcomes.size >= OUTCOMES_KEPT) {
      const oldest = this.#outcomes.keys().next();
      if (oldest.done !== true) this.#outcomes.delete(oldest.value);
    }
    this.#outcomes.set(outcome.commandId, outcome);
    const domains = host?.domains ?? this.#before(outcome);
    if (domains === undefined) return;
    const { hostId, session, seq, instanceId, fact } = outcome;
    const at = { hostId, session, seq, atMs };
    if (fact !== undefined) observe(domains, at, instanceId, fact.power, fact.reason, fact.uuid);
    else if (outcome.ok) observe(domains, at, instanceId, outcome.verb === 'remove' ? 'absent' : UNKNOWN, undefined);
  }

  /** An outcome came before the first report: what it says of the domain is newer than a report that was sent before it. */
  #before({ hostId, epoch }: Outcome): Early['domains'] | undefined {
    const known = this.#early.get(hostId);
    if (known !== undefined && known.epoch >= epoch) return known.epoch === epoch ? known.domains : undefined;
    const domains: Early['domains'] = new Map();
    this.#early.set(hostId, { epoch, domains });
    return domains;
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

  /** Nothing is under way for it any more. */
  forgetProgress(instanceId: string): void {
    this.#progress.delete(instanceId);
  }

  forgetInstance(hostId: string, instanceId: string): void {
    this.#progress.delete(instanceId);
    const host = this.#hosts.get(hostId);
    // A domain that is still there stays known: it is an orphan now.
    if (host?.domains.get(instanceId)?.power === 'absent') host.domains.delete(instanceId);
  }

  host(hostId: string): HostObservation | undefined {
    return this.#hosts.get(hostId);
  }

  forgetHost(hostId: string): void {
    this.#early.delete(hostId);
    this.#doubted.delete(hostId);
    this.#hosts.delete(hostId);
  }

  /**
   * What the host last said of the domain: absent when a whole report of its session did not name it, undefined when nobody knows
   * (no whole report yet).
   */
  domain(hostId: string, name: string): DomainObservation | undefined {
    if (this.isDoubted(hostId)) return undefined;
    const host = this.#hosts.get(hostId);
    const known = host?.domains.get(name);
    if (known !== undefined) return known.power === UNKNOWN ? undefined : known;
    if (host?.whole !== true) return undefined;
    return { hostId, power: 'absent', seq: 0, session: host.session, atMs: host.atMs };
  }

  /**
   * The host has just become ours. What was heard of its domains before may be old, since reports may be lost and outcomes went to others: it counts for
   * nothing until a whole report that was made from now on.
   */
  doubt(hostId: string): void {
    this.#doubted.set(hostId, undefined);
  }

  /** The host's worker has said, from now on, which of its reports are made from now on. */
  trustAfter(hostId: string, mark: ReportMark): void {
    if (this.#doubted.has(hostId)) this.#doubted.set(hostId, mark);
  }

  /** The host is another controller's: here its reports are only shown, and whoever has it doubts for himself. */
  trust(hostId: string): void {
    this.#doubted.delete(hostId);
  }

  isDoubted(hostId: string): boolean {
    if (!this.#doubted.has(hostId)) return false;
    const mark = this.#doubted.get(hostId);
    const host = this.#hosts.get(hostId);
    if (mark === undefined || host?.session !== mark.session || (host.wholeSeq ?? 0) <= mark.seq) return true;
    this.#doubted.delete(hostId);
    return false;
  }

  get nowMonotonicMs(): number {
    return this.#monotonicMs();
  }
}

function wholeSeqOf(before: Seen | undefined, { whole, seq }: HostReport): number | undefined {
  const known = before?.wholeSeq;
  return whole ? Math.max(seq, known ?? 0) : known;
}

function linkOf({ seq, up, problem, warning, atMs }: Pick<HostReport, 'seq' | 'up' | 'problem' | 'warning' | 'atMs'>) {
  return {
    ...{ seq, up, atMs },
    ...(problem === undefined ? {} : { problem }),
    ...(warning === undefined ? {} : { warning }),
  };
}

/**
 * Domains that a whole report does not name any more are absent. That they were is remembered until the next whole report, so that an older
 * fact that comes late does not bring them back.
 */
function missing(domains: Map<string, DomainObservation>, report: HostReport): string[] {
  const present = new Set(report.facts.map((fact) => fact.name));
  const gone: string[] = [];
  for (const [name, known] of domains) {
    if (present.has(name)) continue;
    if (known.power === 'absent' && known.session === report.session && known.seq < report.seq) domains.delete(name);
    else if (observe(domains, report, name, 'absent', undefined)) gone.push(name);
  }
  return gone;
}

function observe(
  domains: Map<string, DomainObservation>,
  at: { hostId: string; session: string; seq: number; atMs: number },
  name: string,
  power: string,
  reason: string | undefined,
  uuid?: string,
): boolean {
  const known = domains.get(name);
  if (known !== undefined && known.session === at.session && known.seq > at.seq) return false;
  domains.set(name, {
    hostId: at.hostId,
    power,
    ...(reason === undefined ? {} : { reason }),
    ...(uuid === undefined ? {} : { uuid }),
    seq: at.seq,
    session: at.session,
    atMs: at.atMs,
  });
  return known?.power !== power || known.reason !== reason;
}
