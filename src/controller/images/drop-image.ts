import { KEYS } from '../../domain/keys.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Draft } from '../state/draft.ts';
import { isBlobNamed } from './image-uses.ts';

/** The records that are left of an image whose name, tags and quota are given back. */
export function dropImage(draft: Draft, imageId: string): void {
  draft.del(KEYS.image(imageId));
  draft.del(KEYS.imageUse(imageId));
}

/** Bytes go after their record, and only when no other image names them. Whoever dies before leaves them to the collector. */
export async function dropBytes(
  { store, blobs }: Pick<ControllerContext, 'store' | 'blobs'>,
  key: string,
): Promise<void> {
  if (key !== '' && !isBlobNamed(store, key)) await blobs.delete(key);
}
