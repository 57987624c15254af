import { Readable } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';
import { asCloudError, CloudError, errorText } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import {
  type ImageObjectFound,
  ImageObjectHead,
  ImageObjectStage,
  type ImageObjectStaged,
  ProjectBuckets,
} from '../../messages/image-objects.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { HandlerTable } from '../../ports/bus.ts';
import type { ImageObject, ImageObjects } from '../../ports/image-objects.ts';
import type { ObjectKeeper } from './object-keeper.ts';

/** Nobody asked for so long: nobody wants it. An answer is kept as long, for whoever asks once more. */
const ASKED_MS = 60_000;
/** A question waits so long for the end of a copy, so that small ones need but one. */
const WAIT_MS = 2000;
/** Copies side by side: an image is made by two of a controller at most. */
const COPIES_MAX = 16;

interface Copy {
  readonly abort: AbortController;
  answer: ImageObjectStaged;
  ended: Promise<void>;
  forgotten: Timer;
}

export interface ObjectStagesParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Those of this process. */
  readonly objects: ImageObjects;
  /** Of this process, whose answer is undefined while there never were objects. Absent: there are no buckets to tell of. */
  readonly keeper?: () => Promise<Pick<ObjectKeeper, 'bucketsOf'> | undefined>;
  /** Where controllers read them. */
  readonly blobs: Pick<Blobs, 'put' | 'delete'>;
}

/** What the process with the objects does for controllers that make images and have none. */
export class ObjectStages {
  readonly #parts: ObjectStagesParts;
  readonly #copies = new Map<string, Copy>();

  constructor(parts: ObjectStagesParts) {
    this.#parts = parts;
  }

  handlers(): HandlerTable {
    return {
      'image-object-head': async (body) => {
        const { asker, object } = ImageObjectHead.parse(body);
        return toJson(foundOf(await this.#parts.objects.open(asker, object)));
      },
      'project-buckets': async (body) => {
        const project = ProjectBuckets.parse(body);
        return { names: (await (await this.#parts.keeper?.())?.bucketsOf(project)) ?? [] };
      },
      'image-object-stage': async (body) => toJson(await this.#ask(ImageObjectStage.parse(body))),
    };
  }

  /** Ends what is under way; whoever wants it asks the next process. */
  async close(): Promise<void> {
    const copies = [...this.#copies.values()];
    for (const { abort, forgotten } of copies) {
      forgotten.cancel();
      abort.abort(new CloudError('Unavailable', 'the process with the objects ends'));
    }
    await Promise.all(copies.map(({ ended }) => ended));
  }

  async #ask(wish: ImageObjectStage): Promise<ImageObjectStaged> {
    const { blobKey, cancel } = wish;
    const known = this.#copies.get(blobKey);
    if (cancel) {
      known?.abort.abort(new CloudError('Conflict', 'it is not wanted any more'));
      return { state: 'failed', code: 'Conflict', message: 'it is not wanted any more' };
    }
    const copy = known ?? this.#begin(wish);
    this.#forgetLater(blobKey, copy);
    const waited = new AbortController();
    const time = this.#parts.clock.sleep(WAIT_MS, waited.signal).catch(() => undefined);
    await Promise.race([copy.ended, time]);
    waited.abort();
    return copy.answer;
  }

  #begin(wish: ImageObjectStage): Copy {
    const running = [...this.#copies.values()].filter(({ answer }) => answer.state === 'running');
    if (running.length >= COPIES_MAX) {
      throw new CloudError('Busy', `${COPIES_MAX} objects are copied for images already; ask again when one has ended`);
    }
    const copy: Copy = {
      abort: new AbortController(),
      answer: { state: 'running', doneBytes: 0 },
      ended: Promise.resolve(),
      forgotten: { cancel: () => undefined },
    };
    this.#copies.set(wish.blobKey, copy);
    copy.ended = this.#copy(wish, copy).then(
      () => {
        copy.answer = { state: 'done' };
      },
      (error: unknown) => {
        const { bucket, key } = wish.object;
        this.#parts.logger.info('an object was not copied for an image', { bucket, key, error: errorText(error) });
        copy.answer = { state: 'failed', code: asCloudError(error).code, message: errorText(error) };
      },
    );
    return copy;
  }

  async #copy({ asker, object, found, blobKey }: ImageObjectStage, copy: Copy): Promise<void> {
    const { objects, blobs } = this.#parts;
    const { signal } = copy.abort;
    const opened = await objects.open(asker, object);
    const now = foundOf(opened);
    if (now.etag !== found.etag || now.versionId !== found.versionId) {
      const { bucket, key } = object;
      throw new CloudError(
        'Unavailable',
        `${bucket}/${key} is another object now than when it was looked at; try again`,
      );
    }
    signal.throwIfAborted();
    const body = await opened.read();
    const stop = (): void => void body.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await blobs.put(blobKey, Readable.from(counted(body, copy)), { maxBytes: found.sizeBytes });
    } finally {
      signal.removeEventListener('abort', stop);
      body.destroy();
    }
    if (!signal.aborted) return;
    // Too late to be stopped, and still not wanted.
    await blobs.delete(blobKey);
    throw signal.reason as Error;
  }

  #forgetLater(blobKey: string, copy: Copy): void {
    copy.forgotten.cancel();
    copy.forgotten = this.#parts.clock.after(
      ASKED_MS,
      () => {
        this.#copies.delete(blobKey);
        if (copy.answer.state === 'running')
          copy.abort.abort(new CloudError('Timeout', 'nobody asked for it any more'));
      },
      { unref: true },
    );
  }
}

async function* counted(body: Readable, copy: Copy): AsyncGenerator<Buffer> {
  let doneBytes = 0;
  for await (const chunk of body) {
    doneBytes += (chunk as Buffer).length;
    copy.answer = { state: 'running', doneBytes };
    yield chunk as Buffer;
  }
}

function foundOf({ sizeBytes, etag, versionId = '' }: ImageObject): ImageObjectFound {
  return { sizeBytes, etag, versionId };
}
