import type { Clock } from '../../base/clock.ts';
import { errorText, isCode } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AssignRecord, HostRecord } from '../../domain/records.ts';
import type { WorkerHello } from '../../messages/worker.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Store } from '../../ports/store.ts';

/** A worker that has not said hello for this long is not counted on. */
const WORKER_SILENT_MS = 35_000;
/** Opening a host ends with a whole report, which an answer to the user waits for. */
const OPEN_TIMEOUT_MS = 60_000;

interface Seen {
  readonly hello: WorkerHello;
  readonly atMs: number;
}

interface WorkerDirectoryParts {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cloudId: string;
  /** Which hosts are opened at a worker's hello. Default: all that are assigned to it. */
  readonly wanted?: (hostId: string) => boolean;
}

/** Which workers are alive, and which hosts each was told to serve. */
export class WorkerDirectory {
  readonly #parts: WorkerDirectoryParts;
  readonly #seen = new Map<string, Seen>();
  readonly #opening = new Set<string>();

  constructor(parts: WorkerDirectoryParts) {
    this.#parts = parts;
  }

  /** A live worker of the kind; the one with the fewest hosts. */
  pick(kind: string): string | undefined {
    const now = this.#parts.clock.monotonicMs();
    const alive = [...this.#seen.values()].filter(
      (seen) => now - seen.atMs < WORKER_SILENT_MS && seen.hello.kinds.includes(kind),
    );
    alive.sort((a, b) => a.hello.open.length - b.hello.open.length);
    return alive[0]?.hello.workerId;
  }

  /** A worker's heartbeat: hosts that are assigned to it and that it has not open are opened, without waiting for them. */
  hello(hello: WorkerHello): void {
    const { store, clock, logger } = this.#parts;
    this.#seen.set(hello.workerId, { hello, atMs: clock.monotonicMs() });
    const open = new Set(hello.open);
    for (const { value: host } of store.range<HostRecord>(PREFIX.host)) {
      if (this.#parts.wanted?.(host.id) === false) continue;
      const assign = store.get<AssignRecord>(KEYS.assign('compute', host.id))?.value;
      if (assign?.workerId !== hello.workerId || open.has(host.id) || this.#opening.has(host.id)) continue;
      this.#opening.add(host.id);
      this.open(host.id)
        .catch((error: unknown) => logger.error('host can not be opened', { hostId: host.id, error: errorText(error) }))
        .finally(() => this.#opening.delete(host.id));
    }
  }

  /** Tells the host's worker to serve it. A worker that is not there is told when it says hello. */
  async open(hostId: string): Promise<void> {
    const { store, cloudId, logger } = this.#parts;
    const host = store.get<HostRecord>(KEYS.host(hostId))?.value;
    const assign = store.get<AssignRecord>(KEYS.assign('compute', hostId))?.value;
    if (host === undefined || assign === undefined) return;
    const message = {
      v: 1,
      hostId,
      epoch: assign.epoch,
      cloudId,
      transport: host.transport,
      virtType: host.facts.virtType,
    };
    await this.#tell(assign.workerId, 'host-open', message).catch((error: unknown) => {
      if (!isCode(error, 'Unavailable', 'Timeout', 'HostError')) throw error;
      logger.warn('host can not be opened now', { hostId, error: error.message });
    });
  }

  async close(hostId: string): Promise<void> {
    for (const workerId of this.#seen.keys()) {
      await this.#tell(workerId, 'host-close', { v: 1, hostId, epoch: 1 }).catch((error: unknown) => {
        if (!isCode(error, 'Unavailable', 'Timeout')) throw error;
      });
    }
  }

  async #tell(workerId: string, type: string, body: object): Promise<void> {
    await this.#parts.bus.call(TOPIC.worker(workerId), type, toJson(body), { timeoutMs: OPEN_TIMEOUT_MS });
  }
}
