import { Readable } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';

export interface BodyOptions {
  readonly clock: Clock;
  /** The longest pause between two of its bytes while somebody waits for them. */
  readonly idleMs: number;
  readonly sizeBytes: number;
  readonly problem: (error: unknown) => Error;
  readonly tooSlow: () => Error;
}

/**
 * The bytes of an answer. A reader that takes its time is no reason to give up, an endpoint that sends nothing while it is waited for is; and so is one that ends
 * before the announced size.
 */
export class AnswerBody extends Readable {
  readonly #body: Readable;
  readonly #options: BodyOptions;
  #left: number;
  #timer: Timer | undefined;
  #flows = false;

  constructor(body: Readable, options: BodyOptions) {
    super();
    this.#body = body;
    this.#options = options;
    this.#left = options.sizeBytes;
    body.on('error', (error) => this.destroy(options.problem(error)));
    body.on('close', () => {
      if (!body.readableEnded) this.destroy(this.#cut());
    });
  }

  override _read(): void {
    this.#await();
    if (this.#flows) this.#body.resume();
    else this.#begin();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#timer?.cancel();
    this.#body.destroy();
    done(error);
  }

  #begin(): void {
    this.#flows = true;
    this.#body.on('data', (chunk: Buffer) => {
      this.#timer?.cancel();
      this.#left -= chunk.length;
      if (this.push(chunk)) this.#await();
      else this.#body.pause();
    });
    this.#body.on('end', () => {
      this.#timer?.cancel();
      if (this.#left === 0) this.push(null);
      else this.destroy(this.#cut());
    });
  }

  #await(): void {
    const { clock, idleMs, tooSlow } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.after(idleMs, () => this.destroy(tooSlow()), { unref: true });
  }

  #cut(): Error {
    const cut = new Error(`the answer was ${this.#left} bytes short`);
    return this.#options.problem(Object.assign(cut, { code: 'ECONNRESET' }));
  }
}

/** The stream in parts of so many bytes, the last one shorter, or empty when it is the only one. */
export async function* partsOf(
  body: Readable,
  partBytes: number,
  count: (bytes: Uint8Array) => void,
): AsyncGenerator<{ readonly bytes: Buffer; readonly isLast: boolean }> {
  let whole: Buffer | undefined;
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    let rest = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
    count(rest);
    while (rest.length > 0) {
      const taken = rest.subarray(0, partBytes - size);
      rest = rest.subarray(taken.length);
      pieces.push(taken);
      size += taken.length;
      if (size < partBytes) continue;
      if (whole !== undefined) yield { bytes: whole, isLast: false };
      whole = Buffer.concat(pieces, size);
      [pieces, size] = [[], 0];
    }
  }
  if (whole !== undefined) yield { bytes: whole, isLast: size === 0 };
  if (whole === undefined || size > 0) yield { bytes: Buffer.concat(pieces, size), isLast: true };
}
