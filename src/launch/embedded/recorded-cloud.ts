import { createMemoryBus } from '../../adapters/bus/memory-bus.ts';
import { createSealer } from '../../adapters/sealer/key-file-sealer.ts';
import { MaintenanceRuns } from '../../controller/maintenance/maintenance-runs.ts';
import { seenHolder } from '../../adapters/store/state-lock.ts';
import { openReadOnlyStore } from '../../adapters/store/read-only-store.ts';
import { errorText } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import { randomHex } from '../../base/random.ts';
import { Gateway } from '../../controller/api/gateway.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord, CloudRecord, HostRecord } from '../../domain/records.ts';
import { TOPIC } from '../../messages/worker.ts';
import { ReportIntake } from '../../controller/hosts/report-intake.ts';
import { ComputeWorker } from '../../workers/compute-worker.ts';
import { lazyBlobs, openBlobs } from '../open-blobs.ts';
import { openDirectory } from '../open-directory.ts';
import { controllerContext } from '../roles/controller-context.ts';
import { WORKER_ID } from '../roles/process-plan.ts';
import { workerDrivers } from '../worker-drivers.ts';
import { awaitWorker } from './await-worker.ts';
import type { EmbeddedParts } from './embedded-parts.ts';

/** A host is looked at for an answer that somebody waits for. */
const OBSERVE_TIMEOUT_MS = 20_000;

/** Since when another process has the state; undefined: none has. */
function heldSinceMs(stateDir: string): number | undefined {
  const holder = seenHolder(stateDir, 'store');
  return holder === undefined ? undefined : Date.parse(holder.since);
}

/** The cloud as it is recorded, for reads: no lock, nothing is written, and hosts are looked at only when that is asked for. */
export class RecordedCloud {
  readonly gateway: Gateway;
  readonly context: ControllerContext;
  readonly #parts: EmbeddedParts;
  readonly #observed: Map<string, Promise<void>>;
  #worker: Promise<ComputeWorker> | undefined;

  /** Undefined where there is no cloud. */
  static async open(parts: EmbeddedParts): Promise<RecordedCloud | undefined> {
    const { config, clock, logger } = parts;
    const store = await openReadOnlyStore({ dir: config.stateDir, clock, logger });
    const cloud = store?.get<CloudRecord>(KEYS.cloud)?.value;
    if (store === undefined || cloud === undefined) {
      await store?.close();
      return undefined;
    }
    try {
      const directory = await openDirectory(parts.config, { ...parts, store });
      return new RecordedCloud(parts, { store, directory, cloudId: cloud.cloudId });
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  private constructor(
    parts: EmbeddedParts,
    { store, directory, cloudId }: Pick<ControllerContext, 'store' | 'directory' | 'cloudId'>,
  ) {
    const { config, clock, random, logger } = parts;
    const bus = createMemoryBus({ clock, random, logger });
    const observed = new Map<string, Promise<void>>();
    this.#parts = parts;
    this.#observed = observed;
    // Few reads need bytes of images, and where those are elsewhere a client for that is much to load.
    const blobs = lazyBlobs(() => openBlobs(config, { clock, random, logger, readOnly: true, cloudId }));
    // Nothing that is sealed is shown by a read.
    const sealer = createSealer(random.bytes(32), random);
    const shared = controllerContext(
      {
        ...{ config, version: parts.version, clock, random, logger, session: randomHex(random, 16) },
        plan: { roles: ['api'], name: WORKER_ID, shared: false },
        shownRoles: [],
        wanted: () => false,
      },
      { store, bus, blobs, sealer, cloudId, directory },
    );
    this.context = {
      ...shared,
      process: { ...shared.process, pid: 0, busEngine: 'none' },
      looksAt: (hostId) => observed.has(hostId),
      maintenance: new MaintenanceRuns({ random, clock, ownerSinceMs: () => heldSinceMs(config.stateDir) }),
    };
    this.gateway = new Gateway(this.context);
  }

  /** Reads what was written meanwhile. */
  refresh(): Promise<void> {
    return this.context.store.barrier();
  }

  /** Asks each of the hosts how it is, unless that was done before. A host that does not answer is no error here: its view says so. */
  async observe(hostIds: readonly string[]): Promise<void> {
    if (hostIds.length === 0) return;
    await this.ready();
    await Promise.all(
      hostIds.map((id) => {
        const known = this.#observed.get(id) ?? this.#look(id);
        this.#observed.set(id, known);
        return known;
      }),
    );
  }

  /** Somebody here can look at machines. */
  async ready(): Promise<void> {
    this.#worker ??= this.#startWorker();
    await this.#worker;
  }

  async close(): Promise<void> {
    await (await this.#worker?.catch(() => undefined))?.close();
    await this.context.directory.close();
    await this.context.bus.close();
    await this.context.store.close();
  }

  async #look(hostId: string): Promise<void> {
    const { store, bus, cloudId, logger } = this.context;
    const host = store.get<HostRecord>(KEYS.host(hostId))?.value;
    const epoch = store.get<AssignRecord>(KEYS.assign('compute', hostId))?.value.epoch ?? 0;
    if (host === undefined) return;
    const { transport, facts } = host;
    const open = { v: 1, hostId, epoch, cloudId, transport, virtType: facts.virtType, mode: 'observe' };
    await bus
      .call(TOPIC.worker(WORKER_ID), 'host-open', toJson(open), { timeoutMs: OBSERVE_TIMEOUT_MS })
      .catch((error: unknown) => logger.warn('host can not be looked at', { hostId, error: errorText(error) }));
  }

  async #startWorker(): Promise<ComputeWorker> {
    const { bus, clock, logger, random, blobs } = this.context;
    await bus.serve(TOPIC.controller, { outcome: () => Promise.resolve(undefined) });
    await new ReportIntake(this.context).start();
    const { openDrivers, reach } = workerDrivers({ config: this.#parts.config, clock, random, logger });
    const worker = new ComputeWorker({
      workerId: WORKER_ID,
      session: randomHex(random, 16),
      bus,
      clock,
      logger,
      openDrivers: openDrivers(blobs),
      ...(reach === undefined ? {} : { reach }),
    });
    await worker.start();
    await awaitWorker(this.context);
    return worker;
  }
}
