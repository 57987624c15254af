import { isCode } from '../../base/errors.ts';
import { canonicalJson } from '../../base/json.ts';
import type { DirectoryChange, DirectoryProject, DirectoryUser } from '../../domain/directory.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { OperationRecord } from '../../domain/records.ts';
import type { ReadContext } from '../operations/handler.ts';

type Create = Extract<DirectoryChange, { kind: 'create-user' | 'create-project' }>;

/** Older ones are never taken for one's own: the operation that made them may be forgotten. */
const YOUNG_MS = 3_600_000;
/** A directory may keep whole seconds. */
const ROUNDING_MS = 1000;

/**
 * Carries a change out in a directory elsewhere. A process may die after it has made a user or a project there and before that is recorded; whoever
 * asks again finds it there. It is taken as made by this call when it is what was asked for, made just now, and no operation says that it made it.
 * Errors: those of Directory.apply.
 */
export async function applyElsewhere(context: ReadContext, change: DirectoryChange): Promise<void> {
  const { directory } = context.cloud;
  try {
    await directory.apply(change);
  } catch (error) {
    const isCreate = change.kind === 'create-user' || change.kind === 'create-project';
    if (!isCreate || !isCode(error, 'InvalidUser.Duplicate', 'InvalidProject.Duplicate')) throw error;
    if (!(await isUnrecorded(context, change))) throw error;
  }
}

async function isUnrecorded({ cloud, nowMs }: ReadContext, change: Create): Promise<boolean> {
  const { directory, policy } = cloud;
  const asked = change.kind === 'create-user' ? change.user : change.project;
  const found =
    change.kind === 'create-user' ? await directory.user(change.user.name) : await directory.project(change.project.id);
  if (
    found === undefined ||
    nowMs - found.createdAtMs > Math.min(YOUNG_MS, policy.operationsKeepMs) ||
    shapeOf(found) !== shapeOf(asked)
  )
    return false;
  if (change.kind === 'create-user' && change.password !== undefined) {
    if (!(await directory.authenticate(change.user.name, change.password))) return false;
  }
  const [name, target] =
    change.kind === 'create-user' ? ['CreateUser', change.user.name] : ['CreateProject', change.project.id];
  await cloud.store.barrier();
  return !cloud.store
    .range<OperationRecord>(PREFIX.operation)
    .some(
      ({ value }) =>
        value.name === name && value.targets[0] === target && value.startedAtMs >= found.createdAtMs - ROUNDING_MS,
    );
}

/** What was asked for, in one order and without the time. */
function shapeOf(one: DirectoryUser | DirectoryProject): string {
  const { createdAtMs: _created, ...rest } = one;
  return canonicalJson(
    'members' in rest ? { ...rest, members: rest.members.toSorted() } : { ...rest, roles: rest.roles.toSorted() },
  );
}
