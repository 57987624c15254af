import type { EtcdApi, EtcdEvent, EtcdWatchAnswer } from '../../src/adapters/store/etcd/etcd-api.ts';
import type { Clock, Timer } from '../../src/base/clock.ts';
import { EtcdModelClient } from './etcd-model-client.ts';
import { type EtcdCopy, EtcdModelState } from './etcd-model-state.ts';
import type { ModelWatch } from './etcd-model-watch.ts';

export type CallName = 'range' | 'txn' | 'leaseGrant' | 'leaseKeepAlive' | 'leaseRevoke' | 'alarms';

export interface ModelCall {
  /** Which client. */
  readonly client: string;
  readonly name: CallName;
  readonly request: unknown;
}

/** What happens to a call. The caller learns of each but `delay` as Unavailable, at once. */
export type CallFault =
  /** No effect. */
  | { readonly kind: 'lostRequest' }
  /** The effect, and no answer. */
  | { readonly kind: 'lostAnswer' }
  /** No answer, and the effect so much later: the request lay in some queue. */
  | { readonly kind: 'lateEffect'; readonly ms: number }
  /** Effect and answer so much later. */
  | { readonly kind: 'delay'; readonly ms: number };

export interface EtcdModelOptions {
  /** The servers' time: leases. */
  readonly clock: Clock;
  /** Of each message one way. Default 0: the next turn. */
  readonly latencyMs?: () => number;
  /** Events in one answer of a watch, at most; those of one revision stay together. Default 1000, as etcd. */
  readonly watchBatch?: number;
  readonly clusterId?: string;
}

/** A watch over a cut line ends after so long, as by gRPC's keepalive. */
const SILENT_MS = 10_000;

/**
 * An etcd cluster in memory, with what can happen to it and to the lines to it. Deterministic: all time is the clock's.
 * Keeps to etcd's rules where the store depends on them: one revision a transaction, batches of owed events whose header carries the store's
 * revision, leases that begin anew when a leader is elected, compaction that ends a watch, deletion by the end of a lease in one revision.
 */
export class EtcdModel {
  readonly state: EtcdModelState;
  /** Asked for each call when it reaches the servers. */
  faults: (call: ModelCall) => CallFault | undefined = () => undefined;
  /** Asked before each answer of a watch is handed over: 'cut' ends the stream instead. */
  watchFaults: (client: string, answer: EtcdWatchAnswer) => 'cut' | undefined = () => undefined;
  /** Events that the servers leave out, as some versions did. */
  losesEvent: (event: EtcdEvent) => boolean = () => false;
  readonly options: EtcdModelOptions;
  readonly watches = new Set<ModelWatch>();
  readonly #partitioned = new Set<string>();
  readonly #leaseTimers = new Map<string, Timer>();
  #quorum = true;

  constructor(options: EtcdModelOptions) {
    this.options = options;
    this.state = new EtcdModelState(options.clusterId ?? '1001');
  }

  get clock(): Clock {
    return this.options.clock;
  }

  /** A process's connection. Answers come by its own clock, so that a dead process hears nothing. */
  client(name: string, clock: Clock = this.clock): EtcdApi {
    return new EtcdModelClient(this, name, clock);
  }

  /** Whether the client's messages get there and back. */
  reaches(client: string): boolean {
    return !this.#partitioned.has(client);
  }

  get quorum(): boolean {
    return this.#quorum;
  }

  /** False: no call is answered, watches end ("no leader"), leases do not lapse. True: a leader is elected, leases begin anew. */
  set quorum(there: boolean) {
    if (there === this.#quorum) return;
    this.#quorum = there;
    if (!there) for (const watch of [...this.watches]) watch.end('etcd: no leader');
    else for (const { id } of this.state.leases()) this.renew(id);
  }

  /** The client's messages are lost, both ways; its watches are silent. */
  partition(client: string): void {
    this.#partitioned.add(client);
    this.clock.after(SILENT_MS, () => {
      if (this.#partitioned.has(client)) this.cutWatches(client);
    });
  }

  heal(client: string): void {
    this.#partitioned.delete(client);
    for (const watch of this.watches) watch.pump();
  }

  /** Ends the streams of one client, or of all. */
  cutWatches(client?: string): void {
    for (const watch of [...this.watches]) {
      if (client === undefined || watch.client === client) watch.end('the connection was cut');
    }
  }

  compact(rev: number): void {
    this.state.compact(rev);
    for (const watch of this.watches) watch.pump();
  }

  copy(): EtcdCopy {
    return this.state.copy();
  }

  /** All members are stopped and started on the copy. The cluster id stays, as `etcdctl snapshot restore` with the same names keeps it. */
  restore(copy: EtcdCopy, clusterId: string = this.state.clusterId): void {
    this.cutWatches();
    this.state.clusterId = clusterId;
    this.state.restore(copy);
    for (const timer of this.#leaseTimers.values()) timer.cancel();
    this.#leaseTimers.clear();
    for (const { id } of this.state.leases()) this.renew(id);
  }

  /** After every effect: watches go on. */
  committed(): void {
    for (const watch of this.watches) watch.pump();
  }

  /** The lease's time begins anew; its seconds, or 0 when it is over. */
  renew(id: string): number {
    const lease = this.state.lease(id);
    this.#leaseTimers.get(id)?.cancel();
    if (lease === undefined) return 0;
    const timer = this.clock.after(lease.ttlS * 1000, () => {
      if (this.#quorum) this.endLease(id);
    });
    this.#leaseTimers.set(id, timer);
    return lease.ttlS;
  }

  endLease(id: string): void {
    this.#leaseTimers.get(id)?.cancel();
    this.#leaseTimers.delete(id);
    this.state.revoke(id);
    this.committed();
  }
}
