import { isCode } from '../../base/errors.ts';
import type { DirectoryProject, DirectoryUser } from '../../domain/directory.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ProjectRecord } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';

type Context = Pick<ControllerContext, 'clock' | 'directory' | 'policy' | 'store'>;

/** While the directory can't be asked, what it said so short a time ago still counts. */
export const OUTAGE_MS = 60_000;
const MAX_ENTRIES = 10_000;

interface Remembered<T> {
  readonly value: T | undefined;
  readonly askedMs: number;
  readonly mark: number | undefined;
}

interface Asking<T> {
  readonly mark: number | undefined;
  readonly answer: Promise<Remembered<T>>;
}

/** Answers of one kind. */
class Answers<T> {
  readonly #context: Context;
  readonly #ask: (name: string) => Promise<T | undefined>;
  readonly #known = new Map<string, Remembered<T>>();
  readonly #asking = new Map<string, Asking<T>>();

  constructor(context: Context, ask: (name: string) => Promise<T | undefined>) {
    this.#context = context;
    this.#ask = ask;
  }

  async of(name: string): Promise<T | undefined> {
    const { clock, policy, store } = this.#context;
    const mark = store.get(KEYS.directoryChange)?.rev;
    const known = this.#known.get(name);
    const ageMs = known === undefined ? Infinity : clock.monotonicMs() - known.askedMs;
    // What was changed by this cloud since is asked for again, however young it is, and never believed in an outage.
    const counts = known?.mark === mark ? known : undefined;
    if (counts !== undefined && ageMs <= policy.directoryCacheMs) return counts.value;
    try {
      return (await this.#fresh(name, mark)).value;
    } catch (error) {
      const outage = isCode(error, 'Unavailable') && counts?.value !== undefined && ageMs <= OUTAGE_MS;
      if (outage) return counts.value;
      throw error;
    }
  }

  /** Many who ask for the same at once ask once. */
  #fresh(name: string, mark: number | undefined): Promise<Remembered<T>> {
    const under = this.#asking.get(name);
    if (under !== undefined && under.mark === mark) return under.answer;
    const asking: Asking<T> = { mark, answer: this.#remember(name, mark) };
    this.#asking.set(name, asking);
    const done = (): void => {
      if (this.#asking.get(name) === asking) this.#asking.delete(name);
    };
    asking.answer.then(done, done);
    return asking.answer;
  }

  async #remember(name: string, mark: number | undefined): Promise<Remembered<T>> {
    const askedMs = this.#context.clock.monotonicMs();
    const remembered = { value: await this.#ask(name), askedMs, mark };
    this.#known.delete(name);
    this.#known.set(name, remembered);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_ENTRIES && oldest !== undefined) this.#known.delete(oldest);
    return remembered;
  }
}

/** What a directory that is elsewhere said a moment ago. The one in the store is as near as this would be. */
class DirectoryMemo {
  readonly users: Answers<DirectoryUser>;
  readonly projects: Answers<DirectoryProject>;
  readonly all: Answers<Accounts>;

  constructor(context: Context) {
    const { directory } = context;
    this.users = new Answers(context, (name) => directory.user(name));
    this.projects = new Answers(context, (id) => directory.project(id));
    this.all = new Answers(context, async () => accountsIn(await directory.projects()));
  }
}

/** Projects by their accounts, and the other way. */
export interface Accounts {
  accountOf(projectId: string): string | undefined;
  projectOf(accountId: string): string | undefined;
}

function accountsIn(projects: readonly DirectoryProject[]): Accounts {
  const accounts = new Map(projects.map(({ id, accountId }) => [id, accountId]));
  const ids = new Map(projects.map(({ id, accountId }) => [accountId, id]));
  return { accountOf: (projectId) => accounts.get(projectId), projectOf: (accountId) => ids.get(accountId) };
}

const MEMOS = new WeakMap<object, DirectoryMemo>();

/** User and project by name, as they are now or, from a directory elsewhere, were at most `directoryCacheMs` ago. Errors: 'Unavailable'. */
export async function remembered(
  context: Context,
  ask: { readonly userName: string; readonly projectId: string },
): Promise<{ user: DirectoryUser | undefined; project: DirectoryProject | undefined }> {
  const { directory } = context;
  if (directory.kind === 'store') {
    return { user: await directory.user(ask.userName), project: await directory.project(ask.projectId) };
  }
  const memo = memoOf(context);
  const [user, project] = await Promise.all([memo.users.of(ask.userName), memo.projects.of(ask.projectId)]);
  return { user, project };
}

function memoOf(context: Context): DirectoryMemo {
  const memo = MEMOS.get(context.directory) ?? new DirectoryMemo(context);
  MEMOS.set(context.directory, memo);
  return memo;
}

/** Of every project, as near as `remembered`. Errors: 'Unavailable'. */
export async function accountsOf(context: Context): Promise<Accounts> {
  const { directory, store } = context;
  if (directory.kind !== 'store') return (await memoOf(context).all.of('')) ?? accountsIn([]);
  return {
    accountOf: (projectId) => store.get<ProjectRecord>(KEYS.project(projectId))?.value.accountId,
    projectOf: (accountId) =>
      store.range<ProjectRecord>(PREFIX.project).find(({ value }) => value.accountId === accountId)?.value.id,
  };
}
