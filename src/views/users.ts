import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';

export type UserView = OperationOutput<'DescribeUsers'>['users'][number];

const listed = (words: readonly string[]): string => (words.length === 0 ? '-' : words.join(','));

const COLUMNS: readonly Column<UserView>[] = [
  { name: 'name', fixed: true, text: (row) => row.userName },
  {
    name: 'state',
    text: (row) => (row.enabled ? 'enabled' : 'disabled'),
    paint: (row) => (row.enabled ? 'good' : 'bad'),
  },
  { name: 'roles', text: (row) => listed(row.roles) },
  { name: 'projects', text: (row) => listed(row.projects) },
  { name: 'email', wide: true, text: (row) => row.email ?? '-' },
  { name: 'display-name', wide: true, text: (row) => row.displayName ?? '-' },
  ageColumn('created', (row) => row.createdAtMs),
];

export function userListing(rows: readonly UserView[], extra: Record<string, unknown> = {}): Listing<UserView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.userName,
    data: (kept) => ({ users: kept, ...extra }),
    empty: 'no users; make one by: novactl user create NAME',
  };
}

export function userDetails(row: UserView, nowMs: number): Details<UserView> {
  return {
    ...userListing([row]),
    data: ([only]) => only,
    fields: [
      ['name', { text: row.userName }],
      ['state', { text: row.enabled ? 'enabled' : 'disabled', paint: row.enabled ? 'good' : 'bad' }],
      ['display name', { text: row.displayName ?? '-' }],
      ['email', { text: row.email ?? '-' }],
      ['roles in the cloud', { text: row.roles.join(', ') || 'none' }],
      ['member of', { text: row.projects.join(', ') || 'nothing' }],
      ['created', { text: `${iso(row.createdAtMs)} (${age(row.createdAtMs, nowMs)} ago)` }],
    ],
  };
}
