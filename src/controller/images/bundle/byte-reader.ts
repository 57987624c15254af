import { badImage } from '../../../domain/qcow2-header.ts';

/** Takes a stream apart: so many bytes at once, or so many as they come. 'InvalidImage.Format' when it ends too early. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Some bytes, at most so many; undefined at the end. */
  async some(atMost: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) return undefined;
      this.#rest = value;
    }
    const bytes = this.#rest.subarray(0, atMost);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  /** The next `count` bytes as they come. */
  async *each(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      const bytes = await this.some(left);
      if (bytes === undefined) throw badImage('the bundle is refused: the archive in it is cut off');
      left -= bytes.length;
      yield bytes;
    }
  }

  /** All of them together: for what is small. */
  async take(count: number): Promise<Buffer> {
    const out = Buffer.alloc(count);
    let at = 0;
    for await (const bytes of this.each(count)) {
      out.set(bytes, at);
      at += bytes.length;
    }
    return out;
  }

  /** Lets go of what it read from. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
