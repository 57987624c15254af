import type { Clock } from '../base/clock.ts';
import { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { createMemoryBus } from '../adapters/bus/memory-bus.ts';
import type { Gateway } from '../controller/api/gateway.ts';
import type { Controller } from '../controller/controller.ts';
import type { ControllerContext } from '../controller/controller-context.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Bus } from '../ports/bus.ts';
import type { OpenHostDrivers } from '../ports/host-drivers.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { HostReach } from '../ports/host-reach.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { Store } from '../ports/store.ts';
import type { VolumeBackend } from '../ports/volume-backend.ts';
import { ROLES, type Config } from './config/schema.ts';
import { openStore } from './open-store.ts';
import type { ObjectsHere } from './objects-here.ts';
import { WORKER_ID } from './roles/process-plan.ts';
import { startRoles } from './roles/start-roles.ts';

export interface AllInOneOptions {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What the process says that it is. */
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
  /** Default: those of the configured folder, opened when they are first needed. */
  readonly objects?: ObjectsHere;
  /** Default: by the key in the state folder. */
  readonly sealer?: Sealer;
  /** Where volumes are; default: there are none. */
  readonly volumes?: VolumeBackend;
  /** Which hosts are opened, and nobody waits for them here. Default: all, and each is waited for a moment. */
  readonly wanted?: (hostId: string) => boolean;
}

/** Every role in one process, without any server, whatever roles the configuration names: what embedded commands, tests and the simulation build on. */
export interface AllInOne {
  readonly context: ControllerContext;
  readonly gateway: Gateway;
  readonly controller: Controller;
  readonly blobs: Blobs;
  /** Absent where they are at an endpoint elsewhere. */
  readonly objects?: ObjectsHere;
  close(): Promise<void>;
}

export async function startAllInOne(options: AllInOneOptions): Promise<AllInOne> {
  const { config, clock, random, logger, roles: shownRoles, store: given, onPoison, ...rest } = options;
  const store = given ?? (await openStore(config, { clock, random, logger, onPoison }));
  const bus = options.bus ?? createMemoryBus({ clock, random, logger });
  const running = await startRoles({
    ...{ ...rest, config, clock, random, logger, shownRoles, store, bus },
    plan: { roles: ROLES, name: WORKER_ID, shared: false },
  });
  const { context, gateway, controller, blobs, objects } = running;
  if (context === undefined || gateway === undefined || controller === undefined)
    throw new CloudError('InternalError', 'an all-in-one has every role');
  const close = async (): Promise<void> => {
    await running.close();
    await bus.close();
    await store.close();
  };
  return { context, gateway, controller, blobs, ...(objects === undefined ? {} : { objects }), close };
}
