import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryStore } from '../../src/adapters/store/memory-store.ts';
import type { Random } from '../../src/base/random.ts';
import { randomBelow, SeededRandom } from '../../src/base/random.ts';
import type { Change, Store, Txn } from '../../src/ports/store.ts';
import type { SimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { createSimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { ManualClock } from './manual-clock.ts';
import type { SimCloud, SimCloudOptions } from './sim-cloud.ts';
import { startSimCloud } from './sim-cloud.ts';

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/**
 * A cloud whose process can die between any two things that it does to the world: its store and its hosts stay as they then are, and what it had in memory
 * is gone. The dead process goes on in this one, but nobody hears it: no transaction is taken, no call reaches a host.
 */
export class MortalCloud {
  readonly clock = new ManualClock();
  readonly world: SimulatedHosts;
  readonly random: Random;
  readonly stateDir = mkdtempSync(join(tmpdir(), 'novactl-mortal-'));
  /** What was done last before each death. */
  readonly deaths: string[] = [];
  readonly #store: Store;
  readonly #options: SimCloudOptions;
  #life = { dead: false };
  /** So many things the process still does before it dies; undefined: it lives. */
  #left: number | undefined;

  constructor(seed: number, options: SimCloudOptions = {}) {
    this.random = new SeededRandom(seed);
    this.world = createSimulatedHosts({ clock: this.clock, ...(options.host && { options: options.host }) });
    this.world.onCall = (at, call) => this.#step(`${at} ${call}`);
    this.#store = createMemoryStore({ clock: this.clock, random: this.random });
    this.#options = options;
  }

  get dead(): boolean {
    return this.#life.dead;
  }

  /** A new process on the same store and hosts. */
  async start(): Promise<SimCloud> {
    this.#life = { dead: false };
    const starting = startSimCloud({
      ...this.#options,
      ...{ clock: this.clock, world: this.world, stateDir: this.stateDir },
      seed: randomBelow(this.random, 1e9),
      store: this.#mortalStore(this.#life),
    });
    let started = false;
    void starting.finally(() => (started = true));
    while (!started) await this.clock.advance(10);
    return starting;
  }

  /** It dies after so many more transactions and calls. */
  dieAfter(steps: number | undefined): void {
    this.#left = steps;
  }

  dispose(): void {
    this.world.severSessions();
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  #step(what: string): void {
    if (this.#left === undefined) return;
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#left = undefined;
    this.#life.dead = true;
    this.deaths.push(what);
    this.world.severSessions();
  }

  #mortalStore(life: { readonly dead: boolean }): Store {
    const store = this.#store;
    const own: Partial<Store> = {
      txn: async (txn: Txn) => {
        if (life.dead) return never();
        const what = (txn.puts ?? []).map(({ key }) => key.split('/')[0]).join(' ');
        this.#step(`before txn ${what}`);
        if (life.dead) return never();
        const result = await store.txn(txn);
        if (!life.dead) this.#step(`after txn ${what}`);
        return life.dead ? never() : result;
      },
      watch: (prefix, from, listener) =>
        store.watch(prefix, from, (change: Change) => {
          if (!life.dead) listener(change);
        }),
      close: () => Promise.resolve(),
    };
    return new Proxy(store, {
      get(target, name) {
        const mine = own[name as keyof Store];
        if (mine !== undefined) return mine;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }
}
