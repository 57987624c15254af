import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createStoreDirectory } from '../../src/adapters/directory/store-directory.ts';
import { openEtcdStore } from '../../src/adapters/store/etcd/etcd-store.ts';
import { openFileStore } from '../../src/adapters/store/file-store.ts';
import { createMemoryStore } from '../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Store } from '../../src/ports/store.ts';
import { EtcdModel } from '../support/etcd-model.ts';
import { directoryContract, type DirectorySubject } from './directory.ts';

const clock = new SystemClock();
const random = new SystemRandom();

/** Two that ask one store, as the api and the controller of one process do. */
function subjectOn(store: Store, dispose: () => Promise<void> = () => Promise.resolve()): DirectorySubject {
  return {
    directory: createStoreDirectory({ store, random }),
    second: createStoreDirectory({ store, random }),
    async close() {
      await store.close();
      await dispose();
    },
  };
}

directoryContract('the store in memory', () => Promise.resolve(subjectOn(createMemoryStore({ clock, random }))));

directoryContract('the store in files', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'novactl-directory-'));
  const store = await openFileStore({ dir, clock, random, logger: silentLogger });
  return subjectOn(store, () => rm(dir, { recursive: true }));
});

directoryContract('the store in an etcd model', async () => {
  const api = new EtcdModel({ clock }).client('a');
  return subjectOn(await openEtcdStore({ api, prefix: 'novactl/', clock, random, logger: silentLogger }));
});
