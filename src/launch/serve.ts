import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../base/clock.ts';
import type { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { jsonLogger } from '../base/logger.ts';
import { SystemRandom } from '../base/random.ts';
import { AdminServer } from '../controller/api/admin/admin-server.ts';
import { MetadataDirectory } from '../controller/api/metadata-directory.ts';
import { createMetadataServer } from '../controller/api/metadata/metadata-server.ts';
import type { AllInOne } from './all-in-one.ts';
import { startAllInOne } from './all-in-one.ts';
import type { Config } from './config/schema.ts';
import { createSimulatedHosts } from '../workers/drivers/simulated/create-simulated-hosts.ts';
import { realHosts } from './real-host.ts';

export interface ServeOptions {
  readonly config: Config;
  readonly version: string;
  /** Aborted: stop taking work, end what is under way, leave. Instances live on. */
  readonly signal: AbortSignal;
  /** One JSON line each. */
  readonly writeLog: (line: string) => void;
  /** All servers listen. */
  readonly onReady?: (info: { readonly socketPath: string }) => void;
}

const ROLES = ['api', 'controller', 'worker'] as const;

/**
 * Every role in this process, in the foreground, until the signal. Rejects when it can't start (CloudError 'LockBusy' names who holds the state)
 * or when the store fails underneath it ('StoragePoisoned').
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { config } = options;
  const clock = new SystemClock();
  const random = new SystemRandom();
  const logger = jsonLogger({ level: config.log.level, nowMs: () => clock.nowMs(), write: options.writeLog });
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  let poison: (error: CloudError) => void = () => undefined;
  const poisoned = new Promise<CloudError>((resolve) => (poison = resolve));
  const cloud = await startAllInOne({
    config,
    version: options.version,
    clock,
    random,
    logger,
    roles: ROLES,
    openDrivers: (blobs) =>
      config.drivers === 'simulated'
        ? createSimulatedHosts({ clock }).openDrivers(blobs)
        : realHosts({
            blobs,
            clock,
            random,
            logger,
            hostDir: config.hostDir,
            sshKeyPath: join(config.stateDir, 'ssh', 'id_ed25519'),
          }),
    onPoison: (error) => poison(error),
  });
  const servers = startServers(cloud, { config, clock, random, logger });
  try {
    const socketPath = await servers.start();
    logger.info('the cloud is up', { cloudId: cloud.context.cloudId, socketPath, roles: [...ROLES] });
    options.onReady?.({ socketPath });
    const error = await Promise.race([aborted(options.signal), poisoned]);
    if (error !== undefined) throw error;
    logger.info('the cloud goes down; instances live on');
  } finally {
    await servers.close();
    await cloud.close();
  }
}

function startServers(
  cloud: AllInOne,
  parts: { config: Config; clock: SystemClock; random: SystemRandom; logger: Logger },
): { start(): Promise<string>; close(): Promise<void> } {
  const { config, clock, random, logger } = parts;
  const socketPath = join(config.runDir, 'novactl.sock');
  const admin = new AdminServer({ gateway: cloud.gateway, blobs: cloud.blobs, clock, random, logger, socketPath });
  const directory = new MetadataDirectory(cloud.context);
  const metadata = createMetadataServer({
    lookup: (address) => directory.lookup(address),
    clock,
    random,
    logger,
    host: '127.0.0.1',
    port: config.metadata.port,
  });
  return {
    async start() {
      await metadata.start();
      await admin.start();
      return socketPath;
    },
    async close() {
      await admin.close();
      await metadata.close();
      directory.close();
    },
  };
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
