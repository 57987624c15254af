import { Readable } from 'node:stream';
import type { Clock, Timer } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';

/** The bytes of a request's body as they come from the client. */
export interface RawBody {
  /** Flows only while somebody reads it. */
  readonly stream: Readable;
  /** Nobody else looks at the memory of its chunks. */
  readonly isGivenAway?: boolean;
  /** Asks the client for the body, where it waits for that (`Expect: 100-continue`). */
  begin(): void;
}

/** Takes the transfer's form away. `finish` throws when the body is not whole. */
export interface BodyDecoder {
  push(bytes: Buffer): readonly Buffer[];
  finish(): void;
}

/** A client that sends less than so much in so long, while we wait for it, is not waited for any longer. */
export const BODY_PACE = { windowMs: 20_000, minBytes: 1024 } as const;

/** So many chunks wait for who reads, of 64 KiB where a client sends fast; after that the client waits. */
const CHUNKS_AHEAD = 4;

export interface BodyPace {
  readonly windowMs: number;
  readonly minBytes: number;
}

/** A body that is sent as it is: as long as it says. */
export class PlainDecoder implements BodyDecoder {
  readonly #length: number | undefined;
  #came = 0;

  /** `length` undefined: by the chunks of HTTP, which have their own end. */
  constructor(length: number | undefined) {
    this.#length = length;
  }

  push(bytes: Buffer): readonly Buffer[] {
    this.#came += bytes.length;
    return [bytes];
  }

  finish(): void {
    if (this.#length === undefined || this.#came === this.#length) return;
    throw new CloudError('IncompleteBody', `Content-Length says ${this.#length} bytes, and ${this.#came} came`);
  }
}

interface SourceOptions {
  readonly raw: RawBody;
  readonly decoder: BodyDecoder;
  readonly clock: Pick<Clock, 'every'>;
  readonly pace?: BodyPace | undefined;
}

/**
 * The content of a body. Nothing is asked of the client before the first read. It ends with an error, and leaves the client's stream where it is, when the body is
 * not what it should be: an answer may yet go out on the same connection.
 */
export class BodySource extends Readable {
  readonly #raw: RawBody;
  readonly #decoder: BodyDecoder;
  readonly #clock: Pick<Clock, 'every'>;
  readonly #pace: BodyPace;
  #timer: Timer | undefined;
  #hasBegun = false;
  #cameInWindow = 0;
  #wasHeld = false;

  constructor({ raw, decoder, clock, pace = BODY_PACE }: SourceOptions) {
    // Objects, so that chunks which have gathered are not copied into a new one for whoever reads.
    super({ objectMode: true, highWaterMark: CHUNKS_AHEAD });
    this.#raw = raw;
    this.#decoder = decoder;
    this.#clock = clock;
    this.#pace = pace;
    // Who reads gets it; when nobody does any more, it is nobody's.
    this.on('error', () => undefined);
  }

  override _read(): void {
    const { stream } = this.#raw;
    if (this.#hasBegun) {
      if (stream.isPaused()) stream.resume();
      return;
    }
    this.#hasBegun = true;
    this.#raw.begin();
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.on('error', this.#onCut);
    stream.on('close', this.#onCut);
    this.#timer = this.#clock.every(this.#pace.windowMs, () => this.#lookAtPace(), { unref: true });
    if (stream.destroyed) this.#onCut();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#letGo();
    done(error);
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#cameInWindow += bytes.length;
    try {
      let isWanted = true;
      for (const piece of this.#decoder.push(bytes)) isWanted = this.push(piece);
      if (isWanted) return;
      this.#wasHeld = true;
      this.#raw.stream.pause();
    } catch (error) {
      this.destroy(error as Error);
    }
  };

  readonly #onEnd = (): void => {
    try {
      this.#decoder.finish();
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    this.#letGo();
    this.push(null);
  };

  readonly #onCut = (): void => {
    this.destroy(new CloudError('IncompleteBody', 'the connection ended before the body was there'));
  };

  #lookAtPace(): void {
    const isTooSlow = this.#cameInWindow < this.#pace.minBytes && !this.#wasHeld && !this.#raw.stream.isPaused();
    this.#cameInWindow = 0;
    this.#wasHeld = this.#raw.stream.isPaused();
    if (!isTooSlow) return;
    const { windowMs, minBytes } = this.#pace;
    this.destroy(
      new CloudError('RequestTimeout', `the body came slower than ${minBytes} bytes in ${windowMs / 1000} seconds`),
    );
  }

  #letGo(): void {
    this.#timer?.cancel();
    const { stream } = this.#raw;
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.off('error', this.#onCut);
    stream.off('close', this.#onCut);
    if (this.#hasBegun && !stream.readableEnded) stream.pause();
  }
}
