import type { Column, Listing } from './listing.ts';
import type { Paint } from './paint.ts';

/** One look at an LDAP directory. */
export interface DirectoryFindingView {
  readonly check: string;
  readonly result: string;
  readonly detail: string;
}

const PAINT: Readonly<Record<string, Paint>> = { ok: 'good', failed: 'bad', unknown: 'dim' };

const COLUMNS: readonly Column<DirectoryFindingView>[] = [
  { name: 'check', fixed: true, text: (row) => row.check },
  { name: 'result', fixed: true, text: (row) => row.result, paint: (row) => PAINT[row.result] },
  { name: 'detail', text: (row) => row.detail },
];

export function directoryFindings(rows: readonly DirectoryFindingView[]): Listing<DirectoryFindingView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.check,
    data: (kept) => ({ checks: kept }),
    empty: 'nothing was looked at',
  };
}

export interface TreeEntryView {
  readonly dn: string;
  readonly action: string;
}

export function treeEntriesMade(rows: readonly TreeEntryView[]): Listing<TreeEntryView> {
  return {
    columns: [
      { name: 'entry', fixed: true, text: (row) => row.dn },
      { name: 'action', text: (row) => row.action },
    ],
    rows,
    id: (row) => row.dn,
    data: (kept) => ({ entries: kept }),
    empty: 'no entries',
  };
}
