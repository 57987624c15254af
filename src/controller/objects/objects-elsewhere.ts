import { CloudError } from '../../base/errors.ts';
import type { ServiceHello } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';

/** The role of the process that has the objects. */
export const OBJECTS_ROLE = 'objectstore';

/** The processes that live and have the role; by name. */
export function objectHolders({ services }: Pick<ControllerContext, 'services'>): ServiceHello[] {
  return services
    .list()
    .filter(({ hello, lost }) => !lost && hello.roles.includes(OBJECTS_ROLE))
    .map(({ hello }) => hello);
}

/** Why this process, which has no objects, can't be asked for them: it names the one that can, or the endpoint. */
export function objectsElsewhere(
  { services, process }: Pick<ControllerContext, 'services' | 'process'>,
  endpoint = '',
): CloudError {
  if (endpoint !== '') {
    return new CloudError(
      'UnsupportedOperation',
      `the objects of this cloud are at ${endpoint} (objectstore.endpoint); ask there, with an S3 client and its keys`,
    );
  }
  const holders = objectHolders({ services }).map(({ serviceId, machine }) => `${serviceId} (on ${machine})`);
  const where =
    holders.length === 0
      ? `no process with the role ${OBJECTS_ROLE} was heard of (one that begins is, within seconds); add it to the roles of one`
      : `${holders.join(' and ')} ${holders.length === 1 ? 'has' : 'have'} them: ask there, by S3 where its objectstore.listen says`;
  return new CloudError('Unavailable', `${process.name} has not the role ${OBJECTS_ROLE}, and so no objects; ${where}`);
}
