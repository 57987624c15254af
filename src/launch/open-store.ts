import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { PREFIX } from '../domain/keys.ts';
import { openFileStore, type FileStoreOptions } from '../adapters/store/file-store.ts';
import { refuseImporting } from '../controller/state/importing.ts';
import { createMemoryStore } from '../adapters/store/memory-store.ts';
import type { Store } from '../ports/store.ts';
import { replicaDir } from './config/places.ts';
import type { Config } from './config/schema.ts';
import { openEtcd } from './open-etcd.ts';

/** A file in the state folder while `state restore` works on it. */
export const UNFINISHED_RESTORE = 'restore-unfinished';

export interface StoreParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onPoison: (error: CloudError) => void;
  /** Who this process is to one that finds the folder locked. */
  readonly holder?: FileStoreOptions['holder'];
  /** The disk took so long to have a batch of transactions for good (file engine). */
  readonly onSync?: FileStoreOptions['onSync'];
  /** False: no copy of etcd is kept on this machine. */
  readonly keepsCopy?: boolean;
}

/**
 * The store that the configuration names, for a cloud. The file engine takes the folder's lock: CloudError 'LockBusy' names who has it. 'CorruptState'
 * where an import was cut off. With etcd this process has a copy in a folder of its own, which is what is locked; 'Unavailable' where etcd
 * can't be reached and there is no copy.
 */
export async function openStore(config: Config, parts: StoreParts): Promise<Store> {
  const store = await openEngine(config, parts);
  try {
    refuseImporting(store);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The same with whatever is in it. */
export async function openEngine(config: Config, parts: StoreParts): Promise<Store> {
  if (config.store.engine === 'memory') {
    if (config.drivers === 'simulated') return createMemoryStore(parts);
    throw new CloudError(
      'InvalidParameterCombination',
      'store.engine: memory forgets everything at the end, so it goes with drivers: simulated only',
    );
  }
  if (config.store.engine === 'etcd') return openEtcdEngine(config, parts);
  if (existsSync(join(config.stateDir, UNFINISHED_RESTORE))) {
    throw new CloudError(
      'CorruptState',
      `a restore into ${config.stateDir} was cut off: run novactl state restore again; what was there before is in its folder replaced-*`,
    );
  }
  // On a disk that is nearly full, ending an instance must still be possible: what records it may be written then.
  return openFileStore({ dir: config.stateDir, ...parts, bookkeepingPrefixes: [PREFIX.operation, PREFIX.token] });
}

/** Loaded only where it is wanted, and gRPC with it. */
async function openEtcdEngine(config: Config, parts: StoreParts): Promise<Store> {
  const { clock, random, logger, holder, keepsCopy = true } = parts;
  const { openEtcdStore } = await import('../adapters/store/etcd/etcd-store.ts');
  const api = await openEtcd(config, parts);
  return openEtcdStore({
    ...{ api, clock, random, logger, holder, prefix: config.store.etcd.prefix },
    ...(keepsCopy ? { dir: replicaDir(config) } : {}),
  });
}
