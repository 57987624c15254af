import { humanDuration } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import type { Paint } from './paint.ts';
import { plainLine } from './text.ts';

export type MaintenanceStatus = OperationOutput<'DescribeMaintenance'>;
export type JobView = MaintenanceStatus['jobs'][number];
export type JobResult = NonNullable<JobView['last']>;
type Report = OperationOutput<'PlanMaintenance'>['report'];

const PAINT: Readonly<Record<string, Paint>> = {
  clean: 'good',
  fixed: 'busy',
  degraded: 'bad',
  failed: 'bad',
  'cut-off': 'bad',
  overdue: 'bad',
};

function ended({ running, last }: JobView): string {
  if (running !== undefined) return running.isLive ? 'running' : 'cut-off';
  return last?.outcome ?? '-';
}

/** When it should run again, by how often it runs where it is installed. */
function due({ due: state, everySeconds, last }: JobView, nowMs: number): string {
  if (last === undefined || state !== 'in-time') return state;
  return `in ${humanDuration(Math.max(0, last.startedAtMs + everySeconds * 1000 - nowMs))}`;
}

export function jobListing(status: MaintenanceStatus): Listing<JobView> {
  const { nowMs } = status;
  return {
    columns: [
      { name: 'job', fixed: true, text: (row) => row.job },
      { name: 'ended', text: ended, paint: (row) => PAINT[ended(row)] },
      {
        name: 'age',
        right: true,
        text: (row) => age(row.last?.startedAtMs, nowMs),
        raw: { name: 'started', text: (row) => iso(row.last?.startedAtMs) },
      },
      {
        name: 'took',
        right: true,
        text: ({ last }) => (last === undefined ? '-' : humanDuration(last.endedAtMs - last.startedAtMs)),
      },
      { name: 'fixed', right: true, text: ({ last }) => String(last?.changeCount ?? '-') },
      { name: 'to-look-at', right: true, text: ({ last }) => String(last?.findingCount ?? '-') },
      { name: 'due', text: (row) => due(row, nowMs), paint: (row) => PAINT[row.due] },
      { name: 'operation', wide: true, text: ({ running, last }) => running?.operationId ?? last?.operationId ?? '-' },
      { name: 'error', wide: true, text: ({ last }) => last?.error?.message ?? '-' },
    ],
    rows: status.jobs,
    id: (row) => row.job,
    data: (jobs) => ({ ...status, jobs }),
    empty: '',
  };
}

/** What a run did and found, a line each. */
export function reportLines({ notes, changes, findings }: Report): string {
  const lines = [
    ...notes.map((line) => `  ${line}`),
    ...changes.map((line) => `  * ${line}`),
    ...findings.map((line) => `  ! ${line}`),
  ];
  return lines.map((line) => `${plainLine(line)}\n`).join('');
}

/** One line of a run, for a mail of cron. */
export function resultLine(job: string, result: Report & { readonly operationId?: string }): string {
  const first = result.findings[0] ?? result.changes[0] ?? '';
  const count = result.findings.length > 0 ? result.findingCount : result.changeCount;
  const more = count > 1 ? ` (and ${count - 1} more)` : '';
  const where = result.operationId === undefined ? '' : `; novactl op show ${result.operationId}`;
  return plainLine(`maintain ${job}: ${result.outcome}: ${first}${more}${where}`);
}

export function resultDetails(job: string, result: JobResult | Report): Details<JobResult | Report> {
  return {
    columns: [
      { name: 'job', fixed: true, text: () => job },
      { name: 'outcome', text: (row) => row.outcome },
      { name: 'fixed', right: true, text: (row) => String(row.changeCount) },
      { name: 'to-look-at', right: true, text: (row) => String(row.findingCount) },
    ],
    rows: [result],
    id: () => job,
    data: ([row]) => ({ job, ...row }),
    empty: '',
    fields: [
      ['job', { text: job }],
      ['outcome', { text: result.outcome, paint: PAINT[result.outcome] }],
    ],
    below: reportLines(result),
  };
}
