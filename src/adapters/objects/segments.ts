import type { Clock, Timer } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { randomHex, type Random } from '../../base/random.ts';
import type { Segment } from '../../domain/s3/records.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { IndexDb } from './index-db.ts';
import { FILE_KIND, INLINE_KIND, type SegmentFiles } from './segment-files.ts';

/** One transaction removes so many rows. */
const SWEEP_ROWS = 500;

/** So many that come one after the other lie in one folder (their id begins with it): those that come together share the sync of it. */
const FOLDER_RUN = 16;

export interface SegmentsParts {
  readonly index: IndexDb;
  readonly files: SegmentFiles;
  readonly commits: CommitQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What nothing names any more stays readable for so long: somebody may have looked it up and not opened it yet. */
  readonly lingerMs: number;
}

type After = (effect: () => void) => void;

/**
 * Which segments there are and how often each is named. Of what this process receives, of what is open and of what lingers it knows in memory; all else is a
 * row. A row goes before its file, so that a row always has its bytes; a file without a row, and a row with no name left, are garbage.
 */
export class Segments {
  readonly #parts: SegmentsParts;
  /** Being received, or received and not named yet; those in the index have their bytes here. */
  readonly #underWay = new Map<string, Buffer | undefined>();
  readonly #pins = new Map<string, number>();
  /** Named no more, and since when. */
  readonly #dead = new Map<string, number>();
  #begun: number;
  #timer: Timer | undefined;
  #closed = false;
  #sweeping: Promise<number> = Promise.resolve(0);

  constructor(parts: SegmentsParts) {
    this.#parts = parts;
    this.#begun = Math.floor(parts.random.unit() * 256 * FOLDER_RUN);
  }

  /** Of a file, or with bytes of the index. */
  begin(body?: Buffer): string {
    this.#begun += 1;
    const folder = Math.floor(this.#begun / FOLDER_RUN) % 256;
    const kind = body === undefined ? FILE_KIND : INLINE_KIND;
    const id = `${kind}${folder.toString(16).padStart(2, '0')}${randomHex(this.#parts.random, 30)}`;
    this.#underWay.set(id, body);
    return id;
  }

  /** Somebody writes it, reads it, or will name it. */
  inUse(id: string): boolean {
    return this.#underWay.has(id) || this.#pins.has(id);
  }

  hasRow(id: string): boolean {
    return this.#parts.index.get('SELECT 1 FROM segments WHERE id = ?', id) !== undefined;
  }

  /** Forgets what was received and not named; others are left alone. */
  async drop(segments: readonly Pick<Segment, 'id'>[]): Promise<void> {
    for (const { id } of segments) {
      if (!this.#underWay.delete(id) || !id.startsWith(FILE_KIND)) continue;
      // Should this fail, the collector finds it: nothing names it.
      await this.#parts.files.remove(id).catch((error: unknown) => {
        this.#parts.logger.warn('a received file could not be removed', { id, error: errorText(error) });
      });
    }
  }

  /** Within a change: one more name for each. 'NoSuchKey' when one is gone for good. */
  name(segments: readonly Segment[], after: After): void {
    const { index } = this.#parts;
    for (const { id, sizeBytes, sha256 } of segments) {
      if (this.#underWay.has(id)) {
        const body = this.#underWay.get(id) ?? null;
        index.run(
          'INSERT INTO segments (id, size, sha256, refs, body) VALUES (?, ?, ?, 1, ?) ON CONFLICT (id) DO UPDATE SET refs = refs + 1',
          ...[id, sizeBytes, sha256, body],
        );
        after(() => void this.#underWay.delete(id));
      } else if (index.run('UPDATE segments SET refs = refs + 1 WHERE id = ?', id) === 0) {
        throw goneError();
      }
    }
  }

  /** Within a change: one name less for each. */
  release(segments: readonly Pick<Segment, 'id'>[], after: After): void {
    for (const { id } of segments) {
      const sql = 'UPDATE segments SET refs = refs - 1 WHERE id = ? RETURNING refs';
      if (this.#parts.index.get<{ refs: number }>(sql, id)?.refs === 0) after(() => this.#bury(id));
    }
  }

  /** Keeps them readable until `unpin`; 'NoSuchKey' when one is gone. */
  pin(ids: readonly string[]): void {
    for (const id of ids) if (!this.#underWay.has(id) && !this.hasRow(id)) throw goneError();
    for (const id of ids) this.#pins.set(id, (this.#pins.get(id) ?? 0) + 1);
  }

  unpin(ids: readonly string[]): void {
    for (const id of ids) {
      const count = (this.#pins.get(id) ?? 0) - 1;
      if (count > 0) this.#pins.set(id, count);
      else this.#pins.delete(id);
    }
  }

  /** The bytes of one that lies in the index. */
  body(id: string): Uint8Array {
    const pending = this.#underWay.get(id);
    if (pending !== undefined) return pending;
    this.#parts.commits.check();
    const row = this.#parts.index.get<{ body: Uint8Array | null }>('SELECT body FROM segments WHERE id = ?', id);
    if (row?.body === undefined || row.body === null) throw goneError();
    return row.body;
  }

  #bury(id: string): void {
    this.#dead.set(id, this.#parts.clock.monotonicMs());
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#dead.size === 0 || this.#closed) return;
    this.#timer = this.#parts.clock.after(
      this.#parts.lingerMs,
      () => {
        this.#timer = undefined;
        const sweep = this.sweep(this.#parts.clock.monotonicMs() - this.#parts.lingerMs);
        sweep.catch((error: unknown) => {
          this.#parts.logger.warn('segments that nothing names could not be removed', { error: errorText(error) });
        });
        void sweep.catch(() => 0).then(() => this.#arm());
      },
      { unref: true },
    );
  }

  /** Removes what died up to then and nobody reads; answers how many. One at a time. */
  sweep(untilMs = Infinity): Promise<number> {
    const sweep = this.#sweeping.catch(() => 0).then(() => this.#sweepNow(untilMs));
    this.#sweeping = sweep;
    return sweep;
  }

  async #sweepNow(untilMs: number): Promise<number> {
    const due = [...this.#dead].flatMap(([id, diedMs]) => (diedMs <= untilMs && !this.inUse(id) ? [id] : []));
    let removed = 0;
    while (due.length > 0) removed += await this.removeRows(due.splice(0, SWEEP_ROWS));
    return removed;
  }

  /** Those of the ids that nothing names: the rows, and then the files. */
  async removeRows(ids: readonly string[]): Promise<number> {
    const { commits, index, files } = this.#parts;
    const gone = await commits.run((after) => {
      const removed = ids.filter((id) => {
        if (this.inUse(id)) return false;
        after(() => void this.#dead.delete(id));
        return index.run('DELETE FROM segments WHERE id = ? AND refs = 0', id) > 0;
      });
      return removed;
    });
    for (const id of gone) if (id.startsWith(FILE_KIND)) await files.removePublished(id);
    return gone.length;
  }

  /** The rest of the open ones is not waited for: what they had stays for the next collector. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.sweep().catch(() => 0);
  }
}

function goneError(): CloudError {
  return new CloudError('NoSuchKey', 'the object was deleted or replaced meanwhile: look it up again');
}
