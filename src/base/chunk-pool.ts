import { KIB } from './units.ts';

/**
 * Buffers of one size that are used again. A new one for each read of a disk is memory that the kernel has to clear and V8 to collect, which costs more than
 * the read; so who knows that a chunk is through gives it back. Who does not leaves it to the collector.
 */
export class ChunkPool {
  readonly sizeBytes: number;
  readonly #kept: number;
  readonly #free: Buffer[] = [];
  /** Memory that is out: nothing comes back twice, and nothing that is not from here. */
  readonly #out = new WeakSet<object>();

  constructor(sizeBytes: number, kept: number) {
    this.sizeBytes = sizeBytes;
    this.#kept = kept;
  }

  take(): Buffer {
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.sizeBytes);
    this.#out.add(buffer.buffer);
    return buffer;
  }

  /** All of a buffer or some of it; nobody may look at any of it after. What is not from here is left alone. */
  giveBack(chunk: Uint8Array): void {
    if (!this.#out.delete(chunk.buffer) || this.#free.length >= this.#kept) return;
    this.#free.push(Buffer.from(chunk.buffer));
  }
}

/** What objects are read from files in: at most 8 MiB of it waits to be used again. */
export const READ_CHUNKS = new ChunkPool(256 * KIB, 32);
