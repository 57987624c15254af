import { humanBytes } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import { oneRow } from './one-row.ts';
import { statePaint } from './paint.ts';

export type ImageView = OperationOutput<'DescribeImages'>['images'][number];

/** With how much of it is done, where that is known. */
function stateText({ state, progress }: ImageView): string {
  const { doneBytes = 0, totalBytes = 0 } = progress ?? {};
  return totalBytes > 0 ? `${state} ${Math.min(100, Math.floor((doneBytes / totalBytes) * 100))} %` : state;
}

function progressWords({
  step,
  doneBytes,
  totalBytes,
  bytesPerSecond,
  attempts,
}: NonNullable<ImageView['progress']>): string {
  const words = [
    step,
    ...(doneBytes > 0
      ? [humanBytes(doneBytes) + (totalBytes === undefined ? '' : ` of ${humanBytes(totalBytes)}`)]
      : []),
    ...(bytesPerSecond === undefined ? [] : [`${humanBytes(bytesPerSecond)}/s`]),
    ...(attempts > 1 ? [`attempt ${attempts}`] : []),
  ];
  return words.join(', ');
}

/** Of one that is being made, or was not, nobody knows what its bytes are. */
const ofBytes =
  (text: (row: ImageView) => string) =>
  (row: ImageView): string =>
    row.sha256 === '' ? '-' : text(row);

const COLUMNS: readonly Column<ImageView>[] = [
  { name: 'id', fixed: true, text: (row) => row.imageId },
  { name: 'name', text: (row) => row.name },
  { name: 'kind', text: (row) => row.kind },
  {
    name: 'state',
    text: stateText,
    paint: (row) => statePaint(row.state),
    raw: { name: 'state', text: (row) => row.state },
  },
  { name: 'format', text: ofBytes((row) => row.format) },
  {
    name: 'size',
    right: true,
    text: ofBytes((row) => humanBytes(row.sizeBytes)),
    raw: { name: 'sizeBytes', text: (row) => String(row.sizeBytes) },
  },
  ageColumn('created', (row) => row.createdAtMs),
  { name: 'arch', wide: true, text: (row) => row.architecture },
  {
    name: 'virtual',
    wide: true,
    right: true,
    text: ofBytes((row) => humanBytes(row.virtualSizeBytes)),
    raw: { name: 'virtualSizeBytes', text: (row) => String(row.virtualSizeBytes) },
  },
  { name: 'kernel', wide: true, text: (row) => row.kernelId ?? '-' },
  { name: 'ramdisk', wide: true, text: (row) => row.ramdiskId ?? '-' },
  { name: 'public', wide: true, text: (row) => (row.public ? 'yes' : 'no') },
  { name: 'sha256', wide: true, fixed: true, text: ofBytes((row) => row.sha256) },
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

function bytesFields({ format, sizeBytes, virtualSizeBytes, sha256 }: ImageView): Details<ImageView>['fields'] {
  if (sha256 === '') return [];
  return [
    ['format', { text: format }],
    ['size', { text: `${humanBytes(sizeBytes)} (${sizeBytes} bytes)` }],
    ['virtual size', { text: humanBytes(virtualSizeBytes) }],
    ['sha256', { text: sha256 }],
  ];
}

export function imageDetails(row: ImageView, nowMs: number): Details<ImageView> {
  return {
    ...base,
    ...oneRow(row),
    fields: [
      ['id', { text: row.imageId }],
      ['name', { text: row.name }],
      ...(row.description === undefined ? [] : [['description', { text: row.description }] as const]),
      ['kind', { text: row.kind }],
      ['state', { text: stateText(row), paint: statePaint(row.state) }],
      ...(row.stateReason === undefined ? [] : [['reason', { text: row.stateReason.message }] as const]),
      ...(row.progress === undefined ? [] : [['progress', { text: progressWords(row.progress) }] as const]),
      ['architecture', { text: row.architecture }],
      ...bytesFields(row),
      ...(row.kernelId === undefined ? [] : [['kernel', { text: row.kernelId }] as const]),
      ...(row.ramdiskId === undefined ? [] : [['ramdisk', { text: row.ramdiskId }] as const]),
      ['project', { text: row.projectId }],
      ['public', { text: row.public ? 'yes' : 'no' }],
      ...(row.launchProjects === undefined || row.launchProjects.length === 0
        ? []
        : [['shared with', { text: row.launchProjects.join(', ') }] as const]),
      ...(row.location === undefined ? [] : [['from', { text: row.location }] as const]),
      ...(row.sourceId === undefined ? [] : [['made of', { text: row.sourceId }] as const]),
      ...(row.notes ?? []).map((note) => ['note', { text: note }] as const),
      ...(row.deprecatedAtMs === undefined ? [] : [['deprecated', { text: iso(row.deprecatedAtMs) }] as const]),
      ['created', { text: `${iso(row.createdAtMs)} (${age(row.createdAtMs, nowMs)} ago)` }],
    ],
  };
}
