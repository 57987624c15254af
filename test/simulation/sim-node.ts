import { createMemoryBus } from '../../src/adapters/bus/memory-bus.ts';
import type { BusFaults } from '../../src/adapters/bus/bus-faults.ts';
import { createSealer } from '../../src/adapters/sealer/key-file-sealer.ts';
import { openFileStore } from '../../src/adapters/store/file-store.ts';
import { CloudError, isCode } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Random } from '../../src/base/random.ts';
import { randomBelow, SeededRandom } from '../../src/base/random.ts';
import { PREFIX } from '../../src/domain/keys.ts';
import type { AllInOne } from '../../src/launch/all-in-one.ts';
import { startAllInOne } from '../../src/launch/all-in-one.ts';
import { ConfigSchema } from '../../src/launch/config/schema.ts';
import type { Blobs } from '../../src/ports/blobs.ts';
import type { SimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { SimDisk } from '../support/sim-disk.ts';
import type { History } from './history.ts';
import { Violation } from './history.ts';
import { createMemoryBlobs } from './memory-blobs.ts';
import type { Profile } from './plan.ts';
import { chanceFor } from './plan.ts';
import type { RecordChecker } from './record-checker.ts';
import type { Scheduler } from './scheduler.ts';
import { SimClock } from './scheduler.ts';
import { simFiles } from './sim-files.ts';
import type { StoreModel } from './store-model.ts';
import { watchedStore } from './store-model.ts';

const DIR = '/sim/state';
const EPOCH_MS = 1_700_000_000_000;

interface Life {
  readonly number: number;
  dead: boolean;
  /** Callers whose connection breaks with it. */
  readonly onDeath: Set<() => void>;
}

export interface NodeParts {
  readonly seed: number;
  readonly profile: Profile;
  readonly scheduler: Scheduler;
  readonly world: SimulatedHosts;
  readonly model: StoreModel;
  readonly records: RecordChecker;
  readonly history: History;
  readonly faults: BusFaults;
  readonly fail: (violation: Violation) => void;
}

/** The machine that the cloud runs on: its disk, its clock, and one process of it after the other. */
export class SimNode {
  readonly blobs: Blobs = createMemoryBlobs();
  wallOffsetMs = 0;
  diskLatencyMs: number;
  diskErrors = 0;
  /** So many more things the process does to its disk or to hosts, and then it dies; undefined: it lives. */
  stepsLeft: number | undefined;
  /** How it comes back after it died by itself. */
  death: { readonly power: boolean; readonly downMs: number } = { power: false, downMs: 10 };
  cloud: AllInOne | undefined;
  lives = 0;
  readonly #parts: NodeParts;
  readonly #random: Random;
  #disk: SimDisk;
  #life: Life | undefined;
  #backup: SimDisk | undefined;
  #replaced = false;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.#random = chanceFor(parts.seed, 'node');
    this.#disk = new SimDisk({ random: this.#random });
    this.diskLatencyMs = parts.profile.diskLatencyMs;
  }

  wallMs(): number {
    return Math.round(EPOCH_MS + this.#parts.scheduler.nowMs + this.wallOffsetMs);
  }

  /** Called at each thing the process does to the world; true when it dies of it. */
  step(what: string): boolean {
    if (this.stepsLeft === undefined || this.#life === undefined) return false;
    this.stepsLeft -= 1;
    if (this.stepsLeft >= 0) return false;
    this.#die(`dies ${what}`);
    return true;
  }

  kill(how: { power: boolean; downMs: number }): void {
    this.death = how;
    this.#die('is killed');
  }

  #die(what: string): void {
    const { history, scheduler, world } = this.#parts;
    this.stepsLeft = undefined;
    if (this.#life === undefined) return;
    history.add('process', `${what}${this.death.power ? ', and the machine with it' : ''}`);
    const life = this.#life;
    life.dead = true;
    this.#life = undefined;
    this.cloud = undefined;
    // What it had sent to hosts may go on there without it.
    world.severSessions({ lingering: this.#random.unit() < 0.7 });
    const { power, downMs } = this.death;
    const random = this.#random;
    this.#disk = power ? this.#disk.afterPowerCut({ random }) : this.#disk.afterKill({ random });
    scheduler.after(downMs, () => this.start());
    for (const tell of life.onDeath) tell();
  }

  /** Asks the process that is up; CloudError 'Unavailable' when there is none, or when it dies before it answers. */
  ask<T>(question: (cloud: AllInOne) => Promise<T>): Promise<T> {
    const [life, cloud] = [this.#life, this.cloud];
    return new Promise((resolve, reject) => {
      const broken = (): void => reject(new CloudError('Unavailable', 'the connection broke'));
      if (life === undefined || cloud === undefined) {
        broken();
        return;
      }
      life.onDeath.add(broken);
      question(cloud).then(
        (answer) => {
          life.onDeath.delete(broken);
          // What a process says after its death is heard by nobody.
          if (!life.dead) resolve(answer);
        },
        (error: unknown) => {
          life.onDeath.delete(broken);
          if (!life.dead) reject(error as Error);
        },
      );
    });
  }

  /** A new process on what is on the disk. */
  start(): void {
    if (this.#life !== undefined) return;
    this.lives += 1;
    const life: Life = { number: this.lives, dead: false, onDeath: new Set() };
    this.#life = life;
    this.#parts.history.add('process', `starts, life ${life.number}`);
    this.#open(life).catch((error: unknown) => this.#failed(life, error));
  }

  #failed(life: Life, error: unknown): void {
    if (life.dead) return;
    if (error instanceof Violation) this.#parts.fail(error);
    else if (isCode(error, 'StoragePoisoned', 'Unavailable') || (error as { code?: string }).code === 'EIO')
      this.kill({ power: false, downMs: 1000 });
    else
      this.#parts.fail(new Violation('5 the cloud starts on what its own crash left', String((error as Error).stack)));
  }

  async #open(life: Life): Promise<void> {
    const { profile, scheduler, world, model, history, faults } = this.#parts;
    const random = new SeededRandom(randomBelow(this.#random, 2 ** 32));
    const clock = new SimClock(
      scheduler,
      () => this.wallMs(),
      () => !life.dead,
    );
    const files = simFiles({
      disk: this.#disk,
      scheduler,
      random: this.#random,
      latencyMs: () => this.diskLatencyMs,
      isDead: () => life.dead,
      step: (what) => !life.dead && this.step(what),
      takeError: () => (this.diskErrors > 0 ? ((this.diskErrors -= 1), true) : false),
    });
    const real = await openFileStore({
      ...{ dir: DIR, clock, random, logger: silentLogger, files, command: 'simulated' },
      bookkeepingPrefixes: [PREFIX.operation, PREFIX.token],
      snapshotOps: profile.snapshotOps,
      segmentBytes: profile.segmentBytes,
      onPoison: () => {
        history.add('process', 'its disk failed');
        if (!life.dead) this.kill({ power: false, downMs: 1000 });
      },
    });
    if (life.dead) return;
    this.#recovered(real);
    const store = watchedStore({
      ...{ store: real, model, committedOnly: profile.committedOnly },
      isDead: () => life.dead,
      guard: (check) => this.#guard(check),
    });
    const cloud = await startAllInOne({
      config: ConfigSchema.parse({
        drivers: 'simulated',
        stateDir: DIR,
        network: { subnetPrefix: profile.subnetPrefix },
        instances: { maxAttempts: profile.maxAttempts, terminatedKeepMs: profile.terminatedKeepMs },
      }),
      version: '0.0.0-sim',
      ...{ clock, random, store, logger: silentLogger, blobs: this.blobs },
      sealer: createSealer(Buffer.alloc(32), random),
      roles: ['api', 'controller', 'worker'],
      openDrivers: (blobs) => world.openDrivers(blobs),
      onPoison: () => undefined,
      bus: createMemoryBus({ clock, random, faults }),
    });
    if (life.dead) return;
    this.cloud = cloud;
    history.add('process', `is up at revision ${store.rev}`);
  }

  #recovered(store: Parameters<StoreModel['recovered']>[0]): void {
    const { model, records } = this.#parts;
    if (this.#replaced) {
      this.#replaced = false;
      model.replaced(store);
      records.forget(model);
    } else {
      model.recovered(store);
    }
  }

  #guard<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#parts.fail(error);
      return undefined;
    }
  }

  /** Ends the process as SIGTERM does, and starts it again. */
  async restart(downMs: number): Promise<void> {
    const { scheduler, history } = this.#parts;
    const [life, cloud] = [this.#life, this.cloud];
    if (life === undefined || cloud === undefined) return;
    this.cloud = undefined;
    history.add('process', 'is asked to end');
    // systemd's patience: then it is killed.
    scheduler.after(90_000, () => {
      if (this.#life === life) this.kill({ power: false, downMs });
    });
    await cloud.close();
    if (life.dead) return;
    history.add('process', 'has ended');
    this.kill({ power: false, downMs });
  }

  /** A copy of the disk as it now lies, made the way an administrator would: with the process ended. */
  backup(): void {
    this.#parts.history.add('admin', 'keeps a copy of the state');
    this.#backup = this.#disk.copy({ random: this.#random });
  }

  /** The state is put back to the copy, or lost whole. */
  restore(empty: boolean): void {
    const { history } = this.#parts;
    if (!empty && this.#backup === undefined) return;
    this.kill({ power: false, downMs: 5000 });
    history.add('admin', empty ? 'loses the state' : 'puts the copy back');
    this.#disk =
      (empty ? undefined : this.#backup?.copy({ random: this.#random })) ?? new SimDisk({ random: this.#random });
    this.#replaced = true;
  }
}
