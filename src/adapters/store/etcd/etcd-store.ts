import { isoTime } from '../../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Lease, RestorableStore, StoreHealth, Txn, TxnResult } from '../../../ports/store.ts';
import type { CheckpointTunables } from '../checkpoint.ts';
import { type FilePort, systemFiles } from '../file-port.ts';
import { ReplicaMap } from '../replica-map.ts';
import { ReplicaReads } from '../replica-reads.ts';
import type { LockHolder, StateLock } from '../state-lock.ts';
import { Alarms } from './alarms.ts';
import { DiskCopy } from './disk-copy.ts';
import type { EtcdApi } from './etcd-api.ts';
import { EtcdLease } from './etcd-lease.ts';
import { closedError, PATIENCE_MS, type TimeAndChance } from './etcd-patience.ts';
import { Follower, type FollowerTunables } from './follower.ts';
import { KeySpace } from './key-space.ts';
import { Origin } from './origin.ts';
import { type TxnCounts, type Ended, TxnRunner } from './txn-runner.ts';

export interface EtcdStoreOptions extends TimeAndChance, FollowerTunables, CheckpointTunables {
  /** Belongs to the store from here on: closed with it. */
  readonly api: EtcdApi;
  /** All keys of this cloud begin with it; ends with '/'. */
  readonly prefix: string;
  /** Keeps a copy of the replica there (0700, one process); undefined: none. */
  readonly dir?: string;
  readonly logger: Logger;
  /** Default: the machine's own. */
  readonly files?: FilePort;
  /** How many past changes can be watched from. Default 10 000. */
  readonly historyLength?: number;
  /** Names this process to one that finds the folder locked. */
  readonly holder?: Partial<Pick<LockHolder, 'command' | 'user' | 'kind'>> | undefined;
}

/**
 * A change that was made is answered after so long at the latest, seen here or not. Long enough for a watch that hangs on a frozen node to be given
 * up and begun on another: whoever changed something reads it here next.
 */
const SEEN_MS = PATIENCE_MS;
/** How long a store with a copy on disk waits at its start for etcd. */
const WARM_START_MS = 5_000;

/**
 * The store on etcd: changes are its guarded transactions, each with one effect at most; reads come from memory, which follows its events.
 * With a copy on disk it also opens while etcd can't be reached, stale, for reads. CloudError 'Unavailable' (etcd can't be reached and there is no copy),
 * 'LockBusy' (another process has the folder).
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<EtcdStore> {
  const { api, clock, dir, files = systemFiles, logger } = options;
  let lock: StateLock | undefined;
  let store: EtcdStore | undefined;
  try {
    if (dir !== undefined) {
      await files.makeDir(dir);
      const command = process.argv.slice(1, 4).join(' ');
      lock = await files.lock(dir, { pid: process.pid, command, since: isoTime(clock.nowMs()), ...options.holder });
    }
    const { historyLength } = options;
    const replica = new ReplicaMap({ clock, logger, ...(historyLength === undefined ? {} : { historyLength }) });
    const place = dir === undefined ? undefined : { dir, files };
    const origin = new Origin(place);
    await origin.load();
    const disk = place === undefined ? undefined : await DiskCopy.open({ ...options, ...place, replica });
    store = new EtcdStore(options, { replica, origin, disk, ...(lock === undefined ? {} : { lock }) });
    await store.open();
    return store;
  } catch (error) {
    if (store === undefined) {
      lock?.release();
      api.close();
    } else {
      await store.close();
    }
    throw error;
  }
}

interface Parts {
  readonly replica: ReplicaMap;
  readonly origin: Origin;
  readonly disk: DiskCopy | undefined;
  readonly lock?: StateLock;
}

export class EtcdStore extends ReplicaReads implements RestorableStore {
  readonly #options: EtcdStoreOptions;
  readonly #parts: Parts;
  readonly #replica: ReplicaMap;
  readonly #runner: TxnRunner;
  readonly #follower: Follower;
  readonly #alarms: Alarms;
  readonly #under = new Set<Promise<unknown>>();
  readonly #leases = new Set<EtcdLease>();
  #closing: Promise<void> | undefined;

  constructor(options: EtcdStoreOptions, parts: Parts) {
    super(parts.replica);
    this.#options = options;
    this.#parts = parts;
    this.#replica = parts.replica;
    const keys = new KeySpace(options.prefix);
    this.#alarms = new Alarms(options);
    this.#runner = new TxnRunner({ ...options, keys, onNoSpace: () => this.#alarms.lookSoon() });
    this.#follower = new Follower({ ...options, ...parts, keys, touch: () => this.#runner.touch() });
  }

  /** What has happened to transactions since the start. */
  get counts(): Readonly<TxnCounts> {
    return this.#runner.counts;
  }

  /** Once, by openEtcdStore. */
  async open(): Promise<void> {
    const { clock, logger } = this.#options;
    const warm = this.#replica.rev > 0;
    this.#follower.start();
    this.#alarms.start();
    const late = new Promise<'late'>((resolve) => {
      const timer = clock.after(warm ? WARM_START_MS : PATIENCE_MS, () => resolve('late'));
      void this.#follower.synced.then(() => timer.cancel());
    });
    const first = await Promise.race([this.#follower.synced, late]);
    try {
      if (first !== 'late') await this.#follower.catchUp();
      else if (!warm) throw new CloudError('Unavailable', `etcd can't be reached: ${this.#follower.problem ?? ''}`);
    } catch (error) {
      if (!warm) throw error;
      logger.warn('etcd can not be reached; reads answer from the copy on disk', { error: errorText(error) });
    }
  }

  txn(txn: Txn): Promise<TxnResult> {
    return this.#during(async () => {
      const ended = await this.#runner.run(txn);
      await this.#seen(ended);
      return ended.result;
    });
  }

  barrier(): Promise<void> {
    return this.#during(() => this.#follower.catchUp());
  }

  lease(ttlMs: number): Promise<Lease> {
    return this.#during(async () => {
      const afterClose = (): Promise<void> => this.barrier().catch(() => undefined);
      const lease = await EtcdLease.grant({ ...this.#options, ttlMs, afterClose });
      for (const old of this.#leases) if (old.over) this.#leases.delete(old);
      this.#leases.add(lease);
      return lease;
    });
  }

  acceptHistory(): Promise<void> {
    return this.#parts.origin.set({ restored: null });
  }

  health(): StoreHealth {
    const closed = this.#closing === undefined ? undefined : closedError().message;
    const { problem: cut, staleMs } = this.#follower;
    const cutText = cut === undefined ? undefined : `etcd does not answer (${cut}); changes are refused, reads are old`;
    const problem = closed ?? cutText ?? this.#alarms.problem;
    const { restored } = this.#parts.origin;
    return {
      ...{ engine: 'etcd', ok: problem === undefined, rev: this.#replica.rev, keys: this.#replica.keys },
      ...(problem === undefined ? {} : { problem }),
      ...(staleMs === undefined ? {} : { staleMs }),
      ...(restored === undefined ? {} : { restored }),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #seen({ rev, askedMs }: Ended): Promise<void> {
    try {
      await this.#replica.waitApplied(rev, SEEN_MS);
      this.#follower.proven(askedMs, rev);
    } catch (error) {
      if (!isCode(error, 'Timeout', 'Unavailable')) throw error;
      this.#options.logger.warn('a change that was made is not seen here yet', { rev, here: this.#replica.rev });
    }
  }

  #during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    const running = work();
    const noted: Promise<unknown> = running.then(
      () => this.#under.delete(noted),
      () => this.#under.delete(noted),
    );
    this.#under.add(noted);
    return running;
  }

  async #close(): Promise<void> {
    const { disk, lock } = this.#parts;
    await Promise.all(this.#under);
    this.#alarms.close();
    const leases = [...this.#leases].map((lease) => lease.end());
    await Promise.allSettled([...leases, this.#runner.close()]);
    await this.#follower.close();
    this.#replica.close(closedError());
    this.#options.api.close();
    try {
      await disk?.close();
    } finally {
      lock?.release();
    }
  }
}
