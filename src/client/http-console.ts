import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { CloudError, errorText } from '../base/errors.ts';
import type { ConsoleChannel, ConsoleEnd, ConsoleItem } from '../messages/console.ts';
import {
  CONSOLE_PROTOCOL,
  CONSOLE_TIMES,
  ConsoleFrameReader,
  encodeConsoleFrame,
  type ConsoleFrame,
} from '../messages/console-frames.ts';
import { beginRequest, refuse, type Endpoint } from './http-exchange.ts';

/** How long the cloud has to open a console; a host that is slow to reach takes its time. */
const OPEN_TIMEOUT_MS = 60_000;
/** How long the goodbye may take. */
const CLOSE_MS = 1000;

/** What a request for a console must have among its headers, and in its signature. */
export const UPGRADE = { upgrade: CONSOLE_PROTOCOL } as const;

export interface ConsoleRequest {
  readonly endpoint: Endpoint;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

interface Upgraded {
  readonly socket: Duplex;
  readonly head: Buffer;
}

function upgrade({ endpoint, path, headers, signal }: ConsoleRequest): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const req = beginRequest(endpoint, {
      ...{ method: 'POST', path, timeout: OPEN_TIMEOUT_MS },
      headers: { ...headers, ...UPGRADE, connection: 'Upgrade', 'content-length': '0' },
    });
    const abort = (): void => {
      req.destroy(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    const settled = (): void => signal?.removeEventListener('abort', abort);
    req.once('close', settled);
    req.once('timeout', () => req.destroy(new CloudError('Timeout', 'the console was not opened in time; try again')));
    req.on('error', reject);
    req.once('response', (response) => void refuse(response).catch(reject));
    req.once('upgrade', (_response, socket, head) => {
      settled();
      socket.setTimeout(0);
      socket.setNoDelay(true);
      resolve({ socket, head });
    });
    req.end();
  });
}

class HttpConsole implements ConsoleChannel {
  readonly #socket: Duplex;
  readonly #head: Buffer;
  readonly #clock: Clock;
  readonly #beat: { cancel(): void };
  #heardMs: number;
  #closed = false;

  constructor({ socket, head }: Upgraded, clock: Clock) {
    this.#socket = socket;
    this.#head = head;
    this.#clock = clock;
    this.#heardMs = clock.monotonicMs();
    socket.on('error', () => undefined);
    this.#beat = clock.every(
      CONSOLE_TIMES.beatMs,
      () => {
        if (clock.monotonicMs() - this.#heardMs > CONSOLE_TIMES.idleMs) socket.destroy();
        else if (socket.writable && socket.writableLength === 0) socket.write(encodeConsoleFrame({ kind: 'beat' }));
      },
      { unref: true },
    );
    socket.once('close', () => this.#beat.cancel());
  }

  async *read(): AsyncGenerator<ConsoleItem> {
    const reader = new ConsoleFrameReader();
    const items = (chunk: Buffer): ConsoleItem[] => {
      this.#heardMs = this.#clock.monotonicMs();
      return reader.push(chunk).flatMap(itemOf);
    };
    try {
      yield* items(this.#head);
      for await (const chunk of this.#socket as AsyncIterable<Buffer>) {
        for (const item of items(chunk)) {
          yield item;
          if (item.kind === 'ended') return;
        }
      }
      if (!this.#closed) yield lost('the connection to the cloud ended');
    } catch (error) {
      if (!this.#closed) yield lost(`the connection to the cloud broke (${errorText(error)})`);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#socket.writable) return;
    const frame = encodeConsoleFrame({ kind: 'data', bytes: Buffer.from(bytes) });
    if (this.#socket.write(frame)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.once('drain', done);
      this.#socket.once('close', done);
    });
  }

  /** Resolves when the cloud has closed it too, so that the console is free for the next. */
  async close(): Promise<void> {
    this.#closed = true;
    const socket = this.#socket;
    if (socket.destroyed) return;
    const gone = new Promise<void>((resolve) => socket.once('close', resolve));
    const late = this.#clock.after(CLOSE_MS, () => socket.destroy());
    if (socket.writable) socket.end(encodeConsoleFrame({ kind: 'close' }));
    socket.resume();
    await gone;
    late.cancel();
  }
}

function itemOf(frame: ConsoleFrame): ConsoleItem[] {
  if (frame.kind === 'data') return frame.bytes.length === 0 ? [] : [{ kind: 'output', bytes: frame.bytes }];
  return frame.kind === 'skipped' || frame.kind === 'ended' ? [frame] : [];
}

function lost(message: string): ConsoleItem & ConsoleEnd {
  return { kind: 'ended', reason: 'host-lost', message };
}

/** Opens a console by HTTP Upgrade. Rejects with what the cloud refused it for, or with the connection's error. */
export async function openHttpConsole(request: ConsoleRequest): Promise<ConsoleChannel> {
  return new HttpConsole(await upgrade(request), request.clock);
}
