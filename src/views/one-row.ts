import type { Details } from './listing.ts';

/** What the details of one thing are made of as a listing: it is all there is, and no format makes a list of it. */
export function oneRow<T>(row: T): Pick<Details<T>, 'rows' | 'data' | 'empty'> {
  return { rows: [row], data: ([only]) => only, empty: '' };
}
