import { hostname } from 'node:os';
import { type Closer, closeAll } from '../../base/close-all.ts';
import { CloudError } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import { Gateway } from '../../controller/api/gateway.ts';
import { Controller } from '../../controller/controller.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';
import { bucketsOverBus } from '../../controller/objects/buckets-of-project.ts';
import { ObjectsClaim } from '../../controller/objects/objects-claim.ts';
import { ObjectStages } from '../../controller/objects/object-stages.ts';
import { problemOfObjects } from '../../controller/objects/problem-of-objects.ts';
import { ReportIntake } from '../../controller/hosts/report-intake.ts';
import { HeldWatch } from '../../controller/state/held-watch.ts';
import { waitForReports } from '../../controller/hosts/wait-for-report.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { ObjectsTrouble } from '../../messages/objects-trouble.ts';
import { type ServiceHello, TOPIC } from '../../messages/worker.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { Bus } from '../../ports/bus.ts';
import type { OpenHostDrivers } from '../../ports/host-drivers.ts';
import type { HostReach } from '../../ports/host-reach.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { Store } from '../../ports/store.ts';
import type { VolumeBackend } from '../../ports/volume-backend.ts';
import { ComputeWorker } from '../../workers/compute-worker.ts';
import type { Config } from '../config/schema.ts';
import type { EndpointWatch } from '../endpoint-watch.ts';
import { hasEndpoint, watchEndpoint } from '../open-endpoint.ts';
import { ObjectsHere } from '../objects-here.ts';
import { openBlobs } from '../open-blobs.ts';
import { openDirectory } from '../open-directory.ts';
import { openImageObjects } from '../open-image-objects.ts';
import { controllerContext } from './controller-context.ts';
import { enterCloud, patiently } from './enter-cloud.ts';
import { type ProcessPlan, sharesStore } from './process-plan.ts';
import { ServiceBeat } from './service-beat.ts';

export interface RolesOptions {
  readonly config: Config;
  readonly plan: ProcessPlan;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Whoever opened bus and store closes them, after the roles. */
  readonly bus: Bus;
  /** Needed for the roles api and controller. */
  readonly store?: Store;
  /** How hosts are reached; gets the blobs that images come from. For the role worker. */
  readonly openDrivers?: (blobs: Blobs) => OpenHostDrivers;
  /** Looks at machines before they are hosts; absent where hosts are simulated. */
  readonly reach?: HostReach;
  /** Default: where the configuration says. */
  readonly blobs?: Blobs;
  /** Default: by the key in the folder of secrets. */
  readonly sealer?: Sealer;
  /** Where volumes are. For the role controller; default: there are none. */
  readonly volumes?: VolumeBackend;
  readonly metrics?: Metrics;
  /** Default: where the role is, the folder that the configuration names. Who gives them closes them. */
  readonly objects?: ObjectsHere;
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
  /** Of the role objectstore. Opened by who first needs them. */
  readonly objects?: ObjectsHere;
  /** What is wrong with the objects of this process, or with the endpoint where they are. */
  objectsTrouble(): ObjectsTrouble | undefined;
  /** What it says of itself now. */
  hello(): ServiceHello;
  /** Takes nothing new, lets what is under way on hosts end (not longer than the time), and hands its hosts to others. Then `close`. */
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

/** A host that is down is not waited for longer. */
const FIRST_REPORTS_MS = 5000;

/** Starts the roles of the plan; when that fails, those that were started are closed. */
export async function startRoles(options: RolesOptions): Promise<RunningRoles> {
  const made = await makeRoles(options);
  const started: Closer[] = [() => made.context?.directory.close()];
  if (options.objects === undefined) started.push(() => made.objects?.close());
  const end = (): Promise<void> => closeAll(started);
  let endpoint: EndpointWatch | undefined;
  let claim: ObjectsClaim | undefined;
  try {
    claim = await claimObjects(options, made);
    started.push(() => claim?.close());
    for (const part of [made.held, made.intake, made.controller, made.worker]) {
      if (part === undefined) continue;
      started.push(() => part.close());
      await part.start();
    }
    await serveObjects(options, made, started);
    if (options.announces === true) endpoint = await watchEndpoint(options.config, options);
    started.push(() => endpoint?.close());
    await firstReports(options, made);
  } catch (error) {
    await end().catch(() => undefined);
    throw error;
  }
  return running(options, { ...made, endpoint, claim }, end);
}

interface MadeRoles {
  readonly session: string;
  readonly blobs: Blobs;
  readonly objects: ObjectsHere | undefined;
  readonly context: ControllerContext | undefined;
  readonly controller: Controller | undefined;
  readonly worker: ComputeWorker | undefined;
  /** Of a process with the api role alone; a controller has its own. */
  readonly intake: ReportIntake | undefined;
  readonly held: HeldWatch | undefined;
}

async function makeRoles(options: RolesOptions): Promise<MadeRoles> {
  const { plan, random, store, bus } = options;
  const needsStore = plan.roles.some((role) => role !== 'worker');
  if (needsStore && store === undefined)
    throw new CloudError('InternalError', `${plan.roles.join(', ')} can't work without a store`);
  if (store !== undefined) refuseDeafController(options, store);
  const entered =
    needsStore && store !== undefined ? { store, ...(await enterCloud({ ...options, store })) } : undefined;
  const session = randomHex(random, 16);
  const objects = objectsOf(options);
  const blobs = await blobsOf(options, entered?.cloudId);
  const context = entered && (await contextOf(options, { session, objects }, { ...entered, bus, blobs }));
  const isController = plan.roles.includes('controller');
  const controller = context !== undefined && isController ? new Controller(context) : undefined;
  const onFree = (): void => controller?.adopted();
  return {
    ...{ session, blobs, context, controller, objects },
    // First, so that nothing is done on a restored store.
    held: context && new HeldWatch(context, { writes: isController, onFree }),
    worker: plan.roles.includes('worker') ? workerOf(options, blobs, session) : undefined,
    intake: context === undefined || isController ? undefined : new ReportIntake(context),
  };
}

/** With an endpoint elsewhere the role has nothing to do. */
function objectsOf({ objects, plan, ...parts }: RolesOptions): ObjectsHere | undefined {
  if (!plan.roles.includes('objectstore') || hasEndpoint(parts.config)) return undefined;
  return objects ?? new ObjectsHere(parts);
}

/** Where other processes follow the same store: none of them has objects too. */
async function claimObjects(options: RolesOptions, { objects, context }: MadeRoles): Promise<ObjectsClaim | undefined> {
  const { plan, announces, clock, logger } = options;
  if (objects === undefined || context === undefined || !sharesStore(plan) || announces !== true) return undefined;
  // First, so that the folder's lock says that whoever had it before is gone.
  await objects.store();
  const holder = { v: 1, serviceId: plan.name, machine: hostname(), dir: objects.dir } as const;
  const take = () => ObjectsClaim.take({ store: context.store, clock, logger, holder });
  return patiently(options, 'the claim on the objects', take);
}

/** Other controllers make images of the objects of this process. */
async function serveObjects({ plan, ...parts }: RolesOptions, made: MadeRoles, started: Closer[]): Promise<void> {
  const { objects, blobs, context } = made;
  if (!plan.shared || objects === undefined || context?.imageObjects === undefined) return;
  const keeper = () => objects.ifAny();
  const stages = new ObjectStages({ ...parts, objects: context.imageObjects, keeper, blobs });
  started.push(() => stages.close());
  const subscription = await parts.bus.serve(TOPIC.objects(plan.name), stages.handlers());
  started.push(() => subscription.close());
}

async function blobsOf({ blobs, plan, ...options }: RolesOptions, cloudId: string | undefined): Promise<Blobs> {
  return blobs ?? openBlobs(options.config, { ...options, shared: plan.shared, cloudId });
}

async function contextOf(
  options: RolesOptions,
  { session, objects }: Pick<MadeRoles, 'session' | 'objects'>,
  parts: Omit<Parameters<typeof controllerContext>[1], 'directory'>,
): Promise<ControllerContext> {
  const directory = await openDirectory(options.config, { ...options, store: parts.store });
  const context = controllerContext({ ...options, session }, { ...parts, directory });
  return {
    ...context,
    imageObjects: await openImageObjects({ context, objects }, options),
    ...(objects === undefined ? {} : { objects: () => objects.ifAny() }),
    ...(objects !== undefined || !options.plan.shared || hasEndpoint(options.config)
      ? {}
      : { bucketsElsewhere: (project) => bucketsOverBus(context, project) }),
  };
}

/** Controllers that can't hear each other's workers would each wait for answers that go elsewhere. */
function refuseDeafController({ config, plan }: RolesOptions, store: Store): void {
  if (config.bus.engine !== 'memory' || config.store.engine !== 'etcd') return;
  const others = store
    .range(PREFIX.aliveControllers)
    .map(({ key }) => key.slice(PREFIX.aliveControllers.length))
    .filter((name) => name !== plan.name);
  if (others.length === 0) return;
  throw new CloudError(
    'InvalidParameterCombination',
    `bus.engine: memory reaches this process alone, and ${others.join(', ')} is a controller of this cloud already; set bus.engine to rabbitmq here and there`,
  );
}

/** In an all-in-one a command right after the start must not be told that no host has reported yet. */
async function firstReports({ plan, wanted }: RolesOptions, { context, worker }: MadeRoles): Promise<void> {
  if (context === undefined || worker === undefined || plan.shared || wanted !== undefined) return;
  const hosts = context.store.range<HostRecord>(PREFIX.host).map((entry) => entry.value.id);
  await waitForReports(context, hosts, FIRST_REPORTS_MS);
}

function running(
  options: RolesOptions,
  made: MadeRoles & { readonly endpoint: EndpointWatch | undefined; readonly claim: ObjectsClaim | undefined },
  end: () => Promise<void>,
): RunningRoles {
  const { plan, version, clock, bus, logger, announces } = options;
  const { session, blobs, objects, context, controller, worker, endpoint, claim } = made;
  const objectsTrouble = (): ObjectsTrouble | undefined => {
    if (objects === undefined || context === undefined) return endpoint?.trouble;
    const text = claim?.problem ?? problemOfObjects(objects.keeper, context);
    return text === undefined ? undefined : { text };
  };
  const beat = new ServiceBeat({
    ...{ plan, session, version, clock, bus, logger, context, controller, worker, objectsTrouble },
  });
  if (announces === true) beat.start();
  return {
    ...{ session, blobs },
    ...(context === undefined ? {} : { context }),
    ...(objects === undefined ? {} : { objects }),
    ...(context !== undefined && plan.roles.includes('api') ? { gateway: new Gateway(context) } : {}),
    ...(controller === undefined ? {} : { controller }),
    ...(worker === undefined ? {} : { worker }),
    objectsTrouble,
    hello: () => beat.hello(),
    async drain(timeoutMs) {
      await beat.say('draining');
      await worker?.drain(timeoutMs);
      await controller?.close();
      await beat.say('draining');
    },
    close() {
      beat.stop();
      return end();
    },
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
