import { pipeline, Readable, Transform } from 'node:stream';
import type { S3Exchange, S3Reply } from '../client/cloud-client.ts';
import { s3TextHeaders, s3WireHeaders } from '../client/s3-headers.ts';
import type { S3Door, S3Incoming, S3Outgoing } from '../controller/api/s3/s3-edge.ts';
import { wireForm } from '../controller/api/s3/send-answer.ts';
import type { Principal } from '../controller/operations/handler.ts';

/** Nobody else waits: the caller's program may take its time. */
const PACE = { windowMs: 3_600_000, minBytes: 0 } as const;

function incomingOf(
  { method, path, headers = {} }: S3Exchange,
  body: Readable,
  length: number | undefined,
): S3Incoming {
  const wire = { host: 'novactl', ...s3WireHeaders(headers, length ?? 'stream') };
  return {
    ...{ method, url: path, rawHeaders: Object.entries(wire).flat() },
    ...{ remoteAddress: 'socket', isSecure: true },
    body: { stream: body, begin: () => undefined },
  };
}

function replyOf({ answer, sent }: S3Outgoing, { method, signal }: S3Exchange): S3Reply {
  const { headers, text, stream } = wireForm(answer, method);
  let bytes = 0;
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const abort = (): void => void body.destroy(signal?.reason as Error);
  signal?.addEventListener('abort', abort, { once: true });
  pipeline(stream ?? Readable.from(text === '' ? [] : [Buffer.from(text, 'utf8')]), body, (error) => {
    signal?.removeEventListener('abort', abort);
    sent(bytes, error === null || error === undefined);
  });
  return { status: answer.status, headers: s3TextHeaders(headers), body };
}

/** S3's protocol to the object store of this very process. */
export async function inProcessS3(door: S3Door, principal: Principal, asked: S3Exchange): Promise<S3Reply> {
  const { body, signal } = asked;
  signal?.throwIfAborted();
  const stream = body instanceof Readable ? body : undefined;
  const text = Buffer.from(stream === undefined ? ((body as string | undefined) ?? '') : '', 'utf8');
  const source = stream ?? Readable.from(text.length === 0 ? [] : [text]);
  const abort = (): void => void source.destroy(signal?.reason as Error);
  // Whoever reads it is told; when nobody does any more, it is nobody's.
  source.on('error', () => undefined);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const incoming = incomingOf(asked, source, stream === undefined ? text.length : undefined);
    const outgoing = await door.answerAs({ principal, pace: PACE }, incoming);
    if (signal?.aborted === true) {
      const { body: unread } = outgoing.answer;
      if (unread instanceof Readable) unread.destroy();
      outgoing.sent(0, false);
      throw signal.reason as Error;
    }
    return replyOf(outgoing, asked);
  } finally {
    signal?.removeEventListener('abort', abort);
    if (!source.readableEnded) source.destroy();
  }
}
