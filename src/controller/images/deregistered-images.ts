import { errorText, isCode } from '../../base/errors.ts';
import { KeyedQueue } from '../../base/keyed-queue.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { isHeld } from '../hosts/held.ts';
import { transact } from '../state/draft.ts';
import { dropBytes, dropImage } from './drop-image.ts';
import { imageOn, instanceOn } from './image-uses.ts';

const AGAIN_MS = 5000;

/**
 * Removes images that were deregistered while something stood on them, when nothing does any more. Level-triggered: whenever an instance has ended or an image is gone,
 * at the start, and now and then, the first controller looks at them.
 */
export class DeregisteredImages {
  readonly #context: ControllerContext;
  readonly #queue: KeyedQueue;
  #watches: { close(): void }[] = [];

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#queue = new KeyedQueue({
      clock: context.clock,
      concurrency: 1,
      run: (id) => this.#look(id),
      onError: (imageId, error) => {
        if (!isCode(error, 'Unavailable', 'Timeout', 'Conflict', 'StateHeld', 'StoragePoisoned'))
          context.logger.error('a deregistered image was not removed', { imageId, error: errorText(error) });
        this.#queue.addAfter(imageId, AGAIN_MS);
      },
    });
  }

  start(): void {
    const { store } = this.#context;
    const from = store.rev + 1;
    this.#watches = [
      store.watch(PREFIX.instance, from, ({ ops }) => {
        for (const { key } of ops) this.#ended(key);
      }),
      store.watch(PREFIX.image, from, ({ ops }) => {
        // Nothing may need its kernel and ramdisk any more.
        if (ops.some(({ key }) => store.get(key) === undefined)) this.sweep();
      }),
      ...[PREFIX.aliveControllers, KEYS.held].map((key) => store.watch(key, from, () => this.sweep())),
    ];
    this.sweep();
  }

  sweep(): void {
    for (const { value } of this.#context.store.range<ImageRecord>(PREFIX.image))
      if (value.deregisteredAtMs !== undefined) this.#queue.add(value.id);
  }

  async close(): Promise<void> {
    for (const watch of this.#watches.splice(0)) watch.close();
    await this.#queue.close();
  }

  #ended(key: string): void {
    const { store } = this.#context;
    const instance = store.get<InstanceRecord>(key)?.value;
    if (instance?.state !== 'terminated') return;
    for (const id of [instance.imageId, instance.kernelId, instance.ramdiskId]) {
      const image = id === undefined ? undefined : store.get<ImageRecord>(KEYS.image(id))?.value;
      if (image?.deregisteredAtMs !== undefined) this.#queue.add(image.id);
    }
  }

  async #look(imageId: string): Promise<void> {
    const { store, ownership } = this.#context;
    if (isHeld(store) || ownership.controllers()[0] !== ownership.controllerId) return;
    const { result: gone } = await transact(
      store,
      (draft) => {
        // Changed by whoever begins to use the image while this is decided.
        draft.get(KEYS.imageUse(imageId));
        const image = draft.get<ImageRecord>(KEYS.image(imageId));
        if (image?.deregisteredAtMs === undefined) return undefined;
        if (instanceOn(draft.replica, imageId) !== undefined || imageOn(draft.replica, imageId) !== undefined)
          return undefined;
        dropImage(draft, imageId);
        return image;
      },
      { settled: true },
    );
    if (gone !== undefined) await dropBytes(this.#context, gone.blobKey);
  }
}
