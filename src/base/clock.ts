/** A running timer. `unref` lets the process end while it is pending. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as a dependency: the wall clock, a clock that never goes back, and timers.
 * Nothing outside base/ may touch Date.now, setTimeout or setImmediate.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970 (UTC). May jump. */
  nowMs(): number;
  /** Never goes back; only differences mean something. Milliseconds, fractional. */
  monotonicMs(): number;
  after(delayMs: number, run: () => void, options?: { unref?: boolean }): Timer;
  every(periodMs: number, run: () => void, options?: { unref?: boolean }): Timer;
  /** Resolves after delayMs; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Runs in a later turn of the event loop. */
  defer(run: () => void): void;
}

export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void, options: { unref?: boolean } = {}): Timer {
    const handle = setTimeout(run, delayMs);
    if (options.unref === true) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }

  every(periodMs: number, run: () => void, options: { unref?: boolean } = {}): Timer {
    const handle = setInterval(run, periodMs);
    if (options.unref === true) handle.unref();
    return { cancel: () => clearInterval(handle) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(handle);
        reject(signal?.reason as Error);
      };
      const handle = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, delayMs);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  defer(run: () => void): void {
    setImmediate(run);
  }
}

/** ISO 8601 with milliseconds, as EC2 prints times. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
