import { keysAt, SCREENS } from './key-table.ts';
import { between, line, lineText, type Line, type LineStyle, type Segment } from './line.ts';
import { overviewLines } from './overview.ts';
import { rowsOf } from './rows.ts';
import { topOf } from './scroll.ts';
import type { DashboardState, Dialog, ListName, Screen } from './state.ts';
import { bodyRows, placeOf, screenOf } from './state.ts';
import { tableLines } from './table-lines.ts';
import { describeLines, helpLines } from './texts.ts';

export interface Moment {
  /** Wall clock. */
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/** The cloud sends something every 2 s; a silence of more than two of these is told. */
const LIVE_MS = 6000;

/** The whole screen: rows - 1 lines of at most `columns` cells. */
export function frame(state: DashboardState, at: Moment, style: LineStyle): readonly string[] {
  const height = bodyRows(state);
  const body = [...(state.dialog === undefined ? bodyOf(state, at, style) : dialogLines(state.dialog, height))];
  while (body.length < height) body.push(line(''));
  const lines = [
    headLine(state, at, style),
    tabLine(state, style),
    ...body.slice(0, height),
    sayLine(state),
    footLine(state),
  ];
  return lines.slice(0, Math.max(1, state.rows - 1)).map((item) => lineText(item, state.columns, style));
}

/** `live`, or how long ago the last word came. */
export function feedWords(state: DashboardState, at: Moment): Segment {
  const { status, lastMs, staleMs } = state.feed;
  if (lastMs === undefined || status === 'connecting') return { text: 'connecting', paint: 'busy' };
  const ageMs = Math.max(0, at.monotonicMs - lastMs);
  if (status === 'connected' && ageMs <= LIVE_MS) {
    if (staleMs === undefined) return { text: 'live', paint: 'good' };
    return { text: `store unreachable, ${Math.round((staleMs + ageMs) / 1000)}s old`, paint: 'bad' };
  }
  const seconds = Math.floor(ageMs / 1000);
  return { text: `stale ${seconds}s${status === 'lost' ? ': reconnecting' : ''}`, paint: 'bad' };
}

function headLine(state: DashboardState, at: Moment, style: LineStyle): Line {
  const left: Segment[] = [
    { text: ' novactl', paint: 'bold' },
    { text: ` ${state.version}  ` },
    { text: state.cloudId, paint: 'dim' },
  ];
  const readOnly: Segment[] = state.readOnly ? [{ text: 'read-only', paint: 'busy' }, { text: '  ' }] : [];
  return between(left, [...readOnly, feedWords(state, at), { text: ' ' }], state.columns, style.cutMark);
}

const COUNTED: Readonly<Record<string, ListName>> = { instances: 'instances', hosts: 'hosts', ops: 'operations' };

/** The screens with their keys, and how many rows each has. */
function tabLine(state: DashboardState, style: LineStyle): Line {
  const [root] = state.stack;
  const tabs = SCREENS.flatMap(({ key, name, screen }): Segment[] => {
    const here = root?.kind === screen.kind && (root.kind !== 'list' || root.list === (screen as typeof root).list);
    const list = COUNTED[name];
    const count = list === undefined ? '' : ` ${countOf(state, list)}`;
    const text = here ? `[${key} ${name}${count}]` : ` ${key} ${name}${count} `;
    return [{ text, paint: here ? 'bold' : 'dim' }, { text: ' ' }];
  });
  return between(tabs, [{ text: orderWords(state) }], state.columns, style.cutMark);
}

/** How many there are; instances that have ended are listed for an hour, and are none. */
function countOf({ known }: DashboardState, list: ListName): number {
  if (list !== 'instances') return known[list].size;
  let count = 0;
  for (const row of known.instances.values()) if (row.state !== 'terminated') count += 1;
  return count;
}

/** `by age, reversed`. */
function orderWords(state: DashboardState): string {
  const screen = screenOf(state);
  if (screen.kind !== 'list') return '';
  const { sort, reverse } = state.lists[screen.list];
  return `by ${sort}${reverse ? ', reversed' : ''} `;
}

function bodyOf(state: DashboardState, at: Moment, style: LineStyle): readonly Line[] {
  const screen = screenOf(state);
  const height = bodyRows(state);
  if (screen.kind === 'overview') return overviewLines(state.known, at.nowMs, state.columns, height, state.feed.held);
  if (screen.kind === 'list') return listLines(state, screen.list, at, style);
  if (screen.kind === 'help') return helpLines(state).slice(topOf(state, screen));
  if (screen.kind === 'log') return [titleLine('log of', screen.id, state), ...logLines(state, screen)];
  const lines = describeLines(state, screen, at.nowMs);
  return [titleLine(screen.list.slice(0, -1), screen.id, state), ...lines.slice(topOf(state, screen))];
}

const EMPTY: Readonly<Record<ListName, string>> = {
  instances: 'no instances; start one by: novactl instance run --image tiny --type m1.nano',
  hosts: 'no hosts; add this machine by: novactl host add --local',
  operations: 'no operations yet',
};

function listLines(state: DashboardState, list: ListName, at: Moment, style: LineStyle): readonly Line[] {
  const rows = rowsOf(state, list);
  const { top, selected, filter } = state.lists[list];
  const seen = rows.slice(top, top + bodyRows(state) - 1);
  const { columns: width } = state;
  const lines = tableLines(list, { rows: seen, selected, width, nowMs: at.nowMs, cutMark: style.cutMark });
  if (rows.length > 0) return lines;
  const text = state.known[list].size > 0 ? `no row passes the filter ${filter}` : EMPTY[list];
  return [...lines, line({ text: `  ${text}`, paint: 'dim' })];
}

function titleLine(what: string, id: string, state: DashboardState): Line {
  const name = state.known.instances.get(id)?.name ?? state.known.hosts.get(id)?.name;
  return line({ text: ` ${what} ${id}`, paint: 'bold' }, name === undefined ? '' : `  ${name}`);
}

function logLines(state: DashboardState, screen: Extract<Screen, { kind: 'log' }>): readonly Line[] {
  const { log } = state;
  if (log?.id !== screen.id) return [line({ text: ' reading ...', paint: 'dim' })];
  if (log.problem !== undefined && log.lines.length === 0) return [line({ text: ` ${log.problem}`, paint: 'bad' })];
  if (log.lines.every((text) => text === '')) return [line({ text: ' the guest has printed nothing', paint: 'dim' })];
  const top = topOf(state, screen);
  return log.lines.slice(top, top + bodyRows(state) - 1).map((text) => line(` ${text}`));
}

/** What is being typed, or what was last said. */
function sayLine(state: DashboardState): Line {
  const { prompt, notice, feed } = state;
  if (state.dialog !== undefined) return line('');
  if (prompt !== undefined) return line(` ${prompt.kind === 'filter' ? '/' : ':'}${prompt.text}_`);
  if (notice !== undefined) return line({ text: ` ${notice.text}`, paint: notice.bad ? 'bad' : 'good' });
  if (feed.status === 'lost') return line({ text: ` ${feed.problem ?? ''}`, paint: 'bad' });
  const screen = screenOf(state);
  if (screen.kind === 'log' && screen.top !== undefined)
    return line({ text: ' not at the end; G follows again', paint: 'dim' });
  if (screen.kind !== 'list') return line('');
  const { filter, top } = state.lists[screen.list];
  const rows = rowsOf(state, screen.list).length;
  const last = Math.min(rows, top + bodyRows(state) - 1);
  const shown = rows === 0 ? '' : ` ${top + 1}-${last} of ${rows}`;
  return line({ text: filter === '' ? shown : `${shown}, filter /${filter} (esc takes it away)`, paint: 'dim' });
}

/** The keys that work here. */
function footLine(state: DashboardState): Line {
  if (state.dialog !== undefined) return foot(['tab other button', 'enter choose', 'esc cancel']);
  if (state.prompt !== undefined) return foot(['enter take it', 'esc leave']);
  const keys = keysAt(placeOf(state), state.readOnly).filter((row) => row.foot === true);
  return foot(keys.map((row) => `${row.shown} ${row.text.split(';')[0] ?? ''}`));
}

const foot = (words: readonly string[]): Line => line({ text: ` ${words.join('  ')}`, paint: 'dim' });

function dialogLines(dialog: Dialog, height: number): readonly Line[] {
  const button = (text: string, focused: boolean): Segment =>
    focused ? { text: `[> ${text} <]`, paint: 'bold' } : { text: `[  ${text}  ]`, paint: 'dim' };
  const lines = [
    line({ text: '  Terminate this instance?', paint: 'bad' }),
    line(''),
    line(`    ${dialog.title}`),
    line('    It ends at once and its disk is deleted. This can not be undone.'),
    line(''),
    line('    ', button('Cancel', dialog.focus === 'cancel'), '   ', button('Terminate', dialog.focus === 'confirm')),
  ];
  const above = Math.max(0, Math.floor((height - lines.length) / 3));
  return [...Array.from({ length: above }, () => line('')), ...lines];
}
