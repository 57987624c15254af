import { CloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { toJson } from '../../base/json.ts';
import type { Entry, Guard, Replica, Store } from '../../ports/store.ts';

/**
 * A transaction being written. `get` reads and guards: the transaction applies only if the key is then as it was read. `peek` reads without a
 * guard, for what may change meanwhile without harm.
 */
export class Draft {
  readonly #replica: Replica;
  readonly #overlay: ReadonlyMap<string, Entry | undefined>;
  readonly #guards = new Map<string, Guard>();
  readonly #puts = new Map<string, Json>();
  readonly #dels = new Set<string>();

  /** `overlay`: what a refused attempt said that keys hold; newer than the replica. */
  constructor(replica: Replica, overlay: ReadonlyMap<string, Entry | undefined> = new Map()) {
    this.#replica = replica;
    this.#overlay = overlay;
  }

  #entry(key: string): Entry | undefined {
    return this.#overlay.has(key) ? this.#overlay.get(key) : this.#replica.get(key);
  }

  get<T>(key: string): T | undefined {
    const written = this.#puts.get(key);
    if (written !== undefined) return written as T;
    if (this.#dels.has(key)) return undefined;
    const entry = this.#entry(key);
    this.#guards.set(key, entry === undefined ? { key, absent: true } : { key, rev: entry.rev });
    return entry?.value as T | undefined;
  }

  peek<T>(key: string): T | undefined {
    const written = this.#puts.get(key);
    if (written !== undefined) return written as T;
    return this.#dels.has(key) ? undefined : (this.#entry(key)?.value as T | undefined);
  }

  put(key: string, value: object): void {
    this.#dels.delete(key);
    this.#puts.set(key, toJson(value));
  }

  del(key: string): void {
    this.#puts.delete(key);
    this.#dels.add(key);
  }

  get replica(): Replica {
    return this.#replica;
  }

  get empty(): boolean {
    return this.#puts.size === 0 && this.#dels.size === 0;
  }

  get guards(): readonly Guard[] {
    return [...this.#guards.values()];
  }

  get puts(): readonly { key: string; value: Json }[] {
    return [...this.#puts].map(([key, value]) => ({ key, value }));
  }

  get dels(): readonly string[] {
    return [...this.#dels];
  }
}

/** How often a refused transaction is decided again before the caller is told that others are faster. */
const ATTEMPTS = 16;

/**
 * Decides and commits, again when somebody else was faster: `decide` must be a function of what it reads through the draft.
 * An empty draft commits nothing. Errors: 'Conflict' after ATTEMPTS, and whatever the store says.
 */
export async function transact<T>(
  store: Store,
  decide: (draft: Draft) => T,
  options: { token?: string } = {},
): Promise<{ result: T; rev: number }> {
  const overlay = new Map<string, Entry | undefined>();
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const draft = new Draft(store, overlay);
    const result = decide(draft);
    if (draft.empty) return { result, rev: store.rev };
    const answer = await store.txn({
      ...(options.token === undefined ? {} : { token: `${options.token}.${attempt}` }),
      guards: draft.guards,
      puts: draft.puts,
      dels: draft.dels,
    });
    if (answer.ok) return { result, rev: answer.rev };
    for (const guard of draft.guards) overlay.set(guard.key, answer.current.get(guard.key));
  }
  throw new CloudError('Conflict', `others changed the same records ${ATTEMPTS} times in a row; try again`);
}
