import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { diskProblem, isFull, type IndexDb } from './index-db.ts';

/** Changes that wait are taken into a transaction for so long; the rest is the next one's, so that the event loop is not held up for longer. */
const BATCH_MS = 20;

interface Waiting {
  readonly change: (after: (effect: () => void) => void) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Done {
  readonly effects: (() => void)[];
  answer(): void;
}

export interface CommitQueueParts {
  readonly index: IndexDb;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dir: string;
}

/**
 * Changes of the index. Those that wait are one transaction, as many as there is time for, each behind a savepoint of its own, and are answered after
 * the commit, which is synced. They run one after the other and without a pause, so that no reader ever sees the middle of one.
 */
export class CommitQueue {
  readonly #parts: CommitQueueParts;
  #waiting: Waiting[] = [];
  #scheduled = false;
  #poisoned: CloudError | undefined;
  #closed = false;

  constructor(parts: CommitQueueParts) {
    this.#parts = parts;
  }

  /** What `change` throws is the answer, and nothing of it stays. `after` runs what is to happen once it is on disk, before it is answered. */
  run<T>(change: (after: (effect: () => void) => void) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.check();
      this.#waiting.push({ change, resolve: resolve as (value: unknown) => void, reject });
      if (!this.#scheduled) this.#schedule();
    });
  }

  /** 'Unavailable' once it was closed, or a commit failed so that nobody knows what is on disk. */
  check(): void {
    if (this.#closed) throw new CloudError('Unavailable', 'the object store is closed');
    if (this.#poisoned !== undefined) throw this.#poisoned;
  }

  get poisoned(): boolean {
    return this.#poisoned !== undefined;
  }

  /** Writes what waits; takes nothing more. */
  close(): void {
    this.#closed = true;
    while (this.#waiting.length > 0) this.#flush();
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#parts.clock.defer(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    const { db } = this.#parts.index;
    let done: Done[];
    try {
      if (this.#poisoned !== undefined) throw this.#poisoned;
      db.exec('BEGIN IMMEDIATE');
      done = this.#applyInTime(waiting);
      this.#commit();
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      // Those that were not begun, too: the disk has no room for them either, or nothing is taken any more.
      for (const { reject } of waiting) reject(diskProblem(error, this.#parts.dir));
      return;
    }
    this.#waiting = waiting.slice(done.length);
    if (this.#waiting.length > 0 && !this.#closed) this.#schedule();
    for (const { effects } of done) for (const effect of effects) effect();
    for (const { answer } of done) answer();
  }

  /** The first of them, in their order: one at least. */
  #applyInTime(waiting: readonly Waiting[]): Done[] {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const done: Done[] = [];
    for (const one of waiting) {
      done.push(this.#apply(one));
      if (clock.monotonicMs() - startedMs >= BATCH_MS) break;
    }
    return done;
  }

  #apply({ change, resolve, reject }: Waiting): Done {
    const { db } = this.#parts.index;
    const effects: (() => void)[] = [];
    db.exec('SAVEPOINT one');
    try {
      const value = change((effect) => void effects.push(effect));
      db.exec('RELEASE one');
      return { effects, answer: () => resolve(value) };
    } catch (error) {
      // Some errors end the whole transaction: then all that are in it have failed.
      if (!db.isTransaction) throw error;
      db.exec('ROLLBACK TO one; RELEASE one');
      return { effects: [], answer: () => reject(diskProblem(error, this.#parts.dir)) };
    }
  }

  #commit(): void {
    try {
      this.#parts.index.db.exec('COMMIT');
    } catch (error) {
      if (!isFull(error)) {
        const text =
          'the object store could not write its index and does not know what is on disk: restart it, and look at the disk';
        this.#poisoned = new CloudError('Unavailable', text, { cause: error });
        this.#parts.logger.error('a commit of the object store failed; it takes nothing more', {
          error: String(error),
        });
      }
      throw this.#poisoned ?? error;
    }
  }
}
