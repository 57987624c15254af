import type { EtcdApi } from '../../../src/adapters/store/etcd/etcd-api.ts';
import { openEtcdStore } from '../../../src/adapters/store/etcd/etcd-store.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Random } from '../../../src/base/random.ts';
import type { Store } from '../../../src/ports/store.ts';

export function openProcessStore(parts: { api: EtcdApi; clock: Clock; random: Random }): Promise<Store> {
  return openEtcdStore({ ...parts, prefix: 'novactl/', logger: silentLogger });
}
