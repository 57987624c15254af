import { asCloudError, CloudError, errorText, isCode } from '../base/errors.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import { SharedLock } from '../base/shared-lock.ts';
import type { Fact, InstanceCommand, OpenHost, Outcome, Progress } from '../messages/worker.ts';
import type { DomainFact, HypervisorEvent } from '../ports/hypervisor.ts';
import type { HostDrivers } from '../ports/host-drivers.ts';
import { CommandLedger } from './command-ledger.ts';
import type { HostSessionParts, Running } from './host-session-parts.ts';
import { INSTANCE_WORK } from './instance-work.ts';
import type { WorkContext } from './instance-work.ts';
import { outcomeError } from './outcome-error.ts';
import { StepLog } from './step-log.ts';

const INVENTORY_MS = 30_000;
const CONFIRM_AGAIN_MS = 1000;
/** What a report says of a domain that is not there. */
const ABSENT = 'absent';
/** Progress is told so often at most; a command that is shorter tells of none. */
const PROGRESS_MS = 250;
/** How long close() waits for commands under way before it cuts them off. */
const CLOSE_GRACE_MS = 5000;
/** A host that can't be claimed now is tried again after so long. */
const CLAIM_AGAIN_MS = 5000;
const CLAIM_AGAIN = ['Unavailable', 'Timeout', 'HostError', 'LockBusy', 'Busy'] as const;

/**
 * One host, open in one worker: claims it, carries out its commands (one at a time an instance, newer intent first), and reports what it sees.
 * Commands that are known are answered from the ledger. When the host says that somebody else has claimed it, nothing more is done here.
 */
export class HostSession {
  readonly hostId: string;
  readonly epoch: number;
  readonly #open: OpenHost;
  readonly #drivers: HostDrivers;
  readonly #parts: HostSessionParts;
  readonly #bridges = new SharedLock();
  readonly #instances = new KeyedLock();
  readonly #running = new Map<string, Running>();
  readonly #ledger: CommandLedger;
  readonly #work = new Set<Promise<void>>();
  /** Instance -> the step that was begun last, not told yet. */
  readonly #progress = new Map<string, Progress>();
  /** Commands whose outcome is being written or told. */
  readonly #telling = new Set<string>();
  #watch: { close(): void } | undefined;
  #timer: { cancel(): void } | undefined;
  /** Commands are taken. */
  #serving = false;
  #fenced = false;
  /** Why the host is not ours. */
  #problem: string | undefined;
  readonly #closed = new AbortController();
  /** Aborted when the host is closed, or lost to another owner. */
  readonly #over = new AbortController();

  constructor(open: OpenHost, drivers: HostDrivers, parts: HostSessionParts) {
    this.hostId = open.hostId;
    this.epoch = open.epoch;
    this.#open = open;
    this.#drivers = drivers;
    this.#parts = parts;
    const { clock, logger } = parts;
    this.#ledger = new CommandLedger({ claim: drivers.claim, clock, logger });
  }

  /** Somebody else has claimed the host since. */
  get fenced(): boolean {
    return this.#fenced;
  }

  /** The host is ours: it refuses what the drivers change as soon as it is not. */
  get serving(): boolean {
    return this.#serving;
  }

  /** What it was opened for; see `serving` for whether that has come about. */
  get mode(): OpenHost['mode'] {
    return this.#open.mode;
  }

  /** A command or a report is under way. */
  get busy(): boolean {
    return this.#work.size > 0;
  }

  get drivers(): HostDrivers {
    return this.#drivers;
  }

  /**
   * Claims the host (unless it is only observed), then looks at all of it. Resolves after the first whole report, or after an attempt that failed was
   * reported; what may work later is tried again. Errors: those of HostClaim.take that will not go away by themselves.
   */
  async start(): Promise<void> {
    if (this.#open.mode === 'serve' && !(await this.#claim())) return;
    if (this.#closed.signal.aborted) return;
    this.#watch = this.#drivers.hypervisor.watch((event) => this.#onEvent(event));
    this.#timer = this.#parts.clock.every(INVENTORY_MS, () => this.#track(this.reportAll()), { unref: true });
    await this.reportAll();
  }

  async #claim(): Promise<boolean> {
    const { clock, logger, session, workerId } = this.#parts;
    const { hostId, epoch, cloudId, replaces } = this.#open;
    try {
      const wish = { epoch, session, cloudId, hostId, workerId, ...(replaces === undefined ? {} : { replaces }) };
      const { before, endedCommands, endedConnections, ledger } = await this.#drivers.claim.take(wish);
      const ended = { endedCommands, endedConnections, formerEpoch: before?.epoch, formerSession: before?.session };
      logger.info('host claimed', { hostId, epoch, ...ended });
      this.#ledger.load(ledger);
      this.#problem = undefined;
      this.#serving = !this.#closed.signal.aborted;
      if (this.#serving) this.#parts.onClaimed?.();
      return true;
    } catch (error) {
      if (this.#closed.signal.aborted) return false;
      this.#problem = errorText(error);
      await this.#report(this.#down(this.#problem));
      if (!isCode(error, ...CLAIM_AGAIN)) throw error;
      this.#timer = clock.after(CLAIM_AGAIN_MS, () => this.#track(this.#startAgain()), { unref: true });
      return false;
    }
  }

  /** What will not go away by itself is for the controller, which opens the host anew: with another epoch, if that is what is wrong. */
  async #startAgain(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      this.#parts.onUnclaimed?.();
      throw error;
    }
  }

  /** The host says that it is not ours: what is under way here is over, and nobody hears of it any more. */
  #fence(error: CloudError): void {
    if (!this.#serving) return;
    this.#serving = false;
    this.#fenced = true;
    this.#problem = `${error.message}; this worker leaves it alone until it is opened again`;
    this.#parts.logger.error('host lost to another owner', { hostId: this.hostId, ...error.details });
    this.#over.abort(error);
    for (const running of this.#running.values()) running.abort.abort(error);
    this.#watch?.close();
    this.#track(this.#report(this.#down(this.#problem)));
    // What is left open would come back by itself: a port that is forwarded again is one that the new owner can't have.
    this.#track(this.#drivers.close());
    if (error.details?.['holder'] === '') this.#parts.onUnclaimed?.();
  }

  /** Ends the watch and the commands under way; what they did stays and is found by the next owner's inventory. */
  async close({ release = false } = {}): Promise<void> {
    this.#closed.abort(new CloudError('Unavailable', 'the worker is shutting down'));
    this.#over.abort(this.#closed.signal.reason);
    this.#watch?.close();
    this.#timer?.cancel();
    for (const running of this.#running.values()) running.abort.abort(this.#closed.signal.reason);
    const ended = Promise.allSettled([...this.#work]);
    const patience = new AbortController();
    const graceOver = this.#parts.clock.sleep(CLOSE_GRACE_MS, patience.signal).catch(() => undefined);
    await Promise.race([ended, graceOver]);
    patience.abort();
    if (release && this.#serving) {
      await this.#drivers.claim.release().catch((error: unknown) => {
        this.#parts.logger.warn('the claim stays on the host', { hostId: this.hostId, error: errorText(error) });
      });
    }
    await this.#drivers.close();
    await ended;
  }

  /** Takes the command over; resolves at once, the outcome is reported when there is one. */
  accept(command: InstanceCommand): void {
    const id = command.spec.instanceId;
    if (command.epoch < this.epoch || !this.#serving || this.#closed.signal.aborted) return;
    const known = this.#ledger.outcomeOf(command.commandId);
    if (known !== undefined) {
      if (!this.#telling.has(command.commandId)) this.#track(this.#confirm(this.#asOurs(known)));
      return;
    }
    const newest = this.#ledger.newest(id);
    if (command.generation < newest) return;
    if (command.generation > newest) this.#ledger.heard(id, command.generation);
    const running = this.#running.get(id);
    if (running?.commandId === command.commandId) return;
    if (running !== undefined && running.generation < command.generation) {
      running.abort.abort(
        new CloudError('Conflict', `newer intent (generation ${command.generation}) has overtaken it`),
      );
    }
    const abort = new AbortController();
    this.#running.set(id, { commandId: command.commandId, generation: command.generation, abort });
    this.#track(this.#instances.run(id, () => this.#execute(command, abort)));
  }

  /**
   * Work on the host that is no command. The signal ends it when the host is closed or lost. Errors: 'Unavailable' when the host is not claimed (yet), and
   * what the work throws.
   */
  async besides<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (!this.#serving || this.#over.signal.aborted) {
      throw new CloudError('Unavailable', `host ${this.hostId} is not claimed by this worker; try again`);
    }
    const run = work(this.#over.signal);
    this.#track(
      run.then(
        () => undefined,
        (error: unknown) => void (error instanceof CloudError && error.code === 'StaleEpoch' && this.#fence(error)),
      ),
    );
    return run;
  }

  /** While it lasts the instance's commands wait, and it waits for the one under way. */
  alone<T>(instanceId: string, work: () => Promise<T>): Promise<T> {
    return this.#instances.run(instanceId, work);
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
    const startedMs = clock.monotonicMs();
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
        once: this.#ledger.once(command),
      };
      const work = INSTANCE_WORK[command.verb] as (c: WorkContext, m: InstanceCommand) => Promise<void>;
      await work(context, command);
      // Taken before the look, so that an event that comes while we look is the newer one.
      seq = nextSeq();
      const fact = await this.#look(command);
      result = fact === undefined ? {} : { fact };
    } catch (error) {
      if (error instanceof CloudError && error.code === 'StaleEpoch') this.#fence(error);
      result = { error: outcomeError(error, log.last) };
    } finally {
      if (this.#running.get(id)?.commandId === command.commandId) this.#running.delete(id);
    }
    // What was cut short by newer intent or by our own end has no outcome: whoever still wants it sends it again.
    if (abort.signal.aborted || !this.#serving) return;
    this.#ended(command, result.error?.code ?? 'ok', clock.monotonicMs() - startedMs);
    await this.#finish(command, seq, result, log);
  }

  #ended({ verb, commandId, operationId, spec }: InstanceCommand, code: string, tookMs: number): void {
    const { logger, onEnded } = this.#parts;
    onEnded?.(verb, code, tookMs);
    logger.info('command ended', { operationId, commandId, instanceId: spec.instanceId, verb, code, tookMs });
  }

  #noteProgress(progress: Progress): void {
    const waiting = this.#progress.size > 0;
    this.#progress.set(progress.instanceId, progress);
    if (waiting) return;
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
    this.#telling.add(command.commandId);
    try {
      await this.#ledger.done(command, outcome);
    } catch (error) {
      this.#fence(asCloudError(error));
      return;
    } finally {
      this.#telling.delete(command.commandId);
    }
    await this.#confirm(outcome);
  }

  /** An outcome from the ledger of a session before us: that it ended so is still true, what the domain then was may not be. */
  #asOurs(outcome: Outcome): Outcome {
    const { session, nextSeq } = this.#parts;
    if (outcome.session === session && outcome.epoch === this.epoch) return outcome;
    const { fact: _then, ...rest } = outcome;
    return { ...rest, session, epoch: this.epoch, seq: nextSeq() };
  }

  async #confirm(outcome: Outcome): Promise<void> {
    const { clock, reporter } = this.#parts;
    this.#telling.add(outcome.commandId);
    let told = false;
    while (!told && this.#serving && !this.#closed.signal.aborted) {
      told = await reporter.outcome(outcome).then(
        () => true,
        () => false,
      );
      if (!told) await clock.sleep(CONFIRM_AGAIN_MS, this.#closed.signal).catch(() => undefined);
    }
    this.#telling.delete(outcome.commandId);
  }

  /** Every domain of the host, in one call. */
  async reportAll(): Promise<void> {
    if (this.#problem !== undefined) return this.#report(this.#down(this.#problem));
    const seq = this.#parts.nextSeq();
    try {
      const facts = await this.#drivers.hypervisor.inventory();
      await this.#report({ seq, up: true, whole: true, facts });
    } catch (error) {
      if (error instanceof CloudError && error.code === 'StaleEpoch') this.#fence(error);
      else await this.#report({ seq, up: false, whole: false, facts: [], problem: errorText(error) });
    }
  }

  #onEvent(event: HypervisorEvent): void {
    if (event.kind === 'connected') {
      this.#track(this.reportAll());
      return;
    }
    if (event.kind === 'disconnected') {
      const seq = this.#parts.nextSeq();
      this.#track(this.#report({ seq, up: false, whole: false, facts: [], problem: event.problem }));
      return;
    }
    // That our own command defines or undefines the domain is no news: its outcome tells.
    if (event.power === 'unknown' && this.#running.has(event.name)) return;
    this.#track(this.#lookAt(event.name, event.uuid));
  }

  /** Something about the domain changed. An answer may have overtaken the event, so that what it says may be older than what we know: look. */
  async #lookAt(name: string, uuid: string): Promise<void> {
    const seq = this.#parts.nextSeq();
    const fact = (await this.#drivers.hypervisor.lookup(uuid)) ?? { name, uuid, power: ABSENT };
    await this.#report({ seq, up: true, whole: false, facts: [fact] });
  }

  #down(problem: string) {
    return { seq: this.#parts.nextSeq(), up: false, whole: false, facts: [], problem };
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
