import { join } from 'node:path';
import { createFileArchives } from '../../adapters/archive/file-archives.ts';
import { createStoreDirectory } from '../../adapters/directory/store-directory.ts';
import { createWorkshop } from '../../adapters/workshop/image-workshop.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';
import { LeasedOwnership } from '../../controller/hosts/leased-ownership.ts';
import { NoOwnership } from '../../controller/hosts/no-ownership.ts';
import { Observations } from '../../controller/hosts/observations.ts';
import type { Ownership } from '../../controller/hosts/ownership.ts';
import { SoleOwnership } from '../../controller/hosts/ownership.ts';
import { WorkerDirectory } from '../../controller/hosts/worker-directory.ts';
import { MaintenanceRuns } from '../../controller/maintenance/maintenance-runs.ts';
import { ServiceDirectory } from '../../controller/services/service-directory.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { NO_METRICS } from '../../ports/metrics.ts';
import type { VolumeBackend } from '../../ports/volume-backend.ts';
import { certificateAuthority } from '../tls/certificate-authority.ts';
import { importsDir, secretsDir } from '../config/places.ts';
import type { Config } from '../config/schema.ts';
import { controllerPolicy } from '../controller-policy.ts';
import { type ProcessPlan, sharesStore } from './process-plan.ts';

export interface ContextOptions {
  readonly config: Config;
  readonly plan: ProcessPlan;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of this process, new at every start. */
  readonly session: string;
  /** What the process says that it is; default: its roles. */
  readonly shownRoles?: readonly string[];
  readonly metrics?: Metrics;
  readonly wanted?: (hostId: string) => boolean;
  readonly volumes?: VolumeBackend;
}

type Parts = Pick<ControllerContext, 'store' | 'bus' | 'blobs' | 'sealer' | 'cloudId'> & {
  /** Default: in the store. */
  readonly directory?: Directory;
};

/** What the parts of the api and controller roles share, made of what is open already. Nothing is started. */
export function controllerContext(options: ContextOptions, parts: Parts): ControllerContext {
  const { config, plan, session, clock, random, logger } = options;
  const { store, bus, cloudId } = parts;
  const isController = plan.roles.includes('controller');
  const { wanted } = options;
  const ownership = isController ? ownershipOf(options, parts) : new NoOwnership(plan.name, store);
  return {
    ...parts,
    authority: certificateAuthority({ stateDir: secretsDir(config), cloudId, random, clock }),
    directory: parts.directory ?? createStoreDirectory({ store, random }),
    clock,
    random,
    logger,
    metrics: options.metrics ?? NO_METRICS,
    policy: controllerPolicy(config),
    process: {
      name: plan.name,
      session,
      version: options.version,
      pid: process.pid,
      startedAtMs: clock.nowMs(),
      roles: options.shownRoles ?? plan.roles,
      stateDir: config.stateDir,
      storeEngine: store.health().engine,
      busEngine: bus.health().engine,
    },
    observations: new Observations(() => clock.monotonicMs()),
    services: new ServiceDirectory(() => clock.monotonicMs()),
    archives: createFileArchives({
      stateDir: secretsDir(config),
      dir: config.backup.dir || join(config.stateDir, 'backups'),
      blobs: parts.blobs,
      random,
    }),
    maintenance: new MaintenanceRuns({
      ...{ random, clock, session },
      livesProcess: (other) => ownership.livesProcess(other),
    }),
    workers: new WorkerDirectory({ store, bus, clock, logger, cloudId, ownership, ...(wanted && { wanted }) }),
    ownership,
    ...(wanted && { looksAt: wanted }),
    ...(options.volumes && { volumes: options.volumes }),
    ...(isController && { workshop: createWorkshop({ dir: importsDir(config), blobs: parts.blobs, clock, random }) }),
  };
}

/** The state lock makes one controller the only one; where others may be, hosts are shared by leases. */
function ownershipOf({ plan, session, clock, logger }: ContextOptions, { store }: Parts): Ownership {
  if (!sharesStore(plan)) return new SoleOwnership(plan.name, () => store.count(PREFIX.host));
  return new LeasedOwnership({ controllerId: plan.name, session, store, clock, logger });
}
