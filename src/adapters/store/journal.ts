import path from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { CommitLog } from './commit-line.ts';
import type { FilePort, PortFile } from './file-port.ts';
import { encodeFrame } from './frame.ts';

const NAME = /^journal\.(\d+)$/;

export function segmentName(firstRev: number): string {
  return `journal.${firstRev}`;
}

/** First revisions of the journal segments among file names, in order. */
export function segmentRevs(names: readonly string[]): number[] {
  return names
    .map((name) => Number(NAME.exec(name)?.[1] ?? Number.NaN))
    .filter((rev) => Number.isSafeInteger(rev))
    .sort((a, b) => a - b);
}

export interface JournalOptions {
  readonly dir: string;
  readonly files: FilePort;
  readonly clock: Clock;
  /** First revisions of the segments on disk; the last one is open for append. */
  readonly segments: readonly number[];
  readonly file: PortFile;
  readonly sizeBytes: number;
  /** A segment this large is the last one's predecessor. */
  readonly segmentBytes: number;
  /** Told before bytes go to the disk. */
  readonly onWrite?: (bytes: number) => void;
}

/** The append-only record of every batch, in segments. Any failure in `append` leaves the end of the file unknown: do not go on. */
export class Journal implements CommitLog {
  readonly #options: JournalOptions;
  #segments: number[];
  #file: PortFile;
  #size: number;
  #rotate = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#segments = [...options.segments];
    this.#file = options.file;
    this.#size = options.sizeBytes;
  }

  async append(txns: readonly string[], prev: number): Promise<void> {
    if ((this.#rotate || this.#size >= this.#options.segmentBytes) && this.#size > 0)
      await this.#startSegment(prev + 1);
    const frame = encodeFrame(txns, prev, this.#options.clock.nowMs());
    this.#options.onWrite?.(frame.length);
    await this.#file.write(frame, this.#size);
    await this.#file.datasync();
    this.#size += frame.length;
  }

  /** The next batch begins a new segment. */
  requestRotation(): void {
    this.#rotate = true;
  }

  /** Begins the segment after `rev`, the last revision, now. Only while nothing is appended. */
  async rotateNow(rev: number): Promise<void> {
    if (this.#size > 0) await this.#startSegment(rev + 1);
  }

  /** Removes segments that hold nothing later than `rev`. */
  async dropThrough(rev: number): Promise<void> {
    const { dir, files } = this.#options;
    while ((this.#segments[1] ?? Infinity) <= rev + 1) {
      await files.remove(path.join(dir, segmentName(this.#segments[0] ?? 0)));
      this.#segments = this.#segments.slice(1);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #startSegment(firstRev: number): Promise<void> {
    const { dir, files } = this.#options;
    const next = await files.open(path.join(dir, segmentName(firstRev)), { truncate: true });
    await files.syncDir(dir);
    const old = this.#file;
    this.#file = next;
    this.#segments.push(firstRev);
    this.#size = 0;
    this.#rotate = false;
    await old.close();
  }
}
