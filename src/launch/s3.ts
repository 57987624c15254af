import { openObjectStore } from '../adapters/objects/object-store.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { ec2Callers } from '../controller/api/ec2/ec2-principal.ts';
import { S3_ACTIONS } from '../controller/api/s3/actions/index.ts';
import { S3Edge } from '../controller/api/s3/s3-edge.ts';
import { S3Server } from '../controller/api/s3/s3-server.ts';
import { startLifecycleJob, type LifecycleJob } from '../controller/objects/lifecycle-job.ts';
import { accountsOf } from '../controller/users/directory-memo.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { AllInOne } from './all-in-one.ts';
import { objectsDir } from './config/places.ts';
import type { Config } from './config/schema.ts';
import { configuredRegions } from './ec2.ts';
import { Listeners } from './listeners.ts';

export interface S3Api {
  /** Listens where `objectstore.listen` says; answers the addresses. */
  start(): Promise<readonly string[]>;
  close(): Promise<void>;
}

type Cloud = Pick<AllInOne, 'context'>;

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What is asked of S3, whatever carries the requests. */
export function createS3Edge({ context }: Cloud, store: ObjectStore, parts: Parts): S3Edge {
  const { config, clock, random, logger } = parts;
  const { domains, signatureV2 } = config.objectstore;
  return new S3Edge({
    ...{ store, clock, random, logger, domains, actions: S3_ACTIONS },
    accounts: () => accountsOf(context),
    callers: ec2Callers(context),
    metrics: context.metrics,
    regions: () => configuredRegions(config, context.store),
    signatureV2: signatureV2 === 'on',
  });
}

/** S3 where `objectstore.listen` says so; nowhere by default. The objects are opened with the first address, and by one process alone. */
export function createS3Api(cloud: Cloud, parts: Parts): S3Api {
  const { config, clock, random, logger } = parts;
  const listeners = new Listeners('objectstore', { ...parts, cloudId: cloud.context.cloudId });
  let store: ObjectStore | undefined;
  let lifecycle: LifecycleJob | undefined;
  return {
    async start() {
      if (config.objectstore.listen.length === 0) return [];
      store = await openObjectStore({ dir: objectsDir(config), clock, random, logger });
      lifecycle = startLifecycleJob({ store, clock, logger });
      const edge = createS3Edge(cloud, store, parts);
      const urls = await listeners.start((at) => new S3Server({ edge, clock, logger, ...at }));
      logger.info('S3 listens', { urls });
      return urls;
    },
    async close() {
      await Promise.all([listeners.close(), lifecycle?.close()]);
      await store?.close();
    },
  };
}
