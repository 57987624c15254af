import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { READ_CHUNKS } from '../../../base/chunk-pool.ts';
import type { Clock, Timer } from '../../../base/clock.ts';
import { MIB } from '../../../base/units.ts';
import type { S3Outgoing } from './s3-edge.ts';

/** Of a body that nobody wants so much is taken for so long after the answer, so that the client can read the answer before the connection ends. */
const LINGER = { bytes: 8 * MIB, ms: 3000 } as const;

/** So long a client may take over what it was sent last, at most 512 KiB: some bytes now and then do not keep an answer alive. */
export const TAKE_MS = 120_000;

export interface SendParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly clock: Pick<Clock, 'after'>;
  /** The client was never asked for the body that it waits to send. */
  readonly isHeld: boolean;
  /** No more requests on this connection. */
  readonly isLast: boolean;
  /** Default: TAKE_MS. */
  readonly takeMs?: number;
}

/** Whether bytes of the request are still to come. */
const hasMore = ({ complete, headers }: IncomingMessage): boolean =>
  !complete && (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0');

/** What goes out: head and text, or head and stream. */
export function wireForm(
  { status, headers, body }: S3Outgoing['answer'],
  method: string | undefined,
): { readonly headers: Record<string, string>; readonly text: string; readonly stream?: Readable } {
  const stream = typeof body === 'string' ? undefined : body;
  if ([204, 304].includes(status) || method === 'HEAD') {
    stream?.destroy();
    return { headers, text: '' };
  }
  if (stream !== undefined) return { headers, text: '', stream };
  const text = typeof body === 'string' ? body : '';
  return { headers: { ...headers, 'content-length': String(Buffer.byteLength(text)) }, text };
}

/** Sends the answer; of a stream no more than the client takes. Tells how it went. */
export function sendAnswer({ answer, sent }: S3Outgoing, parts: SendParts): void {
  const { request, response, isHeld, isLast } = parts;
  const { headers, text, stream } = wireForm(answer, request.method);
  if (response.headersSent || response.destroyed) {
    stream?.destroy();
    return sent(0, false);
  }
  const hasRest = hasMore(request);
  response.writeHead(answer.status, hasRest || isLast ? { ...headers, connection: 'close' } : headers);
  if (stream === undefined) endWithText(text, hasRest && !isHeld, parts, sent);
  else sendStream(stream, parts, sent);
}

/** Head and body as one text are one write. */
function endWithText(text: string, mustLinger: boolean, parts: SendParts, sent: S3Outgoing['sent']): void {
  const { request, response, clock } = parts;
  const bytes = Buffer.byteLength(text);
  response.once('close', () => sent(response.writableFinished ? bytes : 0, response.writableFinished));
  if (!mustLinger) {
    response.end(text);
    return;
  }
  // A connection that ends with bytes unread takes the answer with it.
  if (text === '') response.flushHeaders();
  else response.write(text);
  let taken = 0;
  const timer = clock.after(LINGER.ms, () => end(), { unref: true });
  const end = (): void => {
    timer.cancel();
    if (!response.writableEnded) response.end(() => request.destroy());
  };
  request.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    if (taken > LINGER.bytes) end();
  });
  request.once('end', end);
  request.once('close', end);
  request.resume();
}

function sendStream(body: Readable, { response, clock, takeMs = TAKE_MS }: SendParts, sent: S3Outgoing['sent']): void {
  let bytes = 0;
  let waiting: Timer | undefined;
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    const isTaken = response.write(chunk, (error) => {
      if (error === null || error === undefined) READ_CHUNKS.giveBack(chunk);
    });
    if (isTaken) return;
    body.pause();
    waiting ??= clock.after(takeMs, () => response.destroy(), { unref: true });
  });
  response.on('drain', () => {
    waiting?.cancel();
    waiting = undefined;
    body.resume();
  });
  body.on('end', () => response.end());
  // What is missing can not be said any more but by ending early.
  body.on('error', () => response.destroy());
  response.once('close', () => {
    waiting?.cancel();
    body.destroy();
    sent(bytes, response.writableFinished);
  });
}
