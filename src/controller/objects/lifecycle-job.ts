import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { startRecurringJob, type RecurringJob } from '../../base/recurring-job.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { applyLifecycle } from './apply-lifecycle.ts';

/** Rules count in days. */
export const LIFECYCLE_EVERY_MS = 3_600_000;
const FIRST_AFTER_MS = 60_000;

export interface LifecycleJobParts {
  readonly store: ObjectStore;
  readonly clock: Pick<Clock, 'nowMs' | 'after' | 'every'>;
  readonly logger: Logger;
}

/** Does what the buckets' lifecycle rules ask for, now and then; a run is stopped between two objects. */
export function startLifecycleJob({ store, clock, logger }: LifecycleJobParts): RecurringJob {
  return startRecurringJob({
    ...{ clock, firstAfterMs: FIRST_AFTER_MS, everyMs: LIFECYCLE_EVERY_MS },
    async run(signal) {
      const { expired, removed, aborted } = await applyLifecycle({ store, nowMs: clock.nowMs(), signal });
      if (expired + removed + aborted > 0) logger.info('lifecycle rules of buckets', { expired, removed, aborted });
    },
    onError: (error) => logger.error('the lifecycle rules could not be applied', { error: errorText(error) }),
  });
}
