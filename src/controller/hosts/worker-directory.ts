import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../base/errors.ts';
import { KeyedQueue } from '../../base/keyed-queue.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS } from '../../domain/keys.ts';
import type { WorkerHello } from '../../messages/worker.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Store } from '../../ports/store.ts';
import { Assignments } from './assignments.ts';
import { isHeld, isOpenedSince } from './held.ts';
import { HostOpener } from './host-opener.ts';
import { LiveWorkers } from './live-workers.ts';
import type { ReportMark } from './observations.ts';
import type { Ownership } from './ownership.ts';
import { WorkerMoves } from './worker-moves.ts';

/** So many hosts are opened side by side. */
const OPENINGS = 32;
/** The owner opens the host within this. */
const HAND_OVER_MS = 65_000;
const CLOSE_TIMEOUT_MS = 60_000;
/** Above every epoch: the host's id is of nothing any more, and no other will ever have it. */
const FOR_EVER = Number.MAX_SAFE_INTEGER;

export interface WorkerDirectoryParts {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cloudId: string;
  readonly ownership: Ownership;
  /** Which hosts are opened at a worker's hello. Default: all that are assigned to it. */
  readonly wanted?: (hostId: string) => boolean;
}

export interface WorkerDirectoryOptions {
  /** Work is under way on the host, so it is not moved without need. */
  readonly isBusy?: (hostId: string) => boolean;
  /** The host must be opened again, though its worker has it open. */
  readonly isDoubted?: (hostId: string) => boolean;
  readonly onOpened?: (hostId: string, mark: ReportMark) => void;
}

/**
 * Which workers are alive, and which hosts each was told to serve. A host is opened, moved and closed by its owner alone; `open` asks that one.
 * Before `start` (and in a process without the controller role, for good) it only remembers who said hello.
 */
export class WorkerDirectory {
  readonly #parts: WorkerDirectoryParts;
  readonly #live: LiveWorkers;
  readonly #assignments = new Assignments();
  readonly #opener: HostOpener;
  readonly #openings: KeyedQueue;
  /** Being opened, or waiting for it. */
  readonly #opening = new Set<string>();
  /** Worker and host -> being told that the host is not its own. */
  readonly #closing = new Set<string>();
  #moves: WorkerMoves | undefined;
  #options: WorkerDirectoryOptions = {};

  constructor(parts: WorkerDirectoryParts) {
    this.#parts = parts;
    const { store, bus, clock, logger, cloudId, ownership } = parts;
    this.#live = new LiveWorkers({ store, bus, clock });
    this.#opener = new HostOpener({
      ...{ store, bus, logger, cloudId, ownership, live: this.#live },
      onOpened: (hostId, mark) => this.#options.onOpened?.(hostId, mark),
    });
    this.#openings = new KeyedQueue({
      clock,
      concurrency: OPENINGS,
      run: (hostId) => this.#openQueued(hostId),
      onError: (hostId, error) => logger.error('host can not be opened', { hostId, error: errorText(error) }),
    });
  }

  start(options: WorkerDirectoryOptions = {}): void {
    this.#options = options;
    const { store, bus, clock, logger, ownership, wanted = () => true } = this.#parts;
    this.#assignments.start(store);
    this.#moves = new WorkerMoves({
      ...{ store, bus, clock, logger, ownership, wanted, live: this.#live, assignments: this.#assignments },
      isBusy: options.isBusy ?? (() => false),
      open: (hostId) => this.#opener.open(hostId),
      tell: (...message) => this.#opener.tell(...message),
    });
    this.#moves.start();
  }

  async stop(): Promise<void> {
    this.#assignments.close();
    await this.#moves?.close();
    await this.#openings.close();
  }

  /** A live worker of the kind; the one with the fewest hosts, by record: what a worker says of itself is seconds old. */
  pick(kind: string): string | undefined {
    const load = (workerId: string): number => this.#assignments.hostsOf(workerId).size;
    return this.#live.fit(kind).sort((a, b) => load(a) - load(b))[0];
  }

  /**
   * A worker's heartbeat: hosts of ours that are assigned to it and that it has not open are opened, without waiting for them; what it has open and
   * should not is closed. True: nothing was heard of its session before.
   */
  hello(hello: WorkerHello): boolean {
    const isNew = this.#live.note(hello);
    if (this.#moves === undefined) return isNew;
    const { workerId } = hello;
    const held = isHeld(this.#parts.store);
    const open = new Set(held ? [...hello.open, ...hello.observes] : hello.open);
    for (const hostId of this.#assignments.hostsOf(workerId)) {
      const isOpen = open.has(hostId) && (held || !this.#isOfAnother(hostId, hello));
      if (!isOpen || this.#options.isDoubted?.(hostId) === true) this.openSoon(hostId);
    }
    if (held) return isNew;
    for (const hostId of open) this.#closeStray(workerId, hostId);
    if (hello.leaving) this.#moves.look(workerId);
    return isNew;
  }

  /**
   * It was assigned by what somebody knew who had not heard of this session yet, or in a history that is no more; or it went elsewhere and came back,
   * and the worker heard of neither: the host refuses what it has open, for as long as it has it.
   */
  #isOfAnother(hostId: string, { session, epochs }: WorkerHello): boolean {
    const assigned = this.#assignments.of(hostId);
    if (assigned === undefined) return false;
    if (!isOpenedSince(this.#parts.store, assigned)) return true;
    const epoch = epochs[hostId];
    if (epoch !== undefined && epoch < assigned.epoch) return true;
    return assigned.session !== undefined && assigned.session !== session;
  }

  /** If it is ours, and wanted; without waiting for it. */
  openSoon(hostId: string): void {
    const { ownership, wanted } = this.#parts;
    if (this.#opening.has(hostId) || !ownership.owns(hostId) || wanted?.(hostId) === false) return;
    this.#opening.add(hostId);
    this.#openings.add(hostId);
  }

  /** Has the host's owner open it; see HostOpener.open. Never fails but by the store: what is wrong is logged. */
  async open(hostId: string): Promise<void> {
    const { ownership, bus } = this.#parts;
    if (ownership.owns(hostId)) return this.#openOwn(hostId);
    const owner = ownership.ownerOf(hostId);
    try {
      if (owner === undefined || owner === ownership.controllerId)
        throw new CloudError('Unavailable', 'no controller has taken the host yet');
      await bus.call(TOPIC.controllerOf(owner), 'host-open-now', { v: 1, hostId }, { timeoutMs: HAND_OVER_MS });
    } catch (error) {
      this.#opener.problem(hostId, error);
    }
  }

  /** Another controller asks, which may have changed something about the host just now. Errors: 'Unavailable' when the host is not ours. */
  async openForOther(hostId: string): Promise<void> {
    const { ownership, store } = this.#parts;
    await store.barrier();
    if (!ownership.owns(hostId)) throw new CloudError('Unavailable', `host ${hostId} has another owner now; try again`);
    await this.#openOwn(hostId);
  }

  /** The host is none any more. */
  async close(hostId: string): Promise<void> {
    this.#opener.forget(hostId);
    const message = { v: 1, hostId, epoch: FOR_EVER, release: true };
    await Promise.all(
      this.#live.all().map((workerId) =>
        this.#opener.tell(workerId, 'host-close', message, CLOSE_TIMEOUT_MS).catch((error: unknown) => {
          if (!isCode(error, 'Unavailable', 'Timeout')) throw error;
        }),
      ),
    );
  }

  async #openQueued(hostId: string): Promise<void> {
    try {
      if (this.#parts.ownership.owns(hostId)) await this.#openOwn(hostId);
    } finally {
      this.#opening.delete(hostId);
    }
  }

  async #openOwn(hostId: string): Promise<void> {
    try {
      await this.#opener.open(hostId);
    } catch (error) {
      // Its owner of now opens it.
      if (!isCode(error, 'NotOwner')) throw error;
    }
  }

  /** A worker has a host that is another's by now, or none: it was cut off, or asleep, when that was decided. */
  #closeStray(workerId: string, hostId: string): void {
    const { logger } = this.#parts;
    const key = `${workerId} ${hostId}`;
    if (this.#assignments.of(hostId)?.workerId === workerId || this.#closing.has(key)) return;
    this.#closing.add(key);
    this.#tellStray(workerId, hostId)
      .catch((error: unknown) => logger.debug('stray host session', { hostId, workerId, error: errorText(error) }))
      .finally(() => this.#closing.delete(key));
  }

  async #tellStray(workerId: string, hostId: string): Promise<void> {
    const { store, ownership, wanted } = this.#parts;
    if (wanted?.(hostId) === false) return;
    const isFirst = ownership.controllers()[0] === ownership.controllerId;
    if (!ownership.owns(hostId) && !isFirst) return;
    // What this replica has not heard of may be newer than it.
    await store.barrier();
    const assign = this.#assignments.of(hostId);
    const isHost = store.get(KEYS.host(hostId)) !== undefined;
    if (assign?.workerId === workerId || (isHost && !ownership.owns(hostId))) return;
    const epoch = isHost ? assign?.epoch : FOR_EVER;
    // A host that is given up as lost has no assignment: nothing may be done there any more.
    await this.#opener.tell(workerId, 'host-close', { v: 1, hostId, epoch: epoch ?? FOR_EVER }, CLOSE_TIMEOUT_MS);
  }
}
