import { hashPassword, SALT_BYTES } from '../../base/password-hash.ts';
import type { DirectoryChange } from '../../domain/directory.ts';
import { applyDirectoryChange, refuseWeakPassword, type NewPassword } from '../../domain/directory-records.ts';
import { KEYS } from '../../domain/keys.ts';
import type { OperationOutput, OperationParsed, UnaryName } from '../../messages/operations/index.ts';
import type { ChangeContext, ChangeHandler, ReadContext } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import { draftView, viewElsewhere, type DirectoryView } from './directory-view.ts';
import { applyElsewhere } from './unrecorded-create.ts';

/** What an operation does to the directory, and to records that are not in it. */
export interface DirectoryPlan {
  readonly changes: readonly DirectoryChange[];
  /** Names and ids of what the operation is about. */
  readonly targets: readonly string[];
  /** Writes what else goes with it, in the transaction that records the operation. */
  readonly records?: (draft: Draft) => void;
}

/** An operation on users, projects or roles: the same for a directory in the store and for one elsewhere. */
export interface DirectoryOperation<N extends UnaryName, S = undefined> {
  /** What is neither in the directory nor in the records, and takes time: `plan` is told. Who asks may not be entitled to it, which `plan` finds out. */
  look?(context: ReadContext, input: OperationParsed<N>): Promise<S>;
  /** From what is there; throws the refusal. May be asked several times. */
  plan(view: DirectoryView, input: OperationParsed<N>, context: ReadContext, seen: S | undefined): DirectoryPlan;
  /** From what is there after it. */
  output(
    view: DirectoryView,
    input: OperationParsed<N>,
    done: Pick<ChangeContext, 'operationId'> & { readonly plan: DirectoryPlan },
  ): OperationOutput<N>;
  after?(context: ChangeContext, input: OperationParsed<N>): Promise<void>;
}

interface Prepared<S> {
  readonly seen?: S | undefined;
  /** Of a directory in the store. */
  readonly password?: NewPassword;
  /** Of one elsewhere: what was done to it, and who there is since. */
  readonly done?: { readonly plan: DirectoryPlan; readonly view: DirectoryView };
}

/**
 * With the store's directory the change and its record are one transaction. One elsewhere has no part in transactions: it is changed first, and what was
 * done is recorded then; when that fails the same call again finds it done (`create` by applyElsewhere).
 */
export function changesDirectory<N extends UnaryName, S = undefined>(
  operation: DirectoryOperation<N, S>,
): ChangeHandler<N, Prepared<S>> {
  return {
    settled: true,
    async prepare(context, input) {
      const { directory, store } = context.cloud;
      const seen = await operation.look?.(context, input);
      if (directory.kind === 'store') return { seen, password: await hashOf(context, input) };
      const plan = operation.plan(await viewElsewhere(directory, store), input, context, seen);
      for (const change of plan.changes) await applyElsewhere(context, change);
      return { done: { plan, view: await viewElsewhere(directory, store) } };
    },
    decide(draft, input, context, { password, done, seen }) {
      const view = done?.view ?? draftView(draft);
      const plan = done?.plan ?? operation.plan(view, input, context, seen);
      if (done === undefined) for (const change of plan.changes) applyDirectoryChange(draft, change, password);
      plan.records?.(draft);
      draft.put(KEYS.directoryChange, { v: 1, operationId: context.operationId });
      const { operationId } = context;
      return { output: operation.output(view, input, { operationId, plan }), targets: plan.targets };
    },
    async after(context, input) {
      await operation.after?.(context, input);
    },
  };
}

/** The one password that an input may have. */
async function hashOf({ cloud }: ReadContext, input: unknown): Promise<NewPassword> {
  const { Password: password } = input as { readonly Password?: string };
  if (password === undefined) return undefined;
  if (password === '') return 'none';
  refuseWeakPassword(password);
  return hashPassword(password, cloud.random.bytes(SALT_BYTES));
}
