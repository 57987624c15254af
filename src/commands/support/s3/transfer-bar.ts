import { progressText } from '../../../views/progress.ts';
import type { Session } from '../session.ts';

/** Bars are drawn at most this often. */
const REDRAW_MS = 100;

/** How far bytes have come, as one line that is rewritten on a terminal. */
export class TransferBar {
  readonly #session: Session;
  readonly #label: string;
  readonly #sizeBytes: number | undefined;
  readonly #startMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #movedBytes = 0;
  #thereBytes = 0;

  constructor(session: Session, label: string, sizeBytes: number | undefined) {
    this.#session = session;
    this.#label = label;
    this.#sizeBytes = sizeBytes;
    this.#startMs = session.io.clock.monotonicMs();
  }

  /** Of this run. */
  get movedBytes(): number {
    return this.#movedBytes;
  }

  get tookMs(): number {
    return this.#session.io.clock.monotonicMs() - this.#startMs;
  }

  /** So many bytes went over the line; negative ones have to go again. */
  moved(bytes: number): void {
    this.#movedBytes += bytes;
    this.#draw();
  }

  /** So many bytes were there from an earlier time: they say nothing of how fast this one is. */
  wereThere(bytes: number): void {
    this.#thereBytes += bytes;
    this.#draw();
  }

  end(): void {
    this.#session.output.progress('');
  }

  #draw(): void {
    const { io, output } = this.#session;
    const nowMs = io.clock.monotonicMs();
    if (nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    output.progress(
      progressText({
        ...{ label: this.#label, sentBytes: this.#movedBytes, sizeBytes: this.#sizeBytes },
        ...{ beforeBytes: this.#thereBytes, tookMs: nowMs - this.#startMs, width: io.stderr.columns ?? 80 },
      }),
    );
  }
}
