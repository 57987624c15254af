import { describeLines, helpLines } from './texts.ts';
import type { DashboardState, Screen } from './state.ts';
import { bodyRows, screenOf } from './state.ts';

/** Lines that the text of a screen has. */
function lengthOf(state: DashboardState, screen: Screen): number {
  if (screen.kind === 'log') return state.log?.id === screen.id ? state.log.lines.length : 0;
  if (screen.kind === 'help') return helpLines(state).length;
  if (screen.kind === 'describe') return describeLines(state, screen, 0).length;
  return 0;
}

/** The first line shown of a text. */
export function topOf(state: DashboardState, screen: Extract<Screen, { top: unknown }>): number {
  const height = screen.kind === 'help' ? bodyRows(state) : bodyRows(state) - 1;
  const last = Math.max(0, lengthOf(state, screen) - height);
  return Math.min(last, screen.top ?? last);
}

/** Moves the window over a text. At its end a log is followed. */
export function scrollBy(state: DashboardState, by: number): DashboardState {
  const screen = screenOf(state);
  if (screen.kind === 'overview' || screen.kind === 'list') return state;
  const target = Math.max(0, topOf(state, screen) + by);
  const last = topOf(state, { ...screen, top: Number.MAX_SAFE_INTEGER });
  const top = Math.min(target, last);
  const moved: Screen =
    screen.kind === 'log' ? { ...screen, top: target >= last ? undefined : top } : { ...screen, top };
  return { ...state, stack: [...state.stack.slice(0, -1), moved] };
}
