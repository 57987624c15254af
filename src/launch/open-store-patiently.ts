import type { Clock } from '../base/clock.ts';
import { CloudError, isCode } from '../base/errors.ts';
import { holderText, type LockHolder } from '../adapters/store/state-lock.ts';
import type { Store } from '../ports/store.ts';
import type { Config } from './config/schema.ts';
import { openStore, type StoreParts } from './open-store.ts';

const FIRST_PAUSE_MS = 40;
const PAUSE_MAX_MS = 250;

export interface Patience {
  readonly clock: Clock;
  /** Aborted: rejects with its reason. */
  readonly signal: AbortSignal;
  /** How long at most. */
  readonly timeoutMs: number;
  /** False: 'LockBusy' at once. Asked for each new holder. */
  readonly worth: (holder: LockHolder | undefined) => boolean;
  /** Called once for each holder, with words that complete "waiting for". */
  readonly onWait: (holder: string) => void;
  /** Asked between the tries; throws to give up. */
  readonly meanwhile?: () => Promise<void>;
}

/** The store, as soon as nobody else has its lock. CloudError 'LockBusy' names who had it when patience ended. */
export function openStorePatiently(config: Config, parts: StoreParts, patience: Patience): Promise<Store> {
  return whenFree(() => openStore(config, parts), patience);
}

/** What `open` answers, as soon as it does not answer 'LockBusy' any more. */
export async function whenFree<T>(open: () => Promise<T>, patience: Patience): Promise<T> {
  const { clock, signal, timeoutMs } = patience;
  const endMs = clock.monotonicMs() + timeoutMs;
  let told = '';
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)) {
    signal.throwIfAborted();
    try {
      return await open();
    } catch (error) {
      if (!isCode(error, 'LockBusy')) throw error;
      const holder = error.details?.['holder'] as LockHolder | undefined;
      if (!patience.worth(holder)) throw error;
      if (clock.monotonicMs() >= endMs) {
        throw new CloudError('LockBusy', `${error.message} (waited ${Math.round(timeoutMs / 1000)} s)`, {
          ...(error.details === undefined ? {} : { details: error.details }),
        });
      }
      const who = holder === undefined ? 'another process' : holderText(holder);
      if (who !== told) patience.onWait(who);
      told = who;
    }
    await patience.meanwhile?.();
    await clock.sleep(pauseMs, signal);
  }
}
