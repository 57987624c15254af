import { existsSync } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../ports/store.ts';
import { STORE_LIMITS } from '../../ports/store.ts';
import type { Config } from '../config/schema.ts';
import { loginName } from '../login-name.ts';
import { openEngine } from '../open-store.ts';

export interface StoppedStoreOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  /** Who this process is to others that find the store in use. */
  readonly command: string;
  /** An empty state is made where there is none. */
  readonly create?: boolean;
}

/**
 * The configured store while no cloud runs on it: of the file engine the state folder with its lock, of etcd one without a living process.
 * CloudError 'LockBusy', 'IncorrectState' (says which processes live), 'NotFound' (no state), 'UnsupportedOperation' (the memory engine).
 */
export async function openStoppedStore(options: StoppedStoreOptions): Promise<Store> {
  const { config, clock, random, command } = options;
  if (config.store.engine === 'memory') {
    throw new CloudError('UnsupportedOperation', 'store.engine: memory keeps nothing; say file or etcd');
  }
  if (config.store.engine === 'file' && options.create !== true && !existsSync(config.stateDir)) {
    throw new CloudError('NotFound', `there is no state in ${config.stateDir}`);
  }
  const holder = { command, user: loginName(), kind: 'command' } as const;
  const parts = { clock, random, logger: silentLogger, onPoison: () => undefined, holder, keepsCopy: false };
  const store = await openEngine(config, parts);
  try {
    await store.barrier();
    if (config.store.engine === 'etcd') refuseLive(store);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** A process that died is there for as long as its lease lasts. */
function refuseLive(store: Pick<Store, 'range'>): void {
  const live = store.range(STORE_LIMITS.leasedPrefix).map(({ key }) => key.slice(STORE_LIMITS.leasedPrefix.length));
  if (live.length === 0) return;
  throw new CloudError(
    'IncorrectState',
    `the cloud runs: ${live.slice(0, 8).join(', ')}${live.length > 8 ? ` and ${live.length - 8} more` : ''}; stop every process (a killed one is gone after ${Math.ceil(LEASE_MS / 1000)} s), then try again`,
    { details: { live } },
  );
}

/** What leases of processes last at most. */
const LEASE_MS = 10_000;
