import { CloudError } from '../../base/errors.ts';
import { ROLE_NAMES } from '../../domain/access-rules.ts';
import { rolesIn, type DirectoryProject } from '../../domain/directory.ts';
import type { OperationOutput, OperationParsed } from '../../messages/operations/index.ts';
import { changesDirectory } from '../users/change-directory.ts';
import type { DirectoryView } from '../users/directory-view.ts';
import { noProject, noUser } from '../users/directory-views.ts';
import type { Principal, ReadContext, ReadHandler } from './handler.ts';
import { isAdmin, mayUse } from './handler.ts';
import { requireProject } from './projects.ts';

type Grant = OperationParsed<'AddRole'>;
type Row = OperationOutput<'DescribeRoles'>['roles'][number];

/** Roles that a manager can't give: they are about the cloud. */
const OF_THE_CLOUD: readonly string[] = ['cloudadmin', 'itsec'];

function planGrant(kind: 'add-role' | 'remove-role') {
  return (view: DirectoryView, input: Grant, { principal }: ReadContext) => {
    const { Role: role, UserName: user, ProjectId: projectId } = input;
    refuseGrant(principal, input);
    if (projectId !== undefined) requireProject(view, principal, projectId);
    if (view.user(user) === undefined) throw noUser(user);
    const change = { kind, role, user, ...(projectId === undefined ? {} : { projectId }) };
    return { changes: [change], targets: [user, ...(projectId === undefined ? [] : [projectId])] };
  };
}

function refuseGrant(principal: Principal, { Role: role, ProjectId: projectId }: Grant): void {
  if (isAdmin(principal)) return;
  if (projectId !== undefined && !OF_THE_CLOUD.includes(role)) return;
  const what = projectId === undefined ? 'roles in the whole cloud are' : `the role ${role} is`;
  throw new CloudError(
    'UnauthorizedOperation',
    `${what} for a cloudadmin to give; a manager gives sysadmin, netadmin and developer in the project, with ProjectId`,
    { details: { rule: 'cloudadmin' } },
  );
}

function outputOf(
  view: DirectoryView,
  { UserName, ProjectId }: Grant,
): Omit<OperationOutput<'AddRole'>, 'operationId'> {
  const project = ProjectId === undefined ? undefined : view.project(ProjectId);
  const roles = project === undefined ? (view.user(UserName)?.roles ?? []) : rolesIn(project, UserName);
  return { userName: UserName, ...(ProjectId === undefined ? {} : { projectId: ProjectId }), roles: [...roles] };
}

export const addRole = changesDirectory<'AddRole'>({
  plan: planGrant('add-role'),
  output: (view, input, { operationId }) => ({ ...outputOf(view, input), operationId }),
});

export const removeRole = changesDirectory<'RemoveRole'>({
  plan: planGrant('remove-role'),
  output: (view, input, { operationId }) => ({ ...outputOf(view, input), operationId }),
});

export const describeRoles: ReadHandler<'DescribeRoles'> = async ({ cloud, principal }, input) => {
  const { directory, store } = cloud;
  const { UserName: userName, ProjectId: projectId } = input;
  const projects = (await directory.projects()).filter(({ id }) => mayUse(principal, id));
  const own = projects.find(({ id }) => id === principal.projectId);
  if (projectId !== undefined && !projects.some(({ id }) => id === projectId)) throw noProject(projectId);
  const users = (await directory.users()).filter(
    ({ name }) => isAdmin(principal) || name === principal.userName || own?.members.includes(name) === true,
  );
  if (userName !== undefined && !users.some(({ name }) => name === userName)) throw noUser(userName);
  const inCloud = users.flatMap(({ name, roles }) => roles.map((role): Row => ({ userName: name, role })));
  const all = [...(projectId === undefined ? inCloud : []), ...projects.flatMap(rowsOf)];
  const roles = all.filter(
    (row) =>
      (userName === undefined || row.userName === userName) && (projectId === undefined || row.projectId === projectId),
  );
  return { roles: roles.toSorted(byUser), rev: store.rev };
};

function rowsOf({ id, roles }: DirectoryProject): Row[] {
  return Object.entries(roles).flatMap(([userName, has]) => has.map((role) => ({ userName, role, projectId: id })));
}

const orderOf = ({ userName, projectId = '', role }: Row): string =>
  `${userName} ${projectId} ${ROLE_NAMES.findIndex((one) => one === role)}`;

function byUser(a: Row, b: Row): number {
  return orderOf(a) < orderOf(b) ? -1 : 1;
}

export const checkRole: ReadHandler<'CheckRole'> = async ({ cloud, principal }, input) => {
  const { directory } = cloud;
  const { Role: role, UserName: userName = principal.userName, ProjectId: projectId = principal.projectId } = input;
  if (userName === undefined)
    throw new CloudError('MissingParameter', 'UserName: is needed, since the administrator of the machine is no user', {
      details: { parameter: 'UserName' },
    });
  const project = mayUse(principal, projectId) ? await directory.project(projectId) : undefined;
  if (project === undefined) throw noProject(projectId);
  const user = await directory.user(userName);
  const visible = isAdmin(principal) || userName === principal.userName || project.members.includes(userName);
  if (user === undefined || !visible) throw noUser(userName);
  const inProject = rolesIn(project, userName).includes(role);
  const from = user.roles.includes(role) ? 'cloud' : inProject ? 'project' : undefined;
  return { userName, projectId, role, has: from !== undefined, ...(from === undefined ? {} : { from }) };
};
