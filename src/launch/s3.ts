import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { RecurringJob } from '../base/recurring-job.ts';
import { s3Presigning } from '../controller/api/s3/presigning.ts';
import { ec2Callers } from '../controller/api/ec2/ec2-principal.ts';
import { S3_ACTIONS } from '../controller/api/s3/actions/index.ts';
import { refusingDoor } from '../controller/api/s3/refusing-door.ts';
import { S3Edge, type S3Door } from '../controller/api/s3/s3-edge.ts';
import { S3Server } from '../controller/api/s3/s3-server.ts';
import type { ControllerContext } from '../controller/controller-context.ts';
import { startKeepingJob } from '../controller/objects/keeping-job.ts';
import { startLifecycleJob } from '../controller/objects/lifecycle-job.ts';
import { objectsElsewhere } from '../controller/objects/objects-elsewhere.ts';
import { accountsOf } from '../controller/users/directory-memo.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Config } from './config/schema.ts';
import { configuredRegions } from './ec2.ts';
import { Listeners } from './listeners.ts';
import type { ObjectsHere } from './objects-here.ts';
import { publicS3Url } from './s3-url.ts';

export interface S3Api {
  /** Listens where `objectstore.listen` says; answers the addresses. */
  start(): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Cloud {
  readonly context: ControllerContext;
  /** Absent: this process has none. */
  readonly objects?: ObjectsHere | undefined;
}

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What is asked of S3, whatever carries the requests. */
export function createS3Edge({ context, objects }: Cloud, store: ObjectStore, parts: Parts): S3Edge {
  const { config, clock, random, logger } = parts;
  const { domains, signatureV2 } = config.objectstore;
  return new S3Edge({
    ...{ store, keeper: objects?.keeper, clock, random, logger, domains, actions: S3_ACTIONS },
    accounts: () => accountsOf(context),
    callers: ec2Callers(context),
    metrics: context.metrics,
    regions: () => configuredRegions(config, context.store),
    signatureV2: signatureV2 === 'on',
    presigning: s3Presigning(context, () => publicS3Url(config, objects?.listening)),
  });
}

/** The way to the objects for callers who are known already; where this process has none, it says who has. */
export function createS3Door(cloud: Cloud, parts: Parts): S3Door {
  const { objects, context } = cloud;
  const closed = (error: unknown): S3Door => refusingDoor(parts.random, error);
  if (objects === undefined) {
    const { endpoint } = parts.config.objectstore;
    return { answerAs: (...asked) => closed(objectsElsewhere(context, endpoint)).answerAs(...asked) };
  }
  let edge: { readonly store: ObjectStore; readonly door: S3Door } | undefined;
  return {
    async answerAs(known, incoming) {
      const store = await objects.store().catch((error: unknown) => closed(error));
      if ('answerAs' in store) return store.answerAs(known, incoming);
      if (edge?.store !== store) edge = { store, door: createS3Edge(cloud, store, parts) };
      return edge.door.answerAs(known, incoming);
    },
  };
}

/** The objects of this process, opened, kept in order, and served where `objectstore.listen` says so; nowhere by default. */
export function createS3Api(cloud: Cloud, parts: Parts): S3Api {
  const { config, clock, logger } = parts;
  const { context, objects } = cloud;
  const listeners = new Listeners('objectstore', { ...parts, cloudId: context.cloudId });
  let lifecycle: RecurringJob | undefined;
  let keeping: RecurringJob | undefined;
  return {
    async start() {
      if (objects === undefined) return [];
      const store = await objects.store();
      lifecycle = startLifecycleJob({ store, clock, logger });
      const { keeper } = objects;
      if (keeper !== undefined) keeping = startKeepingJob({ keeper, clock, logger });
      if (config.objectstore.listen.length === 0) return [];
      const edge = createS3Edge(cloud, store, parts);
      const urls = await listeners.start((at) => new S3Server({ edge, clock, logger, ...at }));
      objects.listening = urls;
      logger.info('S3 listens', { urls });
      return urls;
    },
    async close() {
      await Promise.all([listeners.close(), lifecycle?.close(), keeping?.close()]);
    },
  };
}
