import { SCREENS } from './key-table.ts';
import type { DashboardState, Dialog, Pressed } from './state.ts';
import { goTo, screenOf } from './state.ts';

type Prompt = NonNullable<DashboardState['prompt']>;

const FOCUS_KEYS = ['tab', 'left', 'right', 'up', 'down', 'h', 'j', 'k', 'l'];

/** Nothing but a step to the other button and then enter confirms: a key that was meant for the list does nothing. */
export function pressInDialog(state: DashboardState, dialog: Dialog, key: string): Pressed {
  if (FOCUS_KEYS.includes(key)) {
    const focus = dialog.focus === 'cancel' ? 'confirm' : 'cancel';
    return { state: { ...state, dialog: { ...dialog, focus } } };
  }
  const closed = { ...state, dialog: undefined };
  if (key === 'esc') return { state: closed };
  if (key !== 'enter') return { state };
  if (dialog.focus === 'cancel') return { state: closed };
  return { state: closed, effect: { kind: 'terminate', id: dialog.id } };
}

function typed(text: string, key: string): string | undefined {
  if (key === 'backspace') return [...text].slice(0, -1).join('');
  if (key === 'ctrl-u') return '';
  return [...key].length === 1 && !/\p{Cc}/u.test(key) ? text + key : undefined;
}

/** The filter works while it is typed; enter keeps it, esc takes it away. */
export function pressInPrompt(state: DashboardState, prompt: Prompt, key: string): Pressed {
  const closed = { ...state, prompt: undefined };
  if (key === 'esc') return { state: prompt.kind === 'filter' ? withFilter(closed, '') : closed };
  if (key === 'enter') return prompt.kind === 'filter' ? { state: closed } : command(closed, prompt.text.trim());
  // Nothing left to take away: the prompt goes, and no key of the list is meant.
  if (key === 'backspace' && prompt.text === '') return { state: closed };
  const text = typed(prompt.text, key);
  if (text === undefined) return { state };
  const next = { ...state, prompt: { ...prompt, text } };
  return { state: prompt.kind === 'filter' ? withFilter(next, text) : next };
}

function withFilter(state: DashboardState, filter: string): DashboardState {
  const screen = screenOf(state);
  if (screen.kind !== 'list') return state;
  return { ...state, lists: { ...state.lists, [screen.list]: { ...state.lists[screen.list], filter } } };
}

const ALIASES: Readonly<Record<string, string>> = {
  instance: 'instances',
  i: 'instances',
  host: 'hosts',
  h: 'hosts',
  op: 'ops',
  operation: 'ops',
  operations: 'ops',
  o: 'overview',
};

function command(state: DashboardState, word: string): Pressed {
  if (word === '') return { state };
  if (['q', 'q!', 'quit', 'exit'].includes(word)) return { state, effect: { kind: 'quit' } };
  const name = ALIASES[word] ?? word;
  const found = SCREENS.find((item) => item.name === name);
  if (found !== undefined) return { state: goTo(state, found.screen) };
  const known = [...SCREENS.map((item) => item.name), 'q'].join(', ');
  return { state: { ...state, notice: { text: `no command ${word}; there is ${known}`, bad: true } } };
}
