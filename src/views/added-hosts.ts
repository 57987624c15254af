import type { FlatError } from '../base/errors.ts';
import type { Column, Listing } from './listing.ts';

/** What became of one line of a file of hosts. */
export interface AddedHost {
  readonly name: string;
  readonly result: 'added' | 'there already' | 'failed';
  readonly hostId?: string;
  readonly operationId?: string;
  readonly error?: FlatError;
}

const COLUMNS: readonly Column<AddedHost>[] = [
  { name: 'name', fixed: true, text: (row) => row.name },
  {
    name: 'result',
    fixed: true,
    text: (row) => row.result,
    paint: (row) => (row.result === 'failed' ? 'bad' : row.result === 'added' ? 'good' : 'dim'),
  },
  { name: 'error', text: (row) => row.error?.message ?? '-' },
  { name: 'id', wide: true, fixed: true, text: (row) => row.hostId ?? '-' },
];

export function addedHostListing(rows: readonly AddedHost[]): Listing<AddedHost> {
  return { columns: COLUMNS, rows, id: (row) => row.name, data: (kept) => ({ hosts: kept }), empty: '' };
}
