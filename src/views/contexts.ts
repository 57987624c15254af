import type { Column, Details, Listing } from './listing.ts';

/** A context as it may be shown: never its secret. */
export interface ContextView {
  readonly name: string;
  readonly current: boolean;
  /** Empty: a cloud on this machine. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  /** SHA-256 of the authority's certificate. */
  readonly caFingerprint: string;
}

const COLUMNS: readonly Column<ContextView>[] = [
  { name: 'current', text: (row) => (row.current ? '*' : '') },
  { name: 'name', fixed: true, text: (row) => row.name },
  { name: 'url', fixed: true, text: (row) => (row.url === '' ? '(this machine)' : row.url) },
  { name: 'access-key', text: (row) => row.accessKeyId },
  { name: 'region', wide: true, text: (row) => row.region },
  { name: 'ca', wide: true, text: (row) => row.caFingerprint },
];

export function contextListing(rows: readonly ContextView[]): Listing<ContextView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.name,
    data: (kept) => ({ contexts: kept }),
    empty: 'no contexts; see: novactl context add --help',
  };
}

export function contextDetails(row: ContextView): Details<ContextView> {
  return {
    ...contextListing([row]),
    data: ([only]) => only,
    fields: [
      ['name', { text: row.name }],
      ['current', { text: row.current ? 'yes' : 'no' }],
      ['url', { text: row.url === '' ? '(this machine)' : row.url }],
      ['region', { text: row.region }],
      ['access key', { text: row.accessKeyId }],
      ['authority', { text: row.caFingerprint }],
    ],
  };
}
