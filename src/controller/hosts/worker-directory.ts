import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AssignRecord, HostRecord } from '../../domain/records.ts';
import type { WorkerHello } from '../../messages/worker.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Store } from '../../ports/store.ts';
import { transact } from '../state/draft.ts';

/** A worker that has not said hello for this long is not counted on. */
const WORKER_SILENT_MS = 35_000;
/** A host may have to be told twice that its claim is ours; more than that, and somebody else is at it. */
const OPEN_ATTEMPTS = 3;
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
  /** Host -> why it was not opened the last time. */
  readonly #problems = new Map<string, string>();

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

  /**
   * Tells the host's worker to serve it, with an epoch that no other session ever had: the host then refuses all others. A worker that is not there
   * is told when it says hello. Never fails: what is wrong is logged, and reported by the worker as the host's problem.
   */
  async open(hostId: string): Promise<void> {
    const { store, cloudId } = this.#parts;
    let above = 0;
    let replaces: string | undefined;
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt += 1) {
      const assign = await this.#raise(hostId, above);
      const host = store.get<HostRecord>(KEYS.host(hostId))?.value;
      if (host === undefined || assign === undefined) return;
      const { transport, facts } = host;
      const about = { v: 1, hostId, epoch: assign.epoch, cloudId, transport, virtType: facts.virtType };
      const message = replaces === undefined ? about : { ...about, replaces };
      try {
        await this.#tell(assign.workerId, 'host-open', message);
        this.#problems.delete(hostId);
        return;
      } catch (error) {
        const holder = error instanceof CloudError ? (error.details ?? {}) : {};
        const { epoch, hostId: otherHost } = holder;
        if (isCode(error, 'StaleEpoch') && typeof epoch === 'number') above = epoch;
        else if (this.#isOursNoMore(holder) && typeof otherHost === 'string') replaces = otherHost;
        else return this.#notOpened(hostId, error);
      }
    }
    this.#notOpened(hostId, new CloudError('StaleEpoch', 'somebody else claims the host again and again'));
  }

  /** The claim is of this cloud, of a host record that is no more. */
  #isOursNoMore({ cloudId, hostId }: Readonly<Record<string, unknown>>): boolean {
    if (cloudId !== this.#parts.cloudId || typeof hostId !== 'string') return false;
    return this.#parts.store.get(KEYS.host(hostId)) === undefined;
  }

  #notOpened(hostId: string, error: unknown): void {
    const problem = errorText(error);
    if (this.#problems.get(hostId) === problem) return;
    this.#problems.set(hostId, problem);
    this.#parts.logger.warn('host can not be opened now', { hostId, error: problem });
  }

  /**
   * The assignment with the worker's session of now, durably; with a new epoch if the session is another one, or if the host has seen one that is not
   * below it (`above`: the records were restored from a backup). Undefined: there is no such host, or its worker is not there.
   */
  async #raise(hostId: string, above: number): Promise<AssignRecord | undefined> {
    const { result } = await transact(this.#parts.store, (draft) => {
      const key = KEYS.assign('compute', hostId);
      const assign = draft.get<AssignRecord>(key);
      const session = assign && this.#seen.get(assign.workerId)?.hello.session;
      if (assign === undefined || session === undefined) return undefined;
      if (assign.session === session && assign.epoch > above) return assign;
      const first = assign.session === undefined && assign.epoch > above;
      const next = { ...assign, session, epoch: first ? assign.epoch : Math.max(assign.epoch, above) + 1 };
      draft.put(key, next);
      return next;
    });
    return result;
  }

  /** The host is none any more. */
  async close(hostId: string): Promise<void> {
    this.#problems.delete(hostId);
    for (const workerId of this.#seen.keys()) {
      const message = { v: 1, hostId, epoch: 1, release: true };
      await this.#tell(workerId, 'host-close', message).catch((error: unknown) => {
        if (!isCode(error, 'Unavailable', 'Timeout')) throw error;
      });
    }
  }

  async #tell(workerId: string, type: string, body: object): Promise<void> {
    await this.#parts.bus.call(TOPIC.worker(workerId), type, toJson(body), { timeoutMs: OPEN_TIMEOUT_MS });
  }
}
