import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { startRecurringJob, type RecurringJob } from '../../base/recurring-job.ts';
import { MIB } from '../../base/units.ts';
import type { ObjectKeeper } from './object-keeper.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const KEEPING = {
  lookEveryMs: HOUR_MS,
  firstAfterMs: 600_000,
  collectEveryMs: DAY_MS,
  scrubEveryMs: 7 * DAY_MS,
  /** So that who reads and writes meanwhile hardly notices. */
  scrubBytesPerSecond: 32 * MIB,
} as const;

export interface KeepingJobParts {
  readonly keeper: ObjectKeeper;
  readonly clock: Pick<Clock, 'nowMs' | 'after' | 'every'>;
  readonly logger: Logger;
}

/** Collects once a day and scrubs once a week, counted from the last time that it was done, by whomever. What was stopped begins anew in the next process. */
export function startKeepingJob({ keeper, clock, logger }: KeepingJobParts): RecurringJob {
  const isDue = (lastMs: number | undefined, everyMs: number): boolean =>
    lastMs === undefined || clock.nowMs() - lastMs >= everyMs;
  return startRecurringJob({
    ...{ clock, firstAfterMs: KEEPING.firstAfterMs, everyMs: KEEPING.lookEveryMs },
    async run(signal) {
      if (isDue(keeper.notes.lastCollect?.atMs, KEEPING.collectEveryMs)) await keeper.collect();
      if (!isDue(keeper.notes.lastScrub?.startedAtMs, KEEPING.scrubEveryMs)) return;
      await keeper.scrub({ signal, bytesPerSecond: KEEPING.scrubBytesPerSecond });
    },
    onError: (error) => logger.warn('the objects could not be looked after', { error: errorText(error) }),
  });
}
