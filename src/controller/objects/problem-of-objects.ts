import type { ControllerContext } from '../controller-context.ts';
import type { ObjectKeeper } from './object-keeper.ts';
import { objectHolders, OBJECTS_ROLE } from './objects-elsewhere.ts';

/** What an administrator has to know of the objects of this process; undefined: nothing. */
export function problemOfObjects(
  keeper: Pick<ObjectKeeper, 'problem'> | undefined,
  { services, process }: Pick<ControllerContext, 'services' | 'process'>,
): string | undefined {
  const others = objectHolders({ services })
    .filter(({ serviceId }) => serviceId !== process.name)
    .map(({ serviceId, machine }) => `${serviceId} (on ${machine})`);
  if (others.length > 0) {
    return `${others.join(' and ')} has the role ${OBJECTS_ROLE} too; objects are in a folder of one machine, so that each of them has others: take the role from all but one, or set objectstore.endpoint`;
  }
  return keeper?.problem;
}
