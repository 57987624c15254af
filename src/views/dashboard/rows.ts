import { hostListing } from '../hosts.ts';
import { instanceListing } from '../instances.ts';
import type { Column } from '../listing.ts';
import { operationListing } from '../operations.ts';
import type { DashboardState, Known, ListName, ListState, SortKey } from './state.ts';
import { bodyRows } from './state.ts';

/** A row of any list, with what the dashboard asks of it. */
export interface Row {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly atMs: number;
  /** Everything a filter looks at. */
  readonly text: string;
  cell(column: number, nowMs: number): string;
  paint(column: number): ReturnType<NonNullable<Column<unknown>['paint']>>;
}

export interface ListColumn {
  readonly title: string;
  readonly right: boolean;
  /** Never cut. */
  readonly fixed: boolean;
}

interface ListKind {
  readonly columns: readonly ListColumn[];
  /** Indexes of columns in the order in which a narrow terminal goes without them. */
  readonly drop: readonly number[];
  rows(known: Known): Row[];
}

interface Facts {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly atMs: number;
}

function kindOf<T>(options: {
  readonly columns: readonly Column<T>[];
  /** Names of columns, the first to go first. */
  readonly drop: readonly string[];
  readonly all: (known: Known) => Iterable<T>;
  readonly facts: (row: T) => Facts;
}): ListKind {
  const columns = options.columns.filter((column) => column.wide !== true);
  const makeRow = (row: T): Row => {
    const facts = options.facts(row);
    return {
      ...facts,
      text: [facts.id, ...columns.filter(({ raw }) => raw === undefined).map((column) => column.text(row, 0))].join(
        ' ',
      ),
      cell: (column, nowMs) => columns[column]?.text(row, nowMs) ?? '',
      paint: (column) => columns[column]?.paint?.(row),
    };
  };
  return {
    columns: columns.map(({ name, right, fixed }) => ({
      title: name.toUpperCase(),
      right: right === true,
      // A number or a state that is cut says something else.
      fixed: fixed === true || right === true || name === 'state' || name === 'status',
    })),
    drop: options.drop.map((name) => columns.findIndex((column) => column.name === name)),
    rows: (known) => [...options.all(known)].map(makeRow),
  };
}

export const LIST_KINDS: Readonly<Record<ListName, ListKind>> = {
  instances: kindOf({
    columns: instanceListing([]).columns,
    drop: ['type', 'host', 'age'],
    all: (known) => known.instances.values(),
    facts: (row) => ({
      id: row.instanceId,
      name: row.name ?? '',
      status: row.state,
      atMs: row.launchTimeMs,
    }),
  }),
  hosts: kindOf({
    columns: hostListing([]).columns,
    drop: ['virt', 'zone', 'seen', 'memory'],
    all: (known) => known.hosts.values(),
    facts: (row) => ({ id: row.hostId, name: row.name, status: row.state, atMs: row.addedAtMs }),
  }),
  operations: kindOf({
    columns: operationListing([]).columns,
    drop: ['who', 'took', 'targets'],
    all: (known) => known.operations.values(),
    facts: (row) => ({ id: row.operationId, name: row.name, status: row.status, atMs: row.startedAtMs }),
  }),
};

type Test = (row: Row) => boolean;

/** A regular expression where it is one, else a text; `!` in front turns it around. Upper and lower case are the same. */
export function filterTest(filter: string): Test {
  const inverse = filter.startsWith('!');
  const wanted = inverse ? filter.slice(1) : filter;
  if (wanted === '') return () => true;
  const found = matcher(wanted);
  return (row) => found(row.text) !== inverse;
}

function matcher(wanted: string): (text: string) => boolean {
  try {
    const pattern = new RegExp(wanted, 'i');
    return (text) => pattern.test(text);
  } catch {
    const lower = wanted.toLowerCase();
    return (text) => text.toLowerCase().includes(lower);
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const ORDER: Readonly<Record<SortKey, (a: Row, b: Row) => number>> = {
  name: (a, b) => byText(a.name, b.name) || byText(a.id, b.id),
  age: (a, b) => b.atMs - a.atMs || byText(b.id, a.id),
  status: (a, b) => byText(a.status, b.status) || byText(a.name, b.name) || byText(a.id, b.id),
};

interface Cached {
  readonly key: string;
  readonly rows: readonly Row[];
}
/** Rows are sorted once for what is known, not for each frame. */
const cache = new WeakMap<object, Cached>();

/** The rows of a list, filtered and sorted. */
export function rowsOf(state: Pick<DashboardState, 'known' | 'lists'>, list: ListName): readonly Row[] {
  const { filter, sort, reverse } = state.lists[list];
  const key = `${sort} ${reverse} ${filter}`;
  const source = state.known[list];
  const cached = cache.get(source);
  if (cached?.key === key) return cached.rows;
  const rows = LIST_KINDS[list].rows(state.known).filter(filterTest(filter)).sort(ORDER[sort]);
  if (reverse) rows.reverse();
  cache.set(source, { key, rows });
  return rows;
}

export function selectedRow(state: DashboardState, list: ListName): Row | undefined {
  const { selected } = state.lists[list];
  return rowsOf(state, list).find((row) => row.id === selected);
}

/** Puts the selection on a row that is there, and the window where it shows it. */
export function settleList(state: DashboardState, list: ListName): DashboardState {
  const rows = rowsOf(state, list);
  const before = state.lists[list];
  const found = rows.findIndex((row) => row.id === before.selected);
  const index = Math.max(0, found >= 0 ? found : Math.min(before.index, rows.length - 1));
  const height = Math.max(1, bodyRows(state) - 1);
  const highest = Math.max(0, rows.length - height);
  const top = Math.min(highest, Math.max(index - height + 1, Math.min(before.top, index)));
  const after: ListState = { ...before, selected: rows[index]?.id, index, top };
  const same = after.selected === before.selected && after.index === before.index && after.top === before.top;
  return same ? state : { ...state, lists: { ...state.lists, [list]: after } };
}

/** Selects the row that stands so many rows further. */
export function moveSelection(state: DashboardState, list: ListName, by: number): DashboardState {
  const rows = rowsOf(state, list);
  const { index } = state.lists[list];
  const target = Math.max(0, Math.min(rows.length - 1, index + by));
  const lists = { ...state.lists, [list]: { ...state.lists[list], selected: rows[target]?.id, index: target } };
  return settleList({ ...state, lists }, list);
}
