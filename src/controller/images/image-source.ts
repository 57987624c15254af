import { CloudError, isCode } from '../../base/errors.ts';
import type { ImageAsker, ImageSource } from '../../domain/image-import.ts';
import type { ImageObject } from '../../ports/image-objects.ts';
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

/**
 * The object as the asker may read it; what is wrong with it is told as EC2 tells it of a manifest. Errors: 'InvalidManifest' (it is not there), 'AuthFailure'
 * (it may not be read), 'UnsupportedOperation' (this cloud has no objects), 'Unavailable'.
 */
export async function openObject(
  { imageObjects }: Pick<ControllerContext, 'imageObjects'>,
  asker: ImageAsker,
  object: { readonly bucket: string; readonly key: string; readonly versionId?: string },
): Promise<ImageObject> {
  if (imageObjects === undefined) {
    throw new CloudError(
      'UnsupportedOperation',
      'Location: this cloud has no object store that images could be read from; send the disk ("novactl image import")',
      { details: { parameter: 'Location' } },
    );
  }
  try {
    return await imageObjects.open(asker, object);
  } catch (error) {
    throw asImageError(error, object);
  }
}

/**
 * The bundle whose manifest is there, which must be signed by the user who asks. The administrator of the machine has the certificates of the first user.
 * Errors: those of openObject; 'InvalidManifest' with the reason.
 */
export async function openBundleAt(
  cloud: ControllerContext,
  asker: ImageAsker,
  { bucket, key }: { readonly bucket: string; readonly key: string },
): Promise<OpenedBundle> {
  const objects = (part: string): Promise<ImageObject> => openObject(cloud, asker, { bucket, key: part });
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
function asImageError(error: unknown, { bucket, key }: { readonly bucket: string; readonly key: string }): unknown {
  const where = `${bucket}/${key}`;
  const details = { parameter: 'Location', bucket, key };
  if (isCode(error, 'NoSuchBucket', 'NoSuchKey', 'NoSuchObjectVersion')) {
    const what = isCode(error, 'NoSuchBucket') ? `there is no bucket ${bucket}` : `there is no object ${where}`;
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
