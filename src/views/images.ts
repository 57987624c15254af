import { humanBytes } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import { statePaint } from './paint.ts';

export type ImageView = OperationOutput<'DescribeImages'>['images'][number];

const COLUMNS: readonly Column<ImageView>[] = [
  { name: 'id', fixed: true, text: (row) => row.imageId },
  { name: 'name', text: (row) => row.name },
  { name: 'kind', text: (row) => row.kind },
  { name: 'state', text: (row) => row.state, paint: (row) => statePaint(row.state) },
  { name: 'format', text: (row) => row.format },
  {
    name: 'size',
    right: true,
    text: (row) => humanBytes(row.sizeBytes),
    raw: { name: 'sizeBytes', text: (row) => String(row.sizeBytes) },
  },
  {
    name: 'age',
    right: true,
    text: (row, nowMs) => age(row.createdAtMs, nowMs),
    raw: { name: 'created', text: (row) => iso(row.createdAtMs) },
  },
  { name: 'arch', wide: true, text: (row) => row.architecture },
  {
    name: 'virtual',
    wide: true,
    right: true,
    text: (row) => humanBytes(row.virtualSizeBytes),
    raw: { name: 'virtualSizeBytes', text: (row) => String(row.virtualSizeBytes) },
  },
  { name: 'kernel', wide: true, text: (row) => row.kernelId ?? '-' },
  { name: 'ramdisk', wide: true, text: (row) => row.ramdiskId ?? '-' },
  { name: 'public', wide: true, text: (row) => (row.public ? 'yes' : 'no') },
  { name: 'sha256', wide: true, fixed: true, text: (row) => row.sha256 },
];

const base = { columns: COLUMNS, id: (row: ImageView) => row.imageId };

export function imageListing(rows: readonly ImageView[], extra: Record<string, unknown> = {}): Listing<ImageView> {
  return {
    ...base,
    rows,
    data: (kept) => ({ images: kept, ...extra }),
    empty: 'no images; make a small one by: novactl image build-tiny',
  };
}

export function imageDetails(row: ImageView, nowMs: number): Details<ImageView> {
  return {
    ...base,
    rows: [row],
    data: ([only]) => only,
    empty: '',
    fields: [
      ['id', { text: row.imageId }],
      ['name', { text: row.name }],
      ['kind', { text: row.kind }],
      ['state', { text: row.state, paint: statePaint(row.state) }],
      ['architecture', { text: row.architecture }],
      ['format', { text: row.format }],
      ['size', { text: `${humanBytes(row.sizeBytes)} (${row.sizeBytes} bytes)` }],
      ['virtual size', { text: humanBytes(row.virtualSizeBytes) }],
      ...(row.kernelId === undefined ? [] : [['kernel', { text: row.kernelId }] as const]),
      ...(row.ramdiskId === undefined ? [] : [['ramdisk', { text: row.ramdiskId }] as const]),
      ['sha256', { text: row.sha256 }],
      ['project', { text: row.projectId }],
      ['public', { text: row.public ? 'yes' : 'no' }],
      ['created', { text: `${iso(row.createdAtMs)} (${age(row.createdAtMs, nowMs)} ago)` }],
    ],
  };
}
