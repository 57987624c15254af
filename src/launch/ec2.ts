import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { Ec2Edge } from '../controller/api/ec2/ec2-edge.ts';
import { ec2Callers } from '../controller/api/ec2/ec2-principal.ts';
import { Ec2Server } from '../controller/api/ec2/ec2-server.ts';
import { RateLimit } from '../controller/api/ec2/rate-limit.ts';
import { accountsOf } from '../controller/users/directory-memo.ts';
import { PREFIX } from '../domain/keys.ts';
import type { RegionZones } from '../domain/project-region.ts';
import type { HostRecord } from '../domain/records.ts';
import type { Replica } from '../ports/store.ts';
import type { AllInOne } from './all-in-one.ts';
import type { Config } from './config/schema.ts';
import { Listeners } from './listeners.ts';

export interface Ec2Api {
  /** Listens where `ec2.listen` says; answers the addresses. */
  start(): Promise<readonly string[]>;
  close(): Promise<void>;
}

type Cloud = Pick<AllInOne, 'context' | 'gateway'>;

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The first is the one that hosts are added to by default. Without any configured, the one there is has whatever zones its hosts are in. */
export function configuredRegions(config: Config, store: Pick<Replica, 'range'>): RegionZones[] {
  const { region, regions } = config;
  if (regions.length > 0) return [...regions].toSorted((a, b) => Number(b.name === region) - Number(a.name === region));
  return [
    {
      name: region,
      get zones() {
        const zones = store.range<HostRecord>(PREFIX.host).map(({ value }) => value.zone);
        return [...new Set([config.zone, ...zones])];
      },
    },
  ];
}

/** What is asked of the EC2 API, whatever carries the requests. */
export function createEc2Edge({ context, gateway }: Cloud, { config, clock, random, logger }: Parts): Ec2Edge {
  const { store } = context;
  const { rateLimit, signatureV2 } = config.ec2;
  return new Ec2Edge({
    ...{ gateway, clock, random, logger },
    accounts: () => accountsOf(context),
    callers: ec2Callers(context),
    regions: () => configuredRegions(config, store),
    ownZones: config.regions.length > 0,
    signatureV2: signatureV2 === 'on',
    rateLimit: new RateLimit({
      describe: { perSecond: rateLimit.describePerSecond, burst: rateLimit.describeBurst },
      change: { perSecond: rateLimit.changePerSecond, burst: rateLimit.changeBurst },
      run: { perSecond: rateLimit.runPerSecond, burst: rateLimit.runBurst },
    }),
  });
}

/** The EC2 API where `ec2.listen` says so; nowhere by default. */
export function createEc2Api(cloud: Cloud, parts: Parts): Ec2Api {
  const { config, logger } = parts;
  const listeners = new Listeners('ec2', { ...parts, cloudId: cloud.context.cloudId });
  return {
    async start() {
      if (config.ec2.listen.length === 0) return [];
      const edge = createEc2Edge(cloud, parts);
      const urls = await listeners.start((at) => new Ec2Server({ edge, logger, ...at }));
      logger.info('the EC2 API listens', { urls });
      return urls;
    },
    close: () => listeners.close(),
  };
}
