import type { Clock, Timer } from '../../../src/base/clock.ts';
import type { Random } from '../../../src/base/random.ts';
import { AfterClock } from '../../support/after-clock.ts';
import { SimDisk } from '../../support/sim-disk.ts';
import type { History } from '../history.ts';
import type { Scheduler } from '../scheduler.ts';

const EPOCH_MS = 1_700_000_000_000;

/** Where something comes from that happens to a process: a timer of its own, or the world. */
type Source = 'timer' | 'outside';

interface Waiting {
  readonly life: Life;
  readonly run: () => void;
  readonly from: Source;
}

export const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** One life of a process. Everything that reaches it from outside comes through `enter`. */
export class Life {
  readonly number: number;
  dead = false;
  /** Called once, when it dies. */
  readonly onDeath = new Set<() => void>();
  readonly #process: SimProcess;

  constructor(process: SimProcess, number: number) {
    this.#process = process;
    this.number = number;
  }

  /** Runs it in the process: never when that is dead, later when it is paused. */
  enter(run: () => void, from: Source = 'outside'): void {
    if (this.dead) return;
    if (this.#process.paused) this.#process.waiting.push({ life: this, run, from });
    else run();
  }

  /** The promise as the process sees it. */
  through<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.enter(() => resolve(value)),
        (error: unknown) => this.enter(() => reject(error as Error)),
      );
    });
  }
}

/** A process's connection to the bus. */
export interface BusLink {
  /** Nothing gets through. */
  cut: boolean;
  /** And both ends have noticed. */
  known: boolean;
  cuts: number;
  /** It has listened without a break since then. */
  sinceMs: number;
  readonly onChange: Set<() => void>;
}

interface Parts {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly random: Random;
}

/** A process of the cloud on a machine of its own: it dies and comes back, sleeps and wakes with old beliefs, and its clock is its own. */
export class SimProcess {
  readonly name: string;
  readonly random: Random;
  life: Life | undefined;
  disk: SimDisk;
  lives = 0;
  paused = false;
  wallOffsetMs = 0;
  /** The store does not reach it. */
  etcdCut = false;
  readonly bus: BusLink = { cut: false, known: false, cuts: 0, sinceMs: 0, onChange: new Set() };
  /** So many more things it does to the world, and then it dies. */
  stepsLeft: number | undefined;
  /** How long it is gone when it has died of its steps; undefined: for good. */
  downMs: number | undefined = 10;
  /** What came while it was paused. */
  readonly waiting: Waiting[] = [];
  /** Runs when it has died. */
  onDeath: (life: Life) => void = () => undefined;
  cutBus(noticedMs: number): void {
    const { bus } = this;
    if (bus.cut) return;
    this.#history.add(this.name, 'is cut off from the bus');
    Object.assign(bus, { cut: true, cuts: bus.cuts + 1 });
    const cuts = bus.cuts;
    this.#scheduler.after(noticedMs, () => {
      if (!bus.cut || bus.cuts !== cuts) return;
      bus.known = true;
      for (const tell of [...bus.onChange]) tell();
    });
  }

  healBus(): void {
    const { bus } = this;
    if (!bus.cut) return;
    this.#history.add(this.name, 'has the bus again');
    Object.assign(bus, { cut: false, known: false, sinceMs: this.#scheduler.nowMs });
    for (const tell of [...bus.onChange]) tell();
  }

  /** Starts the next life. */
  begin: (life: Life) => void = () => undefined;
  readonly #scheduler: Scheduler;
  readonly #history: History;

  constructor({ name, scheduler, history, random }: Parts) {
    this.name = name;
    this.random = random;
    this.disk = new SimDisk({ random });
    this.#scheduler = scheduler;
    this.#history = history;
  }

  wallMs(): number {
    return Math.round(EPOCH_MS + this.#scheduler.nowMs + this.wallOffsetMs);
  }

  start(): void {
    if (this.life !== undefined) return;
    this.lives += 1;
    const life = new Life(this, this.lives);
    this.life = life;
    this.#history.add(this.name, `starts, life ${life.number}`);
    this.begin(life);
  }

  /** At each thing that it does to the world; true when it dies of it. */
  step(what: string): boolean {
    if (this.stepsLeft === undefined || this.life === undefined) return false;
    this.stepsLeft -= 1;
    if (this.stepsLeft >= 0) return false;
    this.die(`dies ${what}`, this.downMs);
    return true;
  }

  /** `downMs` undefined: it does not come back. */
  die(what: string, downMs: number | undefined): void {
    this.stepsLeft = undefined;
    const { life } = this;
    if (life === undefined) return;
    this.#history.add(this.name, what);
    life.dead = true;
    this.life = undefined;
    this.paused = false;
    this.waiting.length = 0;
    const random = this.random;
    this.disk = random.unit() < 0.5 ? this.disk.afterPowerCut({ random }) : this.disk.afterKill({ random });
    this.onDeath(life);
    for (const tell of life.onDeath) tell();
    if (downMs !== undefined) this.#scheduler.after(downMs, () => this.start());
  }

  pause(forMs: number): void {
    const { life } = this;
    if (life === undefined || this.paused) return;
    this.#history.add(this.name, `sleeps for ${forMs} ms`);
    this.paused = true;
    this.#scheduler.after(forMs, () => {
      if (this.life === life) this.wake();
    });
  }

  /** What has waited comes in its order, each in a turn of its own; what is new comes behind it. */
  wake(): void {
    if (!this.paused) return;
    this.#history.add(this.name, `wakes to ${this.waiting.length} things`);
    const next = (): void => {
      const first = this.waiting.shift();
      if (first === undefined) {
        this.paused = false;
        return;
      }
      if (!first.life.dead) first.run();
      this.#scheduler.after(0, next);
    };
    // Timers that became due are seen before or after what came from outside: nobody promises either.
    const early: Source = this.random.unit() < 0.5 ? 'timer' : 'outside';
    this.waiting.sort((a, b) => Number(b.from === early) - Number(a.from === early));
    next();
  }

  /** `outside`: for what travels to the process; it has no timers of its own. */
  clock(life: Life, from: Source = 'timer'): Clock {
    return new ProcessClock(this.#scheduler, this, life, from);
  }
}

/** A process's view of the time: its wall clock may be wrong, its timers die with it and are late when it slept. */
class ProcessClock extends AfterClock {
  readonly #scheduler: Scheduler;
  readonly #process: SimProcess;
  readonly #life: Life;
  readonly #from: Source;

  constructor(scheduler: Scheduler, process: SimProcess, life: Life, from: Source) {
    super();
    this.#scheduler = scheduler;
    this.#process = process;
    this.#life = life;
    this.#from = from;
  }

  nowMs(): number {
    return this.#process.wallMs();
  }

  monotonicMs(): number {
    return this.#scheduler.nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    let live = true;
    // Whole milliseconds, as timers have them.
    const timer = this.#scheduler.after(Math.ceil(delayMs), () =>
      this.#life.enter(() => {
        if (live) run();
      }, this.#from),
    );
    return {
      cancel: () => {
        live = false;
        timer.cancel();
      },
    };
  }
}
