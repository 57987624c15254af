import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { SharedLock } from '../../base/shared-lock.ts';

/** So long a project that is being deleted gets no bucket. What the one who deletes it was told holds for half of it (BUCKETS_HOLD_MS). */
const SHUT_MS = 120_000;
/** A project without buckets is deleted within this time, or asked about again. */
export const BUCKETS_HOLD_MS = SHUT_MS / 2;

/** A project of that name: the next one has another account. */
export interface LeavingProject {
  readonly projectId: string;
  readonly accountId: string;
}

interface Shut {
  readonly accountId: string;
  readonly untilMs: number;
}

/**
 * Buckets are made, or their project is deleted: whoever comes first. In memory: with this process ends what it was making, too. But where it has the objects alone, and is
 * started anew between the look and the deletion, the next one does not know that a project is leaving.
 */
export class ProjectGate {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #lock = new SharedLock();
  readonly #shut = new Map<string, Shut>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /**
   * Makes a bucket of the project while it stays; `accountNow` says which account it has by now. Errors: 'AccessDenied' when it is gone, 'Conflict' while it is being
   * deleted.
   */
  make<T>(projectId: string, accountNow: () => Promise<string | undefined>, work: () => Promise<T>): Promise<T> {
    return this.#lock.share(projectId, async () => {
      const accountId = await accountNow();
      if (accountId === undefined) throw new CloudError('AccessDenied', `there is no project ${projectId} any more`);
      const shut = this.#shut.get(projectId);
      if (shut?.accountId === accountId && shut.untilMs > this.#clock.monotonicMs()) {
        throw new CloudError(
          'Conflict',
          `project ${projectId} is being deleted; if it stays, try again within ${SHUT_MS / 60_000} minutes`,
        );
      }
      return work();
    });
  }

  /** Looks for buckets when none is being made. Where it finds none, none is made for a while. */
  leave({ projectId, accountId }: LeavingProject, look: () => Promise<string[]>): Promise<string[]> {
    return this.#lock.alone(projectId, async () => {
      const found = await look();
      const nowMs = this.#clock.monotonicMs();
      for (const [id, { untilMs }] of this.#shut) if (untilMs <= nowMs) this.#shut.delete(id);
      if (found.length === 0) this.#shut.set(projectId, { accountId, untilMs: nowMs + SHUT_MS });
      return found;
    });
  }
}
