import { CloudError } from '../../base/errors.ts';
import { ProjectBucketsFound } from '../../messages/image-objects.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';
import { objectHolders, OBJECTS_ROLE } from './objects-elsewhere.ts';
import type { LeavingProject } from './project-gate.ts';

const ASK_TIMEOUT_MS = 20_000;

/** Names of the buckets that the project has in any region, for who deletes it at once. Errors: 'LockBusy', 'CorruptState', 'Unavailable'. */
export async function bucketsOfProject(
  { objects, bucketsElsewhere }: Pick<ControllerContext, 'objects' | 'bucketsElsewhere'>,
  project: LeavingProject,
): Promise<readonly string[]> {
  if (objects === undefined) return (await bucketsElsewhere?.(project)) ?? [];
  return (await (await objects())?.bucketsOf(project)) ?? [];
}

/** By the processes that have objects. Where none was ever heard of there are none; one that is silent can't be asked. */
export async function bucketsOverBus(
  { bus, services }: Pick<ControllerContext, 'bus' | 'services'>,
  { projectId, accountId }: LeavingProject,
): Promise<string[]> {
  const holders = objectHolders({ services });
  const silent = services.list().find(({ hello, lost }) => lost && hello.roles.includes(OBJECTS_ROLE));
  if (holders.length === 0 && silent !== undefined) {
    const { serviceId, machine } = silent.hello;
    throw new CloudError(
      'Unavailable',
      `${serviceId} (on ${machine}) has the objects of this cloud and is not heard of, so that nobody knows whether project ${projectId} has buckets; start it first`,
    );
  }
  const found = holders.map(async ({ serviceId }) => {
    const asked = { v: 1, projectId, accountId } as const;
    const answer = await bus.call(TOPIC.objects(serviceId), 'project-buckets', asked, { timeoutMs: ASK_TIMEOUT_MS });
    return ProjectBucketsFound.parse(answer).names;
  });
  return (await Promise.all(found)).flat();
}
