import type { EtcdApi } from '../../../src/adapters/store/etcd/etcd-api.ts';
import type { FilePort } from '../../../src/adapters/store/file-port.ts';
import { openEtcdStore } from '../../../src/adapters/store/etcd/etcd-store.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Random } from '../../../src/base/random.ts';
import type { Store } from '../../../src/ports/store.ts';

/** The store on etcd as a process has it, with a copy on its disk or without. */
export function openProcessStore(parts: {
  api: EtcdApi;
  clock: Clock;
  random: Random;
  files: FilePort | undefined;
}): Promise<Store> {
  const { files, ...rest } = parts;
  const copy = files === undefined ? {} : { files, dir: '/sim/replica' };
  return openEtcdStore({ ...rest, ...copy, prefix: 'novactl/', logger: silentLogger });
}
