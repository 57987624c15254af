import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { openEtcdStore } from '../../src/adapters/store/etcd/etcd-store.ts';
import { openFileStore } from '../../src/adapters/store/file-store.ts';
import { createMemoryStore } from '../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { EtcdModel } from '../support/etcd-model.ts';
import { twoStoresContract } from './store-two.ts';
import { storeContract } from './store.ts';

const clock = new SystemClock();
const random = new SystemRandom();

storeContract('memory', async ({ historyLength }) => {
  const store = createMemoryStore({ clock, random, historyLength });
  return { store, close: () => store.close() };
});

storeContract('file', async ({ historyLength }) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'novactl-store-'));
  const store = await openFileStore({ dir, clock, random, logger: silentLogger, historyLength });
  return {
    store,
    close: async () => {
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
});

// Small marks, so that segments and snapshots turn over all the time underneath.
storeContract('file, turning over', async ({ historyLength }) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'novactl-store-'));
  const store = await openFileStore({
    ...{ dir, clock, random, logger: silentLogger, historyLength },
    ...{ snapshotOps: 3, segmentBytes: 500, closeSnapshotOps: 1 },
  });
  return {
    store,
    close: async () => {
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
});

storeContract('etcd model', async ({ historyLength }) => {
  const model = new EtcdModel({ clock });
  const options = { prefix: 'novactl/', clock, random, logger: silentLogger, historyLength };
  const store = await openEtcdStore({ ...options, api: model.client('a') });
  return { store, close: () => store.close() };
});

twoStoresContract('etcd model', async () => {
  const model = new EtcdModel({ clock });
  const open = (name: string) =>
    openEtcdStore({ api: model.client(name), prefix: 'novactl/', clock, random, logger: silentLogger });
  const [a, b] = [await open('a'), await open('b')];
  return { a, b, more: () => open('c'), close: async () => void (await Promise.all([a.close(), b.close()])) };
});
