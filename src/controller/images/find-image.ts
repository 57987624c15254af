import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { Principal } from '../operations/handler.ts';
import { mayUse } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';

/** Names are unique in a project; a public image of another project may carry the same name, and is then ambiguous. */
export function findImage(
  draft: Pick<Draft, 'peek' | 'replica'>,
  principal: Principal,
  idOrName: string,
  parameter: string,
): ImageRecord {
  const visible = (image: ImageRecord): boolean => mayLaunch(principal, image);
  const byId = draft.peek<ImageRecord>(KEYS.image(idOrName));
  if (byId !== undefined && visible(byId)) return byId;
  const own = draft.peek<{ imageId: string }>(KEYS.imageName(principal.projectId, idOrName));
  const ownImage = own === undefined ? undefined : draft.peek<ImageRecord>(KEYS.image(own.imageId));
  const named =
    ownImage === undefined
      ? draft.replica
          .range<ImageRecord>(PREFIX.image)
          .map((entry) => entry.value)
          .filter((image) => image.name === idOrName && visible(image))
      : [ownImage];
  const [first, second] = named;
  if (first === undefined) {
    throw new CloudError(
      'InvalidAMIID.NotFound',
      `${parameter}: there is no image ${idOrName}; see "novactl image list"`,
      {
        details: { parameter },
      },
    );
  }
  if (second !== undefined) {
    throw new CloudError(
      'InvalidAMIID.Ambiguous',
      `${parameter}: ${named.length} images are named ${idOrName} (${named.map((i) => i.id).join(', ')}); use the id`,
      {
        details: { parameter },
      },
    );
  }
  return first;
}

/** Its project's own, and, once they can be started, those that may be started by everybody or by this project. Nobody sees one that was deregistered. */
export function mayLaunch(principal: Principal, image: ImageRecord): boolean {
  if (image.deregisteredAtMs !== undefined) return false;
  if (mayUse(principal, image.projectId)) return true;
  return image.state === undefined && (image.public || image.launchProjects?.includes(principal.projectId) === true);
}

/** Refuses an image whose bytes are not there. Errors: 'InvalidAMIID.Unavailable' (details.state). */
export function needAvailable({ id, state, stateReason }: ImageRecord, parameter: string): void {
  if (state === undefined) return;
  const why =
    state === 'pending'
      ? 'pending: wait until it is available (novactl image show tells how far it is)'
      : `failed (${stateReason?.message ?? 'it was not said why'}): delete it and register it again`;
  throw new CloudError('InvalidAMIID.Unavailable', `${parameter}: the image ${id} is ${why}`, {
    details: { parameter, state },
  });
}
