import type { Readable } from 'node:stream';
import type { ErrorCode } from '../../base/error-codes.ts';
import { CloudError, errorText, isCode } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { toJson } from '../../base/json.ts';
import type { ImageAsker } from '../../domain/image-import.ts';
import { ImageObjectFound, ImageObjectStaged } from '../../messages/image-objects.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { ImageObject, ImageObjects, ReadWatch } from '../../ports/image-objects.ts';
import type { ControllerContext } from '../controller-context.ts';
import { objectHolders, objectsElsewhere } from './objects-elsewhere.ts';

const ASK_TIMEOUT_MS = 20_000;
const ASK_AGAIN_MS = 1000;
/** A copy that nobody could be asked for so long is given up. */
const SILENT_MAX_MS = 60_000;
/** What goes away by itself: the process is started anew, or has much to do. */
const PASSING = ['Unavailable', 'Timeout', 'Busy'] as const;

type Cloud = Pick<ControllerContext, 'bus' | 'blobs' | 'services' | 'process' | 'clock' | 'random' | 'logger'>;

interface Named {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

interface Wish {
  readonly asker: ImageAsker;
  readonly object: Named;
  readonly found: ImageObjectFound;
  readonly blobKey: string;
}

/**
 * Objects of another process of this cloud, by the rights that the asker has there. Their bytes come by the blobs that all processes share: a copy, which is
 * deleted when it was read, and by `maintain collect` when this process dies before.
 */
export function imageObjectsOverBus(cloud: Cloud): ImageObjects {
  return {
    async open(asker, object) {
      const found = ImageObjectFound.parse(await ask(cloud, 'image-object-head', { v: 1, asker, object }));
      const { sizeBytes, etag, versionId } = found;
      return {
        ...{ sizeBytes, etag, versionId },
        read: (range, watch) => read(cloud, { asker, object, found }, range, watch),
      };
    },
  };
}

/** With the process that has them; where there are two, each has others, and nobody knows which are meant. */
async function ask(cloud: Cloud, type: string, body: object): Promise<unknown> {
  const [holder, ...more] = objectHolders(cloud);
  if (holder === undefined || more.length > 0) throw objectsElsewhere(cloud);
  return cloud.bus.call(TOPIC.objects(holder.serviceId), type, toJson(body), { timeoutMs: ASK_TIMEOUT_MS });
}

async function read(
  cloud: Cloud,
  parts: Omit<Wish, 'blobKey'>,
  range: Parameters<ImageObject['read']>[0],
  watch: ReadWatch = {},
): Promise<Readable> {
  const { blobs, random, logger } = cloud;
  const wish = { ...parts, blobKey: `upload/${newId('blob', random)}` };
  await untilCopied(cloud, wish, watch);
  const drop = (): Promise<void> =>
    blobs.delete(wish.blobKey).catch((error: unknown) => {
      logger.warn('a copy of an object is left to collect', { key: wish.blobKey, error: errorText(error) });
    });
  try {
    const body = await blobs.read(wish.blobKey, range);
    return body.once('close', () => void drop());
  } catch (error) {
    await drop();
    throw error;
  }
}

async function untilCopied(cloud: Cloud, wish: Wish, { signal, onProgress }: ReadWatch): Promise<void> {
  const { clock } = cloud;
  let heardMs = clock.monotonicMs();
  for (;;) {
    if (signal?.aborted === true) await stage(cloud, wish, true).catch(() => undefined);
    signal?.throwIfAborted();
    const answer = await stage(cloud, wish).catch((error: unknown) => {
      if (!isCode(error, ...PASSING) || clock.monotonicMs() - heardMs >= SILENT_MAX_MS) throw error;
    });
    if (answer?.state === 'done') return;
    if (answer?.state === 'failed')
      throw CloudError.unflatten({ code: answer.code as ErrorCode, message: answer.message });
    if (answer?.state === 'running') {
      heardMs = clock.monotonicMs();
      onProgress?.(answer.doneBytes, wish.found.sizeBytes);
    } else await clock.sleep(ASK_AGAIN_MS, signal).catch(() => undefined);
  }
}

async function stage(cloud: Cloud, wish: Wish, cancel = false): Promise<ImageObjectStaged> {
  return ImageObjectStaged.parse(await ask(cloud, 'image-object-stage', { v: 1, ...wish, cancel }));
}
