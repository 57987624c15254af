import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import { KEYS } from '../../domain/keys.ts';
import type { Lease, Store } from '../../ports/store.ts';
import { writeLeased } from '../state/write-leased.ts';

export const OBJECTS_CLAIM = { leaseMs: 8000, againMs: 1000 } as const;

/** Which process has the objects of the cloud, and where. */
export interface ObjectsHolderRecord {
  readonly v: 1;
  readonly serviceId: string;
  readonly machine: string;
  readonly dir: string;
}

export interface ObjectsClaimParts {
  readonly store: Store;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Logger;
  readonly holder: ObjectsHolderRecord;
}

/**
 * One process of those that share a store has the objects: a second one would have others, in a folder of its own. The claim goes with a lease. Whoever comes with the same
 * folder of the same machine takes it at once: the lock of the folder says that nobody else has that one.
 */
export class ObjectsClaim {
  readonly #parts: ObjectsClaimParts;
  #lease: Lease | undefined;
  #problem: string | undefined;
  #closed = false;

  private constructor(parts: ObjectsClaimParts) {
    this.#parts = parts;
  }

  /** The folder is locked by this process already. Errors: 'LockBusy' names who has the objects and says what to do; 'Unavailable'. */
  static async take(parts: ObjectsClaimParts): Promise<ObjectsClaim> {
    const claim = new ObjectsClaim(parts);
    await claim.#take();
    return claim;
  }

  /** Another process took the claim while this one could not reach the store. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const { logger } = this.#parts;
    await this.#lease?.close().catch((error: unknown) => logger.debug('lease not closed', { error: errorText(error) }));
  }

  async #take(): Promise<void> {
    const { lease } = await writeLeased(this.#parts.store, OBJECTS_CLAIM.leaseMs, (one) => this.#write(one));
    this.#lease = lease;
    this.#problem = undefined;
    if (this.#closed) return lease.close();
    lease.lost.addEventListener('abort', () => void this.#takeAgain(), { once: true });
  }

  async #write(lease: Lease): Promise<void> {
    const { store, holder } = this.#parts;
    const key = KEYS.objectsHolder;
    for (;;) {
      await store.barrier();
      const seen = store.get<ObjectsHolderRecord>(key);
      if (seen !== undefined && !isSameFolder(seen.value, holder)) throw taken(seen.value);
      const guard = seen === undefined ? ({ key, absent: true } as const) : { key, rev: seen.rev };
      const { ok } = await store.txn({ guards: [guard], puts: [{ key, value: toJson(holder), lease }] });
      if (lease.lost.aborted)
        throw new CloudError('Unavailable', 'the lease of the claim was over before it was written');
      // Otherwise somebody was faster, whom the next look sees.
      if (ok) return;
    }
  }

  async #takeAgain(): Promise<void> {
    const { clock, logger } = this.#parts;
    if (this.#closed) return;
    try {
      await this.#take();
    } catch (error) {
      const isTaken = isCode(error, 'LockBusy');
      if (isTaken && this.#problem === undefined) logger.error('the objects', { problem: errorText(error) });
      this.#problem = isTaken ? errorText(error) : this.#problem;
      clock.after(OBJECTS_CLAIM.againMs, () => void this.#takeAgain(), { unref: true });
    }
  }
}

const isSameFolder = (a: ObjectsHolderRecord, b: ObjectsHolderRecord): boolean =>
  a.machine === b.machine && a.dir === b.dir;

function taken({ serviceId, machine, dir }: ObjectsHolderRecord): CloudError {
  return new CloudError(
    'LockBusy',
    `${serviceId} has the objects of this cloud (on ${machine}, in ${dir}), and another folder would hold others: take the role objectstore from the roles of one of the two, or stop ${serviceId} and move its folder here (of one that was killed it is known after ${OBJECTS_CLAIM.leaseMs / 1000} s: start this one again then)`,
    { details: { serviceId, machine, dir } },
  );
}
