import type { Clock, Timer } from '../../src/base/clock.ts';

/** What a clock of tests has beside its time and `after`: all of it by `after`, so that nothing fires but by that. */
export abstract class AfterClock implements Clock {
  abstract nowMs(): number;
  abstract monotonicMs(): number;
  abstract after(delayMs: number, run: () => void): Timer;

  every(periodMs: number, run: () => void): Timer {
    let timer: Timer;
    const again = (): void => {
      timer = this.after(periodMs, again);
      run();
    };
    timer = this.after(periodMs, again);
    return { cancel: () => timer.cancel() };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason as Error);
      };
      const timer = this.after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  defer(run: () => void): void {
    this.after(0, run);
  }
}
