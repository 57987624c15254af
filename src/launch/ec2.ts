import { isIPv6 } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
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
import { parseListen } from './config/listen.ts';
import { processCertificate, RENEW_EVERY_MS } from './tls/process-certificate.ts';
import { refusePlaintext } from './tls/refuse-plaintext.ts';

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
  const { config, clock, random, logger } = parts;
  const servers: Ec2Server[] = [];
  let timer: Timer | undefined;
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
      const { listen: listeners, port: defaultPort, protocol } = config.ec2;
      if (listeners.length === 0) return [];
      const edge = createEc2Edge(cloud, parts);
      const certificate = protocol === 'https' ? await certify() : undefined;
      current = certificate?.certificates;
      const urls: string[] = [];
      for (const text of listeners) {
        const { host, port = defaultPort } = parseListen(text);
        refusePlaintext('ec2', config.ec2, host);
        const server = new Ec2Server({
          ...{ edge, logger, listen: { host, port } },
          ...(certificate === undefined ? {} : { certificate }),
        });
        servers.push(server);
        urls.push(`${protocol}://${isIPv6(host) ? `[${host}]` : host}:${await server.start()}`);
      }
      if (certificate !== undefined) timer = clock.every(RENEW_EVERY_MS, renew, { unref: true });
      logger.info('the EC2 API listens', { urls });
      return urls;
    },
    async close() {
      timer?.cancel();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}
