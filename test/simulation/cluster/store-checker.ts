import type { Change, Guard, Store, Txn, TxnResult } from '../../../src/ports/store.ts';
import { Violation } from '../history.ts';
import type { Actor, Commit, CommittedHistory } from './committed-history.ts';
import { never } from './sim-process.ts';

const ONCE = '5 an acknowledged transaction is committed, once';
const ATOMIC = '4 a transaction applies whole, and only while its guards hold';
const PREFIX_OF = '5 a replica is a prefix of the one history';

/** A transaction that a process has asked for. */
interface Asked {
  readonly actor: Actor;
  readonly txn: Txn;
  readonly puts: ReadonlyMap<string, string>;
  readonly dels: ReadonlySet<string>;
  /** Where it was committed. */
  commit: Commit | undefined;
}

/** Holds what processes are told by their stores against what was committed. */
export class StoreChecker {
  readonly #history: CommittedHistory;
  readonly #asked = new Set<Asked>();

  constructor(history: CommittedHistory) {
    this.#history = history;
  }

  /** Each commit of a process is one transaction that it asks for, whole, while its guards hold. */
  committed(commit: Commit): void {
    const { by } = commit;
    if (by === undefined) return;
    const mine = [...this.#asked].filter(({ actor }) => actor.life === by.life);
    const same = mine.filter((asked) => isSame(asked, commit));
    const where = `revision ${commit.rev} of ${by.process.name} (${[...commit.ops.keys()].join(' ')})`;
    if (same.length === 0) throw new Violation(ONCE, `${where} was not asked for`);
    const open = same.filter((one) => one.commit === undefined);
    if (open.length === 0)
      throw new Violation(ONCE, `${where} was committed at revision ${same[0]?.commit?.rev ?? 0} already`);
    // One that says the same may have been given up before, and was guarded otherwise.
    const broken = open.map(({ txn }) => (txn.guards ?? []).find((guard) => !this.#holds(guard, commit)));
    const right = open[broken.indexOf(undefined)];
    if (right !== undefined) right.commit = commit;
    else throw new Violation(ATOMIC, `${where} was guarded by ${JSON.stringify(broken[0])}, which did not hold`);
  }

  #holds(guard: Guard, commit: Commit): boolean {
    const held = this.#before(guard.key, commit);
    if ('rev' in guard) return held === guard.rev;
    return 'absent' in guard ? held === undefined : held !== undefined;
  }

  /** The revision that the key had right before the commit. */
  #before(key: string, commit: Commit): number | undefined {
    const { commits } = this.#history;
    for (let index = (this.#history.placeOf(commit.rev) ?? 0) - 1; index >= 0; index -= 1) {
      const one = commits[index];
      if (one?.ops.has(key) !== true) continue;
      return one.ops.get(key) === undefined ? undefined : one.rev;
    }
    return undefined;
  }

  /** The process's store, watched. */
  watched(store: Store, actor: Actor, fail: (violation: Violation) => void): Store {
    const guarded = (check: () => void): void => {
      try {
        check();
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        fail(error);
      }
    };
    new Follower(this.#history, store, actor).start(guarded);
    const own: Partial<Store> = {
      txn: async (txn: Txn) => {
        if (actor.life.dead) return never();
        const asked = this.#note(txn, actor);
        const result = await store.txn(txn);
        if (actor.life.dead) return never();
        guarded(() => this.#answered(asked, result));
        return result;
      },
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

  #note(txn: Txn, actor: Actor): Asked {
    const puts = new Map((txn.puts ?? []).map(({ key, value }) => [key, JSON.stringify(value)]));
    const asked: Asked = { actor, txn, puts, dels: new Set(txn.dels ?? []), commit: undefined };
    this.#asked.add(asked);
    return asked;
  }

  /** Two that say the very same can't be told apart when they are committed, only when they are answered. */
  #settle(asked: Asked, result: TxnResult): void {
    const right = result.ok ? asked.commit?.rev === result.rev : asked.commit === undefined;
    if (right) return;
    const twin = [...this.#asked].find(
      (other) =>
        other !== asked &&
        other.actor.life === asked.actor.life &&
        (result.ok ? other.commit?.rev === result.rev : other.commit === undefined) &&
        isTwin(other, asked),
    );
    if (twin !== undefined) [asked.commit, twin.commit] = [twin.commit, asked.commit];
  }

  #answered(asked: Asked, result: TxnResult): void {
    this.#settle(asked, result);
    this.#asked.delete(asked);
    const { commit, actor, txn } = asked;
    const keys = [...asked.puts.keys(), ...asked.dels].join(' ');
    const about = `${actor.process.name} was told of ${keys}`;
    if (!result.ok) {
      if (commit === undefined) return;
      throw new Violation(ONCE, `${about} that others were faster, and it is its own revision ${commit.rev}`);
    }
    if (commit !== undefined && commit.rev !== result.rev) {
      throw new Violation(ONCE, `${about} that it is revision ${result.rev}, and it is ${commit.rev}`);
    }
    // What deletes only what is not there changes nothing.
    if (commit === undefined && txn.token === undefined && asked.puts.size > 0)
      throw new Violation(ONCE, `${about} that it is revision ${result.rev}, and it is nowhere`);
  }
}

const isTwin = (a: Asked, b: Asked): boolean =>
  a.puts.size === b.puts.size &&
  a.dels.size === b.dels.size &&
  [...a.puts].every(([key, text]) => b.puts.get(key) === text);

/** Its own words, and nothing else but deletions of what was not there. */
function isSame({ puts, dels }: Asked, { ops }: Commit): boolean {
  let written = 0;
  for (const [key, text] of ops) {
    if (text === undefined) {
      if (!dels.has(key)) return false;
    } else if (puts.get(key) === text) written += 1;
    else return false;
  }
  return written === puts.size;
}

/** Follows the changes that one store tells, and compares. */
class Follower {
  readonly #history: CommittedHistory;
  readonly #store: Store;
  readonly #actor: Actor;
  readonly #texts = new Map<string, string>();
  #rev: number;

  constructor(history: CommittedHistory, store: Store, actor: Actor) {
    this.#history = history;
    this.#store = store;
    this.#actor = actor;
    this.#rev = store.rev;
  }

  start(guarded: (check: () => void) => void): void {
    for (const { key, value } of this.#store.range('')) this.#texts.set(key, JSON.stringify(value));
    guarded(() => this.#compareWhole('was opened'));
    this.#store.watch('', this.#rev + 1, (change) => {
      if (!this.#actor.life.dead) guarded(() => this.#told(change));
    });
  }

  #told(change: Change): void {
    if (change.rev <= this.#rev) {
      throw new Violation(PREFIX_OF, `${this.#who} was told of revision ${change.rev} after ${this.#rev}`);
    }
    for (const { key, value } of change.ops) {
      if (value === undefined) this.#texts.delete(key);
      else this.#texts.set(key, JSON.stringify(value));
    }
    const next = this.#next();
    this.#rev = change.rev;
    if (next?.rev !== change.rev || !isWhole(change, next)) this.#compareWhole('was told of a change');
  }

  /** The commit behind the last that it was told of. */
  #next(): Commit | undefined {
    const { commits } = this.#history;
    const place = this.#history.placeOf(this.#rev);
    if (place !== undefined) return commits[place + 1];
    return commits.find(({ rev }) => rev > this.#rev);
  }

  get #who(): string {
    return `the store of ${this.#actor.process.name}`;
  }

  #compareWhole(when: string): void {
    const right = this.#history.stateAt(this.#rev);
    const wrong =
      [...right].find(([key, { text }]) => this.#texts.get(key) !== text)?.[0] ??
      [...this.#texts.keys()].find((key) => !right.has(key));
    if (wrong === undefined) return;
    const [is, should] = [this.#texts.get(wrong), right.get(wrong)?.text];
    throw new Violation(
      PREFIX_OF,
      `${this.#who} ${when} at revision ${this.#rev}: ${wrong} is ${is ?? 'absent'}, and should be ${should ?? 'absent'}`,
    );
  }
}

function isWhole({ ops }: Change, commit: Commit): boolean {
  const same = ops.every(({ key, value }) => commit.ops.has(key) && commit.ops.get(key) === textOf(value));
  return same && new Set(ops.map(({ key }) => key)).size === commit.ops.size;
}

const textOf = (value: unknown): string | undefined => (value === undefined ? undefined : JSON.stringify(value));
