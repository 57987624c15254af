import { CloudError } from '../../base/errors.ts';
import { toJson, type Json } from '../../base/json.ts';
import { hashPassword, passwordMatches, SALT_BYTES } from '../../base/password-hash.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import { humanDuration } from '../../base/units.ts';
import type { DirectoryChange, DirectoryProject, DirectoryUser } from '../../domain/directory.ts';
import { isDirectoryName } from '../../domain/directory-names.ts';
import {
  applyDirectoryChange,
  projectFrom,
  refuseWeakPassword,
  userFrom,
  type NewPassword,
  type RecordDraft,
} from '../../domain/directory-records.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ProjectRecord, UserRecord } from '../../domain/records.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Guard, Store } from '../../ports/store.ts';

export interface StoreDirectoryOptions {
  readonly store: Store;
  /** Salts come from it. */
  readonly random: Random;
}

/** A copy of the state that is older than this says nothing of who may do what. */
const STALE_MAX_MS = 60_000;
const APPLIED_TIMEOUT_MS = 10_000;
const ATTEMPTS = 32;

/** Users and projects as records of the store itself. */
export function createStoreDirectory(options: StoreDirectoryOptions): Directory {
  return new StoreDirectory(options);
}

class StoreDirectory implements Directory {
  readonly kind = 'store';
  readonly #store: Store;
  readonly #random: Random;

  constructor({ store, random }: StoreDirectoryOptions) {
    this.#store = store;
    this.#random = random;
  }

  user(name: string): Promise<DirectoryUser | undefined> {
    return this.#read((store) => {
      const record = store.get<UserRecord>(KEYS.user(name))?.value;
      return record && userFrom(record);
    });
  }

  users(): Promise<DirectoryUser[]> {
    return this.#read((store) => store.range<UserRecord>(PREFIX.user).map(({ value }) => userFrom(value)));
  }

  project(id: string): Promise<DirectoryProject | undefined> {
    return this.#read((store) => {
      const record = store.get<ProjectRecord>(KEYS.project(id))?.value;
      return record && projectFrom(record);
    });
  }

  projects(): Promise<DirectoryProject[]> {
    return this.#read((store) => store.range<ProjectRecord>(PREFIX.project).map(({ value }) => projectFrom(value)));
  }

  async projectsOf(user: string): Promise<DirectoryProject[]> {
    return (await this.projects()).filter(({ members }) => members.includes(user));
  }

  async authenticate(name: string, password: string): Promise<boolean> {
    if (password === '' || !isDirectoryName(name)) return false;
    const record = await this.#read((store) => store.get<UserRecord>(KEYS.user(name))?.value);
    const matches = await passwordMatches(password, record?.password);
    return matches && record !== undefined && (record.enabled ?? true);
  }

  async apply(change: DirectoryChange): Promise<void> {
    const password = 'password' in change ? change.password : undefined;
    const hash = await hashOf(password, this.#random);
    const token = randomHex(this.#random, 32);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (await this.#attempt(change, hash, `${token}.${attempt}`)) return;
    }
    throw new CloudError('Conflict', `others changed the same records ${ATTEMPTS} times in a row; try again`);
  }

  /** False: somebody else was faster. */
  async #attempt(change: DirectoryChange, hash: NewPassword, token: string): Promise<boolean> {
    const store = this.#store;
    await store.barrier();
    const draft = new SmallDraft(store);
    applyDirectoryChange(draft, change, hash);
    const { puts, dels } = draft;
    if (puts.length === 0 && dels.length === 0) return true;
    const answer = await store.txn({ token, guards: draft.guards, puts, dels });
    if (answer.ok) await store.waitApplied(answer.rev, APPLIED_TIMEOUT_MS);
    return answer.ok;
  }

  problem(): string | undefined {
    const { ok, problem = 'unknown reason' } = this.#store.health();
    return this.#staleProblem() ?? (ok ? undefined : problem);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #staleProblem(): string | undefined {
    const { staleMs = 0 } = this.#store.health();
    if (staleMs <= STALE_MAX_MS) return undefined;
    return `users and roles can't be asked for: this process has heard nothing of the store for ${humanDuration(staleMs)}`;
  }

  async #read<T>(run: (store: Store) => T): Promise<T> {
    await Promise.resolve();
    const problem = this.#staleProblem();
    if (problem !== undefined) throw new CloudError('Unavailable', problem);
    return run(this.#store);
  }
}

async function hashOf(password: string | undefined, random: Random): Promise<NewPassword> {
  if (password === undefined) return undefined;
  if (password === '') return 'none';
  refuseWeakPassword(password);
  return hashPassword(password, random.bytes(SALT_BYTES));
}

class SmallDraft implements RecordDraft {
  readonly replica: Store;
  readonly #guards = new Map<string, Guard>();
  readonly #written = new Map<string, Json | undefined>();

  constructor(store: Store) {
    this.replica = store;
  }

  get<T>(key: string): T | undefined {
    if (this.#written.has(key)) return this.#written.get(key) as T | undefined;
    const entry = this.replica.get(key);
    this.#guards.set(key, entry === undefined ? { key, absent: true } : { key, rev: entry.rev });
    return entry?.value as T | undefined;
  }

  put(key: string, value: object): void {
    this.#written.set(key, toJson(value));
  }

  del(key: string): void {
    this.#written.set(key, undefined);
  }

  get guards(): readonly Guard[] {
    return [...this.#guards.values()];
  }

  get puts(): { key: string; value: Json }[] {
    return [...this.#written].flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
  }

  get dels(): string[] {
    return [...this.#written].flatMap(([key, value]) => (value === undefined ? [key] : []));
  }
}
