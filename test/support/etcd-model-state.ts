import { CloudError } from '../../src/base/errors.ts';
import type {
  EtcdCompare,
  EtcdEvent,
  EtcdHeader,
  EtcdKeyValue,
  EtcdOp,
  EtcdRange,
  EtcdRangeAnswer,
  EtcdTxn,
  EtcdTxnAnswer,
} from '../../src/adapters/store/etcd/etcd-api.ts';

interface ModelLease {
  readonly id: string;
  readonly ttlS: number;
  readonly keys: Set<string>;
}

/** A backup: what `etcdctl snapshot save` writes. */
export interface EtcdCopy {
  readonly revision: number;
  readonly compacted: number;
  readonly versions: ReadonlyMap<string, readonly Version[]>;
  readonly leases: readonly { readonly id: string; readonly ttlS: number }[];
}

/** A key as one revision left it; `kv` undefined: deleted. */
interface Version {
  readonly rev: number;
  readonly kv: EtcdKeyValue | undefined;
}

export function refused(reason: 'noSpace' | 'leaseGone', message: string): CloudError {
  return new CloudError('Unavailable', message, { details: { reason } });
}

/** What etcd's members agree on: keys with their history, leases without their clocks. Every call is one atomic step. */
export class EtcdModelState {
  clusterId: string;
  noSpace = false;
  #revision = 1;
  #compacted = 0;
  #versions = new Map<string, Version[]>();
  #log = new Map<number, EtcdEvent[]>();
  readonly #leases = new Map<string, ModelLease>();
  #lastLease = 0;

  constructor(clusterId: string) {
    this.clusterId = clusterId;
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  get header(): EtcdHeader {
    return { clusterId: this.clusterId, memberId: '1', revision: this.#revision };
  }

  /** What the revision changed. */
  eventsOf(rev: number): readonly EtcdEvent[] {
    return this.#log.get(rev) ?? [];
  }

  range(request: EtcdRange): EtcdRangeAnswer {
    const { key, rangeEnd, revision = this.#revision, limit = Infinity } = request;
    if (revision < this.#compacted) {
      throw new CloudError('Unavailable', `revision ${revision} has been compacted`, { details: { compacted: true } });
    }
    if (revision > this.#revision) throw new CloudError('Unavailable', `revision ${revision} is in the future`);
    const keys = rangeEnd === undefined ? [key] : this.#keysFrom(key, rangeEnd);
    const found = keys.map((name) => this.#at(name, revision)).filter((kv) => kv !== undefined);
    const kvs = request.countOnly === true ? [] : found.slice(0, limit);
    return {
      header: this.header,
      kvs: request.keysOnly === true ? kvs.map((kv) => ({ ...kv, value: '' })) : kvs,
      more: kvs.length < found.length && request.countOnly !== true,
      count: found.length,
    };
  }

  txn({ compare, success, failure }: EtcdTxn): EtcdTxnAnswer {
    const writes = (ops: readonly EtcdOp[]): boolean => ops.some((op) => op.kind === 'put');
    if (this.noSpace && (writes(success) || writes(failure))) throw refused('noSpace', 'etcd: database space exceeded');
    const succeeded = compare.every((item) => this.#holds(item));
    const ops = succeeded ? success : failure;
    for (const op of ops) {
      if (op.kind === 'put' && op.lease !== undefined && !this.#leases.has(op.lease)) {
        throw refused('leaseGone', 'etcd: requested lease not found');
      }
    }
    const rev = this.#revision + 1;
    const events: EtcdEvent[] = [];
    const ranges: (readonly EtcdKeyValue[])[] = [];
    for (const op of ops) {
      if (op.kind === 'range') ranges.push(this.range({ key: op.key }).kvs);
      else if (op.kind === 'put') events.push(this.#put(op.key, op.value, op.lease ?? '0', rev));
      else events.push(...this.#delete(op.key, rev));
    }
    this.#commit(rev, events);
    return { header: this.header, succeeded, ranges };
  }

  compact(rev: number): void {
    this.#compacted = rev;
    for (const [key, versions] of this.#versions) {
      const last = versions.findLastIndex((version) => version.rev <= rev);
      const kept = versions.slice(Math.max(0, last));
      if (kept.length === 1 && kept[0]?.kv === undefined) this.#versions.delete(key);
      else this.#versions.set(key, kept);
    }
    for (const old of this.#log.keys()) if (old < rev) this.#log.delete(old);
  }

  /** `id` may be chosen, as in etcd. */
  grant(ttlS: number): ModelLease {
    if (this.noSpace) throw refused('noSpace', 'etcd: database space exceeded');
    this.#lastLease += 1;
    const lease = { id: String(7_000_000 + this.#lastLease), ttlS: Math.max(2, ttlS), keys: new Set<string>() };
    this.#leases.set(lease.id, lease);
    return lease;
  }

  lease(id: string): ModelLease | undefined {
    return this.#leases.get(id);
  }

  leases(): ModelLease[] {
    return [...this.#leases.values()];
  }

  /** The lease ends, and its keys with it, in one revision. */
  revoke(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const rev = this.#revision + 1;
    this.#commit(
      rev,
      [...lease.keys].flatMap((key) => this.#delete(key, rev)),
    );
    this.#leases.delete(id);
  }

  copy(): EtcdCopy {
    return {
      revision: this.#revision,
      compacted: this.#compacted,
      versions: new Map([...this.#versions].map(([key, versions]) => [key, [...versions]])),
      leases: this.leases().map(({ id, ttlS }) => ({ id, ttlS })),
    };
  }

  restore(copy: EtcdCopy): void {
    this.#revision = copy.revision;
    this.#compacted = copy.compacted;
    this.#versions = new Map([...copy.versions].map(([key, versions]) => [key, [...versions]]));
    this.#log = new Map();
    for (const [key, versions] of this.#versions) {
      for (const { rev, kv } of versions) {
        const events = this.#log.get(rev) ?? [];
        this.#log.set(rev, events);
        events.push(eventOf(key, rev, kv));
      }
    }
    this.#leases.clear();
    for (const { id, ttlS } of copy.leases) {
      const keys = [...this.#versions].filter(([, versions]) => versions.at(-1)?.kv?.lease === id).map(([key]) => key);
      this.#leases.set(id, { id, ttlS, keys: new Set(keys) });
    }
  }

  #keysFrom(key: string, rangeEnd: string): string[] {
    const bytes = (text: string): Buffer => Buffer.from(text);
    const [low, high] = [bytes(key), bytes(rangeEnd)];
    const order = (a: string, b: string): number => Buffer.compare(bytes(a), bytes(b));
    return [...this.#versions.keys()]
      .filter((name) => Buffer.compare(bytes(name), low) >= 0 && Buffer.compare(bytes(name), high) < 0)
      .sort(order);
  }

  #at(key: string, revision: number): EtcdKeyValue | undefined {
    return this.#versions.get(key)?.findLast(({ rev }) => rev <= revision)?.kv;
  }

  #holds(compare: EtcdCompare): boolean {
    const kv = this.#at(compare.key, this.#revision);
    return 'exists' in compare ? kv !== undefined : (kv?.modRevision ?? 0) === compare.modRevision;
  }

  #put(key: string, value: string, lease: string, rev: number): EtcdEvent {
    const old = this.#at(key, this.#revision);
    if (old !== undefined) this.#leases.get(old.lease)?.keys.delete(key);
    this.#leases.get(lease)?.keys.add(key);
    const kv = { key, value, createRevision: old?.createRevision ?? rev, modRevision: rev, lease };
    return this.#add(key, rev, kv);
  }

  #delete(key: string, rev: number): EtcdEvent[] {
    const old = this.#at(key, this.#revision);
    if (old === undefined) return [];
    this.#leases.get(old.lease)?.keys.delete(key);
    return [this.#add(key, rev, undefined)];
  }

  #add(key: string, rev: number, kv: EtcdKeyValue | undefined): EtcdEvent {
    const versions = this.#versions.get(key) ?? [];
    this.#versions.set(key, versions);
    versions.push({ rev, kv });
    return eventOf(key, rev, kv);
  }

  #commit(rev: number, events: EtcdEvent[]): void {
    if (events.length === 0) return;
    this.#revision = rev;
    this.#log.set(rev, events);
  }
}

function eventOf(key: string, rev: number, kv: EtcdKeyValue | undefined): EtcdEvent {
  if (kv !== undefined) return { kind: 'put', kv };
  return { kind: 'delete', kv: { key, value: '', createRevision: 0, modRevision: rev, lease: '0' } };
}
