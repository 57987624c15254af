import { humanBytes, humanDuration } from '../base/units.ts';
import type { ObjectsOverview, ScrubNote } from '../messages/object-keeping.ts';
import type { Details } from './listing.ts';
import { iso } from './moments.ts';
import { oneRow } from './one-row.ts';
import { plainLine } from './text.ts';

/** Fields for people and columns for programs are the same; what is damaged stands below, a line each. */
function one<T>(columns: Details<T>['columns'], row: T, id: string, damaged: readonly string[]): Details<T> {
  const lines = damaged.map((line) => `  ${plainLine(line)}\n`).join('');
  return {
    ...{ columns, id: () => id, ...oneRow(row) },
    fields: columns.map(({ name, text, paint }) => [name, { text: text(row, 0), paint: paint?.(row) }] as const),
    ...(lines === '' ? {} : { below: `damaged:\n${lines}` }),
  };
}

export function scrubDetails(scrub: ScrubNote): Details<ScrubNote> {
  return one(
    [
      { name: 'objects', text: (row) => String(row.objects) },
      { name: 'bytes', text: (row) => humanBytes(row.bytes) },
      { name: 'took', text: (row) => humanDuration(row.endedAtMs - row.startedAtMs) },
      {
        name: 'damaged',
        text: (row) => String(row.damagedCount),
        paint: (row) => (row.damagedCount === 0 ? 'good' : 'bad'),
      },
      { name: 'unnamed', text: (row) => String(row.unnamed) },
    ],
    scrub,
    'scrub',
    scrub.damaged,
  );
}

export function objectStoreDetails(view: ObjectsOverview): Details<ObjectsOverview> {
  return one(
    [
      { name: 'buckets', text: (row) => String(row.buckets) },
      { name: 'objects', text: (row) => String(row.objects) },
      { name: 'bytes', text: (row) => humanBytes(row.bytes) },
      { name: 'disk-free', text: (row) => humanBytes(row.freeBytes) },
      {
        name: 'last-scrub',
        text: ({ scrubbing, lastScrub }) =>
          `${lastScrub === undefined ? 'never' : iso(lastScrub.startedAtMs)}${scrubbing ? ', one is under way' : ''}`,
      },
      {
        name: 'damaged',
        text: ({ lastScrub }) => String(lastScrub?.damagedCount ?? '-'),
        paint: ({ lastScrub }) => (lastScrub === undefined || lastScrub.damagedCount === 0 ? undefined : 'bad'),
      },
      {
        name: 'last-collect',
        text: ({ lastCollect }) =>
          lastCollect === undefined ? 'never' : `${iso(lastCollect.atMs)}, ${lastCollect.removed} removed`,
      },
    ],
    view,
    'objectstore',
    view.lastScrub?.damaged ?? [],
  );
}
