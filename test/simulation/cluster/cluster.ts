import { createMemoryBus } from '../../../src/adapters/bus/memory-bus.ts';
import type { BusFaults } from '../../../src/adapters/bus/bus-faults.ts';
import type { FilePort } from '../../../src/adapters/store/file-port.ts';
import { createSealer } from '../../../src/adapters/sealer/key-file-sealer.ts';
import { CloudError, isCode } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { randomBelow, SeededRandom } from '../../../src/base/random.ts';
import type { Gateway } from '../../../src/controller/api/gateway.ts';
import type { Role } from '../../../src/launch/config/schema.ts';
import { ConfigSchema } from '../../../src/launch/config/schema.ts';
import type { RunningRoles } from '../../../src/launch/roles/start-roles.ts';
import { startRoles } from '../../../src/launch/roles/start-roles.ts';
import type { Blobs } from '../../../src/ports/blobs.ts';
import type { Bus } from '../../../src/ports/bus.ts';
import type { Store } from '../../../src/ports/store.ts';
import type { SimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { EtcdModel } from '../../support/etcd-model.ts';
import type { History } from '../history.ts';
import { Violation } from '../history.ts';
import { createMemoryBlobs } from '../memory-blobs.ts';
import { chanceFor } from '../plan.ts';
import type { Scheduler } from '../scheduler.ts';
import { SimClock } from '../scheduler.ts';
import { simFiles } from '../sim-files.ts';
import type { Asked } from '../users.ts';
import type { ClusterProfile } from './cluster-plan.ts';
import type { Actor, CommittedHistory } from './committed-history.ts';
import { gatedDrivers, gatedFiles } from './gated-drivers.ts';
import { openProcessStore } from './open-process-store.ts';
import { ProcessBus } from './process-bus.ts';
import type { Life } from './sim-process.ts';
import { SimProcess } from './sim-process.ts';
import type { StoreChecker } from './store-checker.ts';

export interface ClusterParts {
  readonly seed: number;
  readonly profile: ClusterProfile;
  readonly scheduler: Scheduler;
  readonly world: SimulatedHosts;
  readonly etcd: EtcdModel;
  readonly committed: CommittedHistory;
  readonly stores: StoreChecker;
  readonly history: History;
  readonly faults: BusFaults;
  readonly fail: (violation: Violation) => void;
}

/** A process's connections to etcd and to hosts have the name of its life. */
const connectionOf = ({ process, life }: Actor): string => `${process.name}.${life.number}`;

/** Controllers (which are apis too) and workers, each a process of its own, joined by one bus and one etcd. */
export class Cluster implements Asked {
  readonly blobs: Blobs = createMemoryBlobs();
  readonly processes = new Map<string, SimProcess>();
  readonly #parts: ClusterParts;
  readonly #running = new Map<Life, { readonly roles: RunningRoles; readonly store: Store | undefined }>();
  readonly #bus: Bus;
  readonly #random;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#random = chanceFor(parts.seed, 'cluster');
    const clock = new SimClock(parts.scheduler, () => parts.scheduler.nowMs);
    this.#bus = createMemoryBus({ clock, random: chanceFor(parts.seed, 'bus'), faults: parts.faults });
  }

  /** The process of that name; made at its first use, and not started. Workers begin with w. */
  process(name: string): SimProcess {
    const known = this.processes.get(name);
    if (known !== undefined) return known;
    const { scheduler, history, seed } = this.#parts;
    const process = new SimProcess({ name, scheduler, history, random: chanceFor(seed, `process ${name}`) });
    process.onDeath = (life) => this.#died(process, life);
    process.begin = (life) => this.#begin({ process, life });
    this.processes.set(name, process);
    return process;
  }

  /** Whose connection it is; undefined: that life is over. */
  actorOf(connection: string): SimProcess | undefined {
    const [name = '', number] = connection.split('.');
    const process = this.processes.get(name);
    return String(process?.life?.number) === number ? process : undefined;
  }

  isUp(process: SimProcess): boolean {
    return process.life !== undefined && this.#running.has(process.life);
  }

  /** What runs in the processes that are up. */
  up(): { readonly process: SimProcess; readonly roles: RunningRoles; readonly store: Store | undefined }[] {
    return [...this.processes.values()].flatMap((process) => {
      const running = process.life && this.#running.get(process.life);
      return running === undefined ? [] : [{ process, ...running }];
    });
  }

  /** Asks one of the apis. */
  ask<T>(question: (cloud: { readonly gateway: Gateway }) => Promise<T>): Promise<T> {
    const apis = this.up().filter(({ roles }) => roles.gateway !== undefined);
    const api = apis[randomBelow(this.#random, Math.max(1, apis.length))];
    const life = api?.process.life;
    const gateway = api?.roles.gateway;
    return new Promise((resolve, reject) => {
      const broken = (): void => reject(new CloudError('Unavailable', 'the connection broke'));
      if (life === undefined || gateway === undefined) return broken();
      life.onDeath.add(broken);
      const heard = (settle: () => void): void => {
        life.onDeath.delete(broken);
        // What a process says after its death is heard by nobody.
        if (!life.dead) settle();
      };
      life.enter(() => {
        question({ gateway }).then(
          (answer) => heard(() => resolve(answer)),
          (error: unknown) => heard(() => reject(error as Error)),
        );
      });
    });
  }

  setEtcdCut(process: SimProcess, cut: boolean): void {
    const { etcd, history } = this.#parts;
    if (process.etcdCut === cut) return;
    process.etcdCut = cut;
    history.add(process.name, cut ? 'is cut off from etcd' : 'has etcd again');
    if (process.life === undefined) return;
    const connection = connectionOf({ process, life: process.life });
    if (cut) etcd.partition(connection);
    else etcd.heal(connection);
  }

  /** Ends the process as SIGTERM does. */
  async end(process: SimProcess, downMs: number): Promise<void> {
    const { life } = process;
    const running = life && this.#running.get(life);
    if (life === undefined || running === undefined || process.paused) return;
    this.#parts.history.add(process.name, 'is asked to end');
    this.#running.delete(life);
    // systemd's patience: then it is killed.
    this.#parts.scheduler.after(90_000, () => {
      if (process.life === life) process.die('did not end', downMs);
    });
    await running.roles.drain(30_000).catch(() => undefined);
    await running.roles.close().catch(() => undefined);
    if (!life.dead) process.die('has ended', downMs);
  }

  #died(process: SimProcess, life: Life): void {
    const { world, etcd } = this.#parts;
    const connection = connectionOf({ process, life });
    this.#running.delete(life);
    etcd.cutWatches(connection);
    // What it had sent to hosts may go on there without it.
    world.severSessions({ lingering: process.random.unit() < 0.7, processName: connection });
    process.bus.sinceMs = this.#parts.scheduler.nowMs;
  }

  #begin(actor: Actor): void {
    const { process, life } = actor;
    process.bus.sinceMs = this.#parts.scheduler.nowMs;
    this.#open(actor).catch((error: unknown) => {
      if (life.dead) return;
      if (error instanceof Violation) this.#parts.fail(error);
      else if (isCode(error, 'Unavailable', 'Timeout', 'Conflict')) process.die(`can't start: ${String(error)}`, 1000);
      else this.#parts.fail(new Violation('5 a process starts', String((error as Error).stack)));
    });
  }

  async #open(actor: Actor): Promise<void> {
    const { process, life } = actor;
    const { profile, history, world } = this.#parts;
    const clock = process.clock(life);
    const random = new SeededRandom(randomBelow(process.random, 2 ** 32));
    const isWorker = process.name.startsWith('w');
    const roles: readonly Role[] = isWorker ? ['worker'] : ['api', 'controller'];
    const store = isWorker ? undefined : await this.#store(actor, random);
    if (life.dead) return;
    const config = ConfigSchema.parse({
      ...{ drivers: 'simulated', stateDir: `/sim/${process.name}`, roles, node: { name: process.name } },
      store: { engine: 'etcd', etcd: { endpoints: ['http://127.0.0.1:2379'] } },
      bus: { engine: 'rabbitmq', rabbitmq: { endpoints: ['amqp://127.0.0.1:5672'] } },
      network: { subnetPrefix: profile.subnetPrefix },
      instances: { maxAttempts: profile.maxAttempts, terminatedKeepMs: profile.terminatedKeepMs },
    });
    const open = world.openDrivers(this.blobs, connectionOf(actor));
    const running = await startRoles({
      ...{ config, clock, random, logger: silentLogger, blobs: this.blobs, version: '0.0.0-sim' },
      plan: { roles, name: process.name, shared: true },
      bus: new ProcessBus({ bus: this.#bus, process, life, clock }),
      sealer: createSealer(Buffer.alloc(32), random),
      announces: true,
      ...(store === undefined ? {} : { store }),
      ...(isWorker
        ? { openDrivers: () => (transport, serve) => open(transport, serve).then((own) => gatedDrivers(own, life)) }
        : {}),
    });
    if (life.dead) return;
    this.#running.set(life, { roles: running, store });
    history.add(process.name, store === undefined ? 'is up' : `is up at revision ${store.rev}`);
  }

  async #store(actor: Actor, random: SeededRandom): Promise<Store> {
    const { etcd, committed, stores, fail } = this.#parts;
    const { process, life } = actor;
    const connection = connectionOf(actor);
    if (process.etcdCut) etcd.partition(connection);
    const api = etcd.client(connection, process.clock(life, 'outside'));
    const txn = api.txn.bind(api);
    api.txn = (request, options) => {
      committed.asked(request, actor);
      return txn(request, options);
    };
    const files = this.#parts.profile.keepsCopy ? this.#files(actor) : undefined;
    const store = await openProcessStore({ api, clock: process.clock(life), random, files });
    return life.dead ? store : stores.watched(store, actor, fail);
  }

  #files({ process, life }: Actor): FilePort {
    const { scheduler, profile } = this.#parts;
    const files = simFiles({
      ...{ disk: process.disk, scheduler, random: process.random },
      latencyMs: () => profile.diskLatencyMs,
      isDead: () => life.dead,
      step: (what) => !life.dead && process.step(what),
      takeError: () => false,
    });
    return gatedFiles(files, life);
  }
}
