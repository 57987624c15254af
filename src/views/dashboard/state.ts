import type { OperationOutput } from '../../messages/operations/index.ts';
import type { HostView } from '../hosts.ts';
import type { InstanceView } from '../instances.ts';
import type { OperationView } from '../operations.ts';

export type FeedItem = OperationOutput<'WatchCloud'>;

/** The three lists. */
export const LISTS = ['instances', 'hosts', 'operations'] as const;
export type ListName = (typeof LISTS)[number];

/** What is known of the cloud, by id. Never changed in place. */
export interface Known {
  readonly instances: ReadonlyMap<string, InstanceView>;
  readonly hosts: ReadonlyMap<string, HostView>;
  readonly operations: ReadonlyMap<string, OperationView>;
}

export const NOTHING_KNOWN: Known = { instances: new Map(), hosts: new Map(), operations: new Map() };

export type Screen =
  | { readonly kind: 'overview' }
  | { readonly kind: 'list'; readonly list: ListName }
  | { readonly kind: 'describe'; readonly list: ListName; readonly id: string; readonly top: number }
  /** `top` undefined: at the end, and following it. */
  | { readonly kind: 'log'; readonly id: string; readonly top: number | undefined }
  | { readonly kind: 'help'; readonly top: number };

export type SortKey = 'name' | 'age' | 'status';

export interface ListState {
  readonly filter: string;
  readonly sort: SortKey;
  readonly reverse: boolean;
  /** Selected by id, so that a row which comes or goes above does not move the selection to another thing. */
  readonly selected: string | undefined;
  /** Where the selected row stood, for when it goes. */
  readonly index: number;
  /** The first row shown. */
  readonly top: number;
}

export interface Dialog {
  readonly kind: 'terminate';
  readonly id: string;
  readonly title: string;
  readonly focus: 'cancel' | 'confirm';
}

export interface Notice {
  readonly text: string;
  readonly bad: boolean;
}

export interface FeedState {
  readonly status: 'connecting' | 'connected' | 'lost';
  /** Monotonic moment of the last item. */
  readonly lastMs: number | undefined;
  /** Why it was lost. */
  readonly problem?: string;
  /** What it tells may be this old: the cloud can't reach its store. */
  readonly staleMs?: number | undefined;
  /** Why the cloud changes nothing. */
  readonly held?: string | undefined;
}

export interface LogState {
  readonly id: string;
  readonly lines: readonly string[];
  readonly problem?: string;
}

/** All that the screen is made of. */
export interface DashboardState {
  readonly known: Known;
  /** The snapshot that is coming in; shown once it is whole. */
  readonly coming: Known | undefined;
  readonly cloudId: string;
  readonly version: string;
  readonly feed: FeedState;
  /** The last one is shown; esc goes back to the one before. */
  readonly stack: readonly Screen[];
  readonly lists: Readonly<Record<ListName, ListState>>;
  readonly prompt: { readonly kind: 'filter' | 'command'; readonly text: string } | undefined;
  readonly dialog: Dialog | undefined;
  readonly notice: Notice | undefined;
  readonly log: LogState | undefined;
  readonly readOnly: boolean;
  readonly columns: number;
  readonly rows: number;
}

const list = (sort: SortKey): ListState => ({
  filter: '',
  sort,
  reverse: false,
  selected: undefined,
  index: 0,
  top: 0,
});

export function dashboardState(options: {
  readonly readOnly: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly screen?: Screen;
}): DashboardState {
  const { readOnly, columns, rows, screen = { kind: 'overview' } } = options;
  return {
    known: NOTHING_KNOWN,
    coming: undefined,
    cloudId: '',
    version: '',
    feed: { status: 'connecting', lastMs: undefined },
    stack: [screen],
    lists: { instances: list('age'), hosts: list('name'), operations: list('age') },
    prompt: undefined,
    dialog: undefined,
    notice: undefined,
    log: undefined,
    readOnly,
    columns,
    rows,
  };
}

export function screenOf(state: DashboardState): Screen {
  return state.stack.at(-1) ?? { kind: 'overview' };
}

/** Lines between the two of the head and the two of the foot. The whole is a line lower than the terminal: ink then draws without a flicker. */
export function bodyRows(state: Pick<DashboardState, 'rows'>): number {
  return Math.max(1, state.rows - 1 - 4);
}

export const PLACES = [
  'overview',
  'instances',
  'hosts',
  'operations',
  'describe',
  'describe-instance',
  'log',
  'help',
] as const;
/** Where a key is pressed; keys mean different things in different places. */
export type Place = (typeof PLACES)[number];

export function placeOf(state: DashboardState): Place {
  const screen = screenOf(state);
  if (screen.kind === 'list') return screen.list;
  if (screen.kind === 'describe') return screen.list === 'instances' ? 'describe-instance' : 'describe';
  return screen.kind;
}

/** In place of all that was on the stack. */
export function goTo(state: DashboardState, screen: Screen): DashboardState {
  return { ...state, stack: [screen] };
}

/** What the keys ask of the world outside of the state. */
export type Effect =
  | { readonly kind: 'quit' }
  | { readonly kind: 'ssh'; readonly id: string }
  | { readonly kind: 'terminate'; readonly id: string };

export interface Pressed {
  readonly state: DashboardState;
  readonly effect?: Effect;
}
