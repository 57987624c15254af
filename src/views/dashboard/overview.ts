import { GIB, humanBytes, MIB } from '../../base/units.ts';
import type { HostView } from '../hosts.ts';
import { age } from '../moments.ts';
import { statePaint } from '../paint.ts';
import { padText } from '../text.ts';
import { line, type Line } from './line.ts';
import type { Known } from './state.ts';

const MINUTE_MS = 60_000;
/** How long a failed operation is a problem to look at. */
const FAILED_MS = 60 * MINUTE_MS;

/** `3 running, 1 stopped`, the most first. */
function tally(words: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return sorted.length === 0 ? 'none' : sorted.map(([word, count]) => `${count} ${word}`).join(', ');
}

/** What an administrator should look at, most important first. */
function problems({ hosts, operations }: Known, nowMs: number): string[] {
  const out: string[] = [];
  for (const host of hosts.values()) {
    if (host.problem !== undefined) out.push(`host ${host.name} is down: ${host.problem}`);
  }
  for (const host of hosts.values()) {
    const { length } = host.orphans;
    if (length > 0) out.push(`host ${host.name} has ${length} domains that no record explains`);
  }
  for (const row of operations.values()) {
    if (row.status === 'failed' && nowMs - (row.endedAtMs ?? nowMs) < FAILED_MS) {
      out.push(`${row.name} failed ${age(row.endedAtMs, nowMs)} ago: ${row.error?.message ?? 'it did not say why'}`);
    }
  }
  return out;
}

type Amount = 'vcpus' | 'memoryMib' | 'diskGib';

/** `[####......]  12 of 32 (38 %)`. */
function gauge(
  label: string,
  hosts: readonly HostView[],
  key: Amount,
  text: (amount: number) => string,
  width: number,
): Line {
  const used = hosts.reduce((sum, host) => sum + host.usage[key], 0);
  const all = hosts.reduce((sum, host) => sum + host.capacity[key], 0);
  const share = all === 0 ? 0 : Math.min(1, used / all);
  const cells = Math.max(10, Math.min(40, width - 50));
  const full = Math.round(share * cells);
  const bar = `${'#'.repeat(full)}${'.'.repeat(cells - full)}`;
  return line(
    { text: padText(` ${label}`, LABEL, false), paint: 'bold' },
    { text: `[${bar}]`, paint: share >= 0.9 ? 'bad' : share >= 0.75 ? 'busy' : 'good' },
    `  ${text(used)} of ${text(all)} (${Math.round(share * 100)} %)`,
  );
}

const LABEL = 12;

/** The cloud at one look: counts, how full it is, what is wrong, what was done last. At most `height` lines. `held`: why nothing is changed. */
export function overviewLines(
  known: Known,
  nowMs: number,
  width: number,
  height: number,
  held?: string,
): readonly Line[] {
  const hosts = [...known.hosts.values()];
  const live = [...known.instances.values()].filter((row) => row.state !== 'terminated');
  const operations = [...known.operations.values()].sort((a, b) => b.startedAtMs - a.startedAtMs);
  const wrong = [...(held === undefined ? [] : [held]), ...problems(known, nowMs)];
  const label = (text: string) => ({ text: padText(` ${text}`, LABEL, false), paint: 'bold' }) as const;
  const top: Line[] = [
    line(label('hosts'), tally(hosts.map((row) => row.state))),
    line(label('instances'), tally(live.map((row) => row.state))),
    gauge('vCPUs', hosts, 'vcpus', String, width),
    gauge('memory', hosts, 'memoryMib', (amount) => humanBytes(amount * MIB), width),
    gauge('disk', hosts, 'diskGib', (amount) => humanBytes(amount * GIB), width),
    line(''),
  ];
  const shownProblems = wrong.slice(0, Math.max(1, Math.floor((height - top.length) / 2) - 1));
  const more = wrong.length - shownProblems.length;
  const middle: Line[] =
    wrong.length === 0
      ? [line(label('problems'), { text: 'none', paint: 'good' })]
      : [
          line(label('problems'), more > 0 ? `${wrong.length}, the first:` : ''),
          ...shownProblems.map((text) => line({ text: `  ${text}`, paint: 'bad' })),
        ];
  const space = height - top.length - middle.length - 2;
  const latest = operations.slice(0, Math.max(0, space)).map((row) => {
    const [first = '-', ...others] = row.targets;
    const targets = others.length === 0 ? first : `${first} +${others.length}`;
    return line(
      `  ${padText(age(row.startedAtMs, nowMs), 7, true)}  `,
      { text: padText(row.status, 9, false), paint: statePaint(row.status) },
      `  ${padText(row.name, 18, false)}  ${targets}`,
    );
  });
  const bottom = latest.length === 0 ? [] : [line(''), line({ text: ' last operations', paint: 'bold' }), ...latest];
  return [...top, ...middle, ...bottom].slice(0, height);
}
