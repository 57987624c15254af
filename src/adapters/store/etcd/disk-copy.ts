import path from 'node:path';
import { Low } from 'lowdb';
import { type Clock, isoTime, type Timer } from '../../../base/clock.ts';
import { errorText, isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { MIB } from '../../../base/units.ts';
import { STORE_LIMITS } from '../../../ports/store.ts';
import { Checkpointer, type CheckpointTunables } from '../checkpoint.ts';
import type { FilePort } from '../file-port.ts';
import { Journal, segmentName, segmentRevs } from '../journal.ts';
import { recover } from '../recovery.ts';
import type { ReplicaMap } from '../replica-map.ts';
import { type ReplicaImage, SNAPSHOT, SnapshotAdapter } from '../snapshot.ts';
import { TokenBook } from '../token-book.ts';

const SEGMENT_BYTES = 32 * MIB;
/** More that waits for the disk than this is thrown away, and a whole copy made later. */
const MAX_QUEUED_CHARS = 64 * MIB;
const BATCH_CHARS = 2 * MIB;
const RETRY_MS = 60_000;

export interface DiskCopyOptions extends CheckpointTunables {
  readonly dir: string;
  readonly files: FilePort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly replica: ReplicaMap;
}

interface Parts {
  readonly journal: Journal;
  readonly checkpointer: Checkpointer;
}

/**
 * The replica of etcd on disk, in the file engine's own format: a warm start, and what can be read when etcd is gone. Behind the replica by what the
 * disk has not taken yet. etcd has the truth, so that a disk that fails is told of and tried again later, and nothing waits for it.
 */
export class DiskCopy {
  readonly #options: DiskCopyOptions;
  #parts: Parts | undefined;
  #queue: { readonly rev: number; readonly text: string; readonly ops: number }[] = [];
  #queuedChars = 0;
  /** The last revision in the journal. */
  #journaled: number;
  /** A whole copy is to be made: 'anew' when nothing of the old one may stay. */
  #whole: 'beside' | 'anew' | undefined;
  /** What is in the folder is of another history, until a whole copy has taken its place. */
  #isForeign = false;
  #working: Promise<void> | undefined;
  #retry: Timer | undefined;
  #closed = false;

  private constructor(options: DiskCopyOptions, parts: Parts | undefined) {
    this.#options = options;
    this.#parts = parts;
    this.#journaled = options.replica.rev;
  }

  /** Fills the replica from the folder. What is damaged there is thrown away. */
  static async open(options: DiskCopyOptions): Promise<DiskCopy> {
    const { dir, files, logger, replica, clock } = options;
    await files.makeDir(dir);
    const tokens = new TokenBook(clock, STORE_LIMITS.tokenKeepMs);
    try {
      const found = await recover({ dir, files, logger, replica, tokens });
      return new DiskCopy(options, makeParts(options, tokens, found));
    } catch (error) {
      if (!isCode(error, 'CorruptState')) throw error;
      logger.warn('the copy of etcd on disk is damaged; a new one is made', { dir, problem: error.message });
      replica.load([], 0);
      const copy = new DiskCopy(options, undefined);
      copy.restart('anew');
      return copy;
    }
  }

  /** A revision was applied. `text` is `{"rev":...,"ops":[...]}`. */
  note(rev: number, text: string, ops: number): void {
    if (this.#closed || this.#retry !== undefined) return;
    this.#queue.push({ rev, text, ops });
    this.#queuedChars += text.length;
    if (this.#queuedChars > MAX_QUEUED_CHARS) this.#broken(new Error('the disk is too slow'));
    this.#work();
  }

  /** The replica was replaced: the folder gets a whole copy. */
  restart(how: 'beside' | 'anew'): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#isForeign ||= how === 'anew';
    this.#whole = this.#isForeign ? 'anew' : how;
    this.#work();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    while (this.#working !== undefined) await this.#working;
    const parts = this.#parts;
    if (parts === undefined) return;
    await parts.checkpointer.close(this.#retry === undefined);
    await parts.journal.close();
  }

  #work(): void {
    this.#working ??= this.#run().finally(() => {
      this.#working = undefined;
      if (this.#whole !== undefined || (this.#queue.length > 0 && this.#retry === undefined)) this.#work();
    });
  }

  async #run(): Promise<void> {
    // In a later turn, so that what is applied in this one shares a write.
    await new Promise<void>((resolve) => this.#options.clock.defer(resolve));
    try {
      if (this.#whole !== undefined) await this.#copyWhole(this.#whole);
      while (this.#queue.length > 0 && this.#whole === undefined) await this.#append();
    } catch (error) {
      this.#broken(error);
    }
  }

  async #append(): Promise<void> {
    let chars = 0;
    let count = 0;
    for (const { text } of this.#queue) {
      chars += text.length;
      count += 1;
      if (chars >= BATCH_CHARS) break;
    }
    const batch = this.#queue.splice(0, count);
    this.#queuedChars -= chars;
    const texts = batch.map(({ text }) => text);
    await this.#parts?.journal.append(texts, this.#journaled);
    this.#journaled = batch.at(-1)?.rev ?? this.#journaled;
    this.#parts?.checkpointer.note(
      batch.reduce((sum, { ops }) => sum + ops, 0),
      chars,
    );
  }

  async #copyWhole(how: 'beside' | 'anew'): Promise<void> {
    this.#whole = undefined;
    const { dir, files, replica, clock } = this.#options;
    const old = this.#parts;
    this.#parts = undefined;
    await old?.checkpointer.close(false);
    await old?.journal.close().catch(() => undefined);
    if (how === 'anew') await this.#remove(() => true);
    // From here to the freeze nothing is applied: what is queued is in the picture.
    this.#queue = [];
    this.#queuedChars = 0;
    const view = replica.freeze();
    const { rev } = view;
    this.#journaled = rev;
    try {
      const adapter = new SnapshotAdapter({ dir, files, defer: (run) => clock.defer(run) });
      const image: ReplicaImage = { rev, savedAt: isoTime(clock.nowMs()), entries: slices(view), tokens: [] };
      await new Low<ReplicaImage>(adapter, image).write();
    } finally {
      view.close();
    }
    const segment = segmentName(rev + 1);
    const file = await files.open(path.join(dir, segment), { truncate: true });
    await this.#remove((name) => name !== SNAPSHOT.current && name !== segment);
    await files.syncDir(dir);
    if (this.#whole === undefined) this.#isForeign = false;
    const tokens = new TokenBook(clock, STORE_LIMITS.tokenKeepMs);
    const fresh = { segments: [rev + 1], file, sizeBytes: 0, snapshotRev: rev, hasCurrent: true };
    this.#parts = makeParts(this.#options, tokens, { ...fresh, replayedOps: 0, replayedBytes: 0 });
  }

  async #remove(which: (name: string) => boolean): Promise<void> {
    const { dir, files } = this.#options;
    const names = await files.list(dir);
    const ours = [SNAPSHOT.current, SNAPSHOT.previous, ...segmentRevs(names).map(segmentName)];
    for (const name of ours) if (names.includes(name) && which(name)) await files.remove(path.join(dir, name));
  }

  #broken(error: unknown): void {
    const { clock, dir, logger } = this.#options;
    this.#queue = [];
    this.#queuedChars = 0;
    if (this.#closed || this.#retry !== undefined) return;
    logger.error('the copy of etcd on disk can not be kept; the store goes on without it and tries again later', {
      dir,
      error: errorText(error),
    });
    this.#retry = clock.after(RETRY_MS, () => this.restart('beside'), { unref: true });
  }
}

function* slices(view: {
  next(limit: number): ReplicaImage['entries'];
}): Generator<ReplicaImage['entries'] extends Iterable<infer E> ? E : never> {
  for (;;) {
    const slice = [...view.next(500)];
    if (slice.length === 0) return;
    yield* slice;
  }
}

function makeParts(options: DiskCopyOptions, tokens: TokenBook, found: Awaited<ReturnType<typeof recover>>): Parts {
  const { dir, files, clock } = options;
  const journal = new Journal({ ...found, dir, files, clock, segmentBytes: SEGMENT_BYTES });
  const defer = (run: () => void): void => clock.defer(run);
  const adapter = new SnapshotAdapter({ dir, files, defer, hasCurrent: found.hasCurrent });
  const { replayedOps, replayedBytes } = found;
  const pending = { pendingOps: replayedOps, pendingBytes: replayedBytes };
  const checkpointer = new Checkpointer({
    ...options,
    ...pending,
    tokens,
    journal,
    adapter,
    snapshotRev: found.snapshotRev,
  });
  return { journal, checkpointer };
}
