import { humanBytes } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Listing } from './listing.ts';
import { age, iso } from './moments.ts';

export type CachedImageView = OperationOutput<'DescribeImageCache'>['images'][number];

/** As much of a digest as tells files apart. */
const DIGEST_SHOWN = 12;

/** Nobody finds it by that name any more. */
const shownName = ({ name, deregistered }: CachedImageView['images'][number]): string =>
  deregistered === true ? `${name} (removed)` : name;

const COLUMNS: readonly Column<CachedImageView>[] = [
  { name: 'host', text: (row) => row.hostName },
  { name: 'image', text: (row) => row.images.map(shownName).join(', ') || '-' },
  {
    name: 'digest',
    text: (row) => row.sha256.slice(0, DIGEST_SHOWN),
    raw: { name: 'sha256', text: (row) => row.sha256 },
  },
  { name: 'kind', text: (row) => row.kind },
  {
    name: 'size',
    right: true,
    text: (row) => humanBytes(row.sizeBytes),
    raw: { name: 'sizeBytes', text: (row) => String(row.sizeBytes) },
  },
  {
    name: 'used',
    right: true,
    text: (row, nowMs) => (row.lastUsedMs === 0 ? '-' : age(row.lastUsedMs, nowMs)),
    raw: { name: 'lastUsed', text: (row) => iso(row.lastUsedMs) },
  },
  { name: 'in-use', right: true, text: (row) => String(row.usedBy.length) },
  { name: 'used-by', wide: true, text: (row) => row.usedBy.join(', ') || '-' },
  { name: 'ids', wide: true, text: (row) => row.images.map(({ imageId }) => imageId).join(', ') || '-' },
];

export function imageCacheListing(
  rows: readonly CachedImageView[],
  extra: Record<string, unknown> = {},
): Listing<CachedImageView> {
  return {
    columns: COLUMNS,
    rows,
    id: (row) => row.sha256,
    data: (kept) => ({ images: kept, ...extra }),
    empty: 'no host keeps an image; one comes when an instance is started, or by: novactl image cache warm IMAGE',
  };
}
