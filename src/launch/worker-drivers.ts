import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { OpenHostDrivers } from '../ports/host-drivers.ts';
import type { HostReach } from '../ports/host-reach.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { VolumeBackend } from '../ports/volume-backend.ts';
import { createSimulatedHosts } from '../workers/drivers/simulated/create-simulated-hosts.ts';
import { CloudKey } from './cloud-key.ts';
import { cloudKeyPath } from './config/places.ts';
import type { Config } from './config/schema.ts';
import { createHostReach } from './host-reach.ts';
import type { AcceptMetadata } from './metadata-forward.ts';
import { realHosts } from './real-host.ts';

export interface WorkerDriversParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: nobody reads them. */
  readonly metrics?: Metrics;
  /** Where guests of hosts that are elsewhere are answered; absent: no metadata service runs in this process. */
  readonly acceptMetadata?: AcceptMetadata;
  /** False: the cloud's SSH key is not made where it is missing, since other processes have it. */
  readonly mayMakeKey?: boolean;
}

/** How a worker of this configuration gets at hosts: what AllInOneOptions takes. */
export interface WorkerDrivers {
  readonly openDrivers: (blobs: Blobs) => OpenHostDrivers;
  /** Absent where hosts are simulated. */
  readonly reach?: HostReach;
  /** Where volumes are; absent where hosts are real, which have none yet. */
  readonly volumes?: VolumeBackend;
}

export function workerDrivers(parts: WorkerDriversParts): WorkerDrivers {
  const { config, clock, random, logger, acceptMetadata } = parts;
  if (config.drivers === 'simulated') {
    const world = createSimulatedHosts({ clock, options: { disksLast: true } });
    return { openDrivers: (blobs) => world.openDrivers(blobs), volumes: world.volumes };
  }
  const cloudKey = new CloudKey(cloudKeyPath(config), random, { mayMake: parts.mayMakeKey !== false });
  const common = { clock, random, logger, cloudKey, hostDir: config.hostDir };
  const metadata =
    acceptMetadata === undefined ? {} : { metadata: { port: config.metadata.port, accept: acceptMetadata } };
  return {
    openDrivers: (blobs) =>
      realHosts({
        ...common,
        ...metadata,
        imageCacheBytes: parts.config.images.cacheBytes,
        ...(parts.metrics && { metrics: parts.metrics }),
        blobs,
      }),
    reach: createHostReach({ ...common, metadataPort: config.metadata.port }),
  };
}
