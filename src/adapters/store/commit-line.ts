import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { MIB } from '../../base/units.ts';
import type { Change, Entry, Guard, Txn, TxnResult } from '../../ports/store.ts';
import type { ReplicaMap } from './replica-map.ts';
import type { TokenBook } from './token-book.ts';
import { checkTxn, decodeValue, encodePuts } from './txn-check.ts';

/** Where batches become durable. */
export interface CommitLog {
  /** Resolves when the transactions (JSON texts, of the revisions prev + 1 ... prev + n) are on stable storage, all of them. */
  append(txns: readonly string[], prev: number): Promise<void>;
}

export interface CommitLineOptions {
  readonly clock: Clock;
  readonly replica: ReplicaMap;
  readonly tokens: TokenBook;
  readonly log: CommitLog;
  /** Called before a transaction is taken; throws when it may not be (no space). */
  readonly admit?: (txn: Txn, isNew: (key: string) => boolean) => void;
  /** Called after a batch was applied. */
  readonly onCommitted?: (ops: number, bytes: number) => void;
  readonly onPoison?: (error: CloudError) => void;
  /** Default 10 000. */
  readonly maxQueued?: number;
  /** Default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** Default 1 000 000. */
  readonly maxTokens?: number;
}

/** A transaction (text set) or an answer that must wait for the transactions before it (text undefined). */
interface Item {
  readonly text: string | undefined;
  readonly change: Change | undefined;
  readonly token: string | undefined;
  readonly result: TxnResult;
  resolve(result: TxnResult): void;
  reject(error: CloudError): void;
}

/** A journal frame holds 16 MiB; one transaction more than this may still join. */
const BATCH_CHARS = 2 * MIB;

/**
 * The one place where transactions get their order. Guards are judged when a transaction arrives, against memory and what is queued
 * before it, so that a batch is serialisable as it stands; memory and watchers see it, and its caller gets the answer, only after
 * the log has it. While the log works on a batch the next one gathers.
 */
export class CommitLine {
  readonly #options: CommitLineOptions;
  readonly #replica: ReplicaMap;
  readonly #tokens: TokenBook;
  #queue: Item[] = [];
  #queuedChars = 0;
  /** What queued transactions will have made of a key: the entry, or the deletion (undefined) of that revision. */
  readonly #overlay = new Map<string, { rev: number; entry: Entry | undefined }>();
  readonly #queuedTokens = new Map<string, number>();
  #lastRev: number;
  #scheduled = false;
  #running = false;
  #refusal: CloudError | undefined;
  #idle: (() => void)[] = [];

  constructor(options: CommitLineOptions) {
    this.#options = options;
    this.#replica = options.replica;
    this.#tokens = options.tokens;
    this.#lastRev = options.replica.rev;
  }

  /** Why nothing is taken any more. */
  get refusal(): CloudError | undefined {
    return this.#refusal;
  }

  submit(txn: Txn): Promise<TxnResult> {
    try {
      if (this.#refusal !== undefined) throw this.#refusal;
      checkTxn(txn);
      return this.#replay(txn) ?? this.#conflict(txn) ?? this.#take(txn);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Resolves when everything that was taken before is applied. */
  async barrier(): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#lastRev > this.#replica.rev) await this.#enqueue(undefined, { ok: true, rev: this.#lastRev });
  }

  /** Takes nothing more; resolves when the queue has been worked off. */
  async close(reason: CloudError): Promise<void> {
    this.#refusal ??= reason;
    if (this.#queue.length > 0 || this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #replay(txn: Txn): Promise<TxnResult> | undefined {
    if (txn.token === undefined) return undefined;
    const done = this.#tokens.get(txn.token);
    if (done !== undefined) return Promise.resolve({ ok: true, rev: done });
    const queued = this.#queuedTokens.get(txn.token);
    return queued === undefined ? undefined : this.#enqueue(undefined, { ok: true, rev: queued });
  }

  /** The key with everything that is queued. */
  latest(key: string): Entry | undefined {
    return this.#now(key);
  }

  #now(key: string): Entry | undefined {
    const queued = this.#overlay.get(key);
    return queued === undefined ? this.#replica.get(key) : queued.entry;
  }

  #holds(guard: Guard): boolean {
    const entry = this.#now(guard.key);
    if ('rev' in guard) return entry?.rev === guard.rev;
    return 'absent' in guard ? entry === undefined : entry !== undefined;
  }

  #conflict({ guards = [] }: Txn): Promise<TxnResult> | undefined {
    if (guards.every((guard) => this.#holds(guard))) return undefined;
    const current = new Map<string, Entry>();
    for (const { key } of guards) {
      const entry = this.#now(key);
      if (entry !== undefined) current.set(key, entry);
    }
    // What a queued transaction wrote may still fail to become durable: the answer waits for it.
    const waits = this.#overlay.size > 0 && guards.some(({ key }) => this.#overlay.has(key));
    const result: TxnResult = { ok: false, current };
    return waits ? this.#enqueue(undefined, result) : Promise.resolve(result);
  }

  #take(txn: Txn): Promise<TxnResult> {
    const { token, puts = [], dels = [] } = txn;
    const values = encodePuts(txn);
    this.#options.admit?.(txn, (key) => this.#now(key) === undefined);
    this.#checkRoom(token);
    const rev = this.#lastRev + 1;
    const ops: { key: string; value: Json | undefined }[] = [];
    const texts: string[] = [];
    puts.forEach(({ key }, index) => {
      const text = values[index] ?? 'null';
      const value = decodeValue(text);
      ops.push({ key, value });
      texts.push(`{"k":${JSON.stringify(key)},"v":${text}}`);
      this.#overlay.set(key, { rev, entry: { key, value, rev } });
    });
    for (const key of dels) {
      // Deleting what is not there is no change, and no watcher hears of it.
      if (this.#now(key) === undefined) continue;
      ops.push({ key, value: undefined });
      texts.push(`{"k":${JSON.stringify(key)}}`);
      this.#overlay.set(key, { rev, entry: undefined });
    }
    this.#lastRev = rev;
    if (token !== undefined) this.#queuedTokens.set(token, rev);
    const head = token === undefined ? `{"rev":${rev}` : `{"rev":${rev},"token":${JSON.stringify(token)}`;
    return this.#enqueue(`${head},"ops":[${texts.join(',')}]}`, { ok: true, rev }, { rev, ops }, token);
  }

  #checkRoom(token: string | undefined): void {
    const { maxQueued = 10_000, maxQueuedBytes = 64 * MIB, maxTokens = 1_000_000 } = this.#options;
    if (this.#queue.length >= maxQueued || this.#queuedChars >= maxQueuedBytes) {
      throw new CloudError(
        'Unavailable',
        `the disk is too slow: ${this.#queue.length} transactions are waiting for it; try again later`,
      );
    }
    if (token !== undefined && this.#tokens.size + this.#queuedTokens.size >= maxTokens) {
      throw new CloudError(
        'Unavailable',
        `${maxTokens} transaction tokens are remembered already; try again in some minutes`,
      );
    }
  }

  #enqueue(text: string | undefined, result: TxnResult, change?: Change, token?: string): Promise<TxnResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ text, change, token, result, resolve, reject });
      this.#queuedChars += text?.length ?? 0;
      this.#schedule();
    });
  }

  /** In a later turn, so that whatever is submitted in this one, or by the callers just answered, shares the next write. */
  #schedule(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    this.#options.clock.defer(() => {
      this.#scheduled = false;
      this.#running = true;
      void this.#flush().finally(() => {
        this.#running = false;
        if (this.#queue.length > 0) this.#schedule();
        else for (const resolve of this.#idle.splice(0)) resolve();
      });
    });
  }

  #nextBatch(): Item[] {
    let chars = 0;
    let count = 0;
    for (const item of this.#queue) {
      count += 1;
      chars += item.text?.length ?? 0;
      if (chars >= BATCH_CHARS) break;
    }
    this.#queuedChars -= chars;
    return count === this.#queue.length ? this.#queue.splice(0) : this.#queue.splice(0, count);
  }

  async #flush(): Promise<void> {
    const batch = this.#nextBatch();
    const texts: string[] = [];
    for (const item of batch) if (item.text !== undefined) texts.push(item.text);
    try {
      if (texts.length > 0) await this.#options.log.append(texts, this.#replica.rev);
    } catch (error) {
      this.#poison(error, batch);
      return;
    }
    this.#apply(batch);
  }

  #apply(batch: readonly Item[]): void {
    let ops = 0;
    let bytes = 0;
    for (const { change, token, text } of batch) {
      if (change === undefined) continue;
      ops += change.ops.length;
      bytes += text?.length ?? 0;
      if (token !== undefined) {
        this.#tokens.add(token, change.rev);
        this.#queuedTokens.delete(token);
      }
      this.#replica.apply(change, text?.length ?? 0);
      for (const { key } of change.ops) {
        if (this.#overlay.get(key)?.rev === change.rev) this.#overlay.delete(key);
      }
    }
    this.#tokens.expire();
    for (const item of batch) item.resolve(item.result);
    if (bytes > 0) this.#options.onCommitted?.(ops, bytes);
  }

  /** After a failed write or sync nobody knows what is on the disk: no answer from here on, until a restart has read it. */
  #poison(cause: unknown, batch: readonly Item[]): void {
    const error = new CloudError(
      'StoragePoisoned',
      `writing the journal failed (${errorText(cause)}); nothing is accepted until the process has been restarted and has read the disk again`,
      { cause },
    );
    this.#refusal = error;
    this.#overlay.clear();
    this.#queuedTokens.clear();
    for (const item of [...batch, ...this.#queue.splice(0)]) item.reject(error);
    this.#queuedChars = 0;
    this.#options.onPoison?.(error);
  }
}
