import type { Clock, Timer } from './clock.ts';

/** Node fires a longer timer at once. A key that is looked at too early asks for more time. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Work by key: a key is worked on by one run at a time, a key added while it runs runs once more, and keys may be added for later.
 * At most `concurrency` keys run side by side. `run` must not throw for ordinary failures; what it throws goes to `onError`.
 */
export class KeyedQueue {
  readonly #run: (key: string) => Promise<void>;
  readonly #onError: (key: string, error: unknown) => void;
  readonly #clock: Clock;
  readonly #concurrency: number;
  readonly #onStart: ((key: string, waitedMs: number) => void) | undefined;
  /** Key -> when it was added. */
  readonly #waiting = new Map<string, number>();
  readonly #running = new Map<string, { again: boolean }>();
  readonly #timers = new Map<string, { atMs: number; timer: Timer }>();
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(options: {
    clock: Clock;
    concurrency: number;
    run: (key: string) => Promise<void>;
    onError: (key: string, error: unknown) => void;
    /** A run begins, so long after the key was added. */
    onStart?: (key: string, waitedMs: number) => void;
  }) {
    this.#clock = options.clock;
    this.#concurrency = options.concurrency;
    this.#run = options.run;
    this.#onError = options.onError;
    this.#onStart = options.onStart;
  }

  add(key: string): void {
    if (this.#closed) return;
    const running = this.#running.get(key);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    if (!this.#waiting.has(key)) this.#waiting.set(key, this.#clock.monotonicMs());
    this.#pump();
  }

  /** Adds the key after delayMs (at most 24 days), or earlier if an earlier time is already set. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    const waitMs = Math.min(delayMs, MAX_TIMER_MS);
    const atMs = this.#clock.monotonicMs() + waitMs;
    const known = this.#timers.get(key);
    if (known !== undefined) {
      if (known.atMs <= atMs) return;
      known.timer.cancel();
    }
    const timer = this.#clock.after(
      waitMs,
      () => {
        this.#timers.delete(key);
        this.add(key);
      },
      { unref: true },
    );
    this.#timers.set(key, { atMs, timer });
  }

  get depth(): number {
    return this.#waiting.size + this.#running.size;
  }

  /** Drops what waits and resolves when what runs has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    for (const [key, addedMs] of this.#waiting) {
      if (this.#running.size >= this.#concurrency) return;
      this.#waiting.delete(key);
      this.#onStart?.(key, this.#clock.monotonicMs() - addedMs);
      this.#start(key);
    }
  }

  #start(key: string): void {
    const state = { again: false };
    this.#running.set(key, state);
    this.#run(key)
      .catch((error: unknown) => this.#onError(key, error))
      .finally(() => {
        this.#running.delete(key);
        if (state.again) this.add(key);
        this.#pump();
        if (this.#running.size === 0) for (const wake of this.#idle.splice(0)) wake();
      });
  }
}
