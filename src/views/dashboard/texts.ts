import { hostDetails } from '../hosts.ts';
import { instanceDetails } from '../instances.ts';
import type { Details } from '../listing.ts';
import { operationDetails } from '../operations.ts';
import { plainLine, textWidth } from '../text.ts';
import { keysAt } from './key-table.ts';
import { line, type Line } from './line.ts';
import type { DashboardState, Known, ListName, Screen } from './state.ts';
import { PLACES } from './state.ts';

type Shown = Pick<Details<unknown>, 'fields' | 'below'>;

const DETAILS: Readonly<Record<ListName, (known: Known, id: string, nowMs: number) => Shown | undefined>> = {
  instances: (known, id, nowMs) => {
    const row = known.instances.get(id);
    return row && instanceDetails(row, nowMs);
  },
  hosts: (known, id, nowMs) => {
    const row = known.hosts.get(id);
    return row && hostDetails(row, nowMs);
  },
  operations: (known, id, nowMs) => {
    const row = known.operations.get(id);
    return row && operationDetails(row, nowMs);
  },
};

/** Everything about one thing, long values on several lines. */
export function describeLines(
  state: Pick<DashboardState, 'known' | 'columns'>,
  screen: Extract<Screen, { kind: 'describe' }>,
  nowMs: number,
): readonly Line[] {
  const details = DETAILS[screen.list](state.known, screen.id, nowMs);
  if (details === undefined) return [line({ text: ` ${screen.id} is gone`, paint: 'dim' })];
  const labelWidth = Math.max(...details.fields.map(([label]) => textWidth(label)));
  const indent = labelWidth + 3;
  const lines = details.fields.flatMap(([label, cell]) =>
    wrap(plainLine(cell.text), Math.max(10, state.columns - indent)).map((part, at) =>
      line({ text: ` ${(at === 0 ? label : '').padEnd(labelWidth)}  `, paint: 'dim' }, { ...cell, text: part }),
    ),
  );
  const below = (details.below ?? '').split('\n').flatMap((text) => wrap(` ${plainLine(text)}`, state.columns));
  while (below.at(-1)?.trim() === '') below.pop();
  return below.length === 0 ? lines : [...lines, line(''), ...below.map((text) => line(text))];
}

/** Parts of so many cells, broken at a blank where one is near. */
function wrap(text: string, width: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (textWidth(rest) > width) {
    let end = [...rest].length;
    const chars = [...rest];
    while (textWidth(chars.slice(0, end).join('')) > width) end -= 1;
    const head = chars.slice(0, end).join('');
    const blank = head.lastIndexOf(' ');
    const cut = blank > head.length / 2 ? blank + 1 : head.length;
    parts.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut);
  }
  return [...parts, rest];
}

/** All keys; with --read-only those alone that change nothing. */
export function helpLines({ readOnly }: Pick<DashboardState, 'readOnly'>): readonly Line[] {
  const rows = [...new Set(PLACES.flatMap((place) => keysAt(place, readOnly)))];
  return [
    line({ text: ' KEYS', paint: 'bold' }),
    ...rows.map((row) => line({ text: `  ${row.shown.padEnd(10)}`, paint: 'bold' }, row.text)),
    line(''),
    line(' A filter is a regular expression; with ! in front it shows the others.'),
    line(' Instances end only after a dialog, whose focus starts on Cancel.'),
  ];
}
