import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Listing } from './listing.ts';
import type { Paint } from './paint.ts';

export type HostChecks = OperationOutput<'CheckHost'>;
type Row = HostChecks['checks'][number];

const PAINT: Readonly<Record<Row['result'], Paint>> = { ok: 'good', warn: 'busy', fail: 'bad' };

const COLUMNS: readonly Column<Row>[] = [
  { name: 'check', fixed: true, text: (row) => row.check },
  { name: 'result', fixed: true, text: (row) => row.result, paint: (row) => PAINT[row.result] },
  { name: 'seen', text: (row) => row.seen },
  { name: 'mend', text: (row) => row.mend ?? '-' },
];

/** What a preflight found. `about` is shown by json beside the rows. */
export function hostCheckListing(answer: HostChecks, about: Record<string, unknown>): Listing<Row> {
  return {
    columns: COLUMNS,
    rows: answer.checks,
    id: (row) => row.check,
    data: (rows) => ({ ...about, ok: answer.ok, checks: rows }),
    empty: '',
  };
}

/** The whole of what mends each, a line each: a narrow terminal cuts the table. */
export function mendLines(answer: HostChecks): string[] {
  return answer.checks.flatMap(({ check, result, mend }) =>
    mend === undefined ? [] : [`${result} ${check}: ${mend}`],
  );
}

export function checkSummary({ checks, ok }: HostChecks): string {
  const count = (result: Row['result']): number => checks.filter((row) => row.result === result).length;
  const [warns, fails] = [count('warn'), count('fail')];
  if (!ok) return `${fails} of ${checks.length} checks failed: it can not be a host like this`;
  return warns === 0
    ? `all ${checks.length} checks passed`
    : `it can be a host; ${warns} of ${checks.length} checks warn`;
}
