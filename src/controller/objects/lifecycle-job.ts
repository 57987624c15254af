import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { applyLifecycle } from './apply-lifecycle.ts';

/** Rules count in days. */
export const LIFECYCLE_EVERY_MS = 3_600_000;
/** Also a process that is started again and again comes to it. */
const FIRST_AFTER_MS = 60_000;

export interface LifecycleJob {
  /** Stops a run that is under way, between two objects. */
  close(): Promise<void>;
}

export interface LifecycleJobParts {
  readonly store: ObjectStore;
  readonly clock: Pick<Clock, 'nowMs' | 'after' | 'every'>;
  readonly logger: Logger;
}

/** Does what the buckets' lifecycle rules ask for, now and then; one run at a time. */
export function startLifecycleJob({ store, clock, logger }: LifecycleJobParts): LifecycleJob {
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      const { expired, removed, aborted } = await applyLifecycle({ store, nowMs: clock.nowMs(), signal: stop.signal });
      if (expired + removed + aborted > 0) logger.info('lifecycle rules of buckets', { expired, removed, aborted });
    } catch (error) {
      if (!stop.signal.aborted) logger.error('the lifecycle rules could not be applied', { error: errorText(error) });
    }
  };
  const begin = (): void => {
    running ??= run().finally(() => {
      running = undefined;
    });
  };
  const timers = [
    clock.after(FIRST_AFTER_MS, begin, { unref: true }),
    clock.every(LIFECYCLE_EVERY_MS, begin, { unref: true }),
  ];
  return {
    async close() {
      for (const timer of timers) timer.cancel();
      stop.abort();
      await running;
    },
  };
}
