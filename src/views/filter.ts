import { CloudError } from '../base/errors.ts';
import { columnsNamed, type Column } from './listing.ts';

/** `*` and `?` as in a shell; the case of letters does not matter. */
function pattern(text: string): RegExp {
  const escaped = text
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 'i');
}

/**
 * Rows that pass every filter: `column=value`, `column=one,other` (either) or `column!=value`; values may hold * and ?.
 * The column's words are those of --columns.
 */
export function filterRows<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  filters: readonly string[],
  nowMs: number,
): readonly T[] {
  const tests = filters.map((filter) => {
    const match = /^([A-Za-z-]+)(!?=)(.*)$/s.exec(filter);
    if (match === null) {
      throw new CloudError('InvalidParameterValue', `--filter must be column=value or column!=value, not "${filter}"`);
    }
    const [, name = '', operator, values = ''] = match;
    const [column] = columnsNamed(columns, [name], '--filter');
    const patterns = values.split(',').map(pattern);
    return (row: T) => patterns.some((item) => item.test(column?.text(row, nowMs) ?? '')) === (operator === '=');
  });
  return rows.filter((row) => tests.every((test) => test(row)));
}
