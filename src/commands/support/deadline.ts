import { CloudError } from '../../base/errors.ts';
import { humanDuration } from '../../base/units.ts';
import type { Io } from './io.ts';

export interface Deadline {
  /** Aborted at the deadline (by a CloudError 'Timeout') and by an interrupt. */
  readonly signal: AbortSignal;
  clear(): void;
}

/** Ends a wait after some time. `what` completes "gave up waiting ... after 5m". */
export function deadline(io: Io, timeoutMs: number, what: string): Deadline {
  const aborter = new AbortController();
  const timer = io.clock.after(timeoutMs, () => {
    aborter.abort(
      new CloudError('Timeout', `gave up waiting ${what} after ${humanDuration(timeoutMs)}; it goes on by itself`),
    );
  });
  return { signal: AbortSignal.any([io.signal, aborter.signal]), clear: () => timer.cancel() };
}
