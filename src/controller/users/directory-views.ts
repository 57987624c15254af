import type { DirectoryProject, DirectoryUser } from '../../domain/directory.ts';
import { CloudError } from '../../base/errors.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';

/** A user as answers show it. */
export function userView(
  user: DirectoryUser,
  projects: readonly DirectoryProject[],
): OperationOutput<'DescribeUsers'>['users'][number] {
  const { name, roles, ...rest } = user;
  const member = projects.filter(({ members }) => members.includes(name)).map(({ id }) => id);
  return { userName: name, ...rest, roles: [...roles], projects: member.toSorted() };
}

/** A project as answers show it. */
export function projectView(project: DirectoryProject): OperationOutput<'DescribeProjects'>['projects'][number] {
  const { id, members, roles, ...rest } = project;
  return {
    projectId: id,
    ...rest,
    members: members.toSorted(),
    roles: Object.fromEntries(Object.entries(roles).map(([name, has]) => [name, [...has]])),
  };
}

export function noUser(name: string, parameter = 'UserName'): CloudError {
  return new CloudError('InvalidUser.NotFound', `${parameter}: there is no user ${name}; see "novactl user list"`, {
    details: { parameter },
  });
}

/** The same for one that is not there and one that the caller may not see. */
export function noProject(id: string, parameter = 'ProjectId'): CloudError {
  return new CloudError(
    'InvalidProject.NotFound',
    `${parameter}: there is no project ${id}; see "novactl project list"`,
    { details: { parameter } },
  );
}
