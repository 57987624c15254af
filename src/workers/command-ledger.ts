import type { Clock } from '../base/clock.ts';
import { errorText, isCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Outcome } from '../messages/worker.ts';
import type { InstanceCommand } from '../messages/worker.ts';
import type { HostClaim, LedgerEntry } from '../ports/host-claim.ts';

/** Outcomes that are kept in memory to answer a command that comes again. */
const OUTCOMES_MAX = 10_000;
/** Of instances that were removed the host remembers so many, for commands of theirs that come late. */
const REMOVED_MAX = 256;

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
  /** Instance -> the command whose effect was about to happen, and by which step. */
  readonly #begun = new Map<string, { readonly commandId: string; readonly step: string }>();
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
      const { instanceId, commandId, state, step = '' } = entry;
      if (state === 'begun') this.#begun.set(instanceId, { commandId, step });
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

  /** The step that an earlier run of this very command was about to do. */
  begunStep({ commandId, spec }: InstanceCommand): string | undefined {
    const begun = this.#begun.get(spec.instanceId);
    return begun?.commandId === commandId ? begun.step : undefined;
  }

  /** Resolves when it is on the host that the step, which must not happen twice, may happen now. */
  async begin(command: InstanceCommand, step: string): Promise<void> {
    const { instanceId } = command.spec;
    await this.#write({ ...this.#entry(command), state: 'begun', step });
    this.#begun.set(instanceId, { commandId: command.commandId, step });
  }

  /**
   * The command has ended. Resolves when the host has that, or when it can't be told now: that is no reason to be silent about the outcome, and it is
   * told with the next. CloudError 'StaleEpoch' when the host is not ours any more.
   */
  async done(command: InstanceCommand, outcome: Outcome): Promise<void> {
    const { instanceId } = command.spec;
    remember(this.#outcomes, command.commandId, outcome);
    this.#begun.delete(instanceId);
    this.#removed.delete(instanceId);
    if (isRemoval(outcome)) this.#removed.add(instanceId);
    const entry: LedgerEntry = { ...this.#entry(command), state: 'done', outcome };
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
