import type { Clock } from '../../base/clock.ts';

/** A token as it is written down: the revision it made, and when (wall clock). */
export interface SavedToken {
  readonly token: string;
  readonly rev: number;
  readonly atMs: number;
}

interface Kept {
  readonly rev: number;
  readonly monotonicMs: number;
}

/**
 * Which tokens have had their effect, for at least `keepMs`. In a process ages are measured by the clock that never goes back;
 * across a restart by the wall clock, and a time in the future counts as now.
 */
export class TokenBook {
  readonly #clock: Clock;
  readonly #keepMs: number;
  /** In the order of their revisions, which is the order they expire in. */
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** The revision the token made. */
  get(token: string): number | undefined {
    return this.#kept.get(token)?.rev;
  }

  add(token: string, rev: number): void {
    this.#kept.set(token, { rev, monotonicMs: this.#clock.monotonicMs() });
  }

  restore({ token, rev, atMs }: SavedToken): void {
    const ageMs = Math.max(0, this.#clock.nowMs() - atMs);
    if (ageMs <= this.#keepMs) this.#kept.set(token, { rev, monotonicMs: this.#clock.monotonicMs() - ageMs });
  }

  expire(): void {
    const oldest = this.#clock.monotonicMs() - this.#keepMs;
    for (const [token, kept] of this.#kept) {
      if (kept.monotonicMs >= oldest) return;
      this.#kept.delete(token);
    }
  }

  /** What to write into a snapshot of `rev`. Lazy: the book may change between two steps. */
  *saved(rev: number): Generator<SavedToken> {
    const bootMs = this.#clock.nowMs() - this.#clock.monotonicMs();
    for (const [token, kept] of this.#kept) {
      if (kept.rev > rev) return;
      yield { token, rev: kept.rev, atMs: Math.round(bootMs + kept.monotonicMs) };
    }
  }
}
