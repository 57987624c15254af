import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AliveRecord, OwnRecord, ServiceRecord } from '../../domain/records.ts';
import { rendezvous } from '../../domain/rendezvous.ts';
import type { Change, Entry, Guard, Store } from '../../ports/store.ts';

interface Seen<T> {
  readonly value: T;
  readonly rev: number;
}

export interface OwnershipViewParts {
  readonly store: Store;
  /** The host came or went, or its owner changed. */
  readonly onHost: (hostId: string) => void;
  /** These controllers came, went, or began anew; or who may have hosts changed (none named). */
  readonly onMembers: (controllerIds: readonly string[]) => void;
}

/** What the store says of hosts, their owners and who of them lives, indexed so that no event needs a walk over all hosts but one of a controller. */
export class OwnershipView {
  readonly #parts: OwnershipViewParts;
  readonly #hosts = new Set<string>();
  readonly #own = new Map<string, Seen<OwnRecord>>();
  readonly #byHolder = new Map<string, Set<string>>();
  readonly #alive = new Map<string, Seen<AliveRecord>>();
  readonly #watches: { close(): void }[] = [];
  /** Controllers that live and may have hosts. */
  #candidates: readonly string[] = [];

  constructor(parts: OwnershipViewParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#load(PREFIX.host, (id) => this.#hosts.add(id));
    this.#load<OwnRecord>(PREFIX.own, (id, entry) => this.#setOwn(id, entry));
    this.#load<AliveRecord>(PREFIX.aliveControllers, (id, entry) => this.#alive.set(id, entry));
    this.#choose();
    this.#follow(PREFIX.host, (id, seen) => {
      if (seen === undefined ? this.#hosts.delete(id) : !this.#hosts.has(id)) {
        if (seen !== undefined) this.#hosts.add(id);
        this.#parts.onHost(id);
      }
    });
    this.#follow<OwnRecord>(PREFIX.own, (id, seen) => {
      this.#setOwn(id, seen);
      this.#parts.onHost(id);
    });
    this.#follow<AliveRecord>(PREFIX.aliveControllers, (id, seen) => {
      if (seen === undefined) this.#alive.delete(id);
      else this.#alive.set(id, seen);
      this.#choose();
      this.#parts.onMembers([id]);
    });
    this.#follow(PREFIX.service, (id) => {
      if (!this.#alive.has(id)) return;
      this.#choose();
      this.#parts.onMembers([]);
    });
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
  }

  hosts(): Iterable<string> {
    return this.#hosts;
  }

  isHost(hostId: string): boolean {
    return this.#hosts.has(hostId);
  }

  own(hostId: string): Seen<OwnRecord> | undefined {
    return this.#own.get(hostId);
  }

  hostsOf(controllerId: string): string[] {
    return [...(this.#byHolder.get(controllerId) ?? [])];
  }

  /** By name. */
  live(): string[] {
    return [...this.#alive.keys()].sort();
  }

  sessions(): string[] {
    return [...this.#alive.values()].map(({ value }) => value.session);
  }

  isLive({ controllerId, session }: OwnRecord): boolean {
    return this.#alive.get(controllerId)?.value.session === session;
  }

  /** The controller is as it was when this was asked. */
  asSeen(controllerId: string): Guard {
    const key = KEYS.alive('controller', controllerId);
    const seen = this.#alive.get(controllerId);
    return seen === undefined ? { key, absent: true } : { key, rev: seen.rev };
  }

  isCandidate(controllerId: string): boolean {
    return this.#candidates.includes(controllerId);
  }

  /** Whose the host should be. */
  proposed(hostId: string): string | undefined {
    return rendezvous(this.#candidates, hostId);
  }

  #choose(): void {
    const { store } = this.#parts;
    this.#candidates = this.live().filter((id) => {
      const state = store.get<ServiceRecord>(KEYS.service(id))?.value.state;
      return state === undefined || state === 'enabled';
    });
  }

  #setOwn(hostId: string, seen: Seen<OwnRecord> | undefined): void {
    const before = this.#own.get(hostId)?.value.controllerId;
    if (before !== undefined) this.#byHolder.get(before)?.delete(hostId);
    if (seen === undefined) {
      this.#own.delete(hostId);
      return;
    }
    this.#own.set(hostId, seen);
    const { controllerId } = seen.value;
    const hosts = this.#byHolder.get(controllerId);
    if (hosts === undefined) this.#byHolder.set(controllerId, new Set([hostId]));
    else hosts.add(hostId);
  }

  #load<T>(prefix: string, take: (id: string, entry: Entry<T>) => void): void {
    for (const entry of this.#parts.store.range<T>(prefix)) take(entry.key.slice(prefix.length), entry);
  }

  #follow<T>(prefix: string, take: (id: string, seen: Seen<T> | undefined) => void): void {
    const { store } = this.#parts;
    // As the store has it, since after a relist the change has another revision than the key.
    const listener = ({ ops }: Change): void => {
      for (const { key } of ops) take(key.slice(prefix.length), store.get<T>(key));
    };
    this.#watches.push(store.watch(prefix, store.rev + 1, listener));
  }
}
