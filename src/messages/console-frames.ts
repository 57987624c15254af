import { CloudError } from '../base/errors.ts';
import { CONSOLE_BUFFER_BYTES, ConsoleEnd } from './console.ts';

/** What stands in the Upgrade header of a request for a console. */
export const CONSOLE_PROTOCOL = 'novactl-console';

/** A side that hears nothing for idleMs takes the other for dead; each sends a beat when it has nothing to say. */
export const CONSOLE_TIMES = { beatMs: 15_000, idleMs: 60_000 } as const;

const HEAD_BYTES = 5;

/** What is in front of each payload: type (1 byte), length of the payload (4 bytes, big-endian). */
const TYPE = { data: 0, skipped: 1, ended: 2, resize: 3, beat: 4, close: 5 } as const;

export type ConsoleFrame =
  /** Bytes of the serial line, both ways. */
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** From the cloud: bytes that came faster than they were taken. */
  | { readonly kind: 'skipped'; readonly byteCount: number }
  /** From the cloud, the last frame. */
  | ({ readonly kind: 'ended' } & ConsoleEnd)
  /** From the client: the size of its terminal. A serial line has no way to carry it, so nothing comes of it there. */
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  /** Either way: I am here. */
  | { readonly kind: 'beat' }
  /** From the client, the last frame: it detaches. */
  | { readonly kind: 'close' };

function payloadOf(frame: ConsoleFrame): Buffer {
  switch (frame.kind) {
    case 'data':
      return frame.bytes;
    case 'beat':
    case 'close':
      return Buffer.alloc(0);
    default: {
      const { kind: _kind, ...rest } = frame;
      return Buffer.from(JSON.stringify(rest), 'utf8');
    }
  }
}

/** One frame as bytes; data that is longer than a frame may be becomes several. */
export function encodeConsoleFrame(frame: ConsoleFrame): Buffer {
  if (frame.kind === 'data' && frame.bytes.length > CONSOLE_BUFFER_BYTES) {
    const { bytes } = frame;
    const parts = Array.from({ length: Math.ceil(bytes.length / CONSOLE_BUFFER_BYTES) }, (_, index) =>
      bytes.subarray(index * CONSOLE_BUFFER_BYTES, (index + 1) * CONSOLE_BUFFER_BYTES),
    );
    return Buffer.concat(parts.map((part) => encodeConsoleFrame({ kind: 'data', bytes: part })));
  }
  const payload = payloadOf(frame);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(TYPE[frame.kind], 0);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

const malformed = (what: string): CloudError => new CloudError('MalformedRequest', `console frame: ${what}`);

function numbers<K extends string>(payload: Buffer, ...names: K[]): Record<K, number> {
  const value = JSON.parse(payload.toString('utf8')) as Record<string, unknown> | null;
  const entries = names.map((name) => [name, value?.[name]] as const);
  if (!entries.every(([, number]) => Number.isSafeInteger(number) && Number(number) >= 0)) {
    throw malformed(`${names.join(' and ')} must be whole numbers`);
  }
  return Object.fromEntries(entries) as Record<K, number>;
}

const DECODERS: readonly ((payload: Buffer) => ConsoleFrame)[] = [
  (bytes) => ({ kind: 'data', bytes }),
  (payload) => ({ kind: 'skipped', ...numbers(payload, 'byteCount') }),
  (payload) => ({ kind: 'ended', ...ConsoleEnd.parse(JSON.parse(payload.toString('utf8'))) }),
  (payload) => ({ kind: 'resize', ...numbers(payload, 'columns', 'rows') }),
  () => ({ kind: 'beat' }),
  () => ({ kind: 'close' }),
];

/** Cuts a stream of bytes into frames. What is no frame throws 'MalformedRequest': nothing behind it can be understood. */
export class ConsoleFrameReader {
  #held: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): ConsoleFrame[] {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const frames: ConsoleFrame[] = [];
    for (;;) {
      if (this.#held.length < HEAD_BYTES) return frames;
      const length = this.#held.readUInt32BE(1);
      const decode = DECODERS[this.#held.readUInt8(0)];
      if (decode === undefined) throw malformed(`type ${this.#held.readUInt8(0)} is not known`);
      if (length > CONSOLE_BUFFER_BYTES)
        throw malformed(`${length} bytes; at most ${CONSOLE_BUFFER_BYTES} are allowed`);
      if (this.#held.length < HEAD_BYTES + length) return frames;
      frames.push(read(decode, this.#held.subarray(HEAD_BYTES, HEAD_BYTES + length)));
      this.#held = this.#held.subarray(HEAD_BYTES + length);
    }
  }
}

function read(decode: (payload: Buffer) => ConsoleFrame, payload: Buffer): ConsoleFrame {
  try {
    return decode(payload);
  } catch (error) {
    throw error instanceof CloudError ? error : malformed('its payload can not be read');
  }
}
