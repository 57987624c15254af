import { watch as watchFolder, type FSWatcher } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Change, Lease, Store, StoreHealth, TxnResult } from '../../ports/store.ts';
import { systemFiles } from './file-port.ts';
import { FolderReader } from './folder-reader.ts';
import { segmentRevs } from './journal.ts';
import { ReplicaMap } from './replica-map.ts';
import { ReplicaReads } from './replica-reads.ts';
import { SNAPSHOT } from './snapshot.ts';

/** A change of the folder that no event told of is seen after this time at the latest. */
const LOOK_MS = 2000;

export interface ReadOnlyStoreOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The state folder of the file engine as it is on disk, for who must not lock it: reads what the owner wrote, repairs and writes nothing. Watches
 * follow the journal while another process appends to it; `barrier` reads what is new.
 * Answers undefined where there is no state. CloudError 'CorruptState' as the file engine says it, 'OperationNotPermitted'.
 */
export async function openReadOnlyStore(options: ReadOnlyStoreOptions): Promise<Store | undefined> {
  const { dir } = options;
  const names = await namesIn(dir);
  if (!names.includes(SNAPSHOT.current) && !names.includes(SNAPSHOT.previous) && segmentRevs(names).length === 0) {
    return undefined;
  }
  const store = new ReadOnlyStore(options);
  await store.barrier();
  return store;
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await systemFiles.list(dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    if (code !== 'EACCES') throw error;
    throw new CloudError(
      'OperationNotPermitted',
      `the state in ${dir} may be read by its owner alone; run novactl as that user or by sudo`,
      { cause: error },
    );
  }
}

class ReadOnlyStore extends ReplicaReads implements Store {
  readonly #options: ReadOnlyStoreOptions;
  readonly #replica: ReplicaMap;
  readonly #reader: FolderReader;
  #watcher: FSWatcher | undefined;
  #timer: { cancel(): void } | undefined;
  /** The look that is under way, and whether the folder has changed since it began. */
  #looking: Promise<void> | undefined;
  #again = false;
  #problem: string | undefined;
  #closed = false;

  constructor(options: ReadOnlyStoreOptions) {
    const { dir, clock, logger } = options;
    const replica = new ReplicaMap({ clock, logger });
    super(replica);
    this.#options = options;
    this.#replica = replica;
    this.#reader = new FolderReader({ dir, files: systemFiles, newReplica: () => new ReplicaMap({ clock, logger }) });
  }

  override watch(prefix: string, from: number, listener: (change: Change) => void): { close(): void } {
    this.#follow();
    return super.watch(prefix, from, listener);
  }

  override waitApplied(rev: number, timeoutMs: number): Promise<void> {
    this.#follow();
    return super.waitApplied(rev, timeoutMs);
  }

  txn(): Promise<TxnResult> {
    return Promise.reject(new CloudError('InternalError', 'this view of the state can not write'));
  }

  /** Reads what was written until now. */
  async barrier(): Promise<void> {
    // A look under way may have passed the place where the newest is.
    await this.#looking?.catch(() => undefined);
    await this.#look();
  }

  lease(): Promise<Lease> {
    return Promise.reject(new CloudError('Unavailable', 'this process only reads the state'));
  }

  health(): StoreHealth {
    const base = { engine: 'file', ok: this.#problem === undefined, rev: this.rev, keys: this.#replica.keys } as const;
    return this.#problem === undefined ? base : { ...base, problem: this.#problem };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watcher?.close();
    this.#timer?.cancel();
    await this.#looking?.catch(() => undefined);
    this.#replica.close(new CloudError('Unavailable', 'the store is closed'));
  }

  /** Events are hints and may be lost; the timer is for those. */
  #follow(): void {
    if (this.#timer !== undefined) return;
    const { dir, clock } = this.#options;
    this.#timer = clock.every(LOOK_MS, () => this.#hint(), { unref: true });
    const untold = (error: unknown): void =>
      this.#options.logger.debug('the folder is not watched, only looked at', { error: errorText(error) });
    try {
      this.#watcher = watchFolder(dir, () => this.#hint()).on('error', untold);
    } catch (error) {
      // A machine has so many watches and no more.
      untold(error);
    }
    this.#hint();
  }

  #hint(): void {
    this.#again = true;
    if (this.#looking !== undefined || this.#closed) return;
    void this.#look().catch((error: unknown) => {
      this.#options.logger.warn('the state can not be read now', { error: errorText(error) });
    });
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#reader.read(this.#replica);
        this.#problem = undefined;
      } catch (error) {
        this.#problem = errorText(error);
        throw error;
      }
    } while (this.#again && !this.#closed);
  }
}
