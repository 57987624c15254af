import type { Screen } from './state.ts';
import type { Place } from './state.ts';
import { PLACES } from './state.ts';

const LIST_PLACES: readonly Place[] = ['instances', 'hosts', 'operations'];
const INSTANCE_PLACES: readonly Place[] = ['instances', 'describe-instance'];
const MOVING: readonly Place[] = [...LIST_PLACES, 'describe', 'describe-instance', 'log', 'help'];

export const ACTIONS = [
  'describe',
  'log',
  'ssh',
  'terminate',
  'filter',
  'sortByName',
  'sortByAge',
  'sortByStatus',
  'down',
  'up',
  'pageDown',
  'pageUp',
  'top',
  'end',
  'screen',
  'command',
  'back',
  'help',
  'quit',
] as const;
export type Action = (typeof ACTIONS)[number];

export interface KeyRow {
  /** Names as `press` takes them. */
  readonly keys: readonly string[];
  /** What help and the foot call them. */
  readonly shown: string;
  readonly text: string;
  /** Where they work; absent: everywhere. */
  readonly on?: readonly Place[];
  /** Stands in the foot of the screen. */
  readonly foot?: boolean;
  /** Changes the cloud or a guest: hidden and refused with --read-only. */
  readonly changes?: boolean;
  readonly act: Action;
}

export const SCREENS: readonly { readonly key: string; readonly name: string; readonly screen: Screen }[] = [
  { key: '1', name: 'overview', screen: { kind: 'overview' } },
  { key: '2', name: 'instances', screen: { kind: 'list', list: 'instances' } },
  { key: '3', name: 'hosts', screen: { kind: 'list', list: 'hosts' } },
  { key: '4', name: 'ops', screen: { kind: 'list', list: 'operations' } },
];

/** Every key there is, as in k9s where k9s has it. The help and the foot are made of this. */
export const KEY_TABLE: readonly KeyRow[] = [
  { keys: ['enter', 'd'], shown: 'd', text: 'describe', on: LIST_PLACES, foot: true, act: 'describe' },
  { keys: ['l'], shown: 'l', text: 'log', on: INSTANCE_PLACES, foot: true, act: 'log' },
  { keys: ['s'], shown: 's', text: 'ssh', on: INSTANCE_PLACES, foot: true, changes: true, act: 'ssh' },
  {
    keys: ['t', 'ctrl-d'],
    shown: 't',
    text: 'terminate',
    on: INSTANCE_PLACES,
    foot: true,
    changes: true,
    act: 'terminate',
  },
  { keys: ['/'], shown: '/', text: 'filter', on: LIST_PLACES, foot: true, act: 'filter' },
  { keys: ['N'], shown: 'shift-N', text: 'sort by name; again: turned around', on: LIST_PLACES, act: 'sortByName' },
  { keys: ['A'], shown: 'shift-A', text: 'sort by age', on: LIST_PLACES, act: 'sortByAge' },
  { keys: ['S'], shown: 'shift-S', text: 'sort by status', on: LIST_PLACES, act: 'sortByStatus' },
  { keys: ['j', 'down'], shown: 'j, down', text: 'one down', on: MOVING, act: 'down' },
  { keys: ['k', 'up'], shown: 'k, up', text: 'one up', on: MOVING, act: 'up' },
  { keys: ['pagedown', 'ctrl-f'], shown: 'pgdn', text: 'a page down', on: MOVING, act: 'pageDown' },
  { keys: ['pageup', 'ctrl-b'], shown: 'pgup', text: 'a page up', on: MOVING, act: 'pageUp' },
  { keys: ['g', 'home'], shown: 'g', text: 'to the top', on: MOVING, act: 'top' },
  { keys: ['G', 'end'], shown: 'G', text: 'to the end; a log is followed there', on: MOVING, act: 'end' },
  { keys: SCREENS.map(({ key }) => key), shown: '1-4', text: 'overview, instances, hosts, operations', act: 'screen' },
  { keys: [':'], shown: ':', text: 'command: overview, instances, hosts, ops, q', act: 'command' },
  { keys: ['esc'], shown: 'esc', text: 'back', foot: true, act: 'back' },
  { keys: ['?'], shown: '?', text: 'help', foot: true, act: 'help' },
  { keys: ['q'], shown: 'q', text: 'quit; ctrl-c too', foot: true, act: 'quit' },
];

/** What a key means here, if anything. */
export function keyAt(place: Place, key: string): KeyRow | undefined {
  return KEY_TABLE.find(({ keys, on }) => keys.includes(key) && (on ?? PLACES).includes(place));
}

/** The rows that work here and may be shown. */
export function keysAt(place: Place, readOnly: boolean): readonly KeyRow[] {
  return KEY_TABLE.filter((row) => (row.on ?? PLACES).includes(place) && !(readOnly && row.changes === true));
}
