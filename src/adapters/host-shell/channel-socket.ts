import { Duplex } from 'node:stream';

/** What we use of an ssh2 channel. */
export interface RawChannel extends Duplex {
  /** RFC 4254 §5.3 CHANNEL_CLOSE; `destroy` of a channel does not end its streams. */
  close(): void;
}

type Done = (error?: Error | null) => void;

/**
 * An SSH channel that behaves as a socket does. ssh2's own is half-open: when the far side ends, only 'end' comes, and 'close' not before we
 * write; here the end of the far side ends both directions. A destroyed one closes the channel, and 'close' always comes.
 */
export class ChannelSocket extends Duplex {
  readonly #channel: RawChannel;
  #ended = false;
  #writing: Done | undefined;

  constructor(channel: RawChannel) {
    super({ allowHalfOpen: false });
    this.#channel = channel;
    channel.on('data', (chunk: Buffer) => {
      if (!this.#ended && !this.push(chunk)) channel.pause();
    });
    channel.on('end', () => this.#endReading());
    channel.on('error', (error: Error) => this.destroy(error));
    channel.on('close', () => {
      this.#endReading();
      // ssh2 forgets the callback of a write that a closed channel does not take any more.
      if (this.#writing === undefined) this.end();
      else this.destroy(Object.assign(new Error('the far side closed the channel'), { code: 'EPIPE' }));
    });
  }

  override _read(): void {
    this.#channel.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#writing = done;
    this.#channel.write(chunk, (error) => {
      this.#writing = undefined;
      done(error);
    });
  }

  override _final(done: Done): void {
    this.#channel.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#ended = true;
    this.#channel.end();
    this.#channel.close();
    // What still comes is thrown away: ssh2 says that an unread channel is closed only when it was read.
    this.#channel.resume();
    done(error);
  }

  #endReading(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
  }
}
