import { afterAll, beforeAll } from 'vitest';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { etcdMissing } from '../support/etcd-node.ts';
import { subjectOn, twoOn } from '../support/etcd-stores.ts';
import { twoStoresContract } from './store-two.ts';
import { storeContract } from './store.ts';

const missing = etcdMissing();
let cluster: EtcdCluster | undefined;

beforeAll(async () => {
  if (missing === undefined) cluster = await EtcdCluster.start({ tls: true });
});
afterAll(() => cluster?.destroy());

/** The cluster; where there is none the test is skipped. */
function there(skip: (reason: string) => void): EtcdCluster {
  if (missing !== undefined) skip(missing);
  if (cluster === undefined) throw new Error('the cluster did not start');
  return cluster;
}

storeContract('[real] etcd x3, mTLS', ({ historyLength, skip }) => subjectOn(there(skip), historyLength));
twoStoresContract('[real] etcd x3, mTLS', (ctx) => twoOn(there((reason) => ctx.skip(reason))));
