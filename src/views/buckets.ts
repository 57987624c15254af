import { humanBytes } from '../base/units.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import { oneRow } from './one-row.ts';

export interface BucketRow {
  readonly name: string;
  readonly createdAtMs: number;
  readonly region: string;
}

export interface BucketView extends Omit<BucketRow, 'createdAtMs'> {
  /** Told of the project's own buckets. */
  readonly createdAtMs?: number;
  readonly projectId: string;
  readonly versioning: 'off' | 'enabled' | 'suspended';
  readonly policy: boolean;
  readonly cors: boolean;
  readonly lifecycle: boolean;
  readonly uploadsUnderWay: number;
}

export interface BucketUsage {
  readonly usedBytes: number;
  readonly usedObjects: number;
  /** Undefined: no limit. */
  readonly maxBytes?: number;
  readonly maxObjects?: number;
}

type Shown = Omit<BucketRow, 'createdAtMs'> & { readonly createdAtMs?: number };

const COLUMNS: readonly Column<Shown>[] = [
  { name: 'name', fixed: true, text: (row) => row.name },
  { name: 'region', text: (row) => row.region },
  ageColumn('created', (row) => row.createdAtMs),
];

const base = { columns: COLUMNS, id: (row: Shown) => row.name };

export function bucketListing(rows: readonly BucketRow[]): Listing<BucketRow> {
  return {
    ...base,
    rows,
    data: (kept) => ({ buckets: kept }),
    empty: 'no buckets; make one by: novactl bucket create NAME',
  };
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

function used(value: string, limit: string | undefined, share: number): string {
  return limit === undefined ? `${value}, no limit` : `${value} of ${limit} (${Math.floor(share * 100)} %)`;
}

const shareOf = (part: number, limit: number): number => (limit === 0 ? 1 : part / limit);

type Field = Details<unknown>['fields'][number];

function usageFields({ usedBytes, usedObjects, maxBytes, maxObjects }: BucketUsage): Field[] {
  const bytes = maxBytes === undefined ? undefined : humanBytes(maxBytes);
  const objects = maxObjects === undefined ? undefined : String(maxObjects);
  const paintOf = (part: number, limit: number | undefined) =>
    limit !== undefined && part >= limit ? { paint: 'bad' as const } : {};
  return [
    [
      'bytes',
      { text: used(humanBytes(usedBytes), bytes, shareOf(usedBytes, maxBytes ?? 0)), ...paintOf(usedBytes, maxBytes) },
    ],
    [
      'objects',
      {
        text: used(String(usedObjects), objects, shareOf(usedObjects, maxObjects ?? 0)),
        ...paintOf(usedObjects, maxObjects),
      },
    ],
  ];
}

/** With its usage where the caller may know it. */
export function bucketDetails(row: BucketView & Partial<BucketUsage>, nowMs: number): Details<Shown> {
  const { usedBytes, usedObjects } = row;
  const usage =
    usedBytes === undefined || usedObjects === undefined ? [] : usageFields({ ...row, usedBytes, usedObjects });
  return {
    ...base,
    ...oneRow(row),
    fields: [
      ['name', { text: row.name }],
      ['project', { text: row.projectId }],
      ['region', { text: row.region }],
      ...(row.createdAtMs === undefined
        ? []
        : [['created', { text: `${iso(row.createdAtMs)} (${age(row.createdAtMs, nowMs)} ago)` }] as const]),
      ['versioning', { text: row.versioning }],
      ...usage,
      ['policy', { text: yesNo(row.policy) }],
      ['cors', { text: yesNo(row.cors) }],
      ['lifecycle', { text: yesNo(row.lifecycle) }],
      ['uploads under way', { text: String(row.uploadsUnderWay) }],
    ],
  };
}

export function quotaDetails(name: string, quota: BucketUsage): Details<BucketUsage> {
  const columns: readonly Column<BucketUsage>[] = [
    { name: 'bucket', fixed: true, text: () => name },
    { name: 'usedBytes', right: true, text: (row) => String(row.usedBytes) },
    { name: 'maxBytes', right: true, text: (row) => String(row.maxBytes ?? 'none') },
    { name: 'usedObjects', right: true, text: (row) => String(row.usedObjects) },
    { name: 'maxObjects', right: true, text: (row) => String(row.maxObjects ?? 'none') },
  ];
  return {
    columns,
    rows: [quota],
    id: () => name,
    data: ([only]) => ({ bucket: name, ...only }),
    empty: '',
    fields: [['bucket', { text: name }], ...usageFields(quota)],
  };
}
