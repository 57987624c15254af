import { CloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { toJson } from '../../base/json.ts';
import { SharedLock } from '../../base/shared-lock.ts';
import { refuseHeld } from '../hosts/held.ts';
import type { Entry, Guard, Replica, Store } from '../../ports/store.ts';

type Read = (key: string) => Entry | undefined;

/**
 * A transaction being written. `get` reads and guards: the transaction applies only if the key is then as it was read. `peek` reads without a
 * guard, for what may change meanwhile without harm.
 */
export class Draft {
  /** For ranges, which can't be guarded: the committed state, behind what `get` and `peek` may see. */
  readonly replica: Replica;
  readonly #read: Read;
  readonly #guards = new Map<string, Guard>();
  readonly #puts = new Map<string, Json>();
  readonly #dels = new Set<string>();

  /** `read`: where single keys come from; default the replica. */
  constructor(replica: Replica, read: Read = (key) => replica.get(key)) {
    this.replica = replica;
    this.#read = read;
  }

  get<T>(key: string): T | undefined {
    const written = this.#puts.get(key);
    if (written !== undefined) return written as T;
    if (this.#dels.has(key)) return undefined;
    const entry = this.#read(key);
    this.#guards.set(key, entry === undefined ? { key, absent: true } : { key, rev: entry.rev });
    return entry?.value as T | undefined;
  }

  peek<T>(key: string): T | undefined {
    const written = this.#puts.get(key);
    if (written !== undefined) return written as T;
    return this.#dels.has(key) ? undefined : (this.#read(key)?.value as T | undefined);
  }

  put(key: string, value: object): void {
    this.#dels.delete(key);
    this.#puts.set(key, toJson(value));
  }

  del(key: string): void {
    this.#puts.delete(key);
    this.#dels.add(key);
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
const ATTEMPTS = 32;
/** Refused so often, a transaction gets this process to itself. */
const SIDE_BY_SIDE = 2;

export interface TransactOptions {
  /** Names the change, for exactly once. */
  readonly token?: string;
  /** `decide` reads ranges that must hold: it is given committed state alone, all that was committed before. */
  readonly settled?: boolean;
  /** Also while the cloud waits for somebody to adopt its restored store. */
  readonly whileHeld?: boolean;
}

/**
 * Decides and commits, again when somebody else was faster: `decide` must be a function of what it reads through the draft. Decisions of one
 * process follow each other at once, each on what the one before it wrote, without waiting for its commit: they conflict only with other processes.
 * What rests on another's commit is answered after that. An empty draft commits nothing. Where the engine can't tell what is on its way, they do
 * conflict: whoever was refused twice goes on alone, in the order of asking, so that a process is not in its own way.
 * Errors: 'Conflict' after ATTEMPTS, 'StateHeld' while a restored store is not adopted, and whatever `decide` and the store say.
 */
export async function transact<T>(
  store: Store,
  decide: (draft: Draft) => T,
  options: TransactOptions = {},
): Promise<{ result: T; rev: number }> {
  const refused = new Map<string, Entry | undefined>();
  const line = lineOf(store);
  const run = (from: number, to: number) => () => attempts(store, decide, options, { refused, from, to });
  const done = (await line.share('', run(0, SIDE_BY_SIDE))) ?? (await line.alone('', run(SIDE_BY_SIDE, ATTEMPTS)));
  if (done !== undefined) return done;
  throw new CloudError('Conflict', `others changed the same records ${ATTEMPTS} times in a row; try again`);
}

const LINES = new WeakMap<Store, SharedLock>();

function lineOf(store: Store): SharedLock {
  const known = LINES.get(store);
  if (known !== undefined) return known;
  const line = new SharedLock();
  LINES.set(store, line);
  return line;
}

/** Undefined: each was refused. */
async function attempts<T>(
  store: Store,
  decide: (draft: Draft) => T,
  options: TransactOptions,
  { refused, from, to }: { refused: Map<string, Entry | undefined>; from: number; to: number },
): Promise<{ result: T; rev: number } | undefined> {
  for (let attempt = from; attempt < to; attempt += 1) {
    if (options.settled === true) await store.barrier();
    const read: Read = options.settled === true ? (key) => store.get(key) : freshest(store, refused);
    let draft = new Draft(store, read);
    let result: T;
    const { rev } = store;
    try {
      result = decide(draft);
    } catch (error) {
      // A refusal has no guards that could find out that it rests on old reads, or on what may still fail to be committed: a process that slept
      // knows nothing of what was acknowledged meanwhile. Decided once more after a barrier it stands.
      await store.barrier();
      if (store.rev === rev) throw error;
      draft = new Draft(store, (key) => store.get(key));
      result = decide(draft);
    }
    // An answer from what is there must not rest on what may still fail to be committed.
    if (draft.empty) {
      await store.barrier();
      return { result, rev: store.rev };
    }
    if (options.whileHeld !== true) refuseHeld(store);
    // Nothing may be awaited between the decision and this call, which takes the transaction in at once.
    const answer = await store.txn({
      ...(options.token === undefined ? {} : { token: `${options.token}.${attempt}` }),
      guards: draft.guards,
      puts: draft.puts,
      dels: draft.dels,
    });
    if (answer.ok) return { result, rev: answer.rev };
    for (const guard of draft.guards) refused.set(guard.key, answer.current.get(guard.key));
  }
  return undefined;
}

/** What a refused attempt said that keys hold may be newer than what this process has heard. */
function freshest(store: Store, refused: ReadonlyMap<string, Entry | undefined>): Read {
  return (key) => {
    const known = store.latest(key);
    if (!refused.has(key)) return known;
    const told = refused.get(key);
    return known !== undefined && told !== undefined && known.rev > told.rev ? known : told;
  };
}
