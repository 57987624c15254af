import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { startRecurringJob, type RecurringJob } from '../base/recurring-job.ts';
import type { ObjectsTrouble } from '../messages/objects-trouble.ts';

export const ENDPOINT_WATCH = {
  everyMs: 15_000,
  /** What has not answered by then is in trouble, however long who wants bytes of it would wait. */
  answerMaxMs: 10_000,
} as const;

interface Parts {
  /** Asks the endpoint once; throws what is wrong. */
  readonly check: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onClose?: () => void;
}

/** How the S3 endpoint answered when it was last asked: now and then, one question at a time, however many want to know. */
export class EndpointWatch {
  readonly #job: RecurringJob;
  readonly #onClose: (() => void) | undefined;
  #trouble: ObjectsTrouble | undefined;

  constructor({ check, clock, logger, onClose }: Parts) {
    this.#onClose = onClose;
    this.#job = startRecurringJob({
      ...{ clock, firstAfterMs: 0, everyMs: ENDPOINT_WATCH.everyMs },
      run: async (signal) => {
        await check(signal);
        if (this.#trouble !== undefined) logger.info('the S3 endpoint answers again');
        this.#trouble = undefined;
      },
      onError: (error) => {
        const text = errorText(error);
        if (this.#trouble === undefined) logger.warn('the S3 endpoint is in trouble', { problem: text });
        this.#trouble = { text, sinceMs: this.#trouble?.sinceMs ?? clock.nowMs() };
      },
    });
  }

  /** Undefined: none that is known. */
  get trouble(): ObjectsTrouble | undefined {
    return this.#trouble;
  }

  async close(): Promise<void> {
    await this.#job.close();
    this.#onClose?.();
  }
}
