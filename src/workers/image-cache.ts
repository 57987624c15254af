import { asCloudError, errorText } from '../base/errors.ts';
import { toJson } from '../base/json.ts';
import type { Logger } from '../base/logger.ts';
import { EvictImageCache, ListImageCache, WarmImageCache, type ListedImageCache } from '../messages/image-cache.ts';
import type { HandlerTable } from '../ports/bus.ts';
import type { HostSession } from './host-session.ts';

type Failure = ListedImageCache['failures'][number];

/** What a worker does about the images that its hosts keep. */
export class ImageCaches {
  readonly #parts: { readonly logger: Logger; readonly session: (hostId: string, epoch: number) => HostSession };
  /** Host -> digest -> why it did not come. */
  readonly #failures = new Map<string, Map<string, Failure>>();

  /** `session` throws for a host that is not open here, or not with that epoch. */
  constructor(parts: { logger: Logger; session: (hostId: string, epoch: number) => HostSession }) {
    this.#parts = parts;
  }

  handlers(): HandlerTable {
    const { session } = this.#parts;
    return {
      'image-cache-list': async (body) => {
        const { hostId, epoch } = ListImageCache.parse(body);
        const { images } = session(hostId, epoch).drivers;
        const failures = [...(this.#failures.get(hostId)?.values() ?? [])];
        return toJson({ images: await images.listImages(), transfers: images.transfers(), failures });
      },
      'image-cache-warm': (body) => {
        const order = WarmImageCache.parse(body);
        this.#warm(session(order.hostId, order.epoch), order);
        return Promise.resolve(undefined);
      },
      'image-cache-evict': async (body) => {
        const { hostId, epoch, sha256, inUse, instanceIds } = EvictImageCache.parse(body);
        const host = session(hostId, epoch);
        const known = new Set(instanceIds);
        const evicted = await host.besides(async () => {
          const { images } = host.drivers;
          const unknownGuests = (await images.listInstanceDirs()).some((id) => !known.has(id));
          return images.evictImages({ sha256, inUse, unknownGuests });
        });
        return toJson(evicted);
      },
    };
  }

  #warm(host: HostSession, { hostId, images }: WarmImageCache): void {
    const failures = this.#failures.get(hostId) ?? new Map<string, Failure>();
    this.#failures.set(hostId, failures);
    for (const image of images) {
      const { sha256, imageId } = image;
      failures.delete(sha256);
      host
        .besides(() => host.drivers.images.ensureImage(image, { start: false }))
        .catch((error: unknown) => {
          failures.set(sha256, { sha256, code: asCloudError(error).code, message: errorText(error) });
          this.#parts.logger.warn('an image did not come to its host', { hostId, imageId, error: errorText(error) });
        });
    }
  }
}
