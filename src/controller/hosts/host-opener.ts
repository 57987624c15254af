import { CloudError, errorText, isCode } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { toJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AdoptedRecord, AssignRecord, HostRecord } from '../../domain/records.ts';
import type { OpenHost } from '../../messages/worker.ts';
import { OpenedHost, TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import type { Store } from '../../ports/store.ts';
import { transact } from '../state/draft.ts';
import { isHeld } from './held.ts';
import type { LiveWorkers } from './live-workers.ts';
import type { ReportMark } from './observations.ts';
import type { Ownership } from './ownership.ts';

/** A host may have to be told twice that its claim is ours; more than that, and somebody else is at it. */
const OPEN_ATTEMPTS = 3;
/** Opening a host ends with a whole report, which an answer to the user waits for. */
const OPEN_TIMEOUT_MS = 60_000;

export interface HostOpenerParts {
  readonly store: Store;
  readonly bus: Bus;
  readonly logger: Logger;
  readonly cloudId: string;
  readonly ownership: Ownership;
  readonly live: LiveWorkers;
  /** The host is open; whatever its worker reports with a larger seq was seen after it was told. */
  readonly onOpened: (hostId: string, mark: ReportMark) => void;
}

/** Has the worker that a host is assigned to serve it. Only the host's owner does this. */
export class HostOpener {
  readonly #parts: HostOpenerParts;
  /** Host -> why it was not opened the last time. */
  readonly #problems = new Map<string, string>();

  constructor(parts: HostOpenerParts) {
    this.#parts = parts;
  }

  /**
   * Tells the host's worker to serve it, with an epoch that no other session ever had: the host then refuses all others. A worker that is not there
   * is told when it says hello. While the cloud is held, the host is only looked at. What is wrong is logged, and reported by the worker as the
   * host's problem. Errors: those of the store.
   */
  async open(hostId: string): Promise<void> {
    const { store, cloudId } = this.#parts;
    if (isHeld(store)) return this.#observe(hostId);
    let above = 0;
    let replaces: string | undefined;
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt += 1) {
      const assign = await this.#raise(hostId, above);
      const host = store.get<HostRecord>(KEYS.host(hostId))?.value;
      if (host === undefined || assign === undefined) return;
      const message = this.#message(host, assign.epoch);
      try {
        await this.#tellOpen(assign.workerId, replaces === undefined ? message : { ...message, replaces });
        return;
      } catch (error) {
        const holder = error instanceof CloudError ? (error.details ?? {}) : {};
        const { epoch, hostId: otherHost } = holder;
        if (isCode(error, 'StaleEpoch') && typeof epoch === 'number') above = epoch;
        else if (this.#isOursNoMore(holder, cloudId) && typeof otherHost === 'string') replaces = otherHost;
        else return this.problem(hostId, error);
      }
    }
    this.problem(hostId, new CloudError('StaleEpoch', 'somebody else claims the host again and again'));
  }

  forget(hostId: string): void {
    this.#problems.delete(hostId);
  }

  problem(hostId: string, error: unknown): void {
    const problem = errorText(error);
    if (this.#problems.get(hostId) === problem) return;
    this.#problems.set(hostId, problem);
    this.#parts.logger.warn('host can not be opened now', { hostId, error: problem });
  }

  tell(workerId: string, type: string, body: object, timeoutMs = OPEN_TIMEOUT_MS): Promise<Json | undefined> {
    return this.#parts.bus.call(TOPIC.worker(workerId), type, toJson(body), { timeoutMs });
  }

  async #tellOpen(workerId: string, message: Omit<OpenHost, 'mode'> & { mode?: 'observe' }): Promise<void> {
    const answer = await this.tell(workerId, 'host-open', message);
    this.#problems.delete(message.hostId);
    this.#parts.onOpened(message.hostId, OpenedHost.parse(answer));
  }

  async #observe(hostId: string): Promise<void> {
    const { store } = this.#parts;
    const assign = store.get<AssignRecord>(KEYS.assign('compute', hostId))?.value;
    const host = store.get<HostRecord>(KEYS.host(hostId))?.value;
    if (host === undefined || assign === undefined) return;
    await this.#tellOpen(assign.workerId, { ...this.#message(host, assign.epoch), mode: 'observe' }).catch(
      (error: unknown) => this.problem(hostId, error),
    );
  }

  #message({ id, transport, facts }: HostRecord, epoch: number): Omit<OpenHost, 'mode'> & { mode?: 'observe' } {
    return { v: 1, hostId: id, epoch, cloudId: this.#parts.cloudId, transport, virtType: facts.virtType };
  }

  /** The claim is of this cloud, of a host record that is no more. */
  #isOursNoMore(holder: Readonly<Record<string, unknown>>, own: string): boolean {
    if (holder['cloudId'] !== own || typeof holder['hostId'] !== 'string') return false;
    return this.#parts.store.get(KEYS.host(holder['hostId'])) === undefined;
  }

  /**
   * The assignment with the worker's session of now, durably; with a new epoch if the session is another one, or if the host has seen one that is not
   * below it (`above`: the records were restored from a backup), or if a restored store was adopted since it was opened: the session that lived through
   * that knows of commands which the records do not, and would take what is decided anew for older intent. Undefined: there is no such host, or its
   * worker is not there.
   */
  async #raise(hostId: string, above: number): Promise<AssignRecord | undefined> {
    const { store, live, ownership } = this.#parts;
    const { result } = await transact(store, (draft) => {
      const key = KEYS.assign('compute', hostId);
      const assign = draft.get<AssignRecord>(key);
      const session = assign && live.hello(assign.workerId)?.session;
      if (assign === undefined || session === undefined) return undefined;
      const adoption = draft.peek<AdoptedRecord>(KEYS.adopted)?.id;
      const isSame = assign.adoption === adoption && assign.epoch > above;
      if (assign.session === session && isSame) return assign;
      ownership.guard(draft, hostId);
      const first = assign.session === undefined && isSame;
      const epoch = first ? assign.epoch : Math.max(assign.epoch, above) + 1;
      const next: AssignRecord = { ...assign, session, epoch, ...(adoption === undefined ? {} : { adoption }) };
      draft.put(key, next);
      return next;
    });
    return result;
  }
}
