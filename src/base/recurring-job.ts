import type { Clock } from './clock.ts';

export interface RecurringJob {
  /** Stops a run that is under way by its signal, and waits for its end. */
  close(): Promise<void>;
}

interface RecurringJobParts {
  readonly clock: Pick<Clock, 'after' | 'every'>;
  /** Also a process that is started again and again comes to it. */
  readonly firstAfterMs: number;
  readonly everyMs: number;
  /** What a run throws, unless it was stopped, goes to `onError`. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Does something now and then, one run at a time, without keeping the process alive. */
export function startRecurringJob({ clock, firstAfterMs, everyMs, run, onError }: RecurringJobParts): RecurringJob {
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  const once = async (): Promise<void> => {
    try {
      await run(stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) onError(error);
    }
  };
  const begin = (): void => {
    running ??= once().finally(() => {
      running = undefined;
    });
  };
  const timers = [clock.after(firstAfterMs, begin, { unref: true }), clock.every(everyMs, begin, { unref: true })];
  return {
    async close() {
      for (const timer of timers) timer.cancel();
      stop.abort();
      await running;
    },
  };
}
