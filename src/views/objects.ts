import { isoTime } from '../base/clock.ts';
import { humanBytes } from '../base/units.ts';
import type { ObjectHead } from '../messages/object-head.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';

export interface ObjectRow {
  /** A folder's ends with a slash. */
  readonly key: string;
  /** Absent of folders and of what stands where an object was deleted. */
  readonly sizeBytes?: number;
  readonly etag?: string;
  readonly modifiedAtMs?: number;
  readonly versionId?: string;
  readonly latest?: boolean;
  readonly deleteMarker?: boolean;
}

export interface ObjectView extends ObjectHead {
  readonly bucket: string;
  readonly key: string;
}

/** Lists come page by page: columns have a width of their own, so that all pages stand in line. */
const SIZE_CELLS = 9;
const TIME_CELLS = 20;

const toSecond = (ms: number): string => `${isoTime(ms).slice(0, 19)}Z`;

function sizeText({ sizeBytes, deleteMarker }: ObjectRow): string {
  const text = deleteMarker === true ? 'deleted' : sizeBytes === undefined ? 'folder' : humanBytes(sizeBytes);
  return text.padStart(SIZE_CELLS);
}

const MODIFIED: Column<ObjectRow> = {
  name: 'modified',
  fixed: true,
  text: (row) => (row.modifiedAtMs === undefined ? '' : toSecond(row.modifiedAtMs)).padEnd(TIME_CELLS),
  raw: { name: 'modified', text: (row) => iso(row.modifiedAtMs) },
};
const SIZE: Column<ObjectRow> = {
  name: 'size',
  fixed: true,
  right: true,
  text: sizeText,
  raw: { name: 'sizeBytes', text: (row) => String(row.sizeBytes ?? '') },
};
const KEY: Column<ObjectRow> = { name: 'key', fixed: true, text: (row) => row.key };
const VERSION: Column<ObjectRow> = { name: 'version', fixed: true, text: (row) => row.versionId ?? '' };
const LATEST: Column<ObjectRow> = {
  name: 'latest',
  text: (row) => (row.latest === true ? 'yes' : 'no').padEnd(6),
  raw: { name: 'latest', text: (row) => String(row.latest === true) },
};
const ETAG: Column<ObjectRow> = {
  name: 'etag',
  wide: true,
  fixed: true,
  text: (row) => (row.etag ?? '').padEnd(38),
  raw: { name: 'etag', text: (row) => row.etag ?? '' },
};

const columnsOf = (withVersions: boolean): readonly Column<ObjectRow>[] =>
  withVersions ? [MODIFIED, SIZE, LATEST, VERSION, ETAG, KEY] : [MODIFIED, SIZE, ETAG, KEY];

/** What --filter compares with: the blanks around all but a key are layout. */
export function objectFilterColumns(withVersions: boolean): readonly Column<ObjectRow>[] {
  return columnsOf(withVersions).map((column) =>
    column === KEY ? column : { ...column, text: (row, nowMs) => column.text(row, nowMs).trim() },
  );
}

export function objectListing(rows: readonly ObjectRow[], withVersions: boolean): Listing<ObjectRow> {
  return {
    columns: columnsOf(withVersions),
    rows,
    id: (row) => row.key,
    data: (kept) => ({ objects: kept }),
    empty: '',
  };
}

export function objectDetails(row: ObjectView, nowMs: number): Details<ObjectRow> {
  return {
    ...objectListing([row], row.versionId !== undefined),
    data: () => row,
    fields: [
      ['bucket', { text: row.bucket }],
      ['key', { text: row.key }],
      ['size', { text: `${humanBytes(row.sizeBytes)} (${row.sizeBytes} bytes)` }],
      ['modified', { text: `${iso(row.modifiedAtMs)} (${age(row.modifiedAtMs, nowMs)} ago)` }],
      ['type', { text: row.contentType }],
      ['etag', { text: row.etag }],
      ...(row.checksum === undefined
        ? []
        : [['checksum', { text: `${row.checksum.algorithm} ${row.checksum.value}` }] as const]),
      ...(row.versionId === undefined ? [] : [['version', { text: row.versionId }] as const]),
      ...Object.entries(row.metadata).map(([name, value]) => [`meta ${name}`, { text: value }] as const),
    ],
  };
}
