import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { HostRecord, OperationRecord } from '../../domain/records.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Change, Entry, Replica } from '../../ports/store.ts';
import { heldRecord, heldText } from '../hosts/held.ts';
import type { HostView } from '../hosts/host-view.ts';
import { hostView } from '../hosts/host-view.ts';
import { instanceView } from '../instances/instance-view.ts';
import type { ReadContext, StreamHandler } from './handler.ts';
import { isAdmin, mayUse } from './handler.ts';
import { operationView } from './operations.ts';

type Item = OperationOutput<'WatchCloud'>;

export const WATCH_CLOUD = {
  pageRows: 200,
  /** Operations of a snapshot, the newest. */
  operations: 100,
  /** Changed keys that wait for a slow reader; with more a fresh snapshot is shorter. */
  waitingKeys: 2000,
  /** How often hosts are looked at: whether one answers is observed, not written. Also the longest silence of the stream. */
  lookMs: 2000,
  /** A report alone, with nothing else new, is sent this often. */
  reportMs: 10_000,
} as const;

export const watchCloud: StreamHandler<'WatchCloud'> = async function* (context, _input, signal) {
  const feed = new CloudFeed(context, signal);
  try {
    yield* feed.items();
  } finally {
    feed.close();
  }
};

/** One reader's view of the changes. What is read and sent is always the replica as it is then, so that nothing old overtakes what is new. */
class CloudFeed {
  readonly #context: ReadContext;
  readonly #signal: AbortSignal;
  readonly #closers: (() => void)[];
  readonly #waiting = new Set<string>();
  /** What was sent and is not gone. */
  readonly #hosts = new Map<string, HostView>();
  readonly #instances = new Set<string>();
  #behind = false;
  #look = false;
  #wake: (() => void) | undefined;

  constructor(context: ReadContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    const { store, clock } = context.cloud;
    const prefixes = [PREFIX.instance, PREFIX.operation, ...(this.#seesHosts ? [PREFIX.host, PREFIX.capacity] : [])];
    const watches = prefixes.map((prefix) => store.watch(prefix, store.rev + 1, (change) => this.#note(change)));
    const timer = clock.every(WATCH_CLOUD.lookMs, () => this.#poke(() => (this.#look = true)), { unref: true });
    const wake = (): void => this.#poke(() => undefined);
    signal.addEventListener('abort', wake, { once: true });
    this.#closers = [
      ...watches.map((watch) => () => watch.close()),
      () => timer.cancel(),
      () => signal.removeEventListener('abort', wake),
    ];
  }

  close(): void {
    for (const close of this.#closers) close();
  }

  async *items(): AsyncGenerator<Item> {
    yield* this.#snapshot('start');
    while (await this.#something()) {
      if (this.#behind) yield* this.#snapshot('behind');
      else yield* this.#changes();
    }
  }

  get #seesHosts(): boolean {
    return isAdmin(this.#context.principal);
  }

  #poke(note: () => void): void {
    note();
    this.#wake?.();
  }

  #note(change: Change): void {
    this.#poke(() => {
      for (const { key } of change.ops) this.#waiting.add(key);
      if (this.#waiting.size <= WATCH_CLOUD.waitingKeys) return;
      this.#waiting.clear();
      this.#behind = true;
    });
  }

  /** True when there is something to send, false when the reader is gone. */
  async #something(): Promise<boolean> {
    while (!this.#signal.aborted && !this.#behind && !this.#look && this.#waiting.size === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    return !this.#signal.aborted;
  }

  async *#snapshot(reason: 'start' | 'behind'): AsyncGenerator<Item> {
    const { cloudId, process: self, clock, store } = this.#context.cloud;
    this.#behind = false;
    this.#waiting.clear();
    this.#hosts.clear();
    this.#instances.clear();
    yield { kind: 'begin', reason, cloudId, version: self.version, nowMs: clock.nowMs(), ...this.#health() };
    if (this.#seesHosts) {
      const hosts = store.range<HostRecord>(PREFIX.host).map(({ value }) => hostView(this.#context.cloud, value));
      for (const host of hosts) this.#hosts.set(host.hostId, host);
      yield { ...EMPTY, hosts };
    }
    yield { ...EMPTY, operations: this.#newestOperations() };
    for (const entries of pages(store, PREFIX.instance)) {
      const instances = entries.flatMap(({ key }) => this.#instance(key) ?? []);
      if (instances.length > 0) yield { ...EMPTY, instances };
      if (this.#signal.aborted) return;
    }
    yield { kind: 'ready', rev: store.rev };
  }

  #newestOperations(): ReturnType<typeof operationView>[] {
    const { store } = this.#context.cloud;
    const found: ReturnType<typeof operationView>[] = [];
    for (const entries of pages(store, PREFIX.operation)) {
      for (const { key } of entries) found.push(...[this.#operation(key)].filter((item) => item !== undefined));
      if (found.length >= WATCH_CLOUD.operations) break;
    }
    return found.slice(0, WATCH_CLOUD.operations);
  }

  *#changes(): Generator<Item> {
    const keys = [...this.#waiting];
    this.#waiting.clear();
    for (const key of keys) {
      const item = this.#changed(key);
      if (item !== undefined) yield item;
    }
    if (!this.#look) return;
    this.#look = false;
    for (const entry of this.#seesHosts ? this.#context.cloud.store.range<HostRecord>(PREFIX.host) : []) {
      const item = this.#host(entry.key.slice(PREFIX.host.length));
      if (item !== undefined) yield item;
    }
    yield { kind: 'beat', nowMs: this.#context.cloud.clock.nowMs(), ...this.#health() };
  }

  #health(): { staleMs?: number; held?: string } {
    const { store } = this.#context.cloud;
    const { staleMs } = store.health();
    const held = heldRecord(store);
    return {
      ...(staleMs === undefined ? {} : { staleMs }),
      ...(held === undefined ? {} : { held: heldText(held) }),
    };
  }

  #changed(key: string): Item | undefined {
    if (key.startsWith(PREFIX.host)) return this.#host(key.slice(PREFIX.host.length));
    if (key.startsWith(PREFIX.capacity)) return this.#host(key.slice(PREFIX.capacity.length));
    if (key.startsWith(PREFIX.instance)) {
      const instance = this.#instance(key);
      if (instance !== undefined) return { kind: 'instance', instance };
      const id = key.slice(PREFIX.instance.length);
      return this.#instances.delete(id) ? { kind: 'gone', what: 'instance', id } : undefined;
    }
    // Old operations are swept away without a word: the reader keeps only the newest anyway.
    const operation = this.#operation(key);
    return operation && { kind: 'operation', operation };
  }

  #operation(key: string): ReturnType<typeof operationView> | undefined {
    const record = this.#context.cloud.store.get<OperationRecord>(key)?.value;
    return record !== undefined && mayUse(this.#context.principal, record.projectId)
      ? operationView(record)
      : undefined;
  }

  #instance(key: string): ReturnType<typeof instanceView> | undefined {
    const { store, policy } = this.#context.cloud;
    const entry = store.get<InstanceRecord>(key);
    if (entry === undefined || !mayUse(this.#context.principal, entry.value.projectId)) return undefined;
    this.#instances.add(entry.value.id);
    return instanceView({ store, policy }, entry.value, entry.rev);
  }

  /** The host when it is not as it was sent last. */
  #host(id: string): Item | undefined {
    const { cloud } = this.#context;
    const record = cloud.store.get<HostRecord>(KEYS.host(id))?.value;
    if (record === undefined) return this.#hosts.delete(id) ? { kind: 'gone', what: 'host', id } : undefined;
    const host = hostView(cloud, record);
    const sent = this.#hosts.get(id);
    if (sent !== undefined && sameHost(sent, host)) return undefined;
    this.#hosts.set(id, host);
    return { kind: 'host', host };
  }
}

const EMPTY: Extract<Item, { kind: 'page' }> = { kind: 'page', instances: [], hosts: [], operations: [] };

function sameHost(sent: HostView, now: HostView): boolean {
  const newer = (now.lastReportMs ?? 0) - (sent.lastReportMs ?? 0);
  if (newer >= WATCH_CLOUD.reportMs) return false;
  const { lastReportMs: _then, problem: was, ...before } = sent;
  const { lastReportMs: _now, problem: is, ...after } = now;
  return problemKind(was) === problemKind(is) && JSON.stringify(before) === JSON.stringify(after);
}

/** "has not reported for 61.0s" grows with each look, and is still the same. */
function problemKind(problem: string | undefined): string | undefined {
  return problem?.replaceAll(/\d[\d.]*\w*/g, '');
}

function* pages(store: Replica, prefix: string): Generator<readonly Entry[]> {
  let entries = store.range(prefix, { limit: WATCH_CLOUD.pageRows });
  while (entries.length > 0) {
    yield entries;
    const after = entries.at(-1)?.key ?? '';
    entries = entries.length < WATCH_CLOUD.pageRows ? [] : store.range(prefix, { limit: WATCH_CLOUD.pageRows, after });
  }
}
