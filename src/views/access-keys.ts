import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Listing } from './listing.ts';
import { age, iso } from './moments.ts';

export type AccessKeyView = OperationOutput<'DescribeAccessKeys'>['accessKeys'][number];

const COLUMNS: readonly Column<AccessKeyView>[] = [
  { name: 'id', fixed: true, text: (row) => row.accessKeyId },
  { name: 'user', text: (row) => row.userName },
  { name: 'status', text: (row) => (row.issued ? row.status.toLowerCase() : 'not given out') },
  {
    name: 'age',
    right: true,
    text: (row, nowMs) => age(row.createdAtMs, nowMs),
    raw: { name: 'created', text: (row) => iso(row.createdAtMs) },
  },
  { name: 'project', wide: true, text: (row) => row.projectId },
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
    empty: 'no access keys; make one by: novactl access-key create',
  };
}
