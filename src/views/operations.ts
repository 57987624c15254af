import { humanBytes, humanDuration } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import { ageColumn } from './age-column.ts';
import type { Column, Details, Listing } from './listing.ts';
import { age, iso } from './moments.ts';
import { oneRow } from './one-row.ts';
import { statePaint } from './paint.ts';
import { plainLine } from './text.ts';

export type OperationView = OperationOutput<'DescribeOperations'>['operations'][number];
type Step = OperationView['steps'][number];

const targets = (row: OperationView): string => {
  const [first = '-', ...others] = row.targets;
  return others.length === 0 ? first : `${first} +${others.length}`;
};
const took = (row: OperationView): string =>
  row.endedAtMs === undefined ? '-' : humanDuration(row.endedAtMs - row.startedAtMs);

const COLUMNS: readonly Column<OperationView>[] = [
  { name: 'id', fixed: true, text: (row) => row.operationId },
  { name: 'name', text: (row) => row.name },
  { name: 'status', text: (row) => row.status, paint: (row) => statePaint(row.status) },
  { name: 'targets', text: targets },
  { name: 'who', text: (row) => row.principal },
  { name: 'took', right: true, text: took },
  ageColumn('started', (row) => row.startedAtMs),
  { name: 'from', wide: true, text: (row) => row.from },
  { name: 'reason', wide: true, text: (row) => row.reason ?? '-' },
  { name: 'error', wide: true, text: (row) => row.error?.message ?? '-' },
];

const base = { columns: COLUMNS, id: (row: OperationView) => row.operationId };

export function operationListing(
  rows: readonly OperationView[],
  extra: Record<string, unknown> = {},
): Listing<OperationView> {
  return { ...base, rows, data: (kept) => ({ operations: kept, ...extra }), empty: 'no operations yet' };
}

/** One step as a line: when, after the start; what; to what; how long; how it failed. */
export function stepLine(step: Step, startedAtMs: number): string {
  const at = `+${humanDuration(Math.max(0, step.atMs - startedAtMs))}`.padEnd(8);
  const tookText = step.tookMs === undefined ? '' : ` (${humanDuration(step.tookMs)})`;
  const error = step.error === undefined ? '' : `: ${step.error}`;
  return plainLine(`${at} ${step.target}  ${step.step}${tookText}${progressText(step)}${error}`);
}

function progressText({ progress }: Step): string {
  if (progress === undefined || progress.doneBytes === 0) return '';
  const { doneBytes, totalBytes } = progress;
  return ` (${humanBytes(doneBytes)}${totalBytes === undefined ? '' : ` of ${humanBytes(totalBytes)}`} so far)`;
}

export function operationDetails(row: OperationView, nowMs: number): Details<OperationView> {
  const steps = row.steps.map((step) => `  ${stepLine(step, row.startedAtMs)}\n`).join('');
  return {
    ...base,
    ...oneRow(row),
    fields: [
      ['id', { text: row.operationId }],
      ['name', { text: row.name }],
      ['status', { text: row.status, paint: statePaint(row.status) }],
      ...(row.error === undefined
        ? []
        : [['error', { text: `${row.error.message} (${row.error.code})`, paint: 'bad' }] as const]),
      ['who', { text: row.principal }],
      ['from', { text: row.from }],
      ['why', { text: row.reason ?? '-' }],
      ['project', { text: row.projectId }],
      ['targets', { text: row.targets.join(', ') || '-' }],
      ['pending', { text: row.pending.join(', ') || 'none' }],
      ['started', { text: `${iso(row.startedAtMs)} (${age(row.startedAtMs, nowMs)} ago)` }],
      ['took', { text: took(row) }],
      ['input', { text: row.inputDigest }],
    ],
    below: steps === '' ? '' : `steps\n${steps}`,
  };
}
