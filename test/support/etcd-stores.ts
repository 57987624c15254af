import { type EtcdStore, type EtcdStoreOptions, openEtcdStore } from '../../src/adapters/store/etcd/etcd-store.ts';
import { createGrpcEtcd } from '../../src/adapters/store/etcd/grpc-etcd.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { TwoStores } from '../contract/store-two.ts';
import type { StoreSubject } from '../contract/store.ts';
import type { EtcdAccess, EtcdCluster } from './etcd-cluster.ts';

const parts = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger };
let prefixes = 0;

/** Keys that no other test has. */
export function freshPrefix(): string {
  prefixes += 1;
  return `test${prefixes}/`;
}

/** A store of its own connection, as another process would have it. */
export function openStoreOn(
  access: EtcdAccess,
  options: Partial<EtcdStoreOptions> & { prefix: string },
): Promise<EtcdStore> {
  return openEtcdStore({ ...parts, api: createGrpcEtcd({ ...parts, ...access }), ...options });
}

/** For the contract: the cluster's nodes, and keys of its own. */
export async function subjectOn(cluster: EtcdCluster, historyLength: number): Promise<StoreSubject> {
  const store = await openStoreOn(cluster.access(), { prefix: freshPrefix(), historyLength });
  return { store, close: () => store.close() };
}

export async function twoOn(cluster: EtcdCluster): Promise<TwoStores> {
  const prefix = freshPrefix();
  const more = (): Promise<EtcdStore> => openStoreOn(cluster.access(), { prefix });
  const [a, b] = await Promise.all([more(), more()]);
  return { a, b, more, close: async () => void (await Promise.all([a.close(), b.close()])) };
}
