import type { Json } from '../base/json.ts';

/** One key as it stands: `rev` is the revision of the transaction that last wrote it. */
export interface Entry<T = Json> {
  readonly key: string;
  readonly value: T;
  readonly rev: number;
}

/** What must hold for a transaction to apply. `rev` compares with the key's own last-write revision. */
export type Guard =
  | { readonly key: string; readonly rev: number }
  | { readonly key: string; readonly absent: true }
  | { readonly key: string; readonly exists: true };

export interface Put {
  readonly key: string;
  readonly value: Json;
  /** The key goes with this lease. Only for keys under STORE_LIMITS.leasedPrefix, and a lease of this very store. */
  readonly lease?: Lease;
}

/**
 * Says that a process lives. Its keys are deleted when it is closed, or `ttlMs` after the process has died or can't reach the store any more.
 */
export interface Lease {
  readonly id: string;
  /**
   * By this process's own monotonic clock two thirds of the time since the last renewal are not over. Whoever acts for what the lease stands for
   * asks this first: after a pause the answer is no before anybody else could take over.
   */
  readonly fresh: boolean;
  /** Aborted when the store says that the lease is over; a new one is needed. */
  readonly lost: AbortSignal;
  /** Deletes its keys. */
  close(): Promise<void>;
}

export interface Txn {
  /** Names this change: the same token again within 15 minutes has no second effect and gets the same answer. */
  readonly token?: string;
  readonly guards?: readonly Guard[];
  readonly puts?: readonly Put[];
  readonly dels?: readonly string[];
}

export type TxnResult =
  | { readonly ok: true; readonly rev: number }
  /** What the guarded keys hold (absent keys are missing), so that the caller can decide again at once. */
  | { readonly ok: false; readonly current: ReadonlyMap<string, Entry> };

/** One committed transaction, whole. `value` undefined: the key was deleted. */
export interface Change {
  readonly rev: number;
  readonly ops: readonly { readonly key: string; readonly value: Json | undefined }[];
}

export interface RangeOptions {
  /** Only keys greater than this one: the paging cursor. */
  readonly after?: string;
  readonly limit?: number;
}

/** The read half: served from memory, always a prefix of the committed history. */
export interface Replica {
  /** The last applied revision. */
  readonly rev: number;
  get<T = Json>(key: string): Entry<T> | undefined;
  /** Entries whose key starts with prefix, in key order (by UTF-16 code unit). */
  range<T = Json>(prefix: string, options?: RangeOptions): Entry<T>[];
  /** How many keys start with prefix. */
  count(prefix: string): number;
  /**
   * Calls `listener` once for each committed transaction from revision `from` on that touches the prefix (ops filtered to it), in order,
   * after it is durable and applied. Throws CloudError('Unavailable') when history before `from` is gone: list and watch from `rev + 1`.
   */
  watch(prefix: string, from: number, listener: (change: Change) => void): { close(): void };
  /** Resolves when `rev` >= the given one; CloudError('Timeout') after timeoutMs. */
  waitApplied(rev: number, timeoutMs: number): Promise<void>;
}

export interface StoreHealth {
  readonly engine: 'file' | 'etcd' | 'memory';
  readonly ok: boolean;
  readonly rev: number;
  readonly keys: number;
  /** Why not ok. */
  readonly problem?: string;
  /** Reads may be this much behind what others have committed; absent: they are not. */
  readonly staleMs?: number;
  /**
   * The store behind this one is not the one that was followed before: it was restored from an older copy, or replaced. Stays until
   * `acceptHistory`.
   */
  readonly restored?: RestoredStore;
}

export interface RestoredStore {
  readonly sinceMs: number;
  /** What gave it away, for a person. */
  readonly reason: string;
  /** The last revision that was known before, and the one that it has now. */
  readonly knownRev: number;
  readonly rev: number;
  /** When the last adoption (AdoptedRecord) that the state known before had was made; absent: none. */
  readonly adoptedAtMs?: number;
}

/**
 * All system state. Limits, the same in every engine: STORE_LIMITS. A transaction that resolves with ok is durable.
 * Errors: CloudError 'InvalidParameterValue' (a limit), 'Unavailable' (cannot commit now), 'StoragePoisoned' (a write or sync failed:
 * the outcome is unknown until the next start).
 */
export interface Store extends Replica {
  txn(txn: Txn): Promise<TxnResult>;
  /**
   * The key as far as this process knows it: with what was taken in and is not durable yet, where the engine can tell. For the guards of a
   * transaction, which are judged against the same, so that callers side by side need not wait for each other's commits. Whoever answers
   * from it without a commit of his own waits for `barrier` first.
   */
  latest<T = Json>(key: string): Entry<T> | undefined;
  /** After it resolves, reads see everything that was committed anywhere before the call. */
  barrier(): Promise<void>;
  /** A new lease. Errors: 'Unavailable'. */
  lease(ttlMs: number): Promise<Lease>;
  health(): StoreHealth;
  close(): Promise<void>;
}

/** A store that says `restored` when it finds another history behind it than the one it followed. */
export interface RestorableStore extends Store {
  /** What the store has now is what counts: `restored` is over, also after a restart. */
  acceptHistory(): Promise<void>;
}

export function isRestorable(store: Store): store is RestorableStore {
  return 'acceptHistory' in store;
}

export const STORE_LIMITS = {
  leasedPrefix: 'alive/',
  opsPerTxn: 100,
  valueBytes: 64 * 1024,
  /** All keys and values of a transaction together: etcd takes requests of 1.5 MiB unless it is told otherwise. */
  txnBytes: 1024 * 1024,
  keyBytes: 512,
  tokenKeepMs: 15 * 60_000,
} as const;
