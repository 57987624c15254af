import type { Clock, Timer } from '../../base/clock.ts';
import { withFeed, withFeedLost } from './feed.ts';
import { frame } from './frame.ts';
import type { LineStyle } from './line.ts';
import { press, settle } from './press.ts';
import type { DashboardState, Effect, FeedItem } from './state.ts';

/** Changes of the feed are put on the screen together, so often at most; a key is answered at once. */
const SETTLE_MS = 200;
const TICK_MS = 1000;

export interface ModelOptions {
  readonly state: DashboardState;
  readonly clock: Clock;
  readonly style: LineStyle;
  readonly onEffect: (effect: Effect) => void;
}

/** The state and the lines it makes. The lines are a new array only when one of them is another text: a quiet cloud draws nothing. */
export class DashboardModel {
  #state: DashboardState;
  #lines: readonly string[];
  #items: FeedItem[] = [];
  #due: Timer | undefined;
  readonly #tick: Timer;
  readonly #options: ModelOptions;
  readonly #listeners = new Set<() => void>();

  constructor(options: ModelOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#lines = this.#frame();
    this.#tick = options.clock.every(TICK_MS, () => this.#show(), { unref: true });
  }

  get state(): DashboardState {
    return this.#state;
  }

  close(): void {
    this.#tick.cancel();
    this.#due?.cancel();
    this.#listeners.clear();
  }

  /** As React's useSyncExternalStore wants them. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly lines = (): readonly string[] => this.#lines;

  press(key: string): void {
    this.#takeIn();
    const { state, effect } = press(this.#state, key);
    this.#state = state;
    this.#show();
    if (effect !== undefined) this.#options.onEffect(effect);
  }

  update(change: (state: DashboardState) => DashboardState): void {
    this.#state = settle(change(this.#state));
    this.#show();
  }

  feed(item: FeedItem): void {
    this.#items.push(item);
    this.#due ??= this.#options.clock.after(SETTLE_MS, () => {
      this.#takeIn();
      this.#show();
    });
  }

  feedLost(problem: string): void {
    this.#takeIn();
    this.update((state) => withFeedLost(state, problem));
  }

  #takeIn(): void {
    this.#due?.cancel();
    this.#due = undefined;
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#state = settle(withFeed(this.#state, items, this.#options.clock.monotonicMs()));
  }

  #frame(): readonly string[] {
    const { clock, style } = this.#options;
    return frame(this.#state, { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }, style);
  }

  #show(): void {
    const lines = this.#frame();
    if (lines.length === this.#lines.length && lines.every((text, at) => text === this.#lines[at])) return;
    this.#lines = lines;
    for (const listener of this.#listeners) listener();
  }
}
