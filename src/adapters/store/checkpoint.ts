import { Low } from 'lowdb';
import { type Clock, isoTime } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { MIB } from '../../base/units.ts';
import type { Entry } from '../../ports/store.ts';
import type { Journal } from './journal.ts';
import type { FrozenView, ReplicaMap } from './replica-map.ts';
import type { ReplicaImage, SnapshotAdapter } from './snapshot.ts';
import type { TokenBook } from './token-book.ts';

export interface CheckpointTunables {
  /** A snapshot is due after so many writes. Default 50 000. */
  readonly snapshotOps?: number;
  /** ... or so much journal. Default 64 MiB. */
  readonly snapshotBytes?: number;
  /** ... or this long after the last one, if anything was written. Default 10 minutes. */
  readonly snapshotMs?: number;
  /** On close one is made after so many writes already, so that a short command starts fast. Default 5 000. */
  readonly closeSnapshotOps?: number;
}

export interface CheckpointOptions extends CheckpointTunables {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly replica: ReplicaMap;
  readonly tokens: TokenBook;
  readonly journal: Journal;
  readonly adapter: SnapshotAdapter;
  /** Revision of the snapshot on disk; 0: none. */
  readonly snapshotRev: number;
  /** What the journal holds beyond it. */
  readonly pendingOps: number;
  readonly pendingBytes: number;
}

function* slices(view: FrozenView): Generator<Entry> {
  for (let slice = view.next(500); slice.length > 0; slice = view.next(500)) yield* slice;
}

/** Decides when a snapshot is due, makes it with lowdb while commits go on, and then drops the journal that no recovery needs. */
export class Checkpointer {
  readonly #options: CheckpointOptions;
  readonly #db: Low<ReplicaImage>;
  #snapshotRev: number;
  #ops: number;
  #bytes: number;
  #lastMs: number;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#db = new Low<ReplicaImage>(options.adapter, { rev: 0, savedAt: '', entries: [], tokens: [] });
    this.#snapshotRev = options.snapshotRev;
    this.#ops = options.pendingOps;
    this.#bytes = options.pendingBytes;
    this.#lastMs = options.clock.monotonicMs();
  }

  /** After each batch. */
  note(ops: number, bytes: number): void {
    this.#ops += ops;
    this.#bytes += bytes;
    const { snapshotOps = 50_000, snapshotBytes = 64 * MIB, snapshotMs = 600_000, clock } = this.#options;
    const due =
      this.#ops >= snapshotOps || this.#bytes >= snapshotBytes || clock.monotonicMs() - this.#lastMs >= snapshotMs;
    if (due && this.#running === undefined && !this.#closed) this.#start();
  }

  /** After the last batch. */
  async close(healthy: boolean): Promise<void> {
    this.#closed = true;
    await this.#running;
    if (!healthy || this.#ops < (this.#options.closeSnapshotOps ?? 5000)) return;
    try {
      // Nothing is appended any more, so that the next start finds an empty segment instead of one it need not have read.
      await this.#options.journal.rotateNow(this.#options.replica.rev);
    } catch (error) {
      this.#options.logger.error('no new journal segment at the end; the old one keeps everything', {
        error: errorText(error),
      });
      return;
    }
    this.#start();
    await this.#running;
  }

  #start(): void {
    // Counted anew from here, so that a snapshot that fails (no room) is tried again only after as much more.
    this.#ops = 0;
    this.#bytes = 0;
    this.#lastMs = this.#options.clock.monotonicMs();
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const { clock, logger, replica, tokens, journal } = this.#options;
    const startMs = clock.monotonicMs();
    const view = replica.freeze();
    journal.requestRotation();
    try {
      this.#db.data = {
        rev: view.rev,
        savedAt: isoTime(clock.nowMs()),
        entries: slices(view),
        tokens: tokens.saved(view.rev),
      };
      await this.#db.write();
      // The file that was current is the previous generation now: recovery from it needs the journal after its revision.
      await journal.dropThrough(this.#snapshotRev);
      this.#snapshotRev = view.rev;
      const tookMs = Math.round(clock.monotonicMs() - startMs);
      logger.debug('snapshot written', { rev: view.rev, keys: view.keys, tookMs });
    } catch (error) {
      logger.error('the snapshot failed; the journal keeps everything, the next one will be tried later', {
        rev: view.rev,
        error: errorText(error),
      });
    } finally {
      view.close();
    }
  }
}
