import { CloudError } from '../../base/errors.ts';
import type { DirectoryUser } from '../../domain/directory.ts';
import type { ControllerContext } from '../controller-context.ts';
import { isAdmin, type Principal } from '../operations/handler.ts';
import { noProject } from './directory-views.ts';

export interface KeyOwner {
  readonly userId: string;
  readonly projectId: string;
}

interface Asked {
  readonly UserName?: string | undefined;
  readonly ProjectId?: string | undefined;
}

/** The user admin, whom the administrator of the machine speaks for. */
const ADMIN_USER = 'admin';

const refuse = (
  code: 'InvalidUser.NotFound' | 'InvalidParameterCombination' | 'UnauthorizedOperation',
  parameter: string,
  text: string,
): never => {
  throw new CloudError(code, `${parameter}: ${text}`, { details: { parameter } });
};

/**
 * Whom a key, or a certificate, is made for: a user in a project that they may work in. Everybody makes their own; a cloudadmin those of others.
 * Errors: 'InvalidUser.NotFound', 'InvalidProject.NotFound', 'InvalidParameterCombination', 'UnauthorizedOperation', 'Unavailable'.
 */
export async function requireKeyOwner(
  { directory }: Pick<ControllerContext, 'directory'>,
  principal: Principal,
  asked: Asked,
): Promise<KeyOwner> {
  const own = principal.userName ?? ADMIN_USER;
  const userId = asked.UserName ?? own;
  if (userId !== principal.userName && !isAdmin(principal))
    return refuse('UnauthorizedOperation', 'UserName', `what is ${userId}'s is made by ${userId}, or by a cloudadmin`);
  const user = await directory.user(userId);
  if (user === undefined)
    return refuse('InvalidUser.NotFound', 'UserName', `there is no user ${userId}; see "novactl user list"`);
  const projectId = asked.ProjectId ?? (userId === own ? principal.projectId : await onlyProject(directory, user));
  const project = await directory.project(projectId);
  const mayWork = project !== undefined && (project.members.includes(userId) || user.roles.includes('cloudadmin'));
  if (mayWork) return { userId, projectId };
  // Nobody learns the names of projects that they are not in.
  if (project === undefined || !isAdmin(principal)) throw noProject(projectId);
  return refuse(
    'InvalidParameterCombination',
    'ProjectId',
    `${userId} is no member of project ${projectId}; "novactl project add-member ${projectId} ${userId}" makes them one`,
  );
}

async function onlyProject(directory: ControllerContext['directory'], user: DirectoryUser): Promise<string> {
  const [first, ...more] = (await directory.projectsOf(user.name)).map(({ id }) => id);
  if (first !== undefined && more.length === 0) return first;
  const text = first === undefined ? 'no project' : `the projects ${[first, ...more].join(', ')}`;
  return refuse('InvalidParameterCombination', 'ProjectId', `is needed, since ${user.name} is in ${text}`);
}
