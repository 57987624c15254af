import type { ServiceHello } from '../../messages/worker.ts';

/** A process that has said nothing for so long is counted as lost. */
export const SERVICE_SILENT_MS = 15_000;
/** And after this time nobody speaks of it any more. */
const FORGOTTEN_MS = 3_600_000;

export interface SeenService {
  readonly hello: ServiceHello;
  /** Since its last word, by our own monotonic clock. */
  readonly silentMs: number;
  readonly lost: boolean;
  /** Two processes that both live say that they are this one. */
  readonly doubled: boolean;
}

interface Heard {
  readonly hello: ServiceHello;
  readonly arrivedAtMs: number;
  /** When a session that began earlier spoke after this one. */
  readonly rivalAtMs?: number;
}

/** What the cloud's processes last said of themselves. In memory alone: they say it again every few seconds. */
export class ServiceDirectory {
  readonly #monotonicMs: () => number;
  readonly #heard = new Map<string, Heard>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  hello(hello: ServiceHello): void {
    const arrivedAtMs = this.#monotonicMs();
    const before = this.#heard.get(hello.serviceId);
    const anew = before === undefined || before.hello.session === hello.session;
    // A late word of the session before is no second process, unless there are more of them than one. After a silence it is the next process, begun by
    // a clock that is behind.
    const isSilent = before !== undefined && arrivedAtMs - before.arrivedAtMs > SERVICE_SILENT_MS;
    const isOlder = !anew && !isSilent && hello.startedAtMs < before.hello.startedAtMs;
    if (isOlder) {
      this.#heard.set(hello.serviceId, { ...before, rivalAtMs: arrivedAtMs });
      return;
    }
    const rivalAtMs = anew ? before?.rivalAtMs : undefined;
    this.#heard.set(hello.serviceId, { hello, arrivedAtMs, ...(rivalAtMs === undefined ? {} : { rivalAtMs }) });
  }

  /** By name. */
  list(): SeenService[] {
    this.#forget();
    const nowMs = this.#monotonicMs();
    const seen = [...this.#heard.values()].map(({ hello, arrivedAtMs, rivalAtMs }) => {
      const silentMs = nowMs - arrivedAtMs;
      const doubled = rivalAtMs !== undefined && nowMs - rivalAtMs < SERVICE_SILENT_MS;
      return { hello, silentMs, lost: silentMs > SERVICE_SILENT_MS, doubled };
    });
    return seen.toSorted((a, b) => (a.hello.serviceId < b.hello.serviceId ? -1 : 1));
  }

  get(serviceId: string): SeenService | undefined {
    return this.list().find(({ hello }) => hello.serviceId === serviceId);
  }

  #forget(): void {
    const nowMs = this.#monotonicMs();
    for (const [id, { arrivedAtMs }] of this.#heard) {
      if (nowMs - arrivedAtMs > FORGOTTEN_MS) this.#heard.delete(id);
    }
  }
}
