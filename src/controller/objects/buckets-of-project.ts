import type { ControllerContext } from '../controller-context.ts';

/** The buckets that the project has in any region, by name, as far as this process has the objects. Errors: 'LockBusy', 'CorruptState', 'Unavailable'. */
export async function bucketsOfProject(
  { objects }: Pick<ControllerContext, 'objects'>,
  projectId: string,
): Promise<readonly string[]> {
  const keeper = await objects?.();
  return keeper === undefined ? [] : keeper.bucketsOf(projectId);
}
