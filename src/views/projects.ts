import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';

export type ProjectView = OperationOutput<'DescribeProjects'>['projects'][number];

const COLUMNS: readonly Column<ProjectView>[] = [
  { name: 'name', fixed: true, text: (row) => row.projectId },
  { name: 'account', fixed: true, text: (row) => row.accountId },
  { name: 'manager', text: (row) => row.manager },
  { name: 'members', right: true, text: (row) => String(row.members.length) },
  { name: 'description', text: (row) => row.description ?? '-' },
  ageColumn('created', (row) => row.createdAtMs),
];

export function projectListing(
  rows: readonly ProjectView[],
  extra: Record<string, unknown> = {},
): Listing<ProjectView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.projectId,
    data: (kept) => ({ projects: kept, ...extra }),
    empty: 'no projects; make one by: novactl project create NAME',
  };
}

export function projectDetails(row: ProjectView, nowMs: number): Details<ProjectView> {
  const rolesOf = (name: string): string => {
    const roles = [
      ...(name === row.manager ? ['manager'] : []),
      ...(Object.hasOwn(row.roles, name) ? (row.roles[name] ?? []) : []),
    ];
    return roles.length === 0 ? name : `${name} (${roles.join(', ')})`;
  };
  return {
    ...projectListing([row]),
    data: ([only]) => only,
    fields: [
      ['name', { text: row.projectId }],
      ['account', { text: row.accountId }],
      ['description', { text: row.description ?? '-' }],
      ['manager', { text: row.manager }],
      ['members', { text: row.members.map(rolesOf).join(', ') }],
      ['created', { text: `${iso(row.createdAtMs)} (${age(row.createdAtMs, nowMs)} ago)` }],
    ],
  };
}
