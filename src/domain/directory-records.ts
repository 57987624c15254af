import { CloudError } from '../base/errors.ts';
import { canonicalJson } from '../base/json.ts';
import type { PasswordHash } from '../base/password-hash.ts';
import type { RoleName } from './access-rules.ts';
import { rolesIn, type DirectoryChange, type DirectoryProject, type DirectoryUser } from './directory.ts';
import { DIRECTORY_NAME_RULE, isAccountId, isDirectoryName } from './directory-names.ts';
import { KEYS, PREFIX } from './keys.ts';
import type { AccountRecord, ProjectRecord, UserRecord } from './records.ts';

/** A transaction that is being written, as far as it is needed here. */
export interface RecordDraft {
  /** Reads and guards. */
  get<T>(key: string): T | undefined;
  put(key: string, value: object): void;
  del(key: string): void;
  /** Committed state, for ranges. */
  readonly replica: { range<T>(prefix: string): readonly { readonly value: T }[] };
}

/** The first user and the first project; neither can be deleted. */
export const FIRST_NAME = 'admin';

/** A record may have 64 KiB. */
const PROJECT_MAX_BYTES = 60_000;
const PASSWORD_CHARS = { min: 8, max: 256 } as const;

export function userFrom(record: UserRecord): DirectoryUser {
  return {
    name: record.id,
    ...(record.displayName === undefined ? {} : { displayName: record.displayName }),
    ...(record.email === undefined ? {} : { email: record.email }),
    enabled: record.enabled ?? true,
    roles: record.roles,
    createdAtMs: record.createdAtMs,
  };
}

export function projectFrom(record: ProjectRecord): DirectoryProject {
  const manager = record.manager ?? FIRST_NAME;
  return {
    id: record.id,
    ...(record.description === undefined ? {} : { description: record.description }),
    accountId: record.accountId,
    manager,
    members: record.members ?? [manager],
    roles: record.roles ?? {},
    createdAtMs: record.createdAtMs,
  };
}

const noUser = (name: string): CloudError =>
  new CloudError('InvalidUser.NotFound', `there is no user ${name}; see "novactl user list"`, {
    details: { user: name },
  });

const noProject = (id: string): CloudError =>
  new CloudError('InvalidProject.NotFound', `there is no project ${id}; see "novactl project list"`, {
    details: { project: id },
  });

const badValue = (parameter: string, text: string): CloudError =>
  new CloudError('InvalidParameterValue', `${parameter}: ${text}`, { details: { parameter } });

/** Errors: 'InvalidParameterValue'. */
export function refuseWeakPassword(password: string): void {
  const { min, max } = PASSWORD_CHARS;
  if (password.length >= min && password.length <= max) return;
  throw badValue('Password', `must have ${min} to ${max} characters`);
}

/** What becomes of the password: absent: it stays; 'none': it is taken away. */
export type NewPassword = PasswordHash | 'none' | undefined;

/**
 * Writes the change into the draft; what is so already is not written again. `password` stands for the change's password. For deletions the draft must
 * read committed state alone, since they read ranges. Errors: those of Directory.apply, and 'ResourceLimitExceeded' for more members than fit.
 */
export function applyDirectoryChange(draft: RecordDraft, change: DirectoryChange, password?: NewPassword): void {
  switch (change.kind) {
    case 'create-user':
      return createUser(draft, change.user, password);
    case 'modify-user':
      return modifyUser(draft, change, password);
    case 'delete-user':
      return deleteUser(draft, change.name);
    case 'create-project':
      return createProject(draft, change.project);
    case 'modify-project':
      return modifyProject(draft, change);
    case 'delete-project':
      return deleteProject(draft, change.id);
    case 'add-member':
      return addMember(draft, change.projectId, change.user);
    case 'remove-member':
      return removeMember(draft, change.projectId, change.user);
    case 'add-role':
    case 'remove-role':
      return changeRole(draft, change);
  }
}

function userOf(draft: RecordDraft, name: string): UserRecord {
  const record = draft.get<UserRecord>(KEYS.user(name));
  if (record === undefined) throw noUser(name);
  return record;
}

function projectOf(draft: RecordDraft, id: string): ProjectRecord {
  const record = draft.get<ProjectRecord>(KEYS.project(id));
  if (record === undefined) throw noProject(id);
  return record;
}

/** The user is there, and stays so until this transaction is committed. */
export function useUser(draft: RecordDraft, name: string): void {
  userOf(draft, name);
  draft.put(KEYS.userUse(name), { v: 1 });
}

function putUser(draft: RecordDraft, known: UserRecord, next: UserRecord): void {
  if (canonicalJson(known) !== canonicalJson(next)) draft.put(KEYS.user(next.id), next);
}

function putProject(draft: RecordDraft, known: ProjectRecord | undefined, next: ProjectRecord): void {
  const text = canonicalJson(next);
  if (known !== undefined && canonicalJson(known) === text) return;
  if (Buffer.byteLength(text) > PROJECT_MAX_BYTES) {
    throw new CloudError(
      'ResourceLimitExceeded',
      `project ${next.id} has ${next.members?.length ?? 0} members, and no more fit; make another project`,
    );
  }
  draft.put(KEYS.project(next.id), next);
}

function createUser(draft: RecordDraft, user: DirectoryUser, password: NewPassword): void {
  if (!isDirectoryName(user.name)) throw badValue('UserName', `must be ${DIRECTORY_NAME_RULE}`);
  if (draft.get(KEYS.user(user.name)) !== undefined) {
    throw new CloudError('InvalidUser.Duplicate', `there is a user ${user.name} already`, {
      details: { user: user.name },
    });
  }
  const { name, displayName, email, enabled, roles, createdAtMs } = user;
  draft.put(KEYS.user(name), {
    v: 1,
    id: name,
    roles: [...new Set(roles)],
    createdAtMs,
    ...(hasText(displayName) && { displayName }),
    ...(hasText(email) && { email }),
    enabled,
    ...(typeof password === 'object' ? { password } : {}),
  } satisfies UserRecord);
}

function hasText(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

type Changes<K extends DirectoryChange['kind']> = Extract<DirectoryChange, { kind: K }>;

function modifyUser(draft: RecordDraft, change: Changes<'modify-user'>, password: NewPassword): void {
  const known = userOf(draft, change.name);
  const { displayName: oldName, email: oldEmail, password: oldPassword, ...rest } = known;
  const displayName = change.displayName ?? oldName;
  const email = change.email ?? oldEmail;
  const next = password ?? oldPassword;
  putUser(draft, known, {
    ...rest,
    ...(hasText(displayName) && { displayName }),
    ...(hasText(email) && { email }),
    ...(change.enabled === undefined ? {} : { enabled: change.enabled }),
    ...(next === undefined || next === 'none' ? {} : { password: next }),
  });
}

function deleteUser(draft: RecordDraft, name: string): void {
  if (draft.get(KEYS.user(name)) === undefined) return;
  // Changed by whoever names the user while this is decided.
  draft.get(KEYS.userUse(name));
  const projects = draft.replica
    .range<ProjectRecord>(PREFIX.project)
    // A transaction has room for the guards of these, not for those of all there are.
    .filter(({ value }) => projectFrom(value).members.includes(name))
    .map(({ value }) => draft.get<ProjectRecord>(KEYS.project(value.id)))
    .filter((record) => record !== undefined)
    .filter((record) => projectFrom(record).members.includes(name));
  const managed = projects.filter((record) => projectFrom(record).manager === name).map(({ id }) => id);
  if (managed.length > 0) throw managesStill(name, managed);
  for (const record of projects) removeMember(draft, record.id, name);
  draft.del(KEYS.user(name));
  draft.del(KEYS.userUse(name));
}

function managesStill(name: string, projects: readonly string[]): CloudError {
  return new CloudError(
    'InvalidUser.InUse',
    `${name} manages ${projects.length === 1 ? 'the project' : 'the projects'} ${projects.join(', ')}; name another manager first`,
    { details: { user: name, projects } },
  );
}

function createProject(draft: RecordDraft, project: DirectoryProject): void {
  const { id, description, accountId, manager, roles, createdAtMs } = project;
  if (!isDirectoryName(id)) throw badValue('ProjectId', `must be ${DIRECTORY_NAME_RULE}`);
  if (!isAccountId(accountId)) throw badValue('AccountId', 'must be 12 digits');
  if (draft.get(KEYS.project(id)) !== undefined) {
    throw new CloudError('InvalidProject.Duplicate', `there is a project ${id} already`, { details: { project: id } });
  }
  const account = draft.get<AccountRecord>(KEYS.account(accountId));
  if (account !== undefined) {
    throw new CloudError(
      'InvalidProject.Duplicate',
      `AccountId: project ${account.projectId} has the account ${accountId}`,
      { details: { parameter: 'AccountId', project: account.projectId } },
    );
  }
  const members = [...new Set([manager, ...project.members])];
  for (const name of members) useUser(draft, name);
  const stranger = Object.keys(roles).find((name) => !members.includes(name));
  if (stranger !== undefined) throw noMember(stranger, id);
  draft.put(KEYS.account(accountId), { v: 1, projectId: id } satisfies AccountRecord);
  putProject(draft, undefined, {
    ...{ v: 1, id, accountId, createdAtMs },
    ...(hasText(description) && { description }),
    ...{ manager, members },
    roles: Object.fromEntries(Object.entries(roles).filter(([, has]) => has.length > 0)),
  });
}

function modifyProject(draft: RecordDraft, change: Changes<'modify-project'>): void {
  const known = projectOf(draft, change.id);
  const { manager, members } = projectFrom(known);
  const { description: oldDescription, ...rest } = known;
  const description = change.description ?? oldDescription;
  const next = change.manager ?? manager;
  if (next !== manager) useUser(draft, next);
  putProject(draft, known, {
    ...rest,
    ...(hasText(description) && { description }),
    ...(next === manager ? {} : { manager: next, members: [...new Set([...members, next])] }),
  });
}

function deleteProject(draft: RecordDraft, id: string): void {
  const known = draft.get<ProjectRecord>(KEYS.project(id));
  if (known === undefined) return;
  if (draft.get<AccountRecord>(KEYS.account(known.accountId))?.projectId === id)
    draft.del(KEYS.account(known.accountId));
  draft.del(KEYS.project(id));
}

function noMember(name: string, projectId: string): CloudError {
  return new CloudError(
    'InvalidUser.NotFound',
    `${name} is no member of project ${projectId}; "novactl project add-member" makes them one`,
    { details: { user: name, project: projectId } },
  );
}

function addMember(draft: RecordDraft, projectId: string, name: string): void {
  const known = projectOf(draft, projectId);
  const { manager, members } = projectFrom(known);
  if (members.includes(name)) return;
  useUser(draft, name);
  putProject(draft, known, { ...known, manager, members: [...members, name] });
}

function removeMember(draft: RecordDraft, projectId: string, name: string): void {
  const known = projectOf(draft, projectId);
  const { manager, members, roles } = projectFrom(known);
  if (manager === name) throw managesStill(name, [projectId]);
  if (!members.includes(name)) return void userOf(draft, name);
  putProject(draft, known, {
    ...known,
    manager,
    members: members.filter((member) => member !== name),
    roles: rolesWith(roles, name, []),
  });
}

function rolesWith(
  roles: DirectoryProject['roles'],
  name: string,
  has: readonly RoleName[],
): Record<string, readonly RoleName[]> {
  const { [name]: _before, ...others } = roles;
  return has.length === 0 ? others : { ...others, [name]: has };
}

function changeRole(draft: RecordDraft, change: Changes<'add-role' | 'remove-role'>): void {
  const { kind, role, user: name, projectId } = change;
  const changed = (has: readonly RoleName[]): readonly RoleName[] => {
    if (kind === 'remove-role') return has.filter((one) => one !== role);
    return has.includes(role) ? has : [...has, role];
  };
  if (projectId === undefined) {
    const known = userOf(draft, name);
    return putUser(draft, known, { ...known, roles: changed(known.roles) });
  }
  const known = projectOf(draft, projectId);
  const { members, roles } = projectFrom(known);
  if (!members.includes(name)) {
    userOf(draft, name);
    if (kind === 'remove-role') return;
    throw noMember(name, projectId);
  }
  const before = rolesIn({ roles }, name);
  const after = changed(before);
  if (after.length === before.length) return;
  putProject(draft, known, { ...known, roles: rolesWith(roles, name, after) });
}
