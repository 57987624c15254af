import type { Directory } from '../../ports/directory.ts';
import type { Principal } from '../operations/handler.ts';
import { noProject } from './directory-views.ts';

/** The administrator of the machine, who works in every project that there is. Errors: 'InvalidProject.NotFound', 'Unavailable'. */
export async function inProject(
  directory: Pick<Directory, 'project'> | undefined,
  principal: Principal,
  projectId: string | undefined,
): Promise<Principal> {
  if (projectId === undefined || projectId === principal.projectId) return principal;
  if ((await directory?.project(projectId)) === undefined) throw noProject(projectId);
  return { ...principal, projectId };
}
