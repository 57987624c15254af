import type { Details, Listing } from './listing.ts';
import { oneRow } from './one-row.ts';
import { plainLine } from './text.ts';

export interface VerifiedRow {
  readonly source: string;
  readonly cloudId: string;
  readonly rev: number;
  readonly records: number;
  readonly sha256: string;
  readonly problems: readonly string[];
}

/** What a look at a store or an export found. */
export function verifiedDetails(row: VerifiedRow): Details<VerifiedRow> {
  return {
    columns: [
      { name: 'source', fixed: true, text: () => row.source },
      { name: 'cloud', text: () => row.cloudId },
      { name: 'revision', right: true, text: () => String(row.rev) },
      { name: 'records', right: true, text: () => String(row.records) },
      { name: 'problems', right: true, text: () => String(row.problems.length) },
    ],
    ...oneRow(row),
    id: () => row.source,
    fields: [
      ['source', { text: row.source }],
      ['cloud', { text: row.cloudId }],
      ['revision', { text: String(row.rev) }],
      ['records', { text: String(row.records) }],
      ['SHA-256', { text: row.sha256 }],
    ],
    below:
      row.problems.length === 0
        ? ''
        : `problems\n${row.problems.map((problem) => `  - ${plainLine(problem)}\n`).join('')}`,
  };
}

interface Compared {
  readonly equal: boolean;
  readonly left: number;
  readonly right: number;
  readonly differ: readonly string[];
  readonly missing: readonly string[];
  readonly extra: readonly string[];
}

interface Difference {
  readonly what: string;
  readonly key: string;
}

/** The keys in which two stores differ. */
export function differenceListing(compared: Compared): Listing<Difference> {
  const { differ, missing, extra } = compared;
  const rows = (what: string, keys: readonly string[]): Difference[] => keys.map((key) => ({ what, key }));
  return {
    columns: [
      { name: 'what', text: (row) => row.what },
      { name: 'key', fixed: true, text: (row) => plainLine(row.key) },
    ],
    rows: [...rows('differs', differ), ...rows('missing', missing), ...rows('extra', extra)],
    id: (row) => row.key,
    data: () => compared,
    empty: '',
  };
}
