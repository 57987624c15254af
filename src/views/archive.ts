import { humanBytes } from '../base/units.ts';
import type { Details } from './listing.ts';
import { iso } from './moments.ts';
import { oneRow } from './one-row.ts';

/** What is in an archive of the state, as its reader says. */
export interface ArchiveRow {
  readonly path: string;
  readonly header: {
    readonly cloudId: string;
    readonly rev: number;
    readonly createdAtMs: number;
    readonly version: string;
  };
  readonly records: number;
  readonly files: number;
  readonly images: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export function archiveDetails(row: ArchiveRow): Details<ArchiveRow> {
  const { header } = row;
  return {
    columns: [
      { name: 'path', fixed: true, text: () => row.path },
      { name: 'cloud', text: () => header.cloudId },
      { name: 'records', right: true, text: () => String(row.records) },
      { name: 'size', right: true, text: () => humanBytes(row.sizeBytes) },
      { name: 'created', text: () => iso(header.createdAtMs) },
    ],
    ...oneRow(row),
    id: () => row.path,
    fields: [
      ['file', { text: `${row.path}, ${humanBytes(row.sizeBytes)}` }],
      ['cloud', { text: header.cloudId }],
      ['written', { text: `${iso(header.createdAtMs)} by novactl ${header.version}` }],
      ['revision', { text: String(header.rev) }],
      ['records', { text: String(row.records) }],
      ['keys', { text: row.files === 0 ? 'not in it' : `${row.files} files` }],
      ['images', { text: row.images === 0 ? 'not in it' : String(row.images) }],
      ['SHA-256', { text: row.sha256 }],
    ],
  };
}
