import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';

const LOOK_MS = 500;

/** When bin/terminal-guard is killed the shell has the terminal again; two programs that read one keyboard help nobody. */
export function endWithParent(clock: Clock): { readonly signal: AbortSignal; stop(): void } {
  const gone = new AbortController();
  const parent = process.ppid;
  const timer = clock.every(
    LOOK_MS,
    () => {
      if (process.ppid !== parent) gone.abort(new CloudError('Unavailable', 'the program that started it is gone'));
    },
    { unref: true },
  );
  return { signal: gone.signal, stop: () => timer.cancel() };
}
