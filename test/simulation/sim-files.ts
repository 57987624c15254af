import type { Random } from '../../src/base/random.ts';
import { randomBelow } from '../../src/base/random.ts';
import type { FilePort, PortFile } from '../../src/adapters/store/file-port.ts';
import type { Scheduler } from './scheduler.ts';

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** How a process gets at its disk, and what may happen on the way. */
export interface DiskAccess {
  readonly disk: FilePort;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly latencyMs: () => number;
  readonly isDead: () => boolean;
  /** Called at each thing done to the disk; true when the process dies in the middle of it. */
  readonly step: (what: string) => boolean;
  /** True: the next sync fails. */
  readonly takeError: () => boolean;
}

/** The disk as one process sees it: slow by chance, and unreachable from the process's death on. */
export function simFiles(access: DiskAccess): FilePort {
  const { disk, isDead } = access;
  /** Waits its time; a dead process gets no further. */
  const reach = async (what: string): Promise<void> => {
    const latencyMs = access.latencyMs();
    if (latencyMs > 0) await access.scheduler.sleep(access.random.unit() * 2 * latencyMs);
    if (isDead()) await never();
    // Dies before it: as if it had never been asked for.
    if (access.step(`before ${what}`)) await never();
  };
  const changed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    await reach(what);
    const result = await work();
    return access.step(`after ${what}`) || isDead() ? never() : result;
  };
  const read = async <T>(work: () => Promise<T>): Promise<T> => (isDead() ? never() : work());
  return {
    makeDir: (dir) => read(() => disk.makeDir(dir)),
    list: (dir) => read(() => disk.list(dir)),
    read: (file) => read(() => disk.read(file)),
    freeBytes: (dir) => read(() => disk.freeBytes(dir)),
    lock: (dir, holder) => disk.lock(dir, holder),
    open: async (file, options) => simFile(await changed('open', () => disk.open(file, options)), access, changed),
    rename: (from, to) => changed('rename', () => disk.rename(from, to)),
    remove: (file) => changed('remove', () => disk.remove(file)),
    syncDir: (dir) => changed('syncDir', () => disk.syncDir(dir)),
  };
}

function simFile(
  file: PortFile,
  access: DiskAccess,
  changed: <T>(what: string, work: () => Promise<T>) => Promise<T>,
): PortFile {
  return {
    async write(data, position) {
      if (access.isDead()) await never();
      if (access.step('before write')) {
        // Killed within the call: some of it is in the page cache.
        await file.write(data.subarray(0, randomBelow(access.random, data.length + 1)), position);
        await never();
      }
      await file.write(data, position);
      if (access.step('after write')) await never();
    },
    datasync: () =>
      changed('datasync', () => {
        if (access.takeError()) return Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
        return file.datasync();
      }),
    truncate: (bytes) => changed('truncate', () => file.truncate(bytes)),
    close: () => file.close(),
  };
}
