import type { Clock } from '../../base/clock.ts';
import { errorText, isCode } from '../../base/errors.ts';
import { KeyedQueue } from '../../base/keyed-queue.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord } from '../../domain/records.ts';
import { rendezvous } from '../../domain/rendezvous.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Store } from '../../ports/store.ts';
import { transact } from '../state/draft.ts';
import type { Assignments } from './assignments.ts';
import { isHeld } from './held.ts';
import type { LiveWorkers } from './live-workers.ts';
import type { Ownership } from './ownership.ts';

const LOOK_MS = 1000;
/** A host is moved for evenness alone so seldom. */
const SPREAD_MS = 10_000;
const CONCURRENCY = 8;
const CLOSE_TIMEOUT_MS = 15_000;
const ASK_TIMEOUT_MS = 1500;

export interface WorkerMovesParts {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ownership: Ownership;
  readonly live: LiveWorkers;
  readonly assignments: Assignments;
  readonly wanted: (hostId: string) => boolean;
  /** Work is under way there, which a move would cut short. */
  readonly isBusy: (hostId: string) => boolean;
  readonly open: (hostId: string) => Promise<void>;
  readonly tell: (workerId: string, type: string, body: object, timeoutMs: number) => Promise<unknown>;
}

/** Gives the hosts of this controller to other workers: when theirs is gone or may have none, and, gently, so that all have as many. */
export class WorkerMoves {
  readonly #parts: WorkerMovesParts;
  readonly #queue: KeyedQueue;
  #timers: { cancel(): void }[] = [];

  constructor(parts: WorkerMovesParts) {
    this.#parts = parts;
    this.#queue = new KeyedQueue({
      clock: parts.clock,
      concurrency: CONCURRENCY,
      run: (hostId) => this.#moveAway(hostId),
      // It is looked at again in a moment.
      onError: (hostId, error) => {
        if (!isCode(error, 'NotOwner', 'Unavailable', 'Timeout', 'Conflict', 'StateHeld', 'StoragePoisoned'))
          parts.logger.error('host can not be given to another worker', { hostId, error: errorText(error) });
      },
    });
  }

  start(): void {
    const { clock } = this.#parts;
    this.#timers = [
      clock.every(LOOK_MS, () => this.#look(), { unref: true }),
      clock.every(SPREAD_MS, () => this.#spread(), { unref: true }),
    ];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    await this.#queue.close();
  }

  /** What the worker has must go elsewhere, if it is no fit one. */
  look(workerId: string): void {
    const { live, assignments, ownership, wanted } = this.#parts;
    if (live.isFit(workerId, 'compute')) return;
    // One that was never heard may be about to speak.
    if (live.hello(workerId) === undefined && live.isGone(workerId) !== true) return;
    if (live.fit('compute').length === 0) return;
    for (const hostId of assignments.hostsOf(workerId)) {
      if (ownership.owns(hostId) && wanted(hostId)) this.#queue.add(hostId);
    }
  }

  #look(): void {
    if (isHeld(this.#parts.store)) return;
    for (const workerId of this.#parts.assignments.workers()) {
      if (this.#parts.live.isQuiet(workerId)) void this.#ask(workerId);
      this.look(workerId);
    }
  }

  /** A worker that was killed need not be waited for as long as one that may only be slow. */
  async #ask(workerId: string): Promise<void> {
    const { live, tell } = this.#parts;
    try {
      await tell(workerId, 'ping', { v: 1 }, ASK_TIMEOUT_MS);
    } catch (error) {
      if (isCode(error, 'Unavailable')) live.noteUnserved(workerId);
    }
    this.look(workerId);
  }

  async #moveAway(hostId: string): Promise<void> {
    const { live, assignments } = this.#parts;
    const from = assignments.of(hostId)?.workerId;
    if (from === undefined || live.isFit(from, 'compute')) return;
    const to = this.#emptiest(hostId);
    if (to !== undefined && to !== from)
      await this.#move(hostId, from, to, 'its worker is gone or gives its hosts away');
  }

  /** The fit worker with the fewest hosts; among equals each host has its own. */
  #emptiest(hostId: string): string | undefined {
    const { live, assignments } = this.#parts;
    const fit = live.fit('compute');
    const counts = fit.map((workerId) => assignments.hostsOf(workerId).size);
    const fewest = Math.min(...counts);
    return rendezvous(
      fit.filter((_, index) => counts[index] === fewest),
      hostId,
    );
  }

  async #move(hostId: string, from: string, to: string, why: string): Promise<void> {
    const { store, ownership, live, logger, open, tell } = this.#parts;
    const { result: epoch } = await transact(store, (draft) => {
      ownership.guard(draft, hostId);
      const key = KEYS.assign('compute', hostId);
      const assign = draft.get<AssignRecord>(key);
      const session = live.hello(to)?.session;
      if (assign?.workerId !== from || session === undefined) return undefined;
      const next: AssignRecord = { ...assign, workerId: to, session, epoch: assign.epoch + 1 };
      draft.put(key, next);
      return next.epoch;
    });
    if (epoch === undefined) return;
    logger.info('host is given to another worker', { hostId, from, to, epoch, why });
    // Told first, so that it ends in order; one that does not hear is cut off by the host itself.
    if (live.isLive(from)) {
      await tell(from, 'host-close', { v: 1, hostId, epoch }, CLOSE_TIMEOUT_MS).catch((error: unknown) =>
        logger.debug('the former worker did not answer', { hostId, from, error: errorText(error) }),
      );
    }
    await open(hostId);
  }

  /** One host from the fullest worker to the emptiest. */
  #spread(): void {
    const { store, live, assignments, ownership, wanted, isBusy, logger } = this.#parts;
    if (isHeld(store)) return;
    const fit = live.fit('compute').map((id) => ({ id, hosts: assignments.hostsOf(id) }));
    fit.sort((a, b) => a.hosts.size - b.hosts.size);
    const [emptiest, fullest] = [fit[0], fit.at(-1)];
    if (emptiest === undefined || fullest === undefined) return;
    if (!this.#isTurn(fullest.hosts.size - emptiest.hosts.size)) return;
    for (const hostId of fullest.hosts) {
      if (!ownership.owns(hostId) || !wanted(hostId) || isBusy(hostId)) continue;
      this.#move(hostId, fullest.id, emptiest.id, 'so that all workers have as many').catch((error: unknown) => {
        if (!isCode(error, 'NotOwner')) logger.warn('host not moved', { hostId, error: errorText(error) });
      });
      return;
    }
  }

  /** Near evenness only one controller at a time moves a host, so that several do not overshoot together. */
  #isTurn(difference: number): boolean {
    const { ownership, clock } = this.#parts;
    if (difference < 2) return false;
    const all = ownership.controllers();
    if (difference >= 2 * all.length) return true;
    return all[Math.floor(clock.nowMs() / SPREAD_MS) % all.length] === ownership.controllerId;
  }
}
