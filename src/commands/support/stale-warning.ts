import type { Output } from '../../views/output.ts';
import { humanDuration } from '../../base/units.ts';

/** For HttpClient's onStale: one line a command, on stderr. */
export function warnOnce(output: Output): (staleMs: number) => void {
  let isTold = false;
  return (staleMs) => {
    if (isTold) return;
    isTold = true;
    output.warn(`this answer may be ${humanDuration(staleMs)} old: the store can't be reached`);
  };
}
