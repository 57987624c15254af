import type { EtcdApi } from '../../../src/adapters/store/etcd/etcd-api.ts';
import { EtcdLease } from '../../../src/adapters/store/etcd/etcd-lease.ts';
import { KeySpace } from '../../../src/adapters/store/etcd/key-space.ts';
import { listRecords } from '../../../src/adapters/store/etcd/list-records.ts';
import { TxnRunner } from '../../../src/adapters/store/etcd/txn-runner.ts';
import { ReplicaMap } from '../../../src/adapters/store/replica-map.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Random } from '../../../src/base/random.ts';
import type { Change, Store } from '../../../src/ports/store.ts';

export async function openProcessStore(parts: { api: EtcdApi; clock: Clock; random: Random }): Promise<Store> {
  const { api, clock } = parts;
  const logger = silentLogger;
  const keys = new KeySpace('novactl/');
  const replica = new ReplicaMap({ clock, logger });
  const runner = new TxnRunner({ ...parts, keys, logger, onNoSpace: () => undefined });
  const signal = new AbortController().signal;
  const listed = await listRecords({ ...parts, keys, replica, logger, signal });
  replica.load(listed.entries.values(), listed.rev);
  const follow = (): void => {
    api.watch(
      { key: keys.all.key, rangeEnd: keys.all.rangeEnd, startRevision: replica.rev + 1 },
      {
        onAnswer: ({ events, canceled }) => {
          if (canceled) return;
          const revs = new Map<number, Change['ops'][number][]>();
          for (const { kind, kv } of events) {
            const ops = revs.get(kv.modRevision) ?? [];
            revs.set(kv.modRevision, ops);
            const key = keys.recordKey(kv.key);
            if (key !== undefined) ops.push({ key, value: kind === 'put' ? JSON.parse(kv.value) : undefined });
          }
          for (const [rev, ops] of revs) replica.apply({ rev, ops }, 100);
        },
        onEnd: () => {
          clock.after(100, () => {
            void listRecords({ ...parts, keys, replica, logger, signal }).then(
              (again) => {
                replica.replace(again.entries, again.rev);
                follow();
              },
              () => follow(),
            );
          });
        },
      },
    );
  };
  follow();
  return {
    get rev() {
      return replica.rev;
    },
    get: (key) => replica.get(key),
    latest: (key) => replica.get(key),
    range: (prefix, options) => replica.range(prefix, options),
    count: (prefix) => replica.count(prefix),
    watch: (prefix, from, listener) => replica.watch(prefix, from, listener),
    waitApplied: (rev, timeoutMs) => replica.waitApplied(rev, timeoutMs),
    txn: async (txn) => {
      const { result, rev } = await runner.run(txn);
      await replica.waitApplied(rev, 15_000);
      return result;
    },
    barrier: async () => replica.waitApplied(await runner.touch(), 15_000),
    lease: (ttlMs) => EtcdLease.grant({ ...parts, ttlMs }),
    health: () => ({ engine: 'etcd', ok: true, rev: replica.rev, keys: replica.keys }),
    acceptHistory: () => Promise.resolve(),
    close: () => runner.close(),
  } as Store;
}
