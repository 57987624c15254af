import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Listing } from './listing.ts';

export type KeyPairView = OperationOutput<'DescribeKeyPairs'>['keyPairs'][number];

const COLUMNS: readonly Column<KeyPairView>[] = [
  { name: 'name', fixed: true, text: (row) => row.keyName },
  { name: 'type', text: (row) => row.keyType },
  { name: 'fingerprint', fixed: true, text: (row) => row.keyFingerprint },
  ageColumn('created', (row) => row.createdAtMs),
  { name: 'id', wide: true, fixed: true, text: (row) => row.keyPairId },
];

export function keyPairListing(
  rows: readonly KeyPairView[],
  extra: Record<string, unknown> = {},
): Listing<KeyPairView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.keyName,
    data: (kept) => ({ keyPairs: kept, ...extra }),
    empty: 'no key pairs; make one by: novactl keypair create NAME',
  };
}
