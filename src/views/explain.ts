import { humanDuration } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Details } from './listing.ts';
import { age } from './moments.ts';
import { oneRow } from './one-row.ts';
import { statePaint } from './paint.ts';
import { plainLine } from './text.ts';

type Explanation = OperationOutput<'ExplainInstance'>;

const bullets = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : `${title}\n${lines.map((line) => `  - ${plainLine(line)}\n`).join('')}`;

function workText(work: NonNullable<Explanation['work']>, nowMs: number): string {
  const step = work.step === undefined ? '' : `, at ${work.step}`;
  const later = work.notBeforeMs ?? nowMs;
  const wait = later > nowMs ? `, next try in ${humanDuration(later - nowMs)}` : '';
  const error = work.lastError === undefined ? '' : `; last error: ${work.lastError}`;
  return `${work.verb}${step}, try ${work.attempt}, for ${age(work.sinceMs, nowMs)}${wait}${error}`;
}

/** Why an instance is as it is: the short facts, then the sentences, then what to do. */
export function explainDetails(row: Explanation, nowMs: number): Details<Explanation> {
  const { instance, host, observed, work } = row;
  const problem = host.problem === undefined ? '' : `: ${host.problem}`;
  const power = observed && `${observed.power}${observed.reason === undefined ? '' : ` (${observed.reason})`}`;
  return {
    columns: [
      { name: 'id', fixed: true, text: () => instance.instanceId },
      { name: 'state', text: () => instance.state },
      { name: 'desired', text: () => row.desired },
      { name: 'because', text: () => row.because.join(' ') },
      { name: 'next', text: () => row.next.join('; ') },
    ],
    ...oneRow(row),
    id: () => instance.instanceId,
    fields: [
      [
        'instance',
        { text: instance.name === undefined ? instance.instanceId : `${instance.instanceId} (${instance.name})` },
      ],
      ['state', { text: instance.state, paint: statePaint(instance.state) }],
      ['wanted', { text: `${row.desired} (generation ${row.generation})` }],
      ['host', { text: `${host.hostName} is ${host.state}${problem}` }],
      [
        'on the host',
        { text: observed === undefined ? 'nothing reported yet' : `${power ?? ''}, ${age(observed.atMs, nowMs)} ago` },
      ],
      ['at work', { text: work === undefined ? 'nothing' : workText(work, nowMs) }],
    ],
    below: bullets('because', row.because) + bullets('next', row.next),
  };
}
