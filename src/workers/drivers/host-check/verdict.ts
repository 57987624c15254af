import type { HostCheckRow } from '../../../ports/host-reach.ts';

/** What one look came to; the table gives it its name. */
export type Verdict = Omit<HostCheckRow, 'check'>;

export const ok = (seen: string): Verdict => ({ result: 'ok', seen });
export const warn = (seen: string, mend: string): Verdict => ({ result: 'warn', seen, mend });
export const fail = (seen: string, mend?: string): Verdict => ({
  result: 'fail',
  seen,
  ...(mend === undefined ? {} : { mend }),
});
