import type { Clock } from '../../base/clock.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ServiceRecord } from '../../domain/records.ts';
import type { WorkerHello } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Replica } from '../../ports/store.ts';

/** A worker says hello every 2 s; one that has not for this long is gone. */
export const WORKER_SILENT_MS = 10_000;
/** After two hellos that did not come it is asked. */
const WORKER_QUIET_MS = 4500;

interface Seen {
  readonly hello: WorkerHello;
  readonly atMs: number;
}

export interface LiveWorkersParts {
  readonly store: Pick<Replica, 'get'>;
  readonly bus: Pick<Bus, 'health'>;
  readonly clock: Clock;
}

/** What workers last said of themselves. Silence counts only while we could have heard them. */
export class LiveWorkers {
  readonly #parts: LiveWorkersParts;
  readonly #seen = new Map<string, Seen>();
  /** Nobody took what was sent to them, and nothing was heard of them since. */
  readonly #unserved = new Set<string>();
  readonly #sinceMs: number;

  constructor(parts: LiveWorkersParts) {
    this.#parts = parts;
    this.#sinceMs = parts.clock.monotonicMs();
  }

  /** True: nothing was heard of this session before. */
  note(hello: WorkerHello): boolean {
    const before = this.#seen.get(hello.workerId);
    this.#unserved.delete(hello.workerId);
    this.#seen.set(hello.workerId, { hello, atMs: this.#parts.clock.monotonicMs() });
    return before?.hello.session !== hello.session;
  }

  hello(workerId: string): WorkerHello | undefined {
    return this.#seen.get(workerId)?.hello;
  }

  all(): string[] {
    return [...this.#seen.keys()];
  }

  /** It would have said something by now; undefined: we could not have heard it. */
  isGone(workerId: string): boolean | undefined {
    const silentMs = this.#silentMs(workerId);
    return silentMs === undefined ? undefined : silentMs >= WORKER_SILENT_MS || this.#unserved.has(workerId);
  }

  /** It is late with its hello, and may be asked whether it is there. */
  isQuiet(workerId: string): boolean {
    return (this.#silentMs(workerId) ?? 0) >= WORKER_QUIET_MS && this.isGone(workerId) !== true;
  }

  /** Nobody takes its messages any more: a process that has died leaves none, one that sleeps or hangs does. */
  noteUnserved(workerId: string): void {
    // After an outage of the broker it may be on its way back, later than we were.
    const heardMs = this.#seen.get(workerId)?.atMs ?? -Infinity;
    if (this.isQuiet(workerId) && heardMs >= this.#parts.bus.health().listeningSinceMs) this.#unserved.add(workerId);
  }

  #silentMs(workerId: string): number | undefined {
    const { bus, clock } = this.#parts;
    const { ok, listeningSinceMs } = bus.health();
    if (!ok) return undefined;
    const heardMs = this.#seen.get(workerId)?.atMs ?? this.#sinceMs;
    return clock.monotonicMs() - Math.max(heardMs, listeningSinceMs);
  }

  isLive(workerId: string): boolean {
    return this.#seen.has(workerId) && this.isGone(workerId) !== true;
  }

  /** It lives and may get hosts. */
  isFit(workerId: string, kind: string): boolean {
    const hello = this.hello(workerId);
    if (hello === undefined || hello.leaving || !hello.kinds.includes(kind) || !this.isLive(workerId)) return false;
    return this.#mayHave(workerId);
  }

  /** In the order of their names. */
  fit(kind: string): string[] {
    return this.all()
      .filter((workerId) => this.isFit(workerId, kind))
      .sort();
  }

  #mayHave(workerId: string): boolean {
    const state = this.#parts.store.get<ServiceRecord>(KEYS.service(workerId))?.value.state;
    return state === undefined || state === 'enabled';
  }
}
