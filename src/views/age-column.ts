import type { Column } from './listing.ts';
import { age, iso } from './moments.ts';

/** How long ago something was; csv has the time itself, under that name. */
export function ageColumn<T>(name: string, at: (row: T) => number | undefined): Column<T> {
  return {
    name: 'age',
    right: true,
    text: (row, nowMs) => age(at(row), nowMs),
    raw: { name, text: (row) => iso(at(row)) },
  };
}
