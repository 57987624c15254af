import type { OperationOutput } from '../messages/operations/index.ts';
import type { Column, Listing } from './listing.ts';

type HostRow = OperationOutput<'ExplainPlacement'>['hosts'][number];

const COLUMNS: readonly Column<HostRow>[] = [
  { name: 'host', fixed: true, text: (row) => row.hostName },
  {
    name: 'verdict',
    text: (row) => (row.filter === undefined ? 'fits' : 'refused'),
    paint: (row) => (row.filter === undefined ? 'good' : 'bad'),
  },
  { name: 'filter', text: (row) => row.filter ?? '-' },
  { name: 'weight', right: true, text: (row) => (row.weight === undefined ? '-' : row.weight.toFixed(3)) },
  { name: 'reason', text: (row) => row.reason ?? '-' },
  { name: 'id', wide: true, fixed: true, text: (row) => row.hostId },
];

/** Each host with the first filter that refuses it, or its weight. `output` is what json shows. */
export function placementListing(hosts: readonly HostRow[], output: Record<string, unknown>): Listing<HostRow> {
  return {
    columns: COLUMNS,
    rows: hosts,
    id: (row) => row.hostId,
    data: (rows) => ({ ...output, hosts: rows }),
    empty: 'no hosts; add one by: novactl host add --local',
  };
}

type Planned = OperationOutput<'PlanInstances'>['placements'][number];

const PLAN_COLUMNS: readonly Column<Planned>[] = [
  { name: 'index', right: true, text: (row) => String(row.launchIndex) },
  { name: 'host', fixed: true, text: (row) => row.hostName },
  { name: 'id', fixed: true, text: (row) => row.hostId },
];

export function planListing(plan: OperationOutput<'PlanInstances'>): Listing<Planned> {
  return {
    columns: PLAN_COLUMNS,
    rows: plan.placements,
    id: (row) => row.hostId,
    data: (rows) => ({ ...plan, placements: rows }),
    empty: '',
  };
}
