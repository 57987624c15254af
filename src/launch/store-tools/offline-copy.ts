import { openReadOnlyStore } from '../../adapters/store/read-only-store.ts';
import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import type { Store } from '../../ports/store.ts';
import { replicaDir } from '../config/places.ts';
import type { Config } from '../config/schema.ts';

/**
 * What this machine has on disk of the store, read-only and as old as it is: the state folder of the file engine, or the copy that a process keeps of
 * etcd. CloudError 'NotFound', 'CorruptState', 'OperationNotPermitted'.
 */
export async function openOfflineCopy({ config, clock }: { config: Config; clock: Clock }): Promise<Store> {
  const dir = config.store.engine === 'file' ? config.stateDir : replicaDir(config);
  const store = await openReadOnlyStore({ dir, clock, logger: silentLogger });
  if (store === undefined) throw new CloudError('NotFound', `there is no copy of the state in ${dir}`);
  return store;
}
