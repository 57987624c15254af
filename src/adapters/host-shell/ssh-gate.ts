import type { Clock, Timer } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';

/** So many good passes in a row before one more place is tried again. */
const PASSES_TO_WIDEN = 32;

export interface GateOptions {
  /** For messages: 'sessions on h1'. */
  readonly what: string;
  readonly clock: Clock;
  readonly places: number;
  readonly queue: number;
  readonly waitMs: number;
}

interface Waiter {
  enter(): void;
  fail(error: unknown): void;
}

/**
 * So many at a time; the others wait in order, up to a number and a time. CloudError 'Busy' beyond.
 * It narrows when the far side turns out to have fewer places, and widens again one by one.
 */
export class Gate {
  readonly #options: GateOptions;
  #places: number;
  #inUse = 0;
  #passes = 0;
  #waiting: Waiter[] = [];
  #closed: CloudError | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#places = options.places;
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** Resolves to what gives the place back; calling that twice does no harm. `ahead`: before all who wait. */
  enter(options: { signal?: AbortSignal | undefined; ahead?: boolean } = {}): Promise<() => void> {
    const { signal, ahead = false } = options;
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#inUse < this.#places && (ahead || this.#waiting.length === 0)) return Promise.resolve(this.#take());
    const { what, queue, waitMs, clock } = this.#options;
    if (!ahead && this.#waiting.length >= queue) {
      const details = { outcome: 'not-sent', places: this.#places, queue };
      return Promise.reject(
        new CloudError('Busy', `${what}: ${this.#places} in use and ${queue} wait already; try again later`, {
          details,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiting = this.#waiting.filter((one) => one !== waiter);
      };
      const fail = (error: unknown): void => {
        leave();
        reject(error as Error);
      };
      const onAbort = (): void => fail(signal?.reason);
      const waiter: Waiter = {
        enter: () => {
          leave();
          resolve(this.#take());
        },
        fail,
      };
      const timer: Timer = clock.after(waitMs, () => {
        const details = { outcome: 'not-sent', waitMs };
        fail(new CloudError('Busy', `${what}: none of ${this.#places} became free within ${waitMs} ms`, { details }));
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (ahead) this.#waiting.unshift(waiter);
      else this.#waiting.push(waiter);
    });
  }

  /** The far side refused one more than are in use now. False when none is in use: then it refuses altogether. */
  narrow(): boolean {
    if (this.#inUse === 0) return false;
    this.#places = Math.min(this.#places, this.#inUse);
    this.#passes = 0;
    return true;
  }

  /** The far side took one: after many in a row the gate widens by a place. */
  passed(): void {
    this.#passes += 1;
    if (this.#passes < PASSES_TO_WIDEN || this.#places >= this.#options.places) return;
    this.#passes = 0;
    this.#places += 1;
    this.#admit();
  }

  /** Those who wait and those who come get the error. */
  close(error: CloudError): void {
    this.#closed ??= error;
    for (const waiter of this.#waiting) waiter.fail(this.#closed);
  }

  #take(): () => void {
    this.#inUse += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#inUse -= 1;
      this.#admit();
    };
  }

  #admit(): void {
    while (this.#inUse < this.#places) {
      const next = this.#waiting[0];
      if (next === undefined) return;
      next.enter();
    }
  }
}
