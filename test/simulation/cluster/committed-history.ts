import type { EtcdTxn } from '../../../src/adapters/store/etcd/etcd-api.ts';
import type { EtcdModel } from '../../support/etcd-model.ts';
import { Violation } from '../history.ts';
import type { Committed, Records } from '../store-model.ts';
import type { Life, SimProcess } from './sim-process.ts';

/** A process in one of its lives. */
export interface Actor {
  readonly process: SimProcess;
  readonly life: Life;
}

/** One revision of the cluster, as its state machine took it. */
export interface Commit extends Committed {
  /** Whose transaction it was; undefined: a lease's end. */
  readonly by: Actor | undefined;
  readonly atMs: number;
}

interface Held {
  readonly rev: number;
  readonly text: string;
  value?: unknown;
}

const RECORDS = 'novactl/d/';
/** By which transactions know themselves again: of callers' tokens, and what says that one was made. */
const TOKENS = 'novactl/t/c/';
const DONE = '"done"';

/**
 * What the cluster has committed, in its order, taken from the model's state machine itself and not from what the store makes of it. Every
 * judgement of the simulation rests on this.
 */
export class CommittedHistory implements Records {
  readonly commits: Commit[] = [];
  /** Called with each commit when it is made. */
  onCommit: (commit: Commit) => void = () => undefined;
  readonly #model: EtcdModel;
  readonly #nowMs: () => number;
  readonly #now = new Map<string, Held>();
  readonly #tokens = new Map<string, number>();
  readonly #by = new WeakMap<object, Actor>();
  readonly #places = new Map<number, number>();
  #seenRev: number;

  constructor(model: EtcdModel, nowMs: () => number, guarded: (check: () => void) => void) {
    this.#model = model;
    this.#nowMs = nowMs;
    this.#seenRev = model.state.revision;
    const { state } = model;
    const [txn, revoke] = [state.txn.bind(state), state.revoke.bind(state)];
    state.txn = (request) => {
      const answer = txn(request);
      guarded(() => this.#look(this.#by.get(request)));
      return answer;
    };
    state.revoke = (id) => {
      revoke(id);
      guarded(() => this.#look(undefined));
    };
  }

  get rev(): number {
    return this.commits.at(-1)?.rev ?? 0;
  }

  /** The request is this process's. */
  asked(request: EtcdTxn, actor: Actor): void {
    this.#by.set(request, actor);
  }

  get<T>(key: string): T | undefined {
    const held = this.#now.get(key);
    return held === undefined ? undefined : (valueOf(held) as T);
  }

  range<T>(prefix: string): { key: string; value: T }[] {
    const found: { key: string; value: T }[] = [];
    for (const [key, held] of this.#now) if (key.startsWith(prefix)) found.push({ key, value: valueOf(held) as T });
    return found;
  }

  /** Where in `commits` the revision is. */
  placeOf(rev: number): number | undefined {
    return this.#places.get(rev);
  }

  /** Every key as the revision left it, with the revision that wrote it. */
  stateAt(rev: number): Map<string, { rev: number; text: string }> {
    const state = new Map<string, { rev: number; text: string }>();
    for (const commit of this.commits) {
      if (commit.rev > rev) break;
      for (const [key, text] of commit.ops) {
        if (text === undefined) state.delete(key);
        else state.set(key, { rev: commit.rev, text });
      }
    }
    return state;
  }

  #look(by: Actor | undefined): void {
    const { state } = this.#model;
    for (let rev = this.#seenRev + 1; rev <= state.revision; rev += 1) {
      const ops = new Map<string, string | undefined>();
      for (const { kind, kv } of state.eventsOf(rev)) {
        if (kv.key.startsWith(RECORDS)) ops.set(kv.key.slice(RECORDS.length), kind === 'put' ? kv.value : undefined);
        else if (kv.key.startsWith(TOKENS) && kind === 'put' && kv.value === DONE) this.#token(kv.key, rev);
      }
      this.#seenRev = rev;
      if (ops.size > 0) this.#add({ rev, ops, by, atMs: this.#nowMs() });
    }
  }

  #add(commit: Commit): void {
    for (const [key, text] of commit.ops) {
      if (text === undefined) this.#now.delete(key);
      else this.#now.set(key, { rev: commit.rev, text });
    }
    this.#places.set(commit.rev, this.commits.length);
    this.commits.push(commit);
    this.onCommit(commit);
  }

  /** A token names one transaction for good. */
  #token(key: string, rev: number): void {
    const before = this.#tokens.get(key);
    this.#tokens.set(key, rev);
    if (before !== undefined)
      throw new Violation('5 the same token twice has one effect', `${key} was used at revisions ${before} and ${rev}`);
  }
}

function valueOf(held: Held): unknown {
  held.value ??= JSON.parse(held.text);
  return held.value;
}
