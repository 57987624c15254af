import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import { asCloudError, CloudError, errorText } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { ConsoleChannel } from '../../../messages/console.ts';
import {
  CONSOLE_PROTOCOL,
  CONSOLE_TIMES,
  ConsoleFrameReader,
  encodeConsoleFrame,
  type ConsoleFrame,
} from '../../../messages/console-frames.ts';
import type { CallMeta } from '../../operations/handler.ts';
import type { Gateway } from '../gateway.ts';

const INPUT_MAX_CHARS = 8192;
/** How long who was refused has to take the answer. */
const REFUSED_MS = 2000;

export interface ConsoleEdgeOptions {
  readonly gateway: Pick<Gateway, 'duplex'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Who asks; throws what the caller is to be told. */
  readonly meta: (request: IncomingMessage) => CallMeta | Promise<CallMeta>;
}

/**
 * `POST /v1/<Operation>?input=<JSON>` with `Connection: Upgrade` and `Upgrade: novactl-console`: answered by 101, then frames of
 * messages/console-frames.ts, or by an ordinary error. The request has no body, so that its signature covers all of it.
 */
export class ConsoleEdge {
  readonly #options: ConsoleEdgeOptions;
  readonly #open = new Set<() => void>();

  constructor(options: ConsoleEdgeOptions) {
    this.#options = options;
  }

  /** For 'upgrade' of a node:http server. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A peer that resets its connection is no news.
    socket.on('error', () => undefined);
    // Node no longer counts it among its connections: what is refused or not open yet is ended from here too.
    const end = (): void => void socket.destroy();
    this.#open.add(end);
    socket.once('close', () => this.#open.delete(end));
    // It may be quiet for hours, and what is typed goes out at once.
    request.socket.setTimeout(0);
    request.socket.setNoDelay(true);
    this.#connect(request, socket, head).catch((error: unknown) => {
      this.#options.logger.debug('console refused', { error: errorText(error) });
      refuse(socket, error, this.#options.clock);
    });
  }

  /** Ends what is open. */
  close(): void {
    for (const end of [...this.#open]) end();
  }

  async #connect(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { operation, input } = askedFor(request);
    const meta = await this.#options.meta(request);
    const gone = new Promise<void>((resolve) => socket.once('close', resolve));
    const channel = await this.#options.gateway.duplex(operation, input, meta);
    if (socket.destroyed) {
      await channel.close();
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${CONSOLE_PROTOCOL}\r\nx-novactl-request-id: ${meta.requestId}\r\n\r\n`,
    );
    await this.#carry(channel, socket, head, gone);
  }

  async #carry(channel: ConsoleChannel, socket: Duplex, head: Buffer, gone: Promise<void>): Promise<void> {
    const { clock, logger } = this.#options;
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => (closing ??= channel.close());
    // Input that the guest does not take ends with who typed it.
    gone.then(close).catch(() => undefined);
    let heardMs = clock.monotonicMs();
    const beat = clock.every(
      CONSOLE_TIMES.beatMs,
      () => {
        if (clock.monotonicMs() - heardMs > CONSOLE_TIMES.idleMs) socket.destroy();
        else if (socket.writableLength === 0) socket.write(encodeConsoleFrame({ kind: 'beat' }));
      },
      { unref: true },
    );
    const output = this.#send(channel, socket, gone);
    try {
      await takeInput(channel, socket, head, () => (heardMs = clock.monotonicMs()));
    } catch (error) {
      logger.debug('console input', { error: errorText(error) });
    } finally {
      beat.cancel();
      await close();
      await output.catch(() => undefined);
      socket.destroy();
    }
  }

  async #send(channel: ConsoleChannel, socket: Duplex, gone: Promise<void>): Promise<void> {
    for await (const item of channel.read()) {
      const frame: ConsoleFrame = item.kind === 'output' ? { kind: 'data', bytes: Buffer.from(item.bytes) } : item;
      if (socket.destroyed) return;
      // Who reads slowly is waited for: what comes too fast then is dropped where it is kept, and said so.
      if (!socket.write(encodeConsoleFrame(frame))) await Promise.race([drained(socket), gone]);
      if (frame.kind === 'ended') socket.end();
    }
  }
}

/** Until the client detaches or goes. A guest that takes no input holds up the reading. */
async function takeInput(channel: ConsoleChannel, socket: Duplex, head: Buffer, heard: () => void): Promise<void> {
  const reader = new ConsoleFrameReader();
  const take = async (chunk: Buffer): Promise<boolean> => {
    heard();
    for (const frame of reader.push(chunk)) {
      if (frame.kind === 'close') return false;
      if (frame.kind === 'data') await channel.write(frame.bytes);
    }
    return true;
  };
  if (!(await take(head))) return;
  for await (const chunk of socket as AsyncIterable<Buffer>) if (!(await take(chunk))) return;
}

function askedFor(request: IncomingMessage): { operation: string; input: unknown } {
  const { method, url = '/', headers } = request;
  if (method !== 'POST' || headers.upgrade?.toLowerCase() !== CONSOLE_PROTOCOL) {
    throw new CloudError('InvalidAction', `only POST with "Upgrade: ${CONSOLE_PROTOCOL}" is upgraded here`);
  }
  if ((headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined) {
    throw new CloudError('MalformedRequest', 'a request for a console has no body; its input is in the query');
  }
  const { pathname, searchParams } = new URL(url, 'http://novactl');
  const operation = /^\/v1\/(\w{1,64})$/.exec(pathname)?.[1];
  const text = searchParams.get('input') ?? '{}';
  if (operation === undefined) throw new CloudError('InvalidAction', `there is no ${pathname.slice(0, 100)} here`);
  if (text.length > INPUT_MAX_CHARS) throw new CloudError('RequestTooLarge', 'the input is too long');
  try {
    return { operation, input: JSON.parse(text) as unknown };
  } catch {
    throw new CloudError('MalformedRequest', 'the input in the query is not JSON');
  }
}

function refuse(socket: Duplex, thrown: unknown, clock: Clock): void {
  if (socket.destroyed) return;
  // A peer that keeps its half open would keep the connection, and needs no access key for it.
  const late = clock.after(REFUSED_MS, () => socket.destroy(), { unref: true });
  socket.once('close', () => late.cancel());
  socket.resume();
  const error = asCloudError(thrown);
  const body = JSON.stringify({ error: error.flatten() });
  const head = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? 'Error'}\r\nContent-Type: application/json`;
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

function drained(socket: Duplex): Promise<void> {
  return new Promise((resolve) => socket.once('drain', resolve));
}
