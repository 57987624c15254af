import { isIPv6 } from 'node:net';
import { openObjectStore } from '../adapters/objects/object-store.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
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
import { parseListen } from './config/listen.ts';
import { objectsDir } from './config/places.ts';
import type { Config } from './config/schema.ts';
import { configuredRegions } from './ec2.ts';
import { processCertificate, RENEW_EVERY_MS } from './tls/process-certificate.ts';
import { refusePlaintext } from './tls/refuse-plaintext.ts';

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
  const servers: S3Server[] = [];
  let store: ObjectStore | undefined;
  let timer: Timer | undefined;
  let lifecycle: LifecycleJob | undefined;
  let current: string | undefined;
  const certify = () => processCertificate(config, { cloudId: cloud.context.cloudId, random, nowMs: clock.nowMs() });
  const renew = (): void => {
    certify().then(
      (certificate) => {
        if (certificate.certificates === current) return;
        current = certificate.certificates;
        for (const server of servers) server.renew(certificate);
      },
      (error: unknown) => logger.error('the certificate could not be renewed', { error: errorText(error) }),
    );
  };
  return {
    async start() {
      const { listen: listeners, port: defaultPort, protocol } = config.objectstore;
      if (listeners.length === 0) return [];
      for (const text of listeners) refusePlaintext('objectstore', config.objectstore, parseListen(text).host);
      store = await openObjectStore({ dir: objectsDir(config), clock, random, logger });
      lifecycle = startLifecycleJob({ store, clock, logger });
      const edge = createS3Edge(cloud, store, parts);
      const certificate = protocol === 'https' ? await certify() : undefined;
      current = certificate?.certificates;
      const urls: string[] = [];
      for (const text of listeners) {
        const { host, port = defaultPort } = parseListen(text);
        const server = new S3Server({
          ...{ edge, clock, logger, listen: { host, port } },
          ...(certificate === undefined ? {} : { certificate }),
        });
        servers.push(server);
        urls.push(`${protocol}://${isIPv6(host) ? `[${host}]` : host}:${await server.start()}`);
      }
      if (certificate !== undefined) timer = clock.every(RENEW_EVERY_MS, renew, { unref: true });
      logger.info('S3 listens', { urls });
      return urls;
    },
    async close() {
      timer?.cancel();
      await Promise.all([...servers.map((server) => server.close()), lifecycle?.close()]);
      await store?.close();
    },
  };
}
