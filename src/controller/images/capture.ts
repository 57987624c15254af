import type { ErrorCode } from '../../base/error-codes.ts';
import { CloudError, errorText, isCode } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { toJson } from '../../base/json.ts';
import { humanDuration } from '../../base/units.ts';
import { requireImageKind } from '../../domain/image-format.ts';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord, HostRecord } from '../../domain/records.ts';
import { ImageCaptured } from '../../messages/image-capture.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { BuildOrder, BuiltImage } from '../../ports/image-workshop.ts';
import type { ControllerContext } from '../controller-context.ts';
import { domainUuid } from '../instances/instance-command.ts';
import { inspectBlob } from './inspect-blob.ts';

const ASK_AGAIN_MS = 1000;
const ASK_TIMEOUT_MS = 20_000;
/** A host that nobody could ask for so long fails the image: it can be made again when the host is back. */
const SILENT_MAX_MS = 10 * 60_000;
/** Begun so often at most. */
const ATTEMPTS_MAX = 5;
/** What goes away by itself: the worker ended, the host was given to another one, nobody serves it yet. */
const PASSING = ['Unavailable', 'Timeout', 'StaleEpoch', 'Busy'] as const;

type Cloud = Pick<ControllerContext, 'store' | 'bus' | 'blobs' | 'clock' | 'random' | 'cloudId' | 'logger'>;
type Done = Extract<ImageCaptured, { state: 'done' }>;

/**
 * Has the worker of the instance's host make an image of its disk, whichever worker that is from moment to moment. Errors: those of the capture ('NotFound':
 * the disk is gone, 'Unreachable': the host is no more, 'IncorrectInstanceState', 'InsufficientInstanceCapacity', 'Timeout', 'HostError'); 'Unavailable' (the host could not be asked for ten minutes);
 * 'InvalidImage.Format' (what came is no disk); the signal's reason.
 */
export async function captureDisk(
  cloud: Cloud,
  record: ImageImportRecord,
  onProgress: NonNullable<BuildOrder['onProgress']>,
  signal: AbortSignal,
): Promise<BuiltImage> {
  const { source, imageId } = record;
  if (source.kind !== 'instance') {
    throw new CloudError('InternalError', `the import of ${imageId} is of the kind ${source.kind}, not of an instance`);
  }
  const wish = { imageId, ...source, domainUuid: domainUuid(cloud.cloudId, source.instanceId) };
  signal.throwIfAborted();
  return lookedAt(cloud, await untilMade(cloud, wish, onProgress, signal));
}

interface Wish {
  readonly imageId: string;
  readonly instanceId: string;
  readonly hostId: string;
  readonly domainUuid: string;
}

async function untilMade(
  cloud: Cloud,
  wish: Wish,
  onProgress: NonNullable<BuildOrder['onProgress']>,
  signal: AbortSignal,
): Promise<Done> {
  const { clock, logger } = cloud;
  let heardMs = clock.monotonicMs();
  let blobKey = newKey(cloud);
  for (let attempt = 1; ;) {
    const answer = await ask(cloud, wish, blobKey).catch((error: unknown) => {
      const silentMs = clock.monotonicMs() - heardMs;
      if (!isCode(error, ...PASSING)) throw error;
      if (silentMs >= SILENT_MAX_MS) throw tooLong(error, wish, silentMs);
    });
    if (answer !== undefined) heardMs = clock.monotonicMs();
    if (answer?.state === 'done') return answer;
    if (answer?.state === 'running') onProgress(answer.step, answer.doneBytes, answer.totalBytes);
    if (answer?.state === 'failed') {
      const error = CloudError.unflatten({ code: answer.code as ErrorCode, message: answer.message });
      // What a worker that ends or loses its host was doing is begun anew, by whoever has the host then.
      if (!isCode(error, 'Unavailable', 'StaleEpoch') || attempt === ATTEMPTS_MAX) throw error;
      logger.warn('image of an instance begun anew', { imageId: wish.imageId, attempt, error: error.message });
      attempt += 1;
      blobKey = newKey(cloud);
    }
    await clock.sleep(ASK_AGAIN_MS, signal).catch(() => undefined);
    if (signal.aborted) await cancel(cloud, wish, blobKey);
    signal.throwIfAborted();
  }
}

const newKey = ({ random }: Cloud): string => `upload/${newId('blob', random)}`;

function tooLong(error: unknown, { hostId }: Wish, silentMs: number): CloudError {
  const message = `nobody could ask host ${hostId} for ${humanDuration(silentMs)}: ${errorText(error)}`;
  return new CloudError('Unavailable', message, { cause: error });
}

async function ask(cloud: Cloud, wish: Wish, blobKey: string, cancel = false): Promise<ImageCaptured> {
  const host = cloud.store.get<HostRecord>(KEYS.host(wish.hostId))?.value;
  if (host === undefined || host.lost !== undefined) {
    throw new CloudError('Unreachable', `the host of ${wish.instanceId} was removed, and its disk with it`);
  }
  const assign = cloud.store.get<AssignRecord>(KEYS.assign('compute', wish.hostId))?.value;
  if (assign === undefined) throw new CloudError('Unavailable', `no worker serves host ${wish.hostId}`);
  const { imageId, instanceId, hostId } = wish;
  const body = { v: 1, hostId, epoch: assign.epoch, imageId, instanceId, domainUuid: wish.domainUuid, blobKey, cancel };
  const options = { timeoutMs: ASK_TIMEOUT_MS };
  return ImageCaptured.parse(
    await cloud.bus.call(TOPIC.worker(assign.workerId), 'image-capture', toJson(body), options),
  );
}

/** So that the host does not work on for nothing. Whether it is heard or not: what nobody asks for ends by itself. Another controller may go on asking. */
async function cancel(cloud: Cloud, wish: Wish, blobKey: string): Promise<void> {
  await ask(cloud, wish, blobKey, true).catch(() => undefined);
}

/** Made by a host, which is trusted no more than anybody who sends an image. What is refused leaves no bytes. */
async function lookedAt({ blobs }: Cloud, made: Done): Promise<BuiltImage> {
  const { blob, pausedMs } = made;
  try {
    const facts = await inspectBlob(blobs, blob);
    requireImageKind(facts, 'machine');
    const note = pausedMs === undefined ? [] : [`the guest was paused for ${humanDuration(pausedMs)}`];
    return { blob, facts, notes: [...facts.notes, ...note] };
  } catch (error) {
    await blobs.delete(blob.key);
    throw error;
  }
}
