import { ROLE_NAMES } from '../domain/access-rules.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Details, Listing } from './listing.ts';
import { oneRow } from './one-row.ts';
import { plainLine } from './text.ts';

/** The roles that there are. */
export const ROLES = ROLE_NAMES;

export type RoleRow = OperationOutput<'DescribeRoles'>['roles'][number];
type Identity = OperationOutput<'GetCallerIdentity'>;
type Explanation = OperationOutput<'ExplainAccess'>;

const ROLE_COLUMNS: readonly Column<RoleRow>[] = [
  { name: 'user', fixed: true, text: (row) => row.userName },
  { name: 'role', text: (row) => row.role },
  { name: 'project', text: (row) => row.projectId ?? '(all)' },
];

export function roleListing(rows: readonly RoleRow[], extra: Record<string, unknown> = {}): Listing<RoleRow> {
  return {
    columns: ROLE_COLUMNS,
    rows,
    id: (row) => row.userName,
    data: (kept) => ({ roles: kept, ...extra }),
    empty: 'nobody has a role here; give one by: novactl role add ROLE USER',
  };
}

export function identityDetails(row: Identity): Details<Identity> {
  return {
    columns: [
      { name: 'name', fixed: true, text: ({ name }) => name },
      { name: 'project', text: ({ projectId }) => projectId },
      { name: 'account', text: ({ accountId }) => accountId ?? '-' },
      { name: 'standings', text: ({ standings }) => standings.join(',') },
      { name: 'from', text: ({ from }) => from },
    ],
    ...oneRow(row),
    id: ({ name }) => name,
    fields: [
      ['name', { text: row.name }],
      ['user', { text: row.userName ?? 'none: the administrator of the machine' }],
      ['project', { text: row.projectId }],
      ['account', { text: row.accountId ?? '-' }],
      ['is', { text: row.standings.join(', ') || 'nothing' }],
      ...(row.accessKeyId === undefined ? [] : [['access key', { text: row.accessKeyId }] as const]),
      ['from', { text: row.from }],
    ],
  };
}

const bullets = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : `${title}\n${lines.map((line) => `  - ${plainLine(line)}\n`).join('')}`;

/** Whether somebody may call an operation, and by which rule. */
export function accessDetails(row: Explanation): Details<Explanation> {
  return {
    columns: [
      { name: 'operation', fixed: true, text: ({ operation }) => operation },
      { name: 'allowed', text: ({ allowed }) => (allowed ? 'yes' : 'no') },
      { name: 'rule', text: ({ rule }) => rule },
      { name: 'passes', text: ({ passes }) => passes.join(',') },
      { name: 'standings', text: ({ standings }) => standings.join(',') },
    ],
    ...oneRow(row),
    id: ({ operation }) => operation,
    fields: [
      ['operation', { text: `${row.operation} (${row.summary})` }],
      ['who', { text: `${row.name} in project ${row.projectId}` }],
      ['allowed', { text: row.allowed ? 'yes' : 'no', paint: row.allowed ? 'good' : 'bad' }],
      ['rule', { text: row.rule }],
    ],
    below: bullets('because', row.because) + bullets('next', row.next),
  };
}
