import type { Timer } from '../../src/base/clock.ts';
import { AfterClock } from './after-clock.ts';

interface Due {
  readonly atMs: number;
  readonly order: number;
  run(): void;
}

/**
 * A clock that stands still until it is told to go on. `defer` is the real event loop's next turn, so that promises and real I/O go on;
 * timers fire in `advance`, each at its own moment, with turns in between.
 */
export class ManualClock extends AfterClock {
  #nowMs: number;
  #due: Due[] = [];
  #order = 0;

  constructor(startMs = 1_700_000_000_000) {
    super();
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    this.#order += 1;
    const due: Due = { atMs: this.#nowMs + delayMs, order: this.#order, run };
    this.#due.push(due);
    return { cancel: () => (this.#due = this.#due.filter((other) => other !== due)) };
  }

  override sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.after(delayMs, resolve);
      signal?.addEventListener('abort', () => {
        timer.cancel();
        reject(signal.reason as Error);
      });
    });
  }

  override defer(run: () => void): void {
    setImmediate(run);
  }

  /** Lets everything that is due now or deferred run. */
  async settle(turns = 20): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const next = this.#due.filter((due) => due.atMs <= endMs).sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((due) => due !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await this.settle();
    }
    this.#nowMs = endMs;
    await this.settle();
  }
}
