import { CloudError } from '../../base/errors.ts';
import { standingsOf } from '../../domain/directory.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Principal } from '../operations/handler.ts';
import { remembered } from './directory-memo.ts';

export interface PrincipalAsk {
  readonly userName: string;
  readonly projectId: string;
  /** Over what the request came. */
  readonly from: string;
  /** What signed the request; it must be active. */
  readonly accessKeyId?: string;
  /** Only what the project has is seen and used (the EC2 API). */
  readonly ownProjectOnly?: boolean;
}

/**
 * Who a user is in a project, now. A cloudadmin works in every project, everybody else in those that they are a member of.
 * Errors: 'AuthFailure' (no such user, a disabled one; for a cloudadmin: no such project), 'UnauthorizedOperation' (no member: the same whether there is such
 * a project or not), 'Unavailable' (the directory can't be asked, and has not answered for too long: never a no, never a yes).
 */
export async function principalOf(
  context: Pick<ControllerContext, 'clock' | 'directory' | 'policy' | 'store'>,
  ask: PrincipalAsk,
): Promise<Principal> {
  const { userName, projectId, from, accessKeyId, ownProjectOnly } = ask;
  const { user, project } = await remembered(context, ask);
  if (user === undefined) {
    throw new CloudError('AuthFailure', `the user ${userName}${ofKey(accessKeyId)} is not there any more`);
  }
  if (!user.enabled) {
    throw new CloudError(
      'AuthFailure',
      `the user ${userName} is disabled; "novactl user enable ${userName}" lets them in`,
    );
  }
  const roles: readonly string[] = project === undefined ? user.roles : standingsOf(user, project);
  if (!roles.includes('member') && !roles.includes('cloudadmin')) throw noMember(userName, projectId);
  if (project === undefined) {
    throw new CloudError(
      'AuthFailure',
      `there is no project ${projectId}${ofKey(accessKeyId)} (any more); see "novactl project list"`,
    );
  }
  return {
    name: accessKeyId === undefined ? userName : `${userName}/${accessKeyId}`,
    ...{ userName, projectId, roles, from },
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
    ...(ownProjectOnly === true ? { ownProjectOnly } : {}),
  };
}

/** Nobody learns the names of projects that they are not in. */
function noMember(userName: string, projectId: string): CloudError {
  return new CloudError(
    'UnauthorizedOperation',
    `${userName} is no member of project ${projectId}; if there is one, its manager adds them by "novactl project add-member ${projectId} ${userName}"`,
    { details: { user: userName, project: projectId } },
  );
}

function ofKey(accessKeyId: string | undefined): string {
  return accessKeyId === undefined ? '' : ` of access key ${accessKeyId}`;
}
