import type { OperationOutput } from '../messages/operations/index.ts';
import type { Listing } from './listing.ts';
import { iso } from './moments.ts';
import { plainLine } from './text.ts';

type Differences = OperationOutput<'DescribeStateDifferences'>;

interface Row {
  readonly host: string;
  readonly what: string;
  readonly id: string;
  readonly name: string;
  readonly recorded: string;
  readonly found: string;
}

function rowsOf({ name: host, problem, missing, unknown, differs, work }: Differences['hosts'][number]): Row[] {
  const row = (what: string, id: string, rest: Partial<Row>): Row => ({
    ...{ host, what, id, name: '', recorded: '', found: '' },
    ...rest,
  });
  return [
    ...(problem === undefined ? [] : [row('unseen', '', { found: problem })]),
    ...missing.map(({ instanceId, name = '', state }) =>
      row('missing', instanceId, { name, recorded: state, found: 'no domain' }),
    ),
    ...unknown.map(({ name, uuid = '', power }) =>
      row('unknown', name, { name: uuid, recorded: 'no record', found: power }),
    ),
    ...differs.map(({ instanceId, name = '', state, power }) =>
      row('differs', instanceId, { name, recorded: state, found: power }),
    ),
    ...work.map(({ instanceId, name = '', verb }) => row('work', instanceId, { name, recorded: `${verb} not done` })),
  ];
}

/** In what the records and the hosts differ, a line for each thing. */
export function differenceRows(all: Differences): Listing<Row> {
  return {
    columns: [
      { name: 'host', fixed: true, text: (row) => row.host },
      { name: 'what', text: (row) => row.what },
      { name: 'id', fixed: true, text: (row) => plainLine(row.id) },
      { name: 'name', text: (row) => plainLine(row.name) },
      { name: 'recorded', text: (row) => row.recorded },
      { name: 'found', text: (row) => plainLine(row.found) },
    ],
    rows: all.hosts.flatMap(rowsOf),
    id: (row) => row.id,
    data: () => all,
    empty: '',
  };
}

/** What the lines add up to, in a sentence. */
export function differenceCounts({ counts }: Pick<Differences, 'counts'>): string {
  const { hosts, unseen, missing, unknown, differs, work } = counts;
  const seen = unseen === 0 ? `${hosts} hosts` : `${hosts} hosts, ${unseen} of them not seen`;
  return `${seen}: ${missing} instances without a domain, ${unknown} domains without a record, ${differs} in another state, ${work} with work to be done`;
}

export function heldLine({ held }: Pick<Differences, 'held'>): string {
  if (held === undefined) return 'nothing waits to be adopted';
  const { sinceMs, reason, knownRev, rev } = held;
  return `the store was restored from an older copy (${reason}; noticed ${iso(sinceMs)}, revision ${knownRev} was known, ${rev} is there)`;
}
