import type { Readable } from 'node:stream';
import type { Segment } from '../../../domain/s3/records.ts';
import type { ObjectStore, Received, ReceiveOptions } from '../../../ports/object-store.ts';

/** What one request has brought into the store: named by what it does, or gone with it. */
export class ReceivedSegments {
  readonly #store: Pick<ObjectStore, 'receive' | 'drop'>;
  readonly #segments: Segment[] = [];

  constructor(store: Pick<ObjectStore, 'receive' | 'drop'>) {
    this.#store = store;
  }

  async receive(body: Readable, options: ReceiveOptions): Promise<Received> {
    const received = await this.#store.receive(body, options);
    this.#segments.push(received.segment);
    return received;
  }

  /** When it fails, what was received and has no name is dropped at once, and not left to the collector. */
  async droppedUnless<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      await this.#store.drop(this.#segments);
      throw error;
    }
  }
}
