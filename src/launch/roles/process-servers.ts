import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { type Closer, closeAll } from '../../base/close-all.ts';
import { CloudError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { SOCKET_NAME } from '../../base/user-dirs.ts';
import { socketAnswers } from '../../client/socket-answers.ts';
import { AdminServer } from '../../controller/api/admin/admin-server.ts';
import { Gateway } from '../../controller/api/gateway.ts';
import { MetadataDirectory } from '../../controller/api/metadata-directory.ts';
import { metadataHandlers, metadataOverBus } from '../../controller/api/metadata/metadata-over-bus.ts';
import { createMetadataServer } from '../../controller/api/metadata/metadata-server.ts';
import type { S3Door } from '../../controller/api/s3/s3-edge.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import { createAdminHttps } from '../admin-https.ts';
import type { AllInOne } from '../all-in-one.ts';
import type { Config } from '../config/schema.ts';
import { createEc2Api } from '../ec2.ts';
import type { AcceptMetadata } from '../metadata-forward.ts';
import { createS3Api, createS3Door } from '../s3.ts';
import type { RunningRoles } from './start-roles.ts';

const METADATA_PREFETCH = 64;

export interface ProcessServersParts {
  readonly roles: RunningRoles;
  readonly bus: Bus;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Who takes guests' connections that hosts hand over. */
export interface MetadataDoor {
  accept: AcceptMetadata;
}

export interface ProcessServers {
  /** The admin socket's path; undefined where neither the api role nor the objects are. */
  readonly socketPath: string | undefined;
  /** Where the EC2 API listens. */
  readonly ec2Urls: readonly string[];
  /** Where S3 listens. */
  readonly s3Urls: readonly string[];
  close(): Promise<void>;
}

/**
 * What the roles of a process listen on: the admin API (api; its socket also objectstore), S3 (objectstore), the metadata service (worker), and questions of other processes' metadata services (api).
 * What was started is closed when the rest fails.
 */
export async function startServers(parts: ProcessServersParts, door: MetadataDoor): Promise<ProcessServers> {
  const closers: Closer[] = [];
  const close = (): Promise<void> => closeAll(closers);
  try {
    await startMetadata(parts, door, closers);
    const s3Urls = await startS3(parts, closers);
    return { ...(await startAdmin(parts, closers)), s3Urls, close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

async function startMetadata(parts: ProcessServersParts, door: MetadataDoor, closers: Closer[]): Promise<void> {
  const { roles, bus, config, clock, random, logger } = parts;
  const { gateway, context, worker } = roles;
  const directory = gateway === undefined || context === undefined ? undefined : new MetadataDirectory(context);
  if (directory !== undefined) {
    closers.push(() => directory.close());
    const handlers = metadataHandlers((address, hostId) => directory.lookup(address, hostId));
    const subscription = await bus.serve(TOPIC.api, handlers, { prefetch: METADATA_PREFETCH });
    closers.push(() => subscription.close());
  }
  if (worker === undefined) return;
  const elsewhere = metadataOverBus(bus);
  const metadata = createMetadataServer({
    lookup: (address, hostId) =>
      directory === undefined ? elsewhere(address, hostId) : directory.lookup(address, hostId),
    ...{ clock, random, logger },
    host: '127.0.0.1',
    port: config.metadata.port,
  });
  if (config.metadata.listen === 'loopback') await metadata.start();
  closers.push(() => metadata.close());
  door.accept = (socket, address, hostId) => metadata.accept(socket, address, hostId);
}

async function startS3({ roles, ...parts }: ProcessServersParts, closers: Closer[]): Promise<readonly string[]> {
  const { context, objects } = roles;
  if (context === undefined) return [];
  const s3 = createS3Api({ context, objects }, parts);
  closers.push(() => s3.close());
  return s3.start();
}

async function startAdmin(
  parts: ProcessServersParts,
  closers: Closer[],
): Promise<Omit<ProcessServers, 'close' | 's3Urls'>> {
  const { roles, config, clock, random, logger } = parts;
  const { context, blobs, objects } = roles;
  if (context === undefined || (roles.gateway === undefined && objects === undefined)) {
    return { socketPath: undefined, ec2Urls: [] };
  }
  const socketPath = join(config.runDir, SOCKET_NAME);
  if (await socketAnswers(socketPath)) {
    throw new CloudError(
      'LockBusy',
      `another process of this machine answers at ${socketPath}; stop it, or set runDir to a folder for this one`,
    );
  }
  // First, so that whoever finds the socket finds all.
  const s3 = createS3Door({ context, objects }, { config, clock, random, logger });
  const ec2Urls =
    roles.gateway === undefined
      ? []
      : await startApi({ ...roles, context, gateway: roles.gateway, s3 }, parts, closers);
  const gateway = roles.gateway ?? new Gateway(context);
  const { directory } = context;
  const admin = new AdminServer({ gateway, blobs, s3, clock, random, logger, socketPath, directory });
  closers.push(() => admin.close());
  await admin.start();
  closers.push(() => gateway.idle());
  return { socketPath, ec2Urls };
}

/** What is reached from other machines. Answers where the EC2 API listens. */
async function startApi(
  api: Pick<AllInOne, 'context' | 'gateway' | 'blobs'> & { readonly s3: S3Door },
  { config, clock, random, logger }: ProcessServersParts,
  closers: Closer[],
): Promise<readonly string[]> {
  const https = createAdminHttps(api, { config, clock, random, logger });
  closers.push(() => https.close());
  await https.start();
  const ec2 = createEc2Api(api, { config, clock, random, logger });
  closers.push(() => ec2.close());
  return ec2.start();
}
