/**
 * The calls of etcd's version 3 API that the store uses, in terms of this program: text keys and values, revisions as numbers (they stay far below
 * 2^53). One implementation speaks gRPC (grpc-etcd.ts); the simulation and unit tests have a model.
 * Names and meaning: etcd's rpc.proto (KV, Watch, Lease, Maintenance).
 *
 * Errors of every call: CloudError 'Unavailable', also when the answer was lost: the effect is then UNKNOWN, never "failed". details.reason says
 * 'noSpace' for a raised NOSPACE alarm (then nothing happened), 'denied' for missing permission or a refused certificate (then nothing happened),
 * 'leaseGone' when a put names a lease that is over or never was (gRPC NotFound "requested lease not found"; nothing happened).
 */
export interface EtcdApi {
  range(request: EtcdRange, options: CallOptions): Promise<EtcdRangeAnswer>;
  txn(request: EtcdTxn, options: CallOptions): Promise<EtcdTxnAnswer>;
  /**
   * Follows keys. `onAnswer` gets each answer of the server in order, also the empty first one (`created`) and beats (`progress`); after `onEnd` there is
   * nothing more, and the stream is over: a new one is needed. Asks the server to end the stream when its member has no leader.
   */
  watch(request: EtcdWatch, listener: EtcdWatchListener): { close(): void };
  leaseGrant(
    ttlS: number,
    options: CallOptions,
  ): Promise<{ readonly id: string; readonly ttlS: number; readonly header: EtcdHeader }>;
  /** `ttlS` 0: the lease is over. */
  leaseKeepAlive(id: string, options: CallOptions): Promise<{ readonly ttlS: number }>;
  leaseRevoke(id: string, options: CallOptions): Promise<void>;
  /** Raised alarms of the cluster. */
  alarms(options: CallOptions): Promise<readonly ('noSpace' | 'corrupt')[]>;
  close(): void;
}

export interface CallOptions {
  readonly timeoutMs: number;
}

export interface EtcdHeader {
  readonly clusterId: string;
  readonly memberId: string;
  /** Of the whole store, at the answer. */
  readonly revision: number;
}

export interface EtcdKeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** '0': none. */
  readonly lease: string;
}

export interface EtcdRange {
  readonly key: string;
  /** All keys from `key` up to this one, exclusive; absent: `key` alone. */
  readonly rangeEnd?: string;
  readonly limit?: number;
  /** As of this revision; absent: now, by the cluster's majority. Compacted: CloudError 'Unavailable' with details.compacted true. */
  readonly revision?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface EtcdRangeAnswer {
  readonly header: EtcdHeader;
  readonly kvs: readonly EtcdKeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export type EtcdCompare =
  /** The key was last written at this revision; 0: it is absent. */
  | { readonly key: string; readonly modRevision: number }
  /** The key is there. */
  | { readonly key: string; readonly exists: true };

export type EtcdOp =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'range'; readonly key: string };

export interface EtcdTxn {
  readonly compare: readonly EtcdCompare[];
  readonly success: readonly EtcdOp[];
  readonly failure: readonly EtcdOp[];
}

export interface EtcdTxnAnswer {
  readonly header: EtcdHeader;
  readonly succeeded: boolean;
  /** What the ranges of the branch that was taken found, in their order. */
  readonly ranges: readonly (readonly EtcdKeyValue[])[];
}

export interface EtcdWatch {
  readonly key: string;
  readonly rangeEnd: string;
  /** The first revision that is wanted. */
  readonly startRevision: number;
}

export interface EtcdWatchAnswer {
  /** Its revision is the STORE's, not that of the last event here: never resume from it. */
  readonly header: EtcdHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Not 0: the history before this revision is gone. */
  readonly compactRevision: number;
  readonly events: readonly EtcdEvent[];
}

export interface EtcdEvent {
  readonly kind: 'put' | 'delete';
  /** For a delete only key and modRevision count. */
  readonly kv: EtcdKeyValue;
}

export interface EtcdWatchListener {
  onAnswer(answer: EtcdWatchAnswer): void;
  onEnd(problem: string): void;
}
