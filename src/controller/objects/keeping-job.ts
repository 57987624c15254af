import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { MIB } from '../../base/units.ts';
import type { ObjectKeeper } from './object-keeper.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const KEEPING = {
  lookEveryMs: HOUR_MS,
  /** Also a process that is started again and again comes to it. */
  firstAfterMs: 600_000,
  collectEveryMs: DAY_MS,
  scrubEveryMs: 7 * DAY_MS,
  /** So that who reads and writes meanwhile hardly notices. */
  scrubBytesPerSecond: 32 * MIB,
} as const;

export interface KeepingJob {
  /** Stops what is under way; it begins anew in the next process. */
  close(): Promise<void>;
}

export interface KeepingJobParts {
  readonly keeper: ObjectKeeper;
  readonly clock: Pick<Clock, 'nowMs' | 'after' | 'every'>;
  readonly logger: Logger;
}

/** Collects once a day and scrubs once a week, counted from the last time that it was done, by whomever. */
export function startKeepingJob({ keeper, clock, logger }: KeepingJobParts): KeepingJob {
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  const isDue = (lastMs: number | undefined, everyMs: number): boolean =>
    lastMs === undefined || clock.nowMs() - lastMs >= everyMs;
  const run = async (): Promise<void> => {
    try {
      if (isDue(keeper.notes.lastCollect?.atMs, KEEPING.collectEveryMs)) await keeper.collect();
      if (!isDue(keeper.notes.lastScrub?.startedAtMs, KEEPING.scrubEveryMs)) return;
      await keeper.scrub({ signal: stop.signal, bytesPerSecond: KEEPING.scrubBytesPerSecond });
    } catch (error) {
      if (!stop.signal.aborted) logger.warn('the objects could not be looked after', { error: errorText(error) });
    }
  };
  const begin = (): void => {
    running ??= run().finally(() => {
      running = undefined;
    });
  };
  const timers = [
    clock.after(KEEPING.firstAfterMs, begin, { unref: true }),
    clock.every(KEEPING.lookEveryMs, begin, { unref: true }),
  ];
  return {
    async close() {
      for (const timer of timers) timer.cancel();
      stop.abort();
      await running;
    },
  };
}
