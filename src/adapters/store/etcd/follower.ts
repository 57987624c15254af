import { isDeepStrictEqual } from 'node:util';
import type { Timer } from '../../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { KEYS } from '../../../domain/keys.ts';
import type { AdoptedRecord } from '../../../domain/records.ts';
import type { Change, RestoredStore } from '../../../ports/store.ts';
import type { ReplicaMap } from '../replica-map.ts';
import { applyEvents, type Applied } from './apply-events.ts';
import type { DiskCopy } from './disk-copy.ts';
import type { EtcdApi, EtcdWatchAnswer } from './etcd-api.ts';
import { backoffMs, CALL_MS, PATIENCE_MS, reasonOf, type TimeAndChance } from './etcd-patience.ts';
import { FollowStream } from './follow-stream.ts';
import { checkHistory } from './history-check.ts';
import type { KeySpace } from './key-space.ts';
import { type Listing, listRecords } from './list-records.ts';
import type { Origin, Witness } from './origin.ts';

export interface FollowerTunables {
  /** Without a proof of being current for so long, one is asked for. Default 2 s. */
  readonly probeMs?: number;
  /** The whole is listed and compared so often. Default 10 minutes. */
  readonly compareMs?: number;
}

export interface FollowerOptions extends TimeAndChance, FollowerTunables {
  readonly api: EtcdApi;
  readonly keys: KeySpace;
  readonly logger: Logger;
  readonly replica: ReplicaMap;
  readonly origin: Origin;
  readonly disk: DiskCopy | undefined;
  /** Makes a revision of this cloud's own. */
  readonly touch: () => Promise<number>;
}

const TICK_MS = 500;
/** So long an event may be on its way when its revision is known. */
const EVENT_MS = 1_000;
const OWN_EVENT_MS = 4_000;
/** After this without a proof nothing is believed any more, as after a pause of the process. */
const OLD_MS = 10_000;

/** Keeps a replica at what etcd has: lists once, then follows event by event, and lists again only where history is gone or was another. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #over = new AbortController();
  readonly #synced: Promise<void>;
  #onSynced: () => void = () => undefined;
  #witness: Witness | undefined;
  #mustList: boolean;
  /** What etcd has is known to be another history, and is not read yet. */
  #isNew = false;
  #stream: FollowStream | undefined;
  #current = false;
  #provenMs: number;
  #problem: string | undefined;
  #probing = false;
  #tick: Timer | undefined;
  #comparing = false;
  #comparedMs: number;
  /** Keys that changed while a comparison is made. */
  #touched: Set<string> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const { replica, clock } = options;
    this.#mustList = replica.rev === 0;
    this.#witness = this.#mustList ? undefined : youngest(replica, options.keys);
    this.#provenMs = clock.monotonicMs();
    this.#comparedMs = clock.monotonicMs();
    this.#synced = new Promise((resolve) => (this.#onSynced = resolve));
  }

  /** Resolves when the replica was once known to be of etcd's present history. */
  get synced(): Promise<void> {
    return this.#synced;
  }

  /** Why it is not followed at the moment. */
  get problem(): string | undefined {
    return this.staleMs === undefined ? undefined : (this.#problem ?? 'etcd is not followed');
  }

  /** How old what the replica has may be; undefined: it is current. */
  get staleMs(): number | undefined {
    const ageMs = this.#options.clock.monotonicMs() - this.#provenMs;
    return (this.#current && ageMs < OLD_MS) || ageMs <= 2_000 ? undefined : Math.round(ageMs);
  }

  start(): void {
    const { clock } = this.#options;
    this.#tick = clock.every(TICK_MS, () => this.#look(), { unref: true });
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#over.abort(new CloudError('Unavailable', 'the store is closed'));
    this.#tick?.cancel();
    this.#stream?.end('again', 'the store is closed');
    await this.#running;
  }

  /** A change that was asked for at `askedMs` (monotonic) and came to `rev` has been applied here: so has all that was committed before it. */
  proven(askedMs: number, rev: number): void {
    if (this.#stream?.isLive !== true || this.#options.replica.rev < rev) return;
    this.#provenMs = Math.max(this.#provenMs, askedMs);
    this.#current = true;
  }

  /** Resolves when the replica has everything that was committed before the call. Errors: 'Unavailable'. */
  async catchUp(): Promise<void> {
    const { clock, random } = this.#options;
    const endMs = clock.monotonicMs() + PATIENCE_MS;
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (await this.#prove()) return;
      } catch (error) {
        if (!isCode(error, 'Unavailable') || reasonOf(error) === 'denied') throw error;
        if (this.#over.signal.aborted || clock.monotonicMs() >= endMs) throw error;
      }
      if (clock.monotonicMs() >= endMs) throw new CloudError('Unavailable', 'this process is behind what etcd has');
      await clock.sleep(backoffMs(attempt, random), this.#over.signal);
    }
  }

  /** Asks etcd for its revision and waits until it is here. False: it does not come. */
  async #prove(): Promise<boolean> {
    const { api, clock, keys, replica, touch } = this.#options;
    const askedMs = clock.monotonicMs();
    const knownRev = replica.rev;
    const { header } = await api.range({ key: keys.nothing }, { timeoutMs: CALL_MS });
    if (header.revision < knownRev) {
      // Another history: what is here is not what was committed. Who looks at it closely is the next stream.
      if (this.#stream?.isLive === true) this.#lost(this.#stream, 'etcd has gone back to an earlier revision');
      return false;
    }
    let applied = await this.#arrives(header.revision);
    if (!applied && this.#stream?.isLive === true) {
      // It may be of another program's key, which is not followed: one of our own settles it.
      applied = await this.#arrives(await touch(), OWN_EVENT_MS);
    }
    if (applied) this.proven(askedMs, Math.min(header.revision, replica.rev));
    return applied;
  }

  async #arrives(rev: number, withinMs = EVENT_MS): Promise<boolean> {
    try {
      await this.#options.replica.waitApplied(rev, withinMs);
      return true;
    } catch (error) {
      if (isCode(error, 'Timeout')) return false;
      throw error;
    }
  }

  #look(): void {
    const { clock, probeMs = 2_000, compareMs = 600_000 } = this.#options;
    if (this.#stream?.isLive !== true || this.#probing) return;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#comparedMs >= compareMs && !this.#comparing) void this.#compare();
    if (nowMs - this.#provenMs < probeMs) return;
    this.#probing = true;
    const stream = this.#stream;
    void this.#prove()
      .then(
        (proven) => {
          if (!proven) this.#lost(stream, 'etcd sends no events');
        },
        (error: unknown) => {
          // Without an answer nobody knows whether the stream still lives: it stays, and nothing is claimed.
          this.#current = false;
          this.#problem = errorText(error);
        },
      )
      .finally(() => (this.#probing = false));
  }

  #lost(stream: FollowStream, problem: string): void {
    this.#current = false;
    this.#problem = problem;
    stream.end('again', problem);
  }

  async #run(): Promise<void> {
    const { clock, logger, random } = this.#options;
    const { signal } = this.#over;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        if (this.#mustList) await this.#list();
        const startedMs = clock.monotonicMs();
        const { what, problem } = await this.#follow();
        if (what === 'relist') this.#mustList = true;
        this.#problem = problem;
        if (clock.monotonicMs() - startedMs > 5_000 || what === 'relist') attempt = 0;
        if (!signal.aborted)
          logger.debug('the watch on etcd is over', { problem, what, rev: this.#options.replica.rev });
      } catch (error) {
        if (signal.aborted) return;
        this.#problem = errorText(error);
        logger.warn('etcd can not be followed; trying again', { problem: this.#problem });
      }
      this.#current = false;
      await clock.sleep(backoffMs(attempt, random), signal).catch(() => undefined);
    }
  }

  /** Resolves when the stream is over. */
  async #follow(): Promise<{ what: 'again' | 'relist'; problem: string }> {
    const { api, clock, keys, replica } = this.#options;
    const stream = new FollowStream({
      ...{ api, clock, keys, startRevision: replica.rev + 1 },
      verify: () => this.#verify(),
      apply: (answer) => this.#apply(answer),
      onLive: () => {
        this.#onSynced();
        this.#look();
      },
    });
    this.#stream = stream;
    if (this.#over.signal.aborted) stream.end('again', 'closed');
    const ended = await stream.ended;
    this.#stream = undefined;
    return ended;
  }

  #apply(answer: EtcdWatchAnswer): void {
    const { disk, keys, logger, replica } = this.#options;
    const startRev = replica.rev;
    for (const applied of applyEvents(answer.events, { keys, logger, replica })) this.#note(applied, disk);
    // etcd 3.4 may leave out a deletion at the very revision that it compacted to: where a number is missing, the whole is compared.
    const first = answer.events[0]?.kv.modRevision;
    if (first !== undefined && first > startRev + 1 && this.#mayCompare() && !this.#comparing) void this.#compare();
  }

  /** Other programs' keys leave numbers out all the time. */
  #mayCompare(): boolean {
    return this.#options.clock.monotonicMs() - this.#comparedMs > 60_000;
  }

  #note({ change, text, witness }: Applied, disk: DiskCopy | undefined): void {
    if (witness !== undefined) this.#witness = witness;
    for (const { key } of change.ops) this.#touched?.add(key);
    disk?.note(change.rev, text, change.ops.length);
  }

  /** 'other': what etcd has now is not what was followed; it has been recorded. */
  async #verify(): Promise<'same' | 'other'> {
    const { api, clock, keys, logger, origin, replica } = this.#options;
    const known = { clusterId: origin.clusterId, rev: replica.rev, witness: this.#witness };
    const found = await checkHistory({ api, keys, ...known });
    if (found.reason === undefined) {
      if (origin.clusterId === undefined) await this.#record({ clusterId: found.clusterId });
      return 'same';
    }
    const earlier = origin.restored;
    const adopted = replica.get<Pick<AdoptedRecord, 'atMs'>>(KEYS.adopted)?.value;
    const { adoptedAtMs } = earlier ?? { adoptedAtMs: adopted?.atMs };
    const restored: RestoredStore = {
      sinceMs: earlier?.sinceMs ?? clock.nowMs(),
      reason: found.reason,
      knownRev: Math.max(earlier?.knownRev ?? 0, replica.rev),
      rev: found.rev,
      ...(adoptedAtMs === undefined ? {} : { adoptedAtMs }),
    };
    logger.error('etcd is not the store that was followed before', { ...restored });
    await this.#record({ clusterId: found.clusterId, restored });
    // From here on the new one is known; the list that follows is its first word.
    this.#witness = undefined;
    this.#mustList = true;
    this.#isNew = true;
    return 'other';
  }

  async #record(change: Parameters<Origin['set']>[0]): Promise<void> {
    const { logger, origin } = this.#options;
    try {
      await origin.set(change);
    } catch (error) {
      logger.error('which etcd this is can not be written down', { error: errorText(error) });
    }
  }

  async #list(): Promise<void> {
    const { clock, disk, keys, logger, replica } = this.#options;
    if (replica.rev > 0 && !this.#isNew) await this.#verify();
    const askedMs = clock.monotonicMs();
    const listing = await listRecords({ ...this.#options, signal: this.#over.signal });
    if (this.#over.signal.aborted) return;
    if (listing.rev < replica.rev && !this.#isNew) {
      throw new CloudError('Unavailable', 'etcd has gone back to an earlier revision while its records were read');
    }
    const backwards = this.#isOther(listing);
    const change = replica.replace(listing.entries, listing.rev);
    this.#touchAll(change);
    disk?.restart(backwards ? 'anew' : 'beside');
    this.#witness = youngest(replica, keys);
    this.#mustList = false;
    this.#isNew = false;
    this.#comparedMs = clock.monotonicMs();
    this.#provenMs = askedMs;
    logger.info('all records of etcd were read', {
      rev: listing.rev,
      keys: listing.entries.size,
      changed: change.ops.length,
    });
  }

  #isOther({ rev }: Listing): boolean {
    return rev < this.#options.replica.rev || this.#options.origin.restored !== undefined;
  }

  #touchAll(change: Change): void {
    for (const { key } of change.ops) this.#touched?.add(key);
  }

  /** Lists everything and compares what did not change meanwhile. A difference is an error of somebody's, told of and mended. */
  async #compare(): Promise<void> {
    const { clock, logger, replica } = this.#options;
    this.#comparing = true;
    this.#comparedMs = clock.monotonicMs();
    const touched = new Set<string>();
    this.#touched = touched;
    const stream = this.#stream;
    try {
      const { entries, rev } = await listRecords({ ...this.#options, signal: this.#over.signal });
      if (!(await this.#arrives(rev)) || stream !== this.#stream || stream === undefined) return;
      const differs = differences(entries, replica).filter((key) => !touched.has(key));
      if (differs.length === 0) return;
      logger.error('this copy of the state was not what etcd has; it is read anew', {
        rev,
        keys: differs.length,
        first: differs[0],
      });
      stream.end('relist', 'the copy differed');
    } catch (error) {
      if (!this.#over.signal.aborted) logger.warn('the comparison with etcd was cut off', { error: errorText(error) });
    } finally {
      this.#touched = undefined;
      this.#comparing = false;
    }
  }
}

function differences(entries: Listing['entries'], replica: ReplicaMap): string[] {
  const out: string[] = [];
  for (const [key, entry] of entries) {
    const here = replica.get(key);
    if (here !== entry && !(here?.rev === entry.rev && isDeepStrictEqual(here.value, entry.value))) out.push(key);
  }
  for (const { key } of replica.range('')) if (!entries.has(key)) out.push(key);
  return out;
}

/** The record that was written last. */
function youngest(replica: ReplicaMap, keys: KeySpace): Witness | undefined {
  let found: Witness | undefined;
  for (const { key, value, rev } of replica.range('')) {
    if (found === undefined || rev > found.rev) found = { etcdKey: keys.record(key), rev, value };
  }
  return found;
}
