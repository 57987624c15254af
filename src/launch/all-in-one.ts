import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { randomHex } from '../base/random.ts';
import { Controller } from '../controller/controller.ts';
import { bootstrapCloud } from '../controller/bootstrap.ts';
import type { ControllerContext } from '../controller/controller-context.ts';
import { waitForReports } from '../controller/hosts/wait-for-report.ts';
import { PREFIX } from '../domain/keys.ts';
import type { HostRecord } from '../domain/records.ts';
import { Gateway } from '../controller/api/gateway.ts';
import { SoleOwnership } from '../controller/hosts/ownership.ts';
import { Observations } from '../controller/hosts/observations.ts';
import { MaintenanceRuns } from '../controller/maintenance/maintenance-runs.ts';
import { WorkerDirectory } from '../controller/hosts/worker-directory.ts';
import { createFileArchives } from '../adapters/archive/file-archives.ts';
import { createFileBlobs } from '../adapters/blobs/file-blobs.ts';
import { createMemoryBus } from '../adapters/bus/memory-bus.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Bus } from '../ports/bus.ts';
import type { OpenHostDrivers } from '../ports/host-drivers.ts';
import type { Metrics } from '../ports/metrics.ts';
import { NO_METRICS } from '../ports/metrics.ts';
import type { HostReach } from '../ports/host-reach.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { Store } from '../ports/store.ts';
import { ComputeWorker } from '../workers/compute-worker.ts';
import type { Config } from './config/schema.ts';
import { controllerPolicy } from './controller-policy.ts';
import { openSealer } from './open-sealer.ts';
import { openStore } from './open-store.ts';

export interface AllInOneOptions {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly roles: readonly string[];
  /** How hosts are reached; gets the blobs that images come from. */
  readonly openDrivers: (blobs: Blobs) => OpenHostDrivers;
  /** Looks at machines before they are hosts; absent where hosts are simulated. */
  readonly reach?: HostReach;
  /** The journal failed: the process must end and recover from disk. */
  readonly onPoison: (error: CloudError) => void;
  /** Default: the file engine in the state folder, which takes the state lock. */
  readonly store?: Store;
  readonly bus?: Bus;
  /** Default: files in the state folder. */
  readonly blobs?: Blobs;
  /** Default: nobody reads them. */
  readonly metrics?: Metrics;
  /** Default: by the key in the state folder. */
  readonly sealer?: Sealer;
  /** Which hosts are opened, and nobody waits for them here. Default: all, and each is waited for a moment. */
  readonly wanted?: (hostId: string) => boolean;
}

/** Every role in one process, without any server: what the daemon, tests and the simulation build on. */
export interface AllInOne {
  readonly context: ControllerContext;
  readonly gateway: Gateway;
  readonly controller: Controller;
  readonly blobs: Blobs;
  close(): Promise<void>;
}

/** The one worker of an all-in-one; its assignments outlive the process. */
export const WORKER_ID = 'local';
/** A host that is down is not waited for longer. */
const FIRST_REPORTS_MS = 5000;

/** What the controller's parts share, made of what is open already. Nothing is started. */
export function controllerContext(
  options: Pick<AllInOneOptions, 'config' | 'version' | 'clock' | 'random' | 'logger' | 'roles' | 'wanted' | 'metrics'>,
  parts: Pick<ControllerContext, 'store' | 'bus' | 'blobs' | 'sealer' | 'cloudId'>,
): ControllerContext {
  const { config, clock, random, logger, wanted } = options;
  const { store, bus, cloudId } = parts;
  return {
    ...parts,
    clock,
    random,
    logger,
    metrics: options.metrics ?? NO_METRICS,
    policy: controllerPolicy(config),
    process: {
      version: options.version,
      pid: process.pid,
      startedAtMs: clock.nowMs(),
      roles: options.roles,
      stateDir: config.stateDir,
      storeEngine: store.health().engine,
      busEngine: 'memory',
    },
    observations: new Observations(() => clock.monotonicMs()),
    archives: createFileArchives({
      stateDir: config.stateDir,
      dir: config.backup.dir || join(config.stateDir, 'backups'),
      blobs: parts.blobs,
      random,
    }),
    maintenance: new MaintenanceRuns({ random, clock }),
    workers: new WorkerDirectory({ store, bus, clock, logger, cloudId, ...(wanted && { wanted }) }),
    ownership: new SoleOwnership(WORKER_ID, () => store.count(PREFIX.host)),
    ...(wanted && { looksAt: wanted }),
  };
}

export async function startAllInOne(options: AllInOneOptions): Promise<AllInOne> {
  const { config, clock, random, logger, wanted } = options;
  const store = options.store ?? (await openStore(config, { clock, random, logger, onPoison: options.onPoison }));
  const bus = options.bus ?? createMemoryBus({ clock, random, logger });
  const blobs = options.blobs ?? createFileBlobs({ dir: join(config.stateDir, 'blobs'), random });
  const sealer = options.sealer ?? (await openSealer(config, store, random));
  const cloudId = await bootstrapCloud({ store, random, nowMs: clock.nowMs(), sealer });
  const context = controllerContext(options, { store, bus, blobs, sealer, cloudId });
  const controller = new Controller(context);
  const worker = new ComputeWorker({
    workerId: WORKER_ID,
    session: randomHex(random, 16),
    bus,
    clock,
    logger: logger.child({ role: 'worker' }),
    openDrivers: options.openDrivers(blobs),
    ...(options.reach === undefined ? {} : { reach: options.reach }),
  });
  await controller.start();
  await worker.start();
  // A command right after the start must not be told that no host has reported yet.
  const hosts = wanted ? [] : store.range<HostRecord>(PREFIX.host).map((entry) => entry.value.id);
  await waitForReports(context, hosts, FIRST_REPORTS_MS);
  return {
    context,
    gateway: new Gateway(context),
    controller,
    blobs,
    async close() {
      await worker.close();
      await controller.close();
      await bus.close();
      await store.close();
    },
  };
}
