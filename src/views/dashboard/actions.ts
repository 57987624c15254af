import type { Action } from './key-table.ts';
import { SCREENS } from './key-table.ts';
import { moveSelection, rowsOf, selectedRow } from './rows.ts';
import { scrollBy } from './scroll.ts';
import type { DashboardState, ListName, Pressed, Screen, SortKey } from './state.ts';
import { bodyRows, goTo, screenOf } from './state.ts';

type Run = (state: DashboardState, key: string) => Pressed;

/** Moves the selection of a list, or the window of a text. */
function move(by: (state: DashboardState) => number): Run {
  return (state) => {
    const screen = screenOf(state);
    return {
      state: screen.kind === 'list' ? moveSelection(state, screen.list, by(state)) : scrollBy(state, by(state)),
    };
  };
}

const page = (state: DashboardState): number => Math.max(1, bodyRows(state) - 1);

function open(state: DashboardState, screen: Screen): DashboardState {
  return { ...state, stack: [...state.stack, screen] };
}

/** The thing that a key is about: the selected row, or what is described. */
function subject(state: DashboardState): { readonly list: ListName; readonly id: string } | undefined {
  const screen = screenOf(state);
  if (screen.kind === 'describe') return { list: screen.list, id: screen.id };
  if (screen.kind !== 'list') return undefined;
  const row = selectedRow(state, screen.list);
  return row && { list: screen.list, id: row.id };
}

function aboutInstance(act: (state: DashboardState, id: string) => Pressed): Run {
  return (state) => {
    const about = subject(state);
    return about?.list === 'instances' ? act(state, about.id) : { state };
  };
}

function describe(state: DashboardState): Pressed {
  const about = subject(state);
  return { state: about === undefined ? state : open(state, { kind: 'describe', ...about, top: 0 }) };
}

function back(state: DashboardState): Pressed {
  const screen = screenOf(state);
  if (screen.kind === 'list' && state.lists[screen.list].filter !== '') {
    const lists = { ...state.lists, [screen.list]: { ...state.lists[screen.list], filter: '' } };
    return { state: { ...state, lists } };
  }
  return { state: state.stack.length > 1 ? { ...state, stack: state.stack.slice(0, -1) } : state };
}

function terminate(state: DashboardState, id: string): Pressed {
  const row = state.known.instances.get(id);
  if (row === undefined || row.state === 'terminated' || row.state === 'shutting-down') {
    return { state: { ...state, notice: { text: `${id} is ${row?.state ?? 'gone'} already`, bad: true } } };
  }
  const title = row.name === undefined ? id : `${id} (${row.name})`;
  return { state: { ...state, dialog: { kind: 'terminate', id, title, focus: 'cancel' } } };
}

function ssh(state: DashboardState, id: string): Pressed {
  const row = state.known.instances.get(id);
  if (row?.state === 'running') return { state, effect: { kind: 'ssh', id } };
  return { state: { ...state, notice: { text: `${id} is ${row?.state ?? 'gone'}; ssh needs it running`, bad: true } } };
}

/** The same key again turns the order around. */
const sortBy =
  (sort: SortKey): Run =>
  (state) => {
    const screen = screenOf(state);
    if (screen.kind !== 'list') return { state };
    const before = state.lists[screen.list];
    const after = { ...before, sort, reverse: before.sort === sort && !before.reverse };
    return { state: { ...state, lists: { ...state.lists, [screen.list]: after } } };
  };

function filter(state: DashboardState): Pressed {
  const screen = screenOf(state);
  const text = screen.kind === 'list' ? state.lists[screen.list].filter : '';
  return { state: { ...state, prompt: { kind: 'filter', text } } };
}

const help = (state: DashboardState): Pressed => ({
  state: screenOf(state).kind === 'help' ? back(state).state : open(state, { kind: 'help', top: 0 }),
});

const far = (state: DashboardState): number => {
  const screen = screenOf(state);
  return screen.kind === 'list' ? rowsOf(state, screen.list).length : Number.MAX_SAFE_INTEGER;
};

/** What each action of the key table does. */
export const RUN: Readonly<Record<Action, Run>> = {
  describe,
  log: aboutInstance((state, id) => ({
    state: open({ ...state, log: undefined }, { kind: 'log', id, top: undefined }),
  })),
  ssh: aboutInstance(ssh),
  terminate: aboutInstance(terminate),
  filter,
  sortByName: sortBy('name'),
  sortByAge: sortBy('age'),
  sortByStatus: sortBy('status'),
  down: move(() => 1),
  up: move(() => -1),
  pageDown: move(page),
  pageUp: move((state) => -page(state)),
  top: move((state) => -far(state)),
  end: move(far),
  screen: (state, key) => ({
    state: goTo(state, SCREENS.find((item) => item.key === key)?.screen ?? screenOf(state)),
  }),
  command: (state) => ({ state: { ...state, prompt: { kind: 'command', text: '' } } }),
  back,
  help,
  quit: (state) => ({ state, effect: { kind: 'quit' } }),
};
