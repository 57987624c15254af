import { CloudError, isCode } from '../../base/errors.ts';
import type { ImageAsker, ImageSource, PinnedObject } from '../../domain/image-import.ts';
import type { ImageObject, ImageObjects } from '../../ports/image-objects.ts';
import type { ImageWorkshop } from '../../ports/image-workshop.ts';
import type { ControllerContext } from '../controller-context.ts';
import { bundleKeys } from './bundle/bundle-keys.ts';
import { openBundle, type OpenedBundle } from './bundle/open-bundle.ts';

/** Made with the cloud. */
const FIRST_USER = 'admin';

type ObjectSource = Extract<ImageSource, { kind: 'object' | 'bundle' }>;

/** `bucket/key`; a manifest is known by its name, as in EC2. */
export function sourceAt(location: string): ObjectSource {
  const slash = location.indexOf('/');
  const at = { bucket: location.slice(0, slash), key: location.slice(slash + 1) };
  return { kind: at.key.endsWith('.manifest.xml') ? 'bundle' : 'object', ...at };
}

/** Errors: 'UnsupportedOperation' where this process makes no images. */
export function needWorkshop({ workshop }: Pick<ControllerContext, 'workshop'>, parameter: string): ImageWorkshop {
  if (workshop !== undefined) return workshop;
  throw new CloudError(
    'UnsupportedOperation',
    `${parameter}: this cloud makes no images of what has to be read or converted first; send a raw or qcow2 disk ("novactl image import")`,
    { details: { parameter } },
  );
}

/** What was found there, for whoever reads it later. */
export const pinned = <S extends ObjectSource>(source: S, { etag, versionId }: ImageObject): S => ({
  ...source,
  ...(versionId === undefined ? {} : { versionId }),
  etag,
});

/**
 * The object as the asker may read it, the one that was pinned where one was; what is wrong with it is told as EC2 tells it of a manifest. Errors: 'InvalidManifest'
 * (it is not there, or another one), 'AuthFailure' (it may not be read), 'UnsupportedOperation' (this cloud has no objects), 'Unavailable'.
 */
export async function openObject(
  { imageObjects }: Pick<ControllerContext, 'imageObjects'>,
  asker: ImageAsker,
  object: PinnedObject,
): Promise<ImageObject> {
  if (imageObjects === undefined) {
    throw new CloudError(
      'UnsupportedOperation',
      'Location: this cloud has no object store that images could be read from; send the disk ("novactl image import")',
      { details: { parameter: 'Location' } },
    );
  }
  try {
    return await openPinned(imageObjects, asker, object);
  } catch (error) {
    throw asImageError(error, object);
  }
}

/** As a version it is asked for only when it is not the current one any more: S3 has a right of its own for that. */
async function openPinned(objects: ImageObjects, asker: ImageAsker, object: PinnedObject): Promise<ImageObject> {
  const { bucket, key, versionId = '', etag } = object;
  const isPinned = (found: ImageObject): boolean => found.etag === etag && (found.versionId ?? '') === versionId;
  const now = await objects.open(asker, { bucket, key }).catch((error: unknown) => {
    if (versionId === '' || !isCode(error, 'NoSuchKey')) throw error;
  });
  if (now !== undefined && (etag === undefined || isPinned(now))) return now;
  const old =
    versionId === '' || now?.versionId === versionId ? now : await objects.open(asker, { bucket, key, versionId });
  if (old !== undefined && isPinned(old)) return old;
  throw new CloudError(
    'InvalidManifest',
    `Location: ${bucket}/${key} is another object now than when the image was registered; register it again`,
    { details: { parameter: 'Location', bucket, key } },
  );
}

/**
 * The bundle whose manifest is there, which must be signed by the user who asks. The administrator of the machine has the certificates of the first user.
 * Errors: those of openObject; 'InvalidManifest' with the reason.
 */
export async function openBundleAt(
  cloud: ControllerContext,
  asker: ImageAsker,
  manifest: PinnedObject,
): Promise<OpenedBundle> {
  const { bucket, key } = manifest;
  const objects = (name: string): Promise<ImageObject> =>
    openObject(cloud, asker, name === key ? manifest : { bucket, key: name });
  try {
    return await openBundle(objects, key, bundleKeys(cloud, asker.userName ?? FIRST_USER));
  } catch (error) {
    if (!isCode(error, 'InvalidImage.Format')) throw error;
    throw new CloudError('InvalidManifest', `Location: ${error.message}`, {
      cause: error,
      details: { parameter: 'Location', bucket, key },
    });
  }
}

/** What reading an object said, in the words of images. */
function asImageError(error: unknown, { bucket, key, versionId = '' }: PinnedObject): unknown {
  const where = `${bucket}/${key}`;
  const details = { parameter: 'Location', bucket, key };
  if (isCode(error, 'NoSuchBucket', 'NoSuchKey', 'NoSuchObjectVersion')) {
    const object = `there is no object ${where}${isCode(error, 'NoSuchObjectVersion') ? ` of the version ${versionId}` : ''}`;
    const what = isCode(error, 'NoSuchBucket') ? `there is no bucket ${bucket}` : object;
    return new CloudError('InvalidManifest', `Location: ${what}; upload it first, or look at its name`, {
      cause: error,
      details,
    });
  }
  if (isCode(error, 'AccessDenied')) {
    const message = `Location: ${where} may not be read by who asks for the image; grant it, or ask the bucket's owner`;
    return new CloudError('AuthFailure', message, { cause: error, details });
  }
  return error;
}
