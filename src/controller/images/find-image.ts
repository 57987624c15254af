import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import { ImageId } from '../../messages/operations/fields.ts';
import type { Principal } from '../operations/handler.ts';
import { mayUse } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';

/**
 * Names are unique in a project; a public image of another project may carry the same name, and is then ambiguous. What looks like an id is never taken for a name:
 * else whoever names an image as the id of another gets what is meant for that one, once it is gone.
 */
export function findImage(
  draft: Pick<Draft, 'peek' | 'replica'>,
  principal: Principal,
  idOrName: string,
  parameter: string,
): ImageRecord {
  const visible = (image: ImageRecord): boolean => mayLaunch(principal, image);
  const byId = draft.peek<ImageRecord>(KEYS.image(idOrName));
  if (byId !== undefined && visible(byId)) return byId;
  const named = ImageId.safeParse(idOrName).success ? [] : imagesNamed(draft, principal, idOrName).filter(visible);
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

function imagesNamed(
  draft: Pick<Draft, 'peek' | 'replica'>,
  { projectId }: Principal,
  name: string,
): readonly ImageRecord[] {
  const own = draft.peek<{ imageId: string }>(KEYS.imageName(projectId, name));
  const ownImage = own === undefined ? undefined : draft.peek<ImageRecord>(KEYS.image(own.imageId));
  if (ownImage !== undefined) return [ownImage];
  const all = draft.replica.range<ImageRecord>(PREFIX.image).map(({ value }) => value);
  return all.filter((image) => image.name === name);
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
