import { CloudError } from '../../base/errors.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import type { ImageView } from '../../views/images.ts';
import { progressText } from '../../views/progress.ts';
import { deadline } from './deadline.ts';
import type { Session } from './session.ts';

const LOOK_MS = 500;

/**
 * Until the image is made, with a bar on a terminal. Errors: what its making failed with; 'Timeout' after timeoutMs (it goes on being made);
 * 'InvalidAMIID.NotFound' when somebody removed it.
 */
export async function waitForImage(session: Session, imageId: string, timeoutMs: number): Promise<ImageView> {
  const { io, output } = session;
  const end = deadline(io, timeoutMs, `for the image ${imageId} to be made`);
  let startMs = io.clock.monotonicMs();
  let told = '';
  try {
    for (;;) {
      const { images } = await session.read('DescribeImages', { ImageIds: [imageId] }, { signal: end.signal });
      const [image] = images;
      if (image?.state === 'available') return image;
      if (image?.state === 'failed') throw failure(image);
      if (image === undefined) throw new CloudError('InvalidAMIID.NotFound', `the image ${imageId} is gone`);
      const { step = 'waiting', doneBytes = 0, totalBytes } = image.progress ?? {};
      if (step !== told) {
        output.detail(`${imageId}: ${step}`);
        // How fast a step is has nothing to do with how fast the one before it was.
        [told, startMs] = [step, io.clock.monotonicMs()];
      }
      const tookMs = io.clock.monotonicMs() - startMs;
      const width = io.stderr.columns ?? 80;
      output.progress(progressText({ label: step, sentBytes: doneBytes, sizeBytes: totalBytes, tookMs, width }));
      await io.clock.sleep(LOOK_MS, end.signal);
    }
  } finally {
    output.progress('');
    end.clear();
  }
}

function failure({ imageId, stateReason }: ImageView): CloudError {
  const { code = 'InternalError', message = 'nothing is known of why' } = stateReason ?? {};
  const known = CloudError.unflatten({ code: code as ErrorCode, message });
  return new CloudError(known.code, `the image ${imageId} was not made: ${message}`, { details: { imageId } });
}
