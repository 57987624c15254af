import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createPromMetrics } from '../adapters/metrics/prom-metrics.ts';
import { acquireStateLock } from '../adapters/store/state-lock.ts';
import { isoTime, SystemClock } from '../base/clock.ts';
import { type Closer, closeAll } from '../base/close-all.ts';
import type { CloudError } from '../base/errors.ts';
import { jsonLogger } from '../base/logger.ts';
import { SystemRandom } from '../base/random.ts';
import { StatusServer } from '../controller/api/status/status-server.ts';
import { STATUS_SOCKET } from '../messages/readiness.ts';
import type { Bus } from '../ports/bus.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { Config } from './config/schema.ts';
import { parseListen } from './config/listen.ts';
import { loginName } from './login-name.ts';
import { measuredBus, measuredStore } from './measure.ts';
import { measureRoles } from './measure-roles.ts';
import { openBus } from './open-bus.ts';
import { openStorePatiently, type Patience } from './open-store-patiently.ts';
import type { StoreParts } from './open-store.ts';
import { patiently } from './roles/enter-cloud.ts';
import { processPlan, type ProcessPlan } from './roles/process-plan.ts';
import { type MetadataDoor, type ProcessServers, startServers } from './roles/process-servers.ts';
import { ProcessStatus } from './roles/process-status.ts';
import { startRoles, type RunningRoles } from './roles/start-roles.ts';
import { workerDrivers } from './worker-drivers.ts';

export interface ServeOptions {
  readonly config: Config;
  readonly version: string;
  /** Aborted: stop taking work, end what is under way, leave. Instances live on. */
  readonly signal: AbortSignal;
  /** One JSON line each. */
  readonly writeLog: (line: string) => void;
  /** The roles stand, and no server yet: what is to be there before anybody asks. */
  readonly prepare?: (roles: RunningRoles) => Promise<void>;
  /** All servers listen; `socketPath` where the api role is, or the objects are. */
  readonly onReady?: (info: Pick<ProcessServers, 'socketPath' | 'ec2Urls' | 's3Urls'>) => void;
}

/** So long a daemon waits for commands that work without one. */
const COMMAND_MS = 600_000;
/** So long a process that ends waits for what it has under way on hosts. */
const DRAIN_MS = 30_000;
/** The kernel takes no longer path of a socket (unix(7)). */
const SOCKET_PATH_MAX = 107;

interface Parts extends StoreParts {
  readonly clock: SystemClock;
  readonly random: SystemRandom;
  readonly plan: ProcessPlan;
  readonly status: ProcessStatus;
  readonly metrics: Metrics | undefined;
  /** What is to be ended, in this order reversed. */
  readonly closers: Closer[];
}

/**
 * The configured roles in this process, in the foreground, until the signal. What it needs and can't reach it waits for. Rejects when it can't start
 * (CloudError 'LockBusy' names who holds the state, 'InvalidParameterCombination' says what to change) or when the store fails underneath it
 * ('StoragePoisoned').
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, signal, version } = options;
  const plan = processPlan(config, hostname());
  const clock = new SystemClock();
  const random = new SystemRandom();
  const logger = jsonLogger({ level: config.log.level, nowMs: () => clock.nowMs(), write: options.writeLog });
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  let poison: (error: CloudError) => void = () => undefined;
  const poisoned = new Promise<CloudError>((resolve) => (poison = resolve));
  const metrics = config.metrics.listen === '' ? undefined : createPromMetrics({ service: plan.name, version });
  const status = new ProcessStatus(plan, version, clock);
  const parts: Parts = {
    ...{ clock, random, logger, plan, status, metrics, closers: [] },
    onPoison: (error) => poison(error),
  };
  try {
    const { roles, servers } = await start(options, parts);
    status.is('ready');
    const { name, roles: words } = plan;
    const { cloudId } = roles.context ?? {};
    logger.info('the cloud is up', { node: name, roles: words, cloudId, socketPath: servers.socketPath });
    options.onReady?.(servers);
    const error = await Promise.race([aborted(signal), poisoned]);
    if (error !== undefined) throw error;
    logger.info('the cloud goes down; instances live on');
    status.is('draining');
    if (plan.shared) await drain(roles, servers);
  } catch (error) {
    // Whoever is told to end while it still waits for something ends well.
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    await closeAll(parts.closers);
  }
}

async function start(options: ServeOptions, parts: Parts): Promise<{ roles: RunningRoles; servers: ProcessServers }> {
  const { config, version, signal } = options;
  const { clock, random, logger, plan, status, metrics, closers } = parts;
  await takeStateDir(options, parts);
  const waiting = { clock, logger, signal };
  const bus = await patiently(waiting, 'the bus', () => openBus(config, { clock, random, logger }));
  closers.push(() => bus.close());
  status.hasBus(bus);
  const store = plan.roles.every((role) => role === 'worker')
    ? undefined
    : await patiently(waiting, 'the store', () => openStoreAfterCommands(options, parts));
  if (store !== undefined) {
    closers.push(() => store.close());
    status.hasStore(store);
    if (config.store.engine !== 'etcd') await openStatusSocket(options, parts);
  }
  // Hosts are opened before the metadata service stands; a guest that asks so early asks again.
  const door: MetadataDoor = { accept: (socket) => void socket.destroy() };
  const drivers = workerDrivers({
    ...{ config, clock, random, logger },
    ...(metrics === undefined ? {} : { metrics }),
    acceptMetadata: (...connection) => door.accept(...connection),
    mayMakeKey: !plan.shared,
  });
  const timed = measured({ bus, store }, parts);
  const roles = await startRoles({
    ...{ config, plan, version, clock, random, logger, signal, announces: true },
    ...timed,
    ...(plan.roles.includes('worker') ? drivers : {}),
    ...(metrics === undefined ? {} : { metrics }),
  });
  closers.push(() => roles.close());
  status.hasRoles(roles);
  if (metrics !== undefined) measureRoles(metrics, roles);
  await options.prepare?.(roles);
  const servers = await startServers({ roles, bus: timed.bus, config, clock, random, logger }, door);
  closers.push(() => servers.close());
  return { roles, servers };
}

function measured(
  { bus, store }: { bus: Bus; store: Store | undefined },
  { metrics, clock }: Parts,
): { bus: Bus; store?: Store } {
  if (metrics === undefined) return { bus, ...(store === undefined ? {} : { store }) };
  const timed = { metrics, clock };
  return { bus: measuredBus(bus, timed), ...(store === undefined ? {} : { store: measuredStore(store, timed) }) };
}

/** Readiness goes first, so that nobody new comes; then what is under way ends, or goes to others. */
async function drain(roles: RunningRoles, servers: ProcessServers): Promise<void> {
  await roles.gateway?.idle();
  await servers.close();
  await roles.drain(DRAIN_MS);
}

/** The folder belongs to one process. The file engine takes its lock itself. */
async function takeStateDir(options: ServeOptions, parts: Parts): Promise<void> {
  const { config } = options;
  const { clock, plan, status, metrics, closers } = parts;
  const isFile = config.store.engine === 'file' && plan.roles.some((role) => role !== 'worker');
  if (!isFile) {
    const holder = { pid: process.pid, since: isoTime(clock.nowMs()), ...holderOf() };
    const lock = await acquireStateLock({ dir: config.stateDir, name: 'store', holder });
    closers.push(() => lock.release());
    await openStatusSocket(options, parts);
  }
  if (config.metrics.listen === '') return;
  const { host, port } = parseListen(config.metrics.listen);
  const server = new StatusServer({
    listen: { host, port: port ?? METRICS_PORT },
    readiness: () => status.readiness(),
    metrics: metrics === undefined ? undefined : () => metrics.text(),
  });
  closers.push(() => server.close());
  await server.start();
}

const METRICS_PORT = 9773;

async function openStatusSocket({ config }: ServeOptions, { status, closers, logger }: Parts): Promise<void> {
  const path = join(config.stateDir, STATUS_SOCKET);
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    logger.warn('the path of the status socket is too long for one; there is none', { path });
    return;
  }
  const server = new StatusServer({ listen: { path }, readiness: () => status.readiness() });
  closers.push(() => server.close());
  await server.start();
}

const holderOf = () => ({ command: 'novactl serve', user: loginName(), kind: 'daemon' }) as const;

/** A command that works without a daemon ends by itself, so it is waited for; another daemon is not. */
function openStoreAfterCommands({ config, signal }: ServeOptions, parts: Parts): Promise<Store> {
  const { clock, random, logger, onPoison, metrics } = parts;
  const onSync = metrics && ((tookMs: number): void => metrics.time('journalSync', tookMs, {}));
  const patience: Patience = {
    ...{ clock, signal },
    timeoutMs: COMMAND_MS,
    worth: (other) => other?.kind === 'command',
    onWait: (other) => logger.info(`waiting for ${other}`, { stateDir: config.stateDir }),
  };
  return openStorePatiently(config, { clock, random, logger, onPoison, onSync, holder: holderOf() }, patience);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
