import { type Clock, isoTime } from '../../base/clock.ts';
import { type CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { measured } from '../../base/measured.ts';
import { MIB } from '../../base/units.ts';
import { type Store, STORE_LIMITS } from '../../ports/store.ts';
import { Checkpointer, type CheckpointTunables } from './checkpoint.ts';
import { CommitLine } from './commit-line.ts';
import { EngineStore } from './engine-store.ts';
import { type FilePort, systemFiles } from './file-port.ts';
import { Journal } from './journal.ts';
import { dropLeased } from './local-leases.ts';
import { recover } from './recovery.ts';
import { ReplicaMap } from './replica-map.ts';
import { SnapshotAdapter } from './snapshot.ts';
import { SpaceGuard, type SpaceOptions } from './space-guard.ts';
import type { LockHolder, StateLock } from './state-lock.ts';
import { TokenBook } from './token-book.ts';

export interface FileStoreOptions
  extends
    CheckpointTunables,
    Pick<SpaceOptions, 'softFreeBytes' | 'hardFreeBytes' | 'bookkeepingPrefixes' | 'spaceCheckMs'> {
  /** Made with mode 0700 when absent; belongs to one process at a time. */
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The journal failed: every later write is refused with this error, and the process should end and start anew. */
  readonly onPoison?: (error: CloudError) => void;
  /** Default: the machine's own. */
  readonly files?: FilePort;
  /** Size of a journal segment. Default 32 MiB. */
  readonly segmentBytes?: number;
  /** How many past changes can be watched from. Default 10 000. */
  readonly historyLength?: number;
  /** The disk took so long to have a batch for good. */
  readonly onSync?: ((tookMs: number) => void) | undefined;
  /** Names this process to one that finds the folder locked. Default: the command line's first words. */
  readonly holder?: Partial<Pick<LockHolder, 'command' | 'user' | 'kind'>> | undefined;
}

/**
 * The file engine: state in memory, every transaction in an fsynced journal before it is acknowledged, and a lowdb snapshot
 * (`replica.json`) now and then so that the journal stays short.
 * CloudError 'LockBusy' (another process has the folder), 'CorruptState' (names file and offset).
 */
export async function openFileStore(options: FileStoreOptions): Promise<Store> {
  const { dir, clock, files = systemFiles } = options;
  await files.makeDir(dir);
  const command = process.argv.slice(1, 4).join(' ');
  const lock = await files.lock(dir, { pid: process.pid, command, since: isoTime(clock.nowMs()), ...options.holder });
  try {
    return await build(options, files, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function build(options: FileStoreOptions, files: FilePort, lock: StateLock): Promise<Store> {
  const { dir, clock, logger } = options;
  const replica = new ReplicaMap({
    clock,
    logger,
    ...(options.historyLength === undefined ? {} : { historyLength: options.historyLength }),
  });
  const tokens = new TokenBook(clock, STORE_LIMITS.tokenKeepMs);
  const found = await recover({ dir, files, logger, replica, tokens });
  const space = new SpaceGuard({ ...options, files });
  await space.start();
  const segmentBytes = options.segmentBytes ?? 32 * MIB;
  const journal = new Journal({ ...found, dir, files, clock, segmentBytes, onWrite: (bytes) => space.wrote(bytes) });
  const adapter = new SnapshotAdapter({
    dir,
    files,
    defer: (run) => clock.defer(run),
    hasCurrent: found.hasCurrent,
    onWrite: (bytes) => space.admitBulk(bytes),
  });
  const checkpointer = new Checkpointer({
    ...options,
    replica,
    tokens,
    journal,
    adapter,
    snapshotRev: found.snapshotRev,
    pendingOps: found.replayedOps,
    pendingBytes: found.replayedBytes,
  });
  let poisoned = false;
  const line = new CommitLine({
    clock,
    replica,
    tokens,
    log:
      options.onSync === undefined
        ? journal
        : measured(journal, ['append'], clock, ({ tookMs }) => options.onSync?.(tookMs)),
    admit: (txn, isNew) => space.admit(txn, isNew),
    onCommitted: (ops, bytes) => checkpointer.note(ops, bytes),
    onPoison: (error) => {
      poisoned = true;
      logger.error('the store is poisoned', { dir, error: error.message });
      options.onPoison?.(error);
    },
  });
  const onClose = async (): Promise<void> => {
    space.close();
    await checkpointer.close(!poisoned);
    await journal.close().finally(() => lock.release());
  };
  const store = new EngineStore({ engine: 'file', replica, line, problem: () => space.problem(), onClose });
  try {
    await dropLeased(replica, (txn) => store.txn(txn));
  } catch (error) {
    // A full disk is no reason not to open: they are dropped at the next start.
    logger.warn('keys of dead processes are still there', { dir, error: errorText(error) });
  }
  return store;
}
