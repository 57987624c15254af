import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Listing } from './listing.ts';
import { iso } from './moments.ts';

export type CertificateView = OperationOutput<'DescribeUserCertificates'>['userCertificates'][number];

const statusOf = ({ revokedAtMs, expiresAtMs }: CertificateView, nowMs: number): string =>
  revokedAtMs !== undefined ? 'revoked' : nowMs >= expiresAtMs ? 'expired' : 'good';

const COLUMNS: readonly Column<CertificateView>[] = [
  { name: 'serial', fixed: true, text: (row) => row.serial },
  { name: 'user', text: (row) => row.userName },
  { name: 'project', text: (row) => row.projectId },
  { name: 'key', text: (row) => row.keyType },
  { name: 'status', text: statusOf, paint: (row) => (row.revokedAtMs === undefined ? undefined : 'dim') },
  ageColumn('created', (row) => row.createdAtMs),
  { name: 'expires', text: (row) => iso(row.expiresAtMs) },
  { name: 'revoked', wide: true, text: (row) => (row.revokedAtMs === undefined ? '-' : iso(row.revokedAtMs)) },
  { name: 'fingerprint', wide: true, text: (row) => row.fingerprint },
];

export function certificateListing(
  rows: readonly CertificateView[],
  extra: Record<string, unknown> = {},
): Listing<CertificateView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.serial,
    data: (kept) => ({ userCertificates: kept, ...extra }),
    empty: 'no certificates; novactl project credentials makes one',
  };
}
