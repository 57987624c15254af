import type { Clock } from '../base/clock.ts';
import type { ControllerContext } from '../controller/controller-context.ts';
import { createLocalImageObjects } from '../controller/objects/image-objects.ts';
import { imageObjectsOverBus } from '../controller/objects/image-objects-over-bus.ts';
import { accountsOf } from '../controller/users/directory-memo.ts';
import type { ImageObjects } from '../ports/image-objects.ts';
import type { Config } from './config/schema.ts';
import type { ObjectsHere } from './objects-here.ts';
import { hasEndpoint, openEndpointObjects } from './open-endpoint.ts';

interface Cloud {
  readonly context: ControllerContext;
  readonly objects: ObjectsHere | undefined;
}

/** Where images are made of objects: at the configured endpoint, in this process, or in another one of this cloud. */
export async function openImageObjects(
  { context, objects }: Cloud,
  { config, clock }: { readonly config: Config; readonly clock: Clock },
): Promise<ImageObjects> {
  if (hasEndpoint(config)) return openEndpointObjects(config, { clock });
  if (objects === undefined) return imageObjectsOverBus(context);
  return createLocalImageObjects({ store: () => objects.store(), accounts: () => accountsOf(context) });
}
