import { CloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import {
  type Entry,
  type Lease,
  type Store,
  STORE_LIMITS,
  type StoreHealth,
  type Txn,
  type TxnResult,
} from '../../ports/store.ts';
import type { CommitLine } from './commit-line.ts';
import { LocalLeases } from './local-leases.ts';
import type { ReplicaMap } from './replica-map.ts';
import { ReplicaReads } from './replica-reads.ts';

export interface EngineParts {
  readonly engine: StoreHealth['engine'];
  readonly replica: ReplicaMap;
  readonly line: CommitLine;
  /** Why writes are refused at the moment, other than a poisoned line. */
  readonly problem?: () => string | undefined;
  /** After the last transaction: closes files, lets the lock go. */
  readonly onClose?: () => Promise<void>;
}

function touchesLeased({ puts = [], dels = [] }: Txn): boolean {
  const leased = (key: string): boolean => key.startsWith(STORE_LIMITS.leasedPrefix);
  return puts.some(({ key }) => leased(key)) || dels.some(leased);
}

/** A Store over a commit line: reads from its replica, writes through the line. The file and the memory engine are this. */
export class EngineStore extends ReplicaReads implements Store {
  readonly #parts: EngineParts;
  readonly #replica: ReplicaMap;
  readonly #line: CommitLine;
  readonly #leases: LocalLeases;
  #closing: Promise<void> | undefined;

  constructor(parts: EngineParts) {
    super(parts.replica);
    this.#parts = parts;
    this.#replica = parts.replica;
    this.#line = parts.line;
    this.#leases = new LocalLeases((txn) => this.txn(txn));
  }

  override latest<T = Json>(key: string): Entry<T> | undefined {
    return this.#line.latest(key) as Entry<T> | undefined;
  }

  txn(txn: Txn): Promise<TxnResult> {
    try {
      this.#leases.check(txn);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const answer = this.#line.submit(txn);
    if (touchesLeased(txn)) this.#leases.follow(txn, answer);
    return answer;
  }

  lease(): Promise<Lease> {
    return Promise.resolve(this.#leases.open());
  }

  barrier(): Promise<void> {
    return this.#line.barrier();
  }

  health(): StoreHealth {
    const problem = this.#line.refusal?.message ?? this.#parts.problem?.();
    const base = {
      engine: this.#parts.engine,
      ok: problem === undefined,
      rev: this.#replica.rev,
      keys: this.#replica.keys,
    };
    return problem === undefined ? base : { ...base, problem };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const reason = new CloudError('Unavailable', 'the store is closed');
    await this.#line.close(reason);
    this.#replica.close(reason);
    await this.#parts.onClose?.();
  }
}
