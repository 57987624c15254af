import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../base/errors.ts';
import { KeyedQueue } from '../../base/keyed-queue.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS } from '../../domain/keys.ts';
import type { OwnRecord } from '../../domain/records.ts';
import type { Guard, Store } from '../../ports/store.ts';
import { STORE_LIMITS } from '../../ports/store.ts';
import type { Draft } from '../state/draft.ts';
import { ControllerLease } from './controller-lease.ts';
import { OwnershipView } from './ownership-view.ts';
import type { Ownership } from './ownership.ts';
import { isOfProcess } from './ownership.ts';

/** A host that is nobody's is left to the controller that it belongs to by hash for so long. */
const PROPOSED_FIRST_MS = 3000;
const AGAIN_MS = 1000;
const TAKING = 16;
const HAND_OVER_EVERY_MS = 1000;
/** So many hosts are given to another controller at a time: to one that has come, and by one that is to have none. */
const REBALANCED_AT_ONCE = 4;
const DRAINED_AT_ONCE = 32;
/** To one that lives and did not take it, a host is not offered again for so long. */
const NOT_OFFERED_MS = 60_000;
const CLAIM_WAIT_MS = 4000;
const CLAIM_LOOK_MS = 50;
const APPLIED_MS = 5000;

export interface LeasedOwnershipParts {
  /** The process's name among the cloud's. No two live processes may have one name. */
  readonly controllerId: string;
  /** Of the process, new at every start; the same that its MaintenanceRuns get. */
  readonly session: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Hosts are shared among controllers: `alive/controller/<id>` with a lease says who lives, `own/<host>` who has a host, and is guarded in every
 * transaction that is made for it. A hash proposes who is to have which host, so that all of them say the same; the transaction decides.
 *
 * Where the store is shared, the composition root makes one in place of SoleOwnership:
 * `new LeasedOwnership({ controllerId: plan.name, session, store, clock, logger })`; Controller.start and Controller.close start and close it.
 */
export class LeasedOwnership implements Ownership {
  readonly controllerId: string;
  readonly #parts: LeasedOwnershipParts;
  readonly #lease: ControllerLease;
  readonly #view: OwnershipView;
  readonly #queue: KeyedQueue;
  /** Host of nobody -> since when we know. */
  readonly #freeSince = new Map<string, number>();
  /** Hosts that are being given away: nothing more is begun for them. */
  readonly #leaving = new Set<string>();
  /** Host that its proposed owner did not take -> until when it is kept. */
  readonly #keptUntil = new Map<string, number>();
  /** Hosts that we were told of as gained. */
  readonly #mine = new Set<string>();
  readonly #gained: ((hostId: string) => void)[] = [];
  #timer: { cancel(): void } | undefined;
  #handingOver: Promise<void> | undefined;
  #closing = false;

  constructor(parts: LeasedOwnershipParts) {
    const { controllerId, clock, logger, store } = parts;
    this.controllerId = controllerId;
    this.#parts = parts;
    this.#lease = new ControllerLease({ ...parts, onSession: () => this.#lookAtAll() });
    this.#view = new OwnershipView({
      store,
      onHost: (hostId) => this.#look(hostId),
      onMembers: (changed) => this.#onMembers(changed),
    });
    this.#queue = new KeyedQueue({
      clock,
      concurrency: TAKING,
      run: (hostId) => this.#decide(hostId),
      onError: (hostId, error) => {
        if (!isCode(error, 'Unavailable', 'Timeout'))
          logger.error('host ownership can not be decided', { hostId, error: errorText(error) });
        this.#queue.addAfter(hostId, AGAIN_MS);
      },
    });
  }

  get count(): number {
    return this.#lease.fresh ? this.#mine.size : 0;
  }

  owns(hostId: string): boolean {
    return this.#lease.fresh && !this.#leaving.has(hostId) && this.#isMine(this.#view.own(hostId)?.value);
  }

  guard(draft: Draft, hostId: string): void {
    const own = draft.get<OwnRecord>(KEYS.own(hostId));
    if (this.#isMine(own)) return;
    const owner = own?.controllerId ?? 'no controller';
    throw new CloudError('NotOwner', `${owner} has host ${hostId} now, not ${this.controllerId}`);
  }

  ownerOf(hostId: string): string | undefined {
    const own = this.#view.own(hostId)?.value;
    return own !== undefined && this.#view.isLive(own) ? own.controllerId : undefined;
  }

  controllers(): readonly string[] {
    return this.#view.live();
  }

  livesProcess(processSession: string): boolean {
    return this.#view.sessions().some((session) => isOfProcess(session, processSession));
  }

  onGained(listener: (hostId: string) => void): void {
    this.#gained.push(listener);
  }

  /** Who it belongs to by hash takes it at once; after a while we do. Never fails: it is tried on and on. */
  async claim(hostId: string): Promise<void> {
    const { clock } = this.#parts;
    const endMs = clock.monotonicMs() + CLAIM_WAIT_MS;
    this.#look(hostId);
    while (this.ownerOf(hostId) === undefined && clock.monotonicMs() < endMs && !this.#closing)
      await clock.sleep(CLAIM_LOOK_MS);
  }

  async start(): Promise<void> {
    this.#view.start();
    await this.#lease.start();
    this.#timer = this.#parts.clock.every(HAND_OVER_EVERY_MS, () => this.#handOver(), { unref: true });
    this.#lookAtAll();
  }

  /** Lets every host go, so that others take them at once. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#timer?.cancel();
    await this.#queue.close();
    await this.#handingOver;
    try {
      await this.#releaseAll();
    } catch (error) {
      this.#parts.logger.warn('hosts are left to their lease', { error: errorText(error) });
    }
    this.#view.close();
    await this.#lease.close();
  }

  #isMine(own: OwnRecord | undefined): boolean {
    return own?.controllerId === this.controllerId && own.session === this.#lease.session;
  }

  #look(hostId: string): void {
    if (this.#closing) return;
    this.#tellGained(hostId);
    this.#queue.add(hostId);
  }

  #lookAtAll(): void {
    for (const hostId of this.#view.hosts()) this.#look(hostId);
    for (const hostId of this.#mine) this.#look(hostId);
  }

  /** Controllers came or went: what was theirs may be free, and what is ours may belong to another. */
  #onMembers(changed: readonly string[]): void {
    for (const controllerId of changed) for (const hostId of this.#view.hostsOf(controllerId)) this.#look(hostId);
    for (const hostId of this.#freeSince.keys()) this.#look(hostId);
    if (changed.includes(this.controllerId)) this.#lease.check();
  }

  #tellGained(hostId: string): void {
    if (!this.#isMine(this.#view.own(hostId)?.value)) {
      this.#mine.delete(hostId);
      this.#leaving.delete(hostId);
      this.#keptUntil.delete(hostId);
      return;
    }
    if (this.#mine.has(hostId)) return;
    this.#mine.add(hostId);
    for (const listener of this.#gained) listener(hostId);
  }

  async #decide(hostId: string): Promise<void> {
    const own = this.#view.own(hostId);
    if (!this.#view.isHost(hostId)) return this.#forget(hostId);
    if (own !== undefined && this.#view.isLive(own.value)) {
      this.#freeSince.delete(hostId);
      return;
    }
    const nowMs = this.#parts.clock.monotonicMs();
    const freeMs = nowMs - (this.#freeSince.get(hostId) ?? nowMs);
    this.#freeSince.set(hostId, nowMs - freeMs);
    // Who may have none takes none; while nobody may, the hosts wait.
    if (!this.#view.isCandidate(this.controllerId)) return;
    if (this.#view.proposed(hostId) !== this.controllerId && freeMs < PROPOSED_FIRST_MS) {
      this.#queue.addAfter(hostId, PROPOSED_FIRST_MS - freeMs);
      return;
    }
    await this.#take(hostId);
  }

  async #take(hostId: string): Promise<void> {
    const { store, logger } = this.#parts;
    const { session, aliveRev } = this.#lease;
    if (session === undefined || aliveRev === undefined) return;
    if (!this.#lease.fresh) {
      // Nothing else says when it has been renewed.
      this.#queue.addAfter(hostId, AGAIN_MS);
      return;
    }
    const key = KEYS.own(hostId);
    const own = this.#view.own(hostId);
    const guards: Guard[] = [
      own === undefined ? { key, absent: true } : { key, rev: own.rev },
      { key: KEYS.host(hostId), exists: true },
      { key: KEYS.alive('controller', this.controllerId), rev: aliveRev },
    ];
    // Its former holder may have come to life since we looked; ourselves of an earlier session have not.
    const holder = own?.value.controllerId;
    if (holder !== undefined && holder !== this.controllerId) guards.push(this.#view.asSeen(holder));
    const value: OwnRecord = {
      v: 1,
      controllerId: this.controllerId,
      session,
      epoch: (own?.value.epoch ?? 0) + 1,
    };
    const answer = await store.txn({ guards, puts: [{ key, value: { ...value } }] });
    if (!answer.ok) {
      this.#queue.addAfter(hostId, AGAIN_MS);
      return;
    }
    if (this.#view.proposed(hostId) !== this.controllerId)
      this.#keptUntil.set(hostId, this.#parts.clock.monotonicMs() + NOT_OFFERED_MS);
    await store.waitApplied(answer.rev, APPLIED_MS);
    logger.debug('host taken', { hostId, formerly: own?.value.controllerId });
  }

  /** The record of a host that is no more goes with its holder, or with the first who finds it. */
  async #forget(hostId: string): Promise<void> {
    this.#freeSince.delete(hostId);
    const own = this.#view.own(hostId);
    if (own === undefined) return;
    const key = KEYS.own(hostId);
    await this.#parts.store.txn({
      guards: [
        { key, rev: own.rev },
        { key: KEYS.host(hostId), absent: true },
      ],
      dels: [key],
    });
  }

  /** A few of the hosts that are to be another's are let go; never to one that does not live. */
  #handOver(): void {
    if (this.#handingOver !== undefined || this.#closing || !this.#lease.fresh) return;
    const limit = this.#view.isCandidate(this.controllerId) ? REBALANCED_AT_ONCE : DRAINED_AT_ONCE;
    const leaving: string[] = [];
    const guards = new Map<string, Guard>();
    const nowMs = this.#parts.clock.monotonicMs();
    for (const hostId of this.#mine) {
      const to = this.#view.proposed(hostId);
      if ((this.#keptUntil.get(hostId) ?? nowMs) > nowMs) continue;
      if (to === undefined || to === this.controllerId || !this.owns(hostId)) continue;
      guards.set(to, this.#view.asSeen(to));
      leaving.push(hostId);
      if (leaving.length >= limit) break;
    }
    if (leaving.length === 0) return;
    this.#handingOver = this.#release(leaving, [...guards.values()])
      .catch((error: unknown) => {
        this.#parts.logger.debug('hosts not handed over', { error: errorText(error) });
      })
      .finally(() => (this.#handingOver = undefined));
  }

  async #releaseAll(): Promise<void> {
    const all = [...this.#mine];
    for (let at = 0; at < all.length; at += STORE_LIMITS.opsPerTxn)
      await this.#release(all.slice(at, at + STORE_LIMITS.opsPerTxn), []);
  }

  async #release(hostIds: readonly string[], further: readonly Guard[]): Promise<void> {
    const { store } = this.#parts;
    const owns = hostIds.flatMap((hostId) => {
      const own = this.#view.own(hostId);
      return own !== undefined && this.#isMine(own.value) ? [{ hostId, key: KEYS.own(hostId), rev: own.rev }] : [];
    });
    for (const { hostId } of owns) this.#leaving.add(hostId);
    try {
      const guards = [...owns.map(({ key, rev }) => ({ key, rev })), ...further];
      const answer = await store.txn({ guards, dels: owns.map(({ key }) => key) });
      if (answer.ok) await store.waitApplied(answer.rev, APPLIED_MS);
    } finally {
      for (const { hostId } of owns) this.#leaving.delete(hostId);
    }
  }
}
