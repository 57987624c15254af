import type { Guard, Store, Txn, TxnResult } from '../../src/ports/store.ts';
import { Violation } from './history.ts';

/** One transaction as it was taken in. `undefined`: the key was deleted. */
export interface Committed {
  readonly rev: number;
  readonly ops: ReadonlyMap<string, string | undefined>;
}

/** The records as they durably stand. */
export interface Records {
  get<T>(key: string): T | undefined;
  range<T>(prefix: string): { key: string; value: T }[];
}

interface Held {
  readonly rev: number;
  readonly text: string;
  /** What the text says; read once. */
  value?: unknown;
}

function valueOf(held: Held): unknown {
  held.value ??= JSON.parse(held.text);
  return held.value;
}

const LOST = '5 an acknowledged write is never lost';
const ATOMIC = '4 a transaction applies whole, and only while its guards hold';

/**
 * What a store must do, in the fewest words: transactions one after the other, each when its guards hold. It is told what is asked of the real one and judges the
 * answers, and after a crash what was found on the disk.
 */
export class StoreModel implements Records {
  /** Everything that was taken in, also what was not answered yet. */
  readonly #taken = new Map<string, Held>();
  /** What was answered, or found after a crash: nothing of it may ever go. */
  readonly #known = new Map<string, Held>();
  #waiting: Committed[] = [];
  #takenRev = 0;
  #knownRev = 0;
  readonly #tokens = new Map<string, number>();
  readonly #onKnown: (change: Committed, model: StoreModel) => void;

  constructor(onKnown: (change: Committed, model: StoreModel) => void) {
    this.#onKnown = onKnown;
  }

  get rev(): number {
    return this.#knownRev;
  }

  /** The record as it durably stands. */
  get<T>(key: string): T | undefined {
    const held = this.#known.get(key);
    return held === undefined ? undefined : (valueOf(held) as T);
  }

  range<T>(prefix: string): { key: string; value: T }[] {
    const found: { key: string; value: T }[] = [];
    for (const [key, held] of this.#known) {
      if (key.startsWith(prefix)) found.push({ key, value: valueOf(held) as T });
    }
    return found;
  }

  /** Answers what the store must answer; undefined: nobody can say. */
  submit({ token, guards = [], puts = [], dels = [] }: Txn): TxnResult['ok'] {
    if (token !== undefined && this.#tokens.has(token)) return true;
    if (!guards.every((guard) => this.#holds(guard))) return false;
    this.#takenRev += 1;
    const rev = this.#takenRev;
    const ops = new Map<string, string | undefined>();
    for (const { key, value } of puts) ops.set(key, JSON.stringify(value));
    for (const key of dels) if (this.#taken.has(key)) ops.set(key, undefined);
    for (const [key, text] of ops) apply(this.#taken, rev, key, text);
    if (token !== undefined) this.#tokens.set(token, rev);
    this.#waiting.push({ rev, ops });
    return true;
  }

  #holds(guard: Guard): boolean {
    const held = this.#taken.get(guard.key);
    if ('rev' in guard) return held?.rev === guard.rev;
    return 'absent' in guard ? held === undefined : held !== undefined;
  }

  /** The store answered: all up to that revision is durable. */
  answered(result: TxnResult, expected: boolean): void {
    if (result.ok !== expected) {
      throw new Violation(ATOMIC, `a transaction was ${result.ok ? 'taken' : 'refused'} that should not have been`);
    }
    if (result.ok) this.#advance(result.rev);
  }

  /** A process opened the store after a crash: everything that was answered is there, whole transactions in order, and nothing else. */
  recovered(store: Store): void {
    if (store.rev < this.#knownRev) {
      throw new Violation(
        LOST,
        `revision ${this.#knownRev} was acknowledged, and the store is at ${store.rev} after a crash`,
      );
    }
    if (store.rev > this.#takenRev) {
      throw new Violation(LOST, `the store is at revision ${store.rev}, and only ${this.#takenRev} were asked for`);
    }
    this.#advance(store.rev);
    this.#waiting = [];
    this.#takenRev = this.#knownRev;
    this.#taken.clear();
    for (const [key, held] of this.#known) this.#taken.set(key, held);
    this.#compare(store);
  }

  /** Another state was put in the place of this one. */
  replaced(store: Store): void {
    this.#known.clear();
    this.#taken.clear();
    this.#tokens.clear();
    this.#waiting = [];
    for (const { key, value, rev } of store.range('')) {
      this.#known.set(key, { rev, text: JSON.stringify(value) });
      this.#taken.set(key, { rev, text: JSON.stringify(value) });
    }
    this.#takenRev = this.#knownRev = store.rev;
  }

  #compare(store: Store): void {
    const entries = store.range('');
    for (const { key, value, rev } of entries) {
      const held = this.#known.get(key);
      if (held?.rev !== rev || held.text !== JSON.stringify(value)) {
        throw new Violation(
          LOST,
          `${key} is at revision ${rev} after a crash, and should be at ${held?.rev ?? 'none'}`,
        );
      }
    }
    if (entries.length === this.#known.size) return;
    const there = new Set(entries.map(({ key }) => key));
    const missing = [...this.#known.keys()].filter((key) => !there.has(key));
    throw new Violation(LOST, `${missing.join(', ')} is not there after a crash`);
  }

  #advance(rev: number): void {
    while (this.#knownRev < rev) {
      const change = this.#waiting.shift();
      if (change === undefined) throw new Violation(LOST, `revision ${rev} was answered, and nobody asked for it`);
      for (const [key, text] of change.ops) apply(this.#known, change.rev, key, text);
      this.#knownRev = change.rev;
      this.#onKnown(change, this);
    }
  }
}

function apply(state: Map<string, Held>, rev: number, key: string, text: string | undefined): void {
  if (text === undefined) state.delete(key);
  else state.set(key, { rev, text });
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** The process's store, with every transaction told to the model. From its death on it does nothing and answers nobody. */
export function watchedStore(parts: {
  readonly store: Store;
  readonly model: StoreModel;
  readonly isDead: () => boolean;
  /** An engine that knows committed state alone, as one that is shared by several processes does. */
  readonly committedOnly: boolean;
  readonly guard: <T>(check: () => T) => T | undefined;
}): Store {
  const { store, model, isDead, committedOnly, guard } = parts;
  const own: Partial<Store> = {
    txn: async (txn: Txn) => {
      if (isDead()) return never();
      const expected = model.submit(txn);
      const result = await store.txn(txn);
      if (isDead()) return never();
      guard(() => model.answered(result, expected));
      return result;
    },
    watch: (prefix, from, listener) =>
      store.watch(prefix, from, (change) => {
        if (!isDead()) listener(change);
      }),
    ...(committedOnly ? { latest: (key) => store.get(key) } : {}),
  };
  return new Proxy(store, {
    get(target, name) {
      const mine = own[name as keyof Store];
      if (mine !== undefined) return mine;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
