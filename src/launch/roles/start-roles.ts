import { CloudError } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import { createFileBlobs } from '../../adapters/blobs/file-blobs.ts';
import { Gateway } from '../../controller/api/gateway.ts';
import { Controller } from '../../controller/controller.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';
import { waitForReports } from '../../controller/hosts/wait-for-report.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { ServiceHello } from '../../messages/worker.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { Bus } from '../../ports/bus.ts';
import type { OpenHostDrivers } from '../../ports/host-drivers.ts';
import type { HostReach } from '../../ports/host-reach.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { Store } from '../../ports/store.ts';
import { ComputeWorker } from '../../workers/compute-worker.ts';
import type { Config } from '../config/schema.ts';
import { blobsDir } from '../config/places.ts';
import { controllerContext } from './controller-context.ts';
import { enterCloud } from './enter-cloud.ts';
import type { ProcessPlan } from './process-plan.ts';
import { ServiceBeat } from './service-beat.ts';

export interface RolesOptions {
  readonly config: Config;
  readonly plan: ProcessPlan;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Closed with the roles. */
  readonly bus: Bus;
  /** Needed for the roles api and controller; closed with them. */
  readonly store?: Store;
  /** How hosts are reached; gets the blobs that images come from. For the role worker. */
  readonly openDrivers?: (blobs: Blobs) => OpenHostDrivers;
  /** Looks at machines before they are hosts; absent where hosts are simulated. */
  readonly reach?: HostReach;
  /** Default: files in the folder that the configuration names. */
  readonly blobs?: Blobs;
  /** Default: by the key in the folder of secrets. */
  readonly sealer?: Sealer;
  readonly metrics?: Metrics;
  /** What the process says that it is; default: its roles. */
  readonly shownRoles?: readonly string[];
  /** Which hosts are opened, and nobody waits for them here. Default: all, and each is waited for a moment. */
  readonly wanted?: (hostId: string) => boolean;
  /** Tells the others every few seconds that it is there. Default false. */
  readonly announces?: boolean;
  /** Aborted: stop waiting for what is not there yet. */
  readonly signal?: AbortSignal;
}

/** The roles of one process, without any server. What a role is made of is absent where the role is. */
export interface RunningRoles {
  /** New at every start. */
  readonly session: string;
  /** Of the roles api and controller. */
  readonly context?: ControllerContext;
  readonly gateway?: Gateway;
  readonly controller?: Controller;
  readonly worker?: ComputeWorker;
  readonly blobs: Blobs;
  /** What it says of itself now. */
  hello(): ServiceHello;
  /** Takes nothing new, lets what is under way on hosts end (not longer than the time), and hands its hosts to others. Then `close`. */
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

/** A host that is down is not waited for longer. */
const FIRST_REPORTS_MS = 5000;

/** Starts the roles of the plan. What was given is closed when it fails. */
export async function startRoles(options: RolesOptions): Promise<RunningRoles> {
  const started: (() => Promise<void>)[] = [];
  const { store, bus } = options;
  if (store !== undefined) started.push(() => store.close());
  started.push(() => bus.close());
  try {
    return await start(options, started);
  } catch (error) {
    for (const close of started.toReversed()) await close().catch(() => undefined);
    throw error;
  }
}

async function start(options: RolesOptions, started: (() => Promise<void>)[]): Promise<RunningRoles> {
  const { config, plan, clock, random, bus, wanted } = options;
  const has = (role: ProcessPlan['roles'][number]): boolean => plan.roles.includes(role);
  const blobs = options.blobs ?? createFileBlobs({ dir: blobsDir(config), random });
  const context = await contextOf(options, blobs);
  const session = context?.session ?? randomHex(random, 16);
  const controller = context !== undefined && has('controller') ? new Controller(context.shared) : undefined;
  const worker = has('worker') ? workerOf(options, blobs, session) : undefined;
  if (controller !== undefined) started.push(() => controller.close());
  await controller?.start();
  if (worker !== undefined) started.push(() => worker.close());
  await worker?.start();
  if (context !== undefined && has('controller') && worker !== undefined && !plan.shared) {
    // A command right after the start must not be told that no host has reported yet.
    const hosts = wanted ? [] : context.shared.store.range<HostRecord>(PREFIX.host).map((entry) => entry.value.id);
    await waitForReports(context.shared, hosts, FIRST_REPORTS_MS);
  }
  const beat = new ServiceBeat({
    ...{ plan, session, version: options.version, clock, bus, logger: options.logger },
    context: context?.shared,
    controller,
    worker,
  });
  if (options.announces === true) beat.start();
  const close = once(async () => {
    beat.stop();
    for (const end of started.toReversed()) await end();
  });
  return {
    session,
    ...(context === undefined ? {} : { context: context.shared }),
    ...(context !== undefined && has('api') ? { gateway: new Gateway(context.shared) } : {}),
    ...(controller === undefined ? {} : { controller }),
    ...(worker === undefined ? {} : { worker }),
    blobs,
    hello: () => beat.hello(),
    async drain(timeoutMs) {
      beat.say('draining');
      await worker?.drain(timeoutMs);
      await controller?.close();
      beat.say('draining');
    },
    close,
  };
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= run());
}

async function contextOf(
  options: RolesOptions,
  blobs: Blobs,
): Promise<{ shared: ControllerContext; session: string } | undefined> {
  const { plan, store, bus } = options;
  if (plan.roles.every((role) => role === 'worker')) return undefined;
  if (store === undefined) throw new CloudError('InternalError', `${plan.roles.join(', ')} can't work without a store`);
  const { cloudId, sealer } = await enterCloud({ ...options, store });
  const session = randomHex(options.random, 16);
  return {
    shared: controllerContext({ ...options, session }, { store, bus, blobs, sealer, cloudId }),
    session,
  };
}

function workerOf(options: RolesOptions, blobs: Blobs, session: string): ComputeWorker {
  const { config, plan, bus, clock, logger, openDrivers, reach, metrics } = options;
  if (openDrivers === undefined) throw new CloudError('InternalError', "a worker can't work without drivers");
  return new ComputeWorker({
    workerId: plan.name,
    session,
    bus,
    clock,
    logger: logger.child({ role: 'worker' }),
    openDrivers: openDrivers(blobs),
    kinds: config.worker.kinds,
    ...(metrics === undefined ? {} : { metrics }),
    ...(reach === undefined ? {} : { reach }),
  });
}
