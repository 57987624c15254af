import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import { SortedMap } from '../../base/sorted-map.ts';
import { MIB } from '../../base/units.ts';
import type { Change, Entry, RangeOptions, Replica } from '../../ports/store.ts';
import { History } from './history.ts';

interface Watcher {
  readonly prefix: string;
  from: number;
  readonly listener: (change: Change) => void;
  /** History that is still to be delivered; live changes queue behind it. Undefined once it has caught up. */
  backlog: Change[] | undefined;
}

interface Waiter {
  readonly rev: number;
  settle(error?: CloudError): void;
}

/** The state at one revision, read in slices while the replica moves on. */
export interface FrozenView {
  readonly rev: number;
  readonly keys: number;
  /** Up to `limit` entries more; an empty answer is the end. Key order, but for keys deleted meanwhile, which come last. */
  next(limit: number): Entry[];
  close(): void;
}

export interface ReplicaMapOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many past changes can be watched from. Default 10 000. */
  readonly historyLength?: number;
  /** Bound on the journal text of those changes. Default 64 MiB. */
  readonly historyBytes?: number;
}

/**
 * The keys in memory, moved forward one committed transaction at a time: readers see a transaction whole or not at all, because
 * `apply` never yields. Values are deeply frozen by whoever applies them: readers share them.
 */
export class ReplicaMap implements Replica {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #map = new SortedMap<Entry>();
  readonly #history: History;
  readonly #watchers = new Set<Watcher>();
  readonly #waiters = new Set<Waiter>();
  readonly #views = new Set<View>();
  #rev = 0;

  constructor(options: ReplicaMapOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#history = new History(options.historyLength ?? 10_000, options.historyBytes ?? 64 * MIB);
  }

  get rev(): number {
    return this.#rev;
  }

  get keys(): number {
    return this.#map.size;
  }

  get<T = Json>(key: string): Entry<T> | undefined {
    return this.#map.get(key) as Entry<T> | undefined;
  }

  range<T = Json>(prefix: string, options: RangeOptions = {}): Entry<T>[] {
    return this.#map.values({ prefix, ...options }) as Entry<T>[];
  }

  count(prefix: string): number {
    return this.#map.count(prefix);
  }

  watch(prefix: string, from: number, listener: (change: Change) => void): { close(): void } {
    if (Math.max(from, 1) <= this.#history.floor) {
      throw new CloudError(
        'Unavailable',
        `history from revision ${from} is gone (kept: ${this.#history.floor + 1} and later); list again and watch from revision ${this.#rev + 1}`,
        { details: { from, oldest: this.#history.floor + 1 } },
      );
    }
    const past = from <= this.#rev ? this.#history.since(from) : [];
    const watcher: Watcher = { prefix, from, listener, backlog: past.length > 0 ? past : undefined };
    this.#watchers.add(watcher);
    if (watcher.backlog !== undefined) this.#clock.defer(() => this.#catchUp(watcher));
    return { close: () => this.#watchers.delete(watcher) };
  }

  waitApplied(rev: number, timeoutMs: number): Promise<void> {
    if (rev <= this.#rev) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        waiter.settle(
          new CloudError('Timeout', `revision ${rev} was not applied within ${timeoutMs} ms; at ${this.#rev}`),
        );
      });
      const waiter: Waiter = {
        rev,
        settle: (error) => {
          timer.cancel();
          this.#waiters.delete(waiter);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Takes a snapshot's place in the history: entries as they stood at `rev`. Only before the first apply or watch. */
  load(entries: Iterable<Entry>, rev: number): void {
    this.#map.clear();
    for (const entry of entries) this.#map.set(entry.key, entry);
    this.#rev = rev;
    this.#history.restart(rev);
  }

  /** The next committed transaction; `bytes` is what it weighs in the history. */
  apply(change: Change, bytes: number): void {
    for (const { key, value } of change.ops) {
      for (const view of this.#views) view.keep(key, this.#map.get(key));
      if (value === undefined) this.#map.delete(key);
      else this.#map.set(key, { key, value, rev: change.rev });
    }
    this.#rev = change.rev;
    this.#history.push(change, bytes);
    for (const watcher of this.#watchers) {
      if (watcher.backlog === undefined) this.#notify(watcher, change);
      else watcher.backlog.push(change);
    }
    for (const waiter of this.#waiters) if (waiter.rev <= change.rev) waiter.settle();
  }

  /**
   * Another state takes the place of this one, whatever led there and also when its revision is lower. What differs is told to every watcher as
   * one change of revision `rev`; entries keep the revisions that they come with.
   */
  replace(entries: ReadonlyMap<string, Entry>, rev: number): Change {
    const ops: { key: string; value: Json | undefined }[] = [];
    for (const { key } of this.#map.values({})) if (!entries.has(key)) ops.push({ key, value: undefined });
    for (const entry of entries.values()) if (this.#map.get(entry.key) !== entry) ops.push(entry);
    for (const { key } of ops) {
      for (const view of this.#views) view.keep(key, this.#map.get(key));
      const entry = entries.get(key);
      if (entry === undefined) this.#map.delete(key);
      else this.#map.set(key, entry);
    }
    // What lies between is not known, so no watch can begin there; those that stand have seen all up to the old state.
    this.#rev = rev;
    this.#history.restart(rev);
    const change: Change = { rev, ops: ops.map(({ key, value }) => ({ key, value })) };
    for (const watcher of this.#watchers) {
      watcher.from = Math.min(watcher.from, rev);
      if (watcher.backlog === undefined) this.#notify(watcher, change);
      else watcher.backlog.push(change);
    }
    for (const waiter of this.#waiters) if (waiter.rev <= rev) waiter.settle();
    return change;
  }

  /** The state of this moment, to be read later in slices. Costs nothing but a copy of what changes until it is closed. */
  freeze(): FrozenView {
    const view = new View(this.#map, this.#rev, () => this.#views.delete(view));
    this.#views.add(view);
    return view;
  }

  /** Drops the watchers; whoever waits for a revision is told that it will not come. */
  close(reason: CloudError): void {
    this.#watchers.clear();
    for (const waiter of this.#waiters) waiter.settle(reason);
  }

  #catchUp(watcher: Watcher): void {
    // Delivering may commit nothing (apply runs in a later turn), but a listener may close its own watch half-way.
    for (const change of watcher.backlog ?? []) {
      if (!this.#watchers.has(watcher)) return;
      this.#notify(watcher, change);
    }
    watcher.backlog = undefined;
  }

  #notify(watcher: Watcher, change: Change): void {
    if (change.rev < watcher.from) return;
    const all = change.ops.every((op) => op.key.startsWith(watcher.prefix));
    const ops = all ? change.ops : change.ops.filter((op) => op.key.startsWith(watcher.prefix));
    if (ops.length === 0) return;
    try {
      watcher.listener(all ? change : { rev: change.rev, ops });
    } catch (error) {
      // One broken watcher must not hold back the others, nor the commit that it was told about.
      this.#logger.error('a store watcher failed', {
        prefix: watcher.prefix,
        rev: change.rev,
        error: errorText(error),
      });
    }
  }
}

/** Reads the live map behind its cursor and the kept originals of what changed ahead of it. */
class View implements FrozenView {
  readonly rev: number;
  readonly keys: number;
  readonly #map: SortedMap<Entry>;
  readonly #onClose: () => void;
  readonly #originals = new Map<string, Entry | undefined>();
  #cursor: string | undefined;
  #walked = false;

  constructor(map: SortedMap<Entry>, rev: number, onClose: () => void) {
    this.#map = map;
    this.rev = rev;
    this.keys = map.size;
    this.#onClose = onClose;
  }

  /** Called before a key changes: remembers what it was, unless the walk has passed it or it was remembered before. */
  keep(key: string, original: Entry | undefined): void {
    if (this.#walked || (this.#cursor !== undefined && key <= this.#cursor) || this.#originals.has(key)) return;
    this.#originals.set(key, original);
  }

  next(limit: number): Entry[] {
    const out: Entry[] = [];
    while (!this.#walked && out.length === 0) this.#walk(limit, out);
    if (out.length > 0) return out;
    for (const [key, original] of this.#originals) {
      if (out.length >= limit) break;
      this.#originals.delete(key);
      if (original !== undefined) out.push(original);
    }
    return out;
  }

  close(): void {
    this.#walked = true;
    this.#originals.clear();
    this.#onClose();
  }

  #walk(limit: number, out: Entry[]): void {
    const slice = this.#map.values({ limit, ...(this.#cursor === undefined ? {} : { after: this.#cursor }) });
    this.#walked = slice.length < limit;
    this.#cursor = slice.at(-1)?.key ?? this.#cursor;
    for (const entry of slice) {
      const changed = this.#originals.has(entry.key);
      const original = changed ? this.#originals.get(entry.key) : entry;
      if (changed) this.#originals.delete(entry.key);
      if (original !== undefined) out.push(original);
    }
  }
}
