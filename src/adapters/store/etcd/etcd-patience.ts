import type { Clock } from '../../../base/clock.ts';
import { CloudError, isCode } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';

/** A single call is given up after this. */
export const CALL_MS = 2_000;
/** A change or a barrier is given up after this. */
export const PATIENCE_MS = 15_000;

export interface TimeAndChance {
  readonly clock: Clock;
  readonly random: Random;
}

/** Why etcd said Unavailable, where it said why; undefined: nobody knows whether the call had its effect. */
export function reasonOf(error: unknown): string | undefined {
  if (!isCode(error, 'Unavailable')) return undefined;
  const reason = error.details?.['reason'];
  return typeof reason === 'string' ? reason : undefined;
}

export function isCompacted(error: unknown): boolean {
  return isCode(error, 'Unavailable') && error.details?.['compacted'] === true;
}

/** How long to wait before the next attempt: 50 ms and doubled, up to a second, half of it by chance so that many do not come at once. */
export function backoffMs(attempt: number, random: Random): number {
  const fullMs = Math.min(1_000, 50 * 2 ** Math.min(attempt, 10));
  return fullMs * (0.5 + random.unit() / 2);
}

/**
 * Repeats a call that may be repeated, until it answers or PATIENCE_MS are over. What can't get better by itself (noSpace, denied, any error but
 * Unavailable) ends it at once. `signal` ends the waits.
 */
export async function patiently<T>(
  { clock, random }: TimeAndChance,
  call: (timeoutMs: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const endMs = clock.monotonicMs() + PATIENCE_MS;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call(Math.max(1, Math.min(CALL_MS, endMs - clock.monotonicMs())));
    } catch (error) {
      const reason = reasonOf(error);
      if (!isCode(error, 'Unavailable') || reason === 'noSpace' || reason === 'denied' || isCompacted(error))
        throw error;
      const waitMs = backoffMs(attempt, random);
      if (clock.monotonicMs() + waitMs >= endMs) throw error;
      await clock.sleep(waitMs, signal);
    }
  }
}

export function closedError(): CloudError {
  return new CloudError('Unavailable', 'the store is closed');
}
