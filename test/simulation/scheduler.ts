import type { Timer } from '../../src/base/clock.ts';
import { AfterClock } from '../support/after-clock.ts';
import { Violation } from './history.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  /** Dropped events stay in the heap until their time. */
  live: boolean;
  run(): void;
}

const before = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Many times what a seed takes: somebody runs in a circle. */
const MAX_EVENTS = 500_000;

/**
 * The only source of time in a simulation: one queue of events, each run to its end (with every promise that it settles) before the next.
 * What is due at one moment runs in the order it was asked for, so the same choices give the same history.
 */
export class Scheduler {
  #nowMs = 0;
  #order = 0;
  readonly #heap: Event[] = [];
  /** Events that were run. */
  count = 0;

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  at(atMs: number, run: () => void): Timer {
    this.#order += 1;
    const event: Event = { atMs: Math.max(atMs, this.#nowMs), order: this.#order, live: true, run };
    this.#push(event);
    return { cancel: () => (event.live = false) };
  }

  after(delayMs: number, run: () => void): Timer {
    return this.at(this.#nowMs + delayMs, run);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Runs events until the moment has come, or `done` says so. */
  async runUntil(endMs: number, done: () => boolean = () => false): Promise<void> {
    await turn();
    while (!done()) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > endMs) {
        this.#nowMs = Math.max(this.#nowMs, endMs);
        return;
      }
      this.#pop();
      if (!event.live) continue;
      this.#nowMs = event.atMs;
      this.count += 1;
      if (this.count > MAX_EVENTS) throw new Violation('9 work is bounded', `${MAX_EVENTS} events, and no end of it`);
      event.run();
      await turn();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || before(above, event)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && before(right, left)) child += 1;
      const least = heap[child];
      if (least === undefined || before(last, least)) break;
      heap[index] = least;
      index = child;
    }
    heap[index] = last;
  }
}

/** Everything that is settled now, and what that settles, has run when it resolves: there is no other I/O in a simulation. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A machine's or a process's view of the time: its wall clock may be wrong, and its timers die with it. */
export class SimClock extends AfterClock {
  readonly #scheduler: Scheduler;
  readonly #wallMs: () => number;
  readonly #alive: () => boolean;

  constructor(scheduler: Scheduler, wallMs: () => number, alive: () => boolean = () => true) {
    super();
    this.#scheduler = scheduler;
    this.#wallMs = wallMs;
    this.#alive = alive;
  }

  nowMs(): number {
    return this.#wallMs();
  }

  monotonicMs(): number {
    return this.#scheduler.nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#scheduler.after(delayMs, () => {
      if (this.#alive()) run();
    });
  }
}
