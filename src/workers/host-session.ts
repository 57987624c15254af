import type { Clock } from '../base/clock.ts';
import { asCloudError, CloudError, errorText } from '../base/errors.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Logger } from '../base/logger.ts';
import type { Fact, HostReport, InstanceCommand, OpenHost, Outcome, Progress } from '../messages/worker.ts';
import type { DomainFact, HypervisorEvent } from '../ports/hypervisor.ts';
import type { HostDrivers } from '../ports/host-drivers.ts';
import { INSTANCE_WORK } from './instance-work.ts';
import type { WorkContext } from './instance-work.ts';
import { StepLog } from './step-log.ts';

/** How a session speaks to the controller; what it sends may be lost, so it repeats. */
export interface Reporter {
  host(report: HostReport): Promise<void>;
  /** Resolves when the controller has taken it; rejects when that is not known. */
  outcome(outcome: Outcome): Promise<void>;
  progress(progress: Progress): void;
}

const INVENTORY_MS = 30_000;
const CONFIRM_AGAIN_MS = 1000;
/** What a report says of a domain that is not there. */
const ABSENT = 'absent';
/** Progress is told so often at most; a command that is shorter tells of none. */
const PROGRESS_MS = 250;
/** How long close() waits for commands under way before it cuts them off. */
const CLOSE_GRACE_MS = 5000;
/** Outcomes that are kept to answer a command that comes again. */
const LEDGER_MAX = 10_000;

export interface HostSessionParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reporter: Reporter;
  readonly workerId: string;
  readonly session: string;
  /** Grows with every report of the worker. */
  readonly nextSeq: () => number;
}

interface Running {
  readonly commandId: string;
  readonly generation: number;
  readonly abort: AbortController;
}

/**
 * One host, open in one worker: carries out its commands (one at a time an instance, newer intent first), and reports what it sees. Commands that
 * are known are answered from the ledger.
 */
export class HostSession {
  readonly hostId: string;
  readonly epoch: number;
  readonly #open: OpenHost;
  readonly #drivers: HostDrivers;
  readonly #parts: HostSessionParts;
  readonly #bridges = new KeyedLock();
  readonly #instances = new KeyedLock();
  readonly #running = new Map<string, Running>();
  readonly #ledger = new Map<string, Outcome>();
  /** Instance -> the newest intent that was heard of: what comes late of an older one is not carried out any more. */
  readonly #newest = new Map<string, number>();
  readonly #work = new Set<Promise<void>>();
  /** Instance -> the step that was begun last, not told yet. */
  readonly #progress = new Map<string, Progress>();
  #watch: { close(): void } | undefined;
  #timer: { cancel(): void } | undefined;
  #closed = new AbortController();

  constructor(open: OpenHost, drivers: HostDrivers, parts: HostSessionParts) {
    this.hostId = open.hostId;
    this.epoch = open.epoch;
    this.#open = open;
    this.#drivers = drivers;
    this.#parts = parts;
  }

  get drivers(): HostDrivers {
    return this.#drivers;
  }

  /** Resolves after the first whole report, or after the attempt at it failed and was reported. */
  async start(): Promise<void> {
    this.#watch = this.#drivers.hypervisor.watch((event) => this.#onEvent(event));
    this.#timer = this.#parts.clock.every(INVENTORY_MS, () => this.#track(this.reportAll()), { unref: true });
    await this.reportAll();
  }

  /** Ends the watch and the commands under way; what they did stays and is found by the next owner's inventory. */
  async close(): Promise<void> {
    this.#closed.abort(new CloudError('Unavailable', 'the worker is shutting down'));
    this.#watch?.close();
    this.#timer?.cancel();
    for (const running of this.#running.values()) running.abort.abort(this.#closed.signal.reason);
    const ended = Promise.allSettled([...this.#work]);
    const patience = new AbortController();
    const graceOver = this.#parts.clock.sleep(CLOSE_GRACE_MS, patience.signal).catch(() => undefined);
    await Promise.race([ended, graceOver]);
    patience.abort();
    await this.#drivers.close();
    await ended;
  }

  /** Takes the command over; resolves at once, the outcome is reported when there is one. */
  accept(command: InstanceCommand): void {
    const id = command.spec.instanceId;
    if (command.epoch < this.epoch || this.#closed.signal.aborted) return;
    const known = this.#ledger.get(command.commandId);
    if (known !== undefined) {
      this.#track(this.#confirm(known));
      return;
    }
    const newest = this.#newest.get(id) ?? 0;
    if (command.generation < newest) return;
    if (command.generation > newest) remember(this.#newest, id, command.generation);
    const running = this.#running.get(id);
    if (running !== undefined) {
      if (running.commandId === command.commandId) return;
      if (running.generation < command.generation) {
        running.abort.abort(
          new CloudError('Conflict', `newer intent (generation ${command.generation}) has overtaken it`),
        );
      }
    }
    const abort = new AbortController();
    this.#running.set(id, { commandId: command.commandId, generation: command.generation, abort });
    this.#track(this.#instances.run(id, () => this.#execute(command, abort)));
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error: unknown) => {
      this.#parts.logger.warn('host session', { hostId: this.hostId, error: errorText(error) });
    });
    this.#work.add(tracked);
    void tracked.finally(() => this.#work.delete(tracked));
  }

  async #execute(command: InstanceCommand, abort: AbortController): Promise<void> {
    const { clock, nextSeq } = this.#parts;
    const id = command.spec.instanceId;
    let seq = nextSeq();
    const log = new StepLog(clock, abort.signal, (step, atMs) =>
      this.#noteProgress({ v: 1, commandId: command.commandId, instanceId: id, step, atMs }),
    );
    let result: { fact?: Fact; error?: NonNullable<Outcome['error']> };
    try {
      const context: WorkContext = {
        drivers: this.#drivers,
        virtType: this.#open.virtType,
        clock,
        log,
        signal: abort.signal,
        bridges: this.#bridges,
      };
      const work = INSTANCE_WORK[command.verb] as (c: WorkContext, m: InstanceCommand) => Promise<void>;
      await work(context, command);
      // Taken before the look, so that an event that comes while we look is the newer one.
      seq = nextSeq();
      const fact = await this.#look(command);
      result = fact === undefined ? {} : { fact };
    } catch (error) {
      result = { error: errorOf(error, log.last) };
    } finally {
      if (this.#running.get(id)?.commandId === command.commandId) this.#running.delete(id);
    }
    // What was cut short by newer intent or by our own end has no outcome: whoever still wants it sends it again.
    if (abort.signal.aborted) return;
    await this.#finish(command, seq, result, log);
  }

  #noteProgress(progress: Progress): void {
    this.#progress.set(progress.instanceId, progress);
    if (this.#progress.size > 1) return;
    this.#parts.clock.after(
      PROGRESS_MS,
      () => {
        for (const [id, last] of this.#progress) {
          if (this.#running.get(id)?.commandId === last.commandId) this.#parts.reporter.progress(last);
        }
        this.#progress.clear();
      },
      { unref: true },
    );
  }

  async #look({ verb, spec }: InstanceCommand): Promise<DomainFact | undefined> {
    return verb === 'remove' ? undefined : this.#drivers.hypervisor.lookup(spec.domainUuid);
  }

  async #finish(
    command: InstanceCommand,
    seq: number,
    result: { fact?: Fact; error?: NonNullable<Outcome['error']> },
    log: StepLog,
  ): Promise<void> {
    const outcome: Outcome = {
      v: 1,
      commandId: command.commandId,
      hostId: this.hostId,
      session: this.#parts.session,
      epoch: this.epoch,
      seq,
      instanceId: command.spec.instanceId,
      generation: command.generation,
      verb: command.verb,
      ok: result.error === undefined,
      ...result,
      steps: log.steps,
    };
    remember(this.#ledger, command.commandId, outcome);
    await this.#confirm(outcome);
  }

  async #confirm(outcome: Outcome): Promise<void> {
    const { clock, reporter } = this.#parts;
    while (!this.#closed.signal.aborted) {
      try {
        await reporter.outcome(outcome);
        return;
      } catch {
        await clock.sleep(CONFIRM_AGAIN_MS, this.#closed.signal).catch(() => undefined);
      }
    }
  }

  /** Every domain of the host, in one call. */
  async reportAll(): Promise<void> {
    const seq = this.#parts.nextSeq();
    try {
      const facts = await this.#drivers.hypervisor.inventory();
      await this.#report({ seq, up: true, whole: true, facts });
    } catch (error) {
      await this.#report({ seq, up: false, whole: false, facts: [], problem: errorText(error) });
    }
  }

  #onEvent(event: HypervisorEvent): void {
    if (event.kind === 'connected') {
      this.#track(this.reportAll());
      return;
    }
    if (event.kind === 'domain' && event.power === 'unknown') {
      // That our own command defines or undefines the domain is no news: its outcome tells.
      if (!this.#running.has(event.name)) this.#track(this.#lookAt(event.name, event.uuid));
      return;
    }
    const seq = this.#parts.nextSeq();
    if (event.kind === 'disconnected') {
      this.#track(this.#report({ seq, up: false, whole: false, facts: [], problem: event.problem }));
      return;
    }
    const { name, uuid, power, reason } = event;
    const fact: Fact = { name, uuid, power, ...(reason === undefined ? {} : { reason }) };
    this.#track(this.#report({ seq, up: true, whole: false, facts: [fact] }));
  }

  /** Something about the domain changed, and the event does not say what it is now. */
  async #lookAt(name: string, uuid: string): Promise<void> {
    const seq = this.#parts.nextSeq();
    const fact = (await this.#drivers.hypervisor.lookup(uuid)) ?? { name, uuid, power: ABSENT };
    await this.#report({ seq, up: true, whole: false, facts: [fact] });
  }

  #report(seen: { seq: number; up: boolean; whole: boolean; facts: readonly Fact[]; problem?: string }): Promise<void> {
    const { workerId, session, clock, reporter } = this.#parts;
    const warning = this.#drivers.warning?.();
    return reporter.host({
      v: 1,
      hostId: this.hostId,
      workerId,
      session,
      epoch: this.epoch,
      atMs: clock.nowMs(),
      ...(warning === undefined ? {} : { warning }),
      ...seen,
      facts: [...seen.facts],
    });
  }
}

/** The newest LEDGER_MAX are kept. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= LEDGER_MAX) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}

function errorOf(error: unknown, step: string | undefined): NonNullable<Outcome['error']> {
  const { code, message, retryable } = asCloudError(error);
  return { code, message, retryable, ...(step === undefined ? {} : { step }) };
}
