import { CloudError } from '../../base/errors.ts';
import type { DirectoryChange } from '../../domain/directory.ts';
import { FIRST_NAME } from '../../domain/directory-records.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AccessKeyRecord } from '../../domain/records.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { changesDirectory } from '../users/change-directory.ts';
import type { DirectoryView } from '../users/directory-view.ts';
import { noProject, noUser, userView } from '../users/directory-views.ts';
import { dropRestOfUser } from '../users/rest-of-project.ts';
import type { ReadHandler } from './handler.ts';
import { isAdmin } from './handler.ts';

/** What one transaction takes beside the rest of it. */
const CHANGES_MAX = 40;

export const createUser = changesDirectory<'CreateUser'>({
  plan(view, input, { nowMs }) {
    const { UserName: name, DisplayName, Email, Password, Roles = [], Projects = [] } = input;
    for (const id of Projects) if (view.project(id) === undefined) throw noProject(id, 'Projects');
    const joins = Projects.map((projectId): DirectoryChange => ({ kind: 'add-member', projectId, user: name }));
    const user = {
      ...{ name, enabled: true, roles: Roles, createdAtMs: nowMs },
      ...(DisplayName === undefined ? {} : { displayName: DisplayName }),
      ...(Email === undefined ? {} : { email: Email }),
    };
    const create: DirectoryChange = {
      ...{ kind: 'create-user', user },
      ...(Password === undefined || Password === '' ? {} : { password: Password }),
    };
    return { changes: [create, ...joins], targets: [name, ...Projects] };
  },
  output: (view, input, { operationId }) => ({ user: shown(view, input.UserName), operationId }),
});

export const modifyUser = changesDirectory<'ModifyUser'>({
  plan(view, input) {
    const { UserName: name, DisplayName, Email, Enabled, Password } = input;
    if (view.user(name) === undefined) throw noUser(name);
    const change: DirectoryChange = {
      ...{ kind: 'modify-user', name },
      ...(DisplayName === undefined ? {} : { displayName: DisplayName }),
      ...(Email === undefined ? {} : { email: Email }),
      ...(Enabled === undefined ? {} : { enabled: Enabled }),
      ...(Password === undefined ? {} : { password: Password }),
    };
    return { changes: [change], targets: [name] };
  },
  output: (view, input, { operationId }) => ({ user: shown(view, input.UserName), operationId }),
});

interface Left {
  readonly accessKeys: readonly string[];
  readonly manages: readonly string[];
  readonly memberOf: readonly string[];
}

export const deleteUser = changesDirectory<'DeleteUser'>({
  plan(view, input) {
    const { UserName: name, ReassignTo: heir } = input;
    if (view.user(name) === undefined) throw noUser(name);
    if (name === FIRST_NAME)
      throw new CloudError('OperationNotPermitted', `the user ${name} can't be deleted; it can be disabled`);
    const left = leftOf(view, name);
    refuseLeft(input, left);
    if (heir !== undefined && (heir === name || view.user(heir) === undefined)) throw noUser(heir, 'ReassignTo');
    const hand = heir === undefined ? [] : left.manages.map((id) => handOver(id, heir));
    return {
      changes: [...hand, { kind: 'delete-user', name }],
      targets: [name, ...left.accessKeys],
      records(draft) {
        // In a directory elsewhere the user was deleted before this: keys that were made until now go too.
        draft.get(KEYS.userUse(name));
        for (const key of keysIn(draft.replica, name).flatMap((id) => [KEYS.accessKey(id), KEYS.accessKeyUse(id)]))
          if (draft.peek(key) !== undefined) draft.del(key);
        for (const key of limitsIn(draft.replica, name)) draft.del(key);
        draft.del(KEYS.userUse(name));
      },
    };
  },
  output: (_view, { UserName }, { operationId, plan }) => ({
    userName: UserName,
    deletedAccessKeys: plan.targets.slice(1),
    operationId,
  }),
  after: ({ cloud }, { UserName }) => dropRestOfUser(cloud, UserName),
});

const handOver = (id: string, manager: string): DirectoryChange => ({ kind: 'modify-project', id, manager });

function keysIn(replica: DirectoryView['replica'], name: string): string[] {
  const keys = replica.range<AccessKeyRecord>(PREFIX.accessKey).map(({ value }) => value);
  return keys.filter(({ userId }) => userId === name).map(({ id }) => id);
}

/** Also in projects that a user has left in a state of before, as far as a transaction has room. */
function limitsIn(replica: DirectoryView['replica'], name: string): string[] {
  const keys = replica.range(PREFIX.quota).map(({ key }) => key);
  return keys.filter((key) => key.endsWith(`/${name}`)).slice(0, CHANGES_MAX);
}

function leftOf(view: DirectoryView, name: string): Left {
  const projects = view.projects().filter(({ members }) => members.includes(name));
  return {
    accessKeys: keysIn(view.replica, name),
    manages: projects.filter(({ manager }) => manager === name).map(({ id }) => id),
    memberOf: projects.map(({ id }) => id),
  };
}

function refuseLeft({ UserName, ReassignTo, Purge }: OperationParsed<'DeleteUser'>, left: Left): void {
  const refuse = (text: string, advice: string): never => {
    throw new CloudError('InvalidUser.InUse', `${UserName} ${text}; ${advice}`, {
      details: { parameter: 'UserName', left },
    });
  };
  const has = [
    list('has the access keys', left.accessKeys),
    list('manages', left.manages),
    list('is a member of', left.memberOf),
  ].filter((text) => text !== '');
  if (has.length > 0 && ReassignTo === undefined && Purge !== true) {
    refuse(
      has.join(', '),
      '--reassign-to NAME gives what they manage to NAME and deletes the rest, --purge deletes keys and memberships',
    );
  }
  if (left.manages.length > 0 && ReassignTo === undefined)
    refuse(list('manages', left.manages), '--reassign-to NAME says who does then');
  if (left.accessKeys.length + left.memberOf.length > CHANGES_MAX)
    refuse('has too much for one step', 'delete access keys and memberships first');
}

const SHOWN = 10;

function list(what: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return `${what} ${names.slice(0, SHOWN).join(', ')}${more}`;
}

export const describeUsers: ReadHandler<'DescribeUsers'> = async ({ cloud, principal }, input) => {
  const { directory, store } = cloud;
  const projects = await directory.projects();
  const own = projects.find(({ id }) => id === principal.projectId);
  const sees = (name: string): boolean =>
    isAdmin(principal) || name === principal.userName || own?.members.includes(name) === true;
  const shownProjects = isAdmin(principal) ? projects : projects.filter(({ id }) => id === principal.projectId);
  const users = (await directory.users()).filter(({ name }) => sees(name));
  const wanted = input.UserNames?.map((name) => {
    const found = users.find((user) => user.name === name);
    if (found === undefined) throw noUser(name, 'UserNames');
    return found;
  });
  const rows = wanted ?? users.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { users: rows.map((user) => userView(user, shownProjects)), rev: store.rev };
};

function shown(view: DirectoryView, name: string): ReturnType<typeof userView> {
  const user = view.user(name);
  if (user === undefined) throw noUser(name);
  return userView(user, view.projects());
}
