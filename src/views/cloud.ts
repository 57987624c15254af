import { humanBytes, MIB } from '../base/units.ts';
import type { OperationOutput } from '../messages/operations/index.ts';
import type { Details } from './listing.ts';
import { age } from './moments.ts';
import { oneRow } from './one-row.ts';
import { plainLine } from './text.ts';

type Cloud = OperationOutput<'DescribeCloud'>;

/** `2 running, 1 stopped`. */
function counts(byState: Readonly<Record<string, number>>): string {
  const parts = Object.entries(byState).flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`]));
  return parts.length === 0 ? 'none' : parts.join(', ');
}

const share = (used: number, all: number): string => (all === 0 ? '' : ` (${Math.round((used / all) * 100)} %)`);

export function cloudDetails(row: Cloud): Details<Cloud> {
  const { store, bus, usage, capacity } = row;
  // The recorded cloud has none.
  const runs = row.roles.length > 0;
  const memory = `${humanBytes(usage.memoryMib * MIB)} of ${humanBytes(capacity.memoryMib * MIB)}`;
  return {
    columns: [
      { name: 'id', fixed: true, text: () => row.cloudId },
      { name: 'version', text: () => row.version },
      { name: 'pid', right: true, text: () => String(row.pid) },
      { name: 'store', text: () => (store.ok ? 'ok' : 'bad') },
      { name: 'hosts', text: () => counts(row.hosts) },
      { name: 'instances', text: () => counts(row.instances) },
      { name: 'problems', right: true, text: () => String(row.problems.length) },
    ],
    ...oneRow(row),
    id: () => row.cloudId,
    fields: [
      [
        'cloud',
        {
          text: `${row.cloudId}, novactl ${row.version}, ${runs ? `pid ${row.pid}, up ${age(row.startedAtMs, row.nowMs)}` : 'no daemon'}`,
        },
      ],
      ['roles', { text: runs ? row.roles.join(', ') : 'none' }],
      ['state', { text: row.stateDir }],
      [
        'store',
        {
          text: `${store.engine}, ${store.ok ? 'ok' : (store.problem ?? 'bad')}, revision ${store.rev}, ${store.keys} keys`,
          paint: store.ok ? undefined : 'bad',
        },
      ],
      [
        'bus',
        {
          text: `${bus.engine}, ${bus.deadLetters === 0 ? 'no' : bus.deadLetters} dead letter${bus.deadLetters === 1 ? '' : 's'}`,
          paint: bus.deadLetters === 0 ? undefined : 'bad',
        },
      ],
      ['hosts', { text: counts(row.hosts) }],
      ['instances', { text: counts(row.instances) }],
      ['vCPUs', { text: `${usage.vcpus} of ${capacity.vcpus}${share(usage.vcpus, capacity.vcpus)}` }],
      ['memory', { text: memory + share(usage.memoryMib, capacity.memoryMib) }],
    ],
    below:
      row.problems.length === 0
        ? ''
        : `problems\n${row.problems.map((problem) => `  - ${plainLine(problem)}\n`).join('')}`,
  };
}
