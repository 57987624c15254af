import { humanDuration } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import { oneRow } from './one-row.ts';
import type { Paint } from './paint.ts';

export type ServiceView = OperationOutput<'DescribeServices'>['services'][number];

const PAINTS: Readonly<Record<ServiceView['state'], Paint | undefined>> = {
  up: 'good',
  starting: 'busy',
  draining: 'busy',
  disabled: 'busy',
  lost: 'bad',
  ended: 'dim',
  unheard: 'bad',
};

const count = (value: number | undefined): string => (value === undefined ? '-' : String(value));

/** How far its copy of the state is behind. */
function lag({ store }: ServiceView): string {
  if (store === undefined) return '-';
  return store.staleMs === undefined ? 'none' : humanDuration(store.staleMs);
}

const COLUMNS: readonly Column<ServiceView>[] = [
  { name: 'name', fixed: true, text: (row) => row.serviceId },
  { name: 'roles', text: (row) => row.roles.join(',') || '-' },
  { name: 'state', text: (row) => row.state, paint: (row) => PAINTS[row.state] },
  { name: 'version', text: (row) => row.version ?? '-' },
  {
    name: 'uptime',
    right: true,
    text: (row, nowMs) => age(row.startedAtMs, nowMs),
    raw: { name: 'started', text: (row) => iso(row.startedAtMs) },
  },
  {
    name: 'lag',
    right: true,
    text: lag,
    raw: { name: 'staleMs', text: (row) => (row.store === undefined ? '' : String(row.store.staleMs ?? 0)) },
  },
  { name: 'queue', right: true, text: (row) => count(row.bus?.waiting) },
  { name: 'owns', right: true, text: (row) => count(row.owns) },
  { name: 'opens', right: true, text: (row) => count(row.opens) },
  { name: 'machine', text: (row) => row.machine ?? '-' },
  {
    name: 'problem',
    text: (row) => row.problem ?? '-',
    paint: (row) => (row.problem === undefined ? undefined : 'bad'),
  },
  {
    name: 'seen',
    wide: true,
    right: true,
    text: (row, nowMs) => age(row.lastHelloMs, nowMs),
    raw: { name: 'lastHello', text: (row) => iso(row.lastHelloMs) },
  },
  { name: 'depth', wide: true, right: true, text: (row) => count(row.depth) },
  { name: 'rev', wide: true, right: true, text: (row) => count(row.store?.rev) },
  { name: 'pid', wide: true, right: true, text: (row) => count(row.pid) },
  { name: 'reason', wide: true, text: (row) => row.reason ?? '-' },
];

const base = { columns: COLUMNS, id: (row: ServiceView) => row.serviceId };

export function serviceListing(
  rows: readonly ServiceView[],
  extra: Record<string, unknown> = {},
): Listing<ServiceView> {
  return {
    ...base,
    rows,
    data: (kept) => ({ services: kept, ...extra }),
    empty: 'no process has spoken yet; start one by: novactl up, or novactl serve',
  };
}

function storeText({ store }: ServiceView): string {
  if (store === undefined) return 'none: a worker has no copy of the state';
  const behind = store.staleMs === undefined ? '' : `, ${humanDuration(store.staleMs)} behind`;
  return `${store.engine}, revision ${store.rev}, ${store.keys} keys${behind}`;
}

/** What a process without the role has none of is left out. */
const counted = (title: string, value: number | undefined, what: string) =>
  value === undefined ? [] : [[title, { text: `${value} ${what}` }] as const];

export function serviceDetails(row: ServiceView, nowMs: number): Details<ServiceView> {
  const { bus, startedAtMs } = row;
  return {
    ...base,
    ...oneRow(row),
    fields: [
      ['name', { text: row.serviceId }],
      ['state', { text: row.state, paint: PAINTS[row.state] }],
      ...(row.wanted === 'enabled' ? [] : [['wanted', { text: row.wanted }] as const]),
      ...(row.reason === undefined ? [] : [['reason', { text: row.reason }] as const]),
      ...(row.problem === undefined ? [] : [['problem', { text: row.problem, paint: 'bad' }] as const]),
      ['roles', { text: row.roles.join(', ') || '-' }],
      ['process', { text: `novactl ${row.version ?? '-'}, pid ${count(row.pid)} on ${row.machine ?? '-'}` }],
      ['store', { text: storeText(row) }],
      [
        'bus',
        { text: bus === undefined ? '-' : `${bus.engine}, ${bus.waiting} waiting, ${bus.handling} being handled` },
      ],
      ...counted('owns', row.owns, 'hosts'),
      ...counted('opens', row.opens, 'hosts'),
      ...counted('waiting', row.depth, 'instances'),
      ['started', { text: startedAtMs === undefined ? '-' : `${iso(startedAtMs)} (${age(startedAtMs, nowMs)} ago)` }],
      ['last word', { text: row.lastHelloMs === undefined ? 'never' : `${age(row.lastHelloMs, nowMs)} ago` }],
    ],
  };
}
