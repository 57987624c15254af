import type { Clock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import type { Bus, BusHealth, Envelope, Handler, HandlerTable, Subscription } from '../../../src/ports/bus.ts';
import { never } from './sim-process.ts';
import type { Life, SimProcess } from './sim-process.ts';

interface Parts {
  /** Of all processes. */
  readonly bus: Bus;
  readonly process: SimProcess;
  readonly life: Life;
  readonly clock: Clock;
}

/** How long it takes to find out that the connection is gone, when something is to be sent. */
const REFUSED_MS = 50;

/**
 * The shared bus as one process has it. From its death on nothing of it is served. What it had taken and not answered is given to others when it was
 * cast, and never answered when it was called. A cut connection is noticed late.
 */
export class ProcessBus implements Bus {
  readonly #parts: Parts;
  readonly #served = new Set<Served>();
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { process, life } = parts;
    const change = (): void => {
      for (const served of this.#served) served.look();
    };
    process.bus.onChange.add(change);
    life.onDeath.add(() => {
      process.bus.onChange.delete(change);
      for (const served of this.#served) served.end();
    });
  }

  async call(topic: string, type: string, body: never, options: { timeoutMs: number }): ReturnType<Bus['call']> {
    const { bus, process, life, clock } = this.#parts;
    await this.#reach(`sends ${type}`);
    const { cuts } = process.bus;
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new CloudError('Timeout', `${topic} did not answer ${type}`));
      const timer = clock.after(options.timeoutMs, late);
      const heard = (settle: () => void): void =>
        life.enter(() => {
          // An answer over a connection that has broken since reaches nobody.
          if (process.bus.cuts !== cuts) return;
          timer.cancel();
          settle();
        });
      bus.call(topic, type, body, options).then(
        (answer) => heard(() => resolve(answer)),
        (error: unknown) => heard(() => reject(error as Error)),
      );
    });
  }

  async cast(topic: string, type: string, body: never): Promise<void> {
    await this.#reach(`sends ${type}`);
    return this.#parts.life.through(this.#parts.bus.cast(topic, type, body));
  }

  async fanout(topic: string, type: string, body: never): Promise<void> {
    await this.#reach(`tells ${type}`);
    return this.#parts.life.through(this.#parts.bus.fanout(topic, type, body));
  }

  async serve(topic: string, handlers: HandlerTable, options?: { prefetch?: number }): Promise<Subscription> {
    await this.#open();
    return this.#keep(handlers, false, (table) => this.#parts.bus.serve(topic, table, options));
  }

  async subscribe(topic: string, handlers: HandlerTable): Promise<Subscription> {
    await this.#open();
    return this.#keep(handlers, true, (table) => this.#parts.bus.subscribe(topic, table));
  }

  deadLetters(): ReturnType<Bus['deadLetters']> {
    return this.#parts.bus.deadLetters();
  }

  health(): BusHealth {
    const { bus, process } = this.#parts;
    const { waiting, handling } = bus.health();
    const ok = !process.bus.known && !this.#closed;
    const problem = ok ? {} : { problem: 'no connection' };
    return { engine: 'rabbitmq', ok, ...problem, listeningSinceMs: process.bus.sinceMs, waiting, handling };
  }

  async close(): Promise<void> {
    if (this.#parts.life.dead) return never();
    this.#closed = true;
    await Promise.all([...this.#served].map((served) => served.close()));
  }

  /** Something is sent: the process may die right before, or have no connection. */
  async #reach(what: string): Promise<void> {
    const { process, clock } = this.#parts;
    await this.#open();
    if (process.step(`before it ${what}`)) return never();
    if (!process.bus.cut) return;
    await clock.sleep(REFUSED_MS);
    throw new CloudError('Unavailable', 'there is no connection to the bus');
  }

  #open(): Promise<void> {
    if (this.#parts.life.dead) return never();
    return this.#closed ? Promise.reject(new CloudError('Unavailable', 'the bus is closed')) : Promise.resolve();
  }

  #keep(handlers: HandlerTable, fanout: boolean, open: (table: HandlerTable) => Promise<Subscription>): Subscription {
    const served = new Served(this.#parts, handlers, { fanout, open });
    this.#served.add(served);
    served.look();
    return {
      close: () => {
        this.#served.delete(served);
        return served.close();
      },
    };
  }
}

/** What one process takes of one topic: opened, closed and opened again as its connection is. */
class Served {
  readonly #parts: Parts;
  readonly #open: () => Promise<Subscription>;
  readonly #broken = new Set<() => void>();
  #subscription: Promise<Subscription> | undefined;
  #over = false;

  constructor(
    parts: Parts,
    handlers: HandlerTable,
    { fanout, open }: { fanout: boolean; open: (table: HandlerTable) => Promise<Subscription> },
  ) {
    this.#parts = parts;
    const table = Object.entries(handlers).map(([type, handler]) => [type, this.#wrapped(handler, fanout)] as const);
    this.#open = () => open(Object.fromEntries(table));
  }

  look(): void {
    const { bus } = this.#parts.process;
    if (this.#over || bus.known) this.#stop();
    else if (!bus.cut) this.#subscription ??= this.#open();
  }

  end(): void {
    this.#over = true;
    this.#stop();
  }

  async close(): Promise<void> {
    const { life } = this.#parts;
    this.#over = true;
    const subscription = await this.#subscription;
    this.#subscription = undefined;
    if (subscription !== undefined) await life.through(subscription.close());
  }

  #stop(): void {
    void this.#subscription?.then((subscription) => subscription.close());
    this.#subscription = undefined;
    for (const tell of [...this.#broken]) tell();
    this.#broken.clear();
  }

  #wrapped(handler: Handler, fanout: boolean): Handler {
    const { process, life } = this.#parts;
    return (body, envelope: Envelope) =>
      new Promise((resolve, reject) => {
        const isCall = envelope.deadlineMs !== undefined;
        const lost = (): void => {
          // The broker gives what was not acknowledged to others; of a call that was begun nobody hears any more.
          if (!isCall) reject(new CloudError('Unavailable', 'the connection broke'));
        };
        const { cuts } = process.bus;
        if (fanout && process.bus.cut) return resolve(undefined);
        this.#broken.add(lost);
        if (process.bus.cut) return;
        const done = (settle: () => void): void => {
          if (life.dead || process.bus.cuts !== cuts) return;
          this.#broken.delete(lost);
          settle();
        };
        life.enter(() => {
          handler(body, envelope).then(
            (answer) => done(() => resolve(answer)),
            (error: unknown) => done(() => reject(error as Error)),
          );
        });
      });
  }
}
