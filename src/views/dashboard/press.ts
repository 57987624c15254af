import { RUN } from './actions.ts';
import { keyAt } from './key-table.ts';
import { pressInDialog, pressInPrompt } from './prompts.ts';
import { settleList } from './rows.ts';
import type { DashboardState, Pressed } from './state.ts';
import { LISTS, placeOf } from './state.ts';

/**
 * One key, by its name: a character as it is typed, or one of down, up, left, right, home, end, pageup, pagedown, enter, esc, tab, backspace,
 * ctrl-<letter>.
 */
export function press(state: DashboardState, key: string): Pressed {
  if (key === 'ctrl-c') return { state, effect: { kind: 'quit' } };
  const quiet = { ...state, notice: undefined };
  if (quiet.dialog !== undefined) return pressInDialog(quiet, quiet.dialog, key);
  if (quiet.prompt !== undefined) return settled(pressInPrompt(quiet, quiet.prompt, key));
  const row = keyAt(placeOf(quiet), key);
  if (row === undefined) return { state: quiet };
  if (row.changes === true && quiet.readOnly) {
    return { state: { ...quiet, notice: { text: `read-only: ${row.text} is not done here`, bad: true } } };
  }
  return settled(RUN[row.act](quiet, key));
}

function settled(pressed: Pressed): Pressed {
  return { ...pressed, state: settle(pressed.state) };
}

/** After any change: every selection is on a row that is there. */
export function settle(state: DashboardState): DashboardState {
  return LISTS.reduce(settleList, state);
}
