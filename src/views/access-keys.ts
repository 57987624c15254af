import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import type { Paint } from './paint.ts';

export type AccessKeyView = OperationOutput<'DescribeAccessKeys'>['accessKeys'][number];

const statusOf = (row: AccessKeyView): string => (row.issued ? row.status.toLowerCase() : 'not given out');

const paintStatus = ({ status }: AccessKeyView): Paint | undefined => (status === 'Active' ? undefined : 'dim');

const COLUMNS: readonly Column<AccessKeyView>[] = [
  { name: 'id', fixed: true, text: (row) => row.accessKeyId },
  { name: 'user', text: (row) => row.userName },
  { name: 'project', text: (row) => row.projectId },
  { name: 'status', text: statusOf, paint: paintStatus },
  ageColumn('created', (row) => row.createdAtMs),
  {
    name: 'used',
    right: true,
    text: (row, nowMs) => (row.lastUsedAtMs === undefined ? 'never' : age(row.lastUsedAtMs, nowMs)),
    raw: { name: 'lastUsed', text: (row) => (row.lastUsedAtMs === undefined ? '' : iso(row.lastUsedAtMs)) },
  },
  { name: 'on', wide: true, text: (row) => row.lastUsedOn ?? '-' },
  {
    name: 'expires',
    wide: true,
    text: (row) => (row.expiresAtMs === undefined ? '-' : iso(row.expiresAtMs)),
  },
];

export function accessKeyListing(
  rows: readonly AccessKeyView[],
  extra: Record<string, unknown> = {},
): Listing<AccessKeyView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.accessKeyId,
    data: (kept) => ({ accessKeys: kept, ...extra }),
    empty: 'no access keys; make one by: novactl key create',
  };
}
