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
import { createAdminHttps } from './admin-https.ts';
import type { AllInOne } from './all-in-one.ts';
import { startAllInOne } from './all-in-one.ts';
import type { Store } from '../ports/store.ts';
import type { Config } from './config/schema.ts';
import type { AcceptMetadata } from './metadata-forward.ts';
import { loginName } from './login-name.ts';
import { openStorePatiently, type Patience } from './open-store-patiently.ts';
import type { StoreParts } from './open-store.ts';
import { workerDrivers } from './worker-drivers.ts';

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

/** So long a daemon waits for commands that work without one. */
const COMMAND_MS = 600_000;
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
  // Hosts are opened before the metadata service stands; a guest that asks so early asks again.
  const door: MetadataDoor = { accept: (socket) => void socket.destroy() };
  const acceptMetadata: AcceptMetadata = (...connection) => door.accept(...connection);
  const drivers = workerDrivers({ config, clock, random, logger, acceptMetadata });
  const store = await openStoreAfterCommands(options, { clock, random, logger, onPoison: (error) => poison(error) });
  const cloud = await startAllInOne({
    store,
    config,
    version: options.version,
    clock,
    random,
    logger,
    roles: ROLES,
    ...drivers,
    onPoison: (error) => poison(error),
  });
  const servers = startServers(cloud, { config, clock, random, logger }, door);
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

/** A command that works without a daemon ends by itself, so it is waited for; another daemon is not. */
function openStoreAfterCommands({ config, signal }: ServeOptions, parts: StoreParts): Promise<Store> {
  const { clock, logger } = parts;
  const holder = { command: 'novactl serve', user: loginName(), kind: 'daemon' } as const;
  const patience: Patience = {
    clock,
    signal,
    timeoutMs: COMMAND_MS,
    worth: (other) => other?.kind === 'command',
    onWait: (other) => logger.info(`waiting for ${other}`, { stateDir: config.stateDir }),
  };
  return openStorePatiently(config, { ...parts, holder }, patience);
}

/** Who takes guests' connections that hosts hand over. */
interface MetadataDoor {
  accept: AcceptMetadata;
}

function startServers(
  cloud: AllInOne,
  parts: { config: Config; clock: SystemClock; random: SystemRandom; logger: Logger },
  door: MetadataDoor,
): { start(): Promise<string>; close(): Promise<void> } {
  const { config, clock, random, logger } = parts;
  const socketPath = join(config.runDir, 'novactl.sock');
  const admin = new AdminServer({ gateway: cloud.gateway, blobs: cloud.blobs, clock, random, logger, socketPath });
  const https = createAdminHttps(cloud, { config, clock, random, logger });
  const directory = new MetadataDirectory(cloud.context);
  const metadata = createMetadataServer({
    lookup: (address, hostId) => directory.lookup(address, hostId),
    clock,
    random,
    logger,
    host: '127.0.0.1',
    port: config.metadata.port,
  });
  return {
    async start() {
      if (config.metadata.listen === 'loopback') await metadata.start();
      door.accept = (socket, address, hostId) => metadata.accept(socket, address, hostId);
      // First, so that whoever finds the socket finds all.
      await https.start();
      await admin.start();
      return socketPath;
    },
    async close() {
      await https.close();
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
