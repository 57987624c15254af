import { CloudError } from '../../base/errors.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import type { ImageView } from '../../views/images.ts';
import type { Session } from './session.ts';
import { waitWithProgress, type WorkSeen } from './wait-with-progress.ts';

interface Begun {
  readonly image: ImageView;
  readonly operationId: string;
}

interface WaitWords {
  readonly 'no-wait': boolean;
  readonly 'dry-run': boolean;
  readonly timeout: number;
}

/**
 * Says that the image is being made and waits for its end, unless --no-wait says not to: the image as it is then. Errors: what its making failed with; 'Timeout'
 * (it goes on being made); 'InvalidAMIID.NotFound' when somebody removed it.
 */
export async function untilMade(session: Session, { image, operationId }: Begun, words: WaitWords): Promise<ImageView> {
  const { output } = session;
  const isPending = image.state === 'pending';
  output.message(`${isPending ? 'making' : 'registered'} the image ${image.name} as ${image.imageId} (${operationId})`);
  if (!isPending || words['dry-run']) return image;
  if (words['no-wait']) {
    output.hint(`see how far it is by: novactl image show ${image.imageId}`);
    return image;
  }
  const made = await waitForImage(session, image.imageId, words.timeout);
  output.message(`the image ${made.imageId} is available`);
  return made;
}

function waitForImage(session: Session, imageId: string, timeoutMs: number): Promise<ImageView> {
  const look = async (signal: AbortSignal): Promise<{ done: ImageView } | WorkSeen> => {
    const { images } = await session.read('DescribeImages', { ImageIds: [imageId] }, { signal });
    const [image] = images;
    if (image?.state === 'available') return { done: image };
    if (image?.state === 'failed') throw failure(image);
    if (image === undefined) throw new CloudError('InvalidAMIID.NotFound', `the image ${imageId} is gone`);
    const { step = 'waiting', doneBytes = 0, totalBytes } = image.progress ?? {};
    return { step, doneBytes, totalBytes };
  };
  return waitWithProgress(session, { timeoutMs, what: `for the image ${imageId} to be made`, name: imageId, look });
}

function failure({ imageId, stateReason }: ImageView): CloudError {
  const { code = 'InternalError', message = 'nothing is known of why' } = stateReason ?? {};
  const known = CloudError.unflatten({ code: code as ErrorCode, message });
  const text = `the image ${imageId} was not made: ${message}; it keeps its name until it is removed: novactl image delete ${imageId}`;
  return new CloudError(known.code, text, { details: { imageId } });
}
