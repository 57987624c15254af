import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';

const PREFIX = KEYS.assign('compute', '');
const NONE: ReadonlySet<string> = new Set();

/** Which worker each host is assigned to, and the other way round; follows the store, so that no message needs a walk over all hosts. */
export class Assignments {
  readonly #byHost = new Map<string, AssignRecord>();
  readonly #byWorker = new Map<string, Set<string>>();
  #watch: { close(): void } | undefined;

  start(store: Replica): void {
    for (const { key, value } of store.range<AssignRecord>(PREFIX)) this.#set(key.slice(PREFIX.length), value);
    this.#watch = store.watch(PREFIX, store.rev + 1, ({ ops }) => {
      for (const { key, value } of ops) {
        this.#set(key.slice(PREFIX.length), value as unknown as AssignRecord | undefined);
      }
    });
  }

  close(): void {
    this.#watch?.close();
  }

  of(hostId: string): AssignRecord | undefined {
    return this.#byHost.get(hostId);
  }

  hostsOf(workerId: string): ReadonlySet<string> {
    return this.#byWorker.get(workerId) ?? NONE;
  }

  /** Those that have a host. */
  workers(): string[] {
    return [...this.#byWorker.keys()];
  }

  #set(hostId: string, record: AssignRecord | undefined): void {
    const before = this.#byHost.get(hostId)?.workerId;
    if (before !== undefined && before !== record?.workerId) {
      const left = this.#byWorker.get(before);
      left?.delete(hostId);
      if (left?.size === 0) this.#byWorker.delete(before);
    }
    if (record === undefined) {
      this.#byHost.delete(hostId);
      return;
    }
    this.#byHost.set(hostId, record);
    const hosts = this.#byWorker.get(record.workerId);
    if (hosts === undefined) this.#byWorker.set(record.workerId, new Set([hostId]));
    else hosts.add(hostId);
  }
}
