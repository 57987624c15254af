import type { Clock } from '../base/clock.ts';
import { errorText, isCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { readCommandId } from '../domain/instance.ts';
import { Outcome } from '../messages/worker.ts';
import type { InstanceCommand } from '../messages/worker.ts';
import type { HostClaim, LedgerEntry } from '../ports/host-claim.ts';

/** Outcomes that are kept in memory to answer a command that comes again. */
const OUTCOMES_MAX = 10_000;
/** Of instances that were removed the host remembers so many, for commands of theirs that come late. */
const REMOVED_MAX = 256;

/** What is known of the one thing of a command that must not happen twice for the same work, whichever attempt at it or worker does it. */
export interface Once {
  /** How far an earlier run came: the step that it was about to do, or 'done' when that has happened. Absent: it did not come so far. */
  readonly reached?: string;
  /** The host has done work that was asked for later: what this one asks for is of a past that nobody knows any more. */
  readonly overtaken: boolean;
  /** Resolves when it is on the host that the step may happen from now on. */
  begin(step: string): Promise<void>;
  /** The step that was begun has happened, or certainly not. */
  end(happened: boolean): void;
}

interface Last {
  readonly commandId: string;
  readonly step?: string;
}

interface Batch {
  readonly entries: Map<string, LedgerEntry>;
  readonly written: PromiseWithResolvers<void>;
}

/**
 * What was commanded and how it ended: in memory, and the last command of each instance on its host, so that a worker after us answers what was done
 * already and does not carry out older intent. Entries of several commands are written as one.
 */
export class CommandLedger {
  readonly #claim: Pick<HostClaim, 'record'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #outcomes = new Map<string, Outcome>();
  /** Instance -> the newest intent that was heard of. */
  readonly #newest = new Map<string, number>();
  /** Instance -> its last command that came as far as an effect or its end. */
  readonly #last = new Map<string, Last>();
  /** Instances that were removed, the oldest first. */
  readonly #removed = new Set<string>();
  #next: Batch | undefined;
  #writing = false;

  constructor(parts: { claim: Pick<HostClaim, 'record'>; clock: Clock; logger: Logger }) {
    this.#claim = parts.claim;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /**
   * What the host has kept. Which intent is the newest is not a part of it: older commands have an older epoch, and the records may have been restored
   * from a backup and count their generations again.
   */
  load(entries: readonly LedgerEntry[]): void {
    for (const entry of [...entries].sort((a, b) => a.atMs - b.atMs)) {
      const { instanceId, commandId, step } = entry;
      this.#note(instanceId, commandId, step);
      const outcome = Outcome.safeParse(entry.outcome).data;
      if (outcome === undefined) continue;
      remember(this.#outcomes, commandId, outcome);
      if (isRemoval(outcome)) this.#removed.add(instanceId);
    }
  }

  outcomeOf(commandId: string): Outcome | undefined {
    return this.#outcomes.get(commandId);
  }

  newest(instanceId: string): number {
    return this.#newest.get(instanceId) ?? 0;
  }

  heard(instanceId: string, generation: number): void {
    remember(this.#newest, instanceId, generation);
  }

  once(command: InstanceCommand): Once {
    const { commandId, spec } = command;
    const last = this.#last.get(spec.instanceId);
    const [mine, others] = [readCommandId(commandId), readCommandId(last?.commandId ?? '')];
    const reached = mine.work === others.work ? last?.step : undefined;
    return {
      ...(reached === undefined ? {} : { reached }),
      overtaken: mine.generation < others.generation && mine.sinceMs < others.sinceMs,
      begin: async (step) => {
        await this.#write({ ...this.#entry(command), state: 'begun', step });
        this.#note(spec.instanceId, commandId, step);
      },
      end: (happened) => void this.#note(spec.instanceId, commandId, happened ? 'done' : undefined),
    };
  }

  #note(instanceId: string, commandId: string, step: string | undefined): Last {
    const last = { commandId, ...(step === undefined ? {} : { step }) };
    remember(this.#last, instanceId, last);
    return last;
  }

  /**
   * The command has ended. Resolves when the host has that, or when it can't be told now: that is no reason to be silent about the outcome, and it is
   * told with the next. CloudError 'StaleEpoch' when the host is not ours any more.
   */
  async done(command: InstanceCommand, outcome: Outcome): Promise<void> {
    const { instanceId } = command.spec;
    remember(this.#outcomes, command.commandId, outcome);
    const last = this.#note(instanceId, command.commandId, this.once(command).reached);
    this.#removed.delete(instanceId);
    if (isRemoval(outcome)) this.#removed.add(instanceId);
    const entry: LedgerEntry = { ...this.#entry(command), ...last, state: 'done', outcome };
    try {
      await this.#write(entry);
    } catch (error) {
      if (isCode(error, 'StaleEpoch')) throw error;
      this.#logger.warn('the ledger of the host was not written', { instanceId, error: errorText(error) });
      const batch = this.#batch();
      if (!batch.entries.has(instanceId)) batch.entries.set(instanceId, entry);
    }
  }

  #entry({ commandId, generation, verb, spec }: InstanceCommand): Omit<LedgerEntry, 'state'> {
    return { v: 1, instanceId: spec.instanceId, commandId, generation, verb, atMs: this.#clock.nowMs() };
  }

  #batch(): Batch {
    this.#next ??= { entries: new Map(), written: Promise.withResolvers() };
    return this.#next;
  }

  #write(entry: LedgerEntry): Promise<void> {
    const batch = this.#batch();
    batch.entries.set(entry.instanceId, entry);
    if (!this.#writing) void this.#writeAll();
    return batch.written.promise;
  }

  /** One at a time: what comes meanwhile goes together. */
  async #writeAll(): Promise<void> {
    this.#writing = true;
    for (let batch = this.#next; batch !== undefined; batch = this.#next) {
      this.#next = undefined;
      // Nobody may wait for a batch of entries that could not be written before.
      batch.written.promise.catch(() => undefined);
      try {
        await this.#claim.record([...batch.entries.values()], this.#tooOld());
        batch.written.resolve();
      } catch (error) {
        batch.written.reject(error);
      }
    }
    this.#writing = false;
  }

  #tooOld(): string[] {
    const old = [...this.#removed].slice(0, Math.max(0, this.#removed.size - REMOVED_MAX));
    for (const instanceId of old) this.#removed.delete(instanceId);
    return old;
  }
}

const isRemoval = (outcome: Outcome): boolean => outcome.verb === 'remove' && outcome.ok;

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= OUTCOMES_MAX) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
