import { text } from 'node:stream/consumers';
import { CloudError, type FlatError } from '../../../base/errors.ts';
import type { S3Exchange, S3Reply } from '../../../client/cloud-client.ts';
import { ndjson } from '../../../client/ndjson.ts';
import { askS3 } from '../../../client/s3/s3-wire.ts';
import type { CollectNote, ObjectsOverview, ScrubNote } from '../../../messages/object-keeping.ts';
import type { Session } from '../session.ts';

const LINE_MAX_BYTES = 4 * 1024 * 1024;

async function ask(session: Session, method: 'GET' | 'POST', what: string): Promise<S3Reply> {
  const client = await session.client();
  const exchange = (request: S3Exchange): Promise<S3Reply> => client.s3({ signal: session.io.signal, ...request });
  return askS3(exchange, { method, query: { [`x-novactl-${what}`]: '' } });
}

async function answer<T>(reply: S3Reply): Promise<T> {
  return JSON.parse(await text(reply.body)) as T;
}

export async function objectStoreOf(session: Session): Promise<ObjectsOverview> {
  return answer(await ask(session, 'GET', 'keeping'));
}

export async function collectObjects(session: Session): Promise<CollectNote> {
  return answer(await ask(session, 'POST', 'collect'));
}

/** Until it is done; `onProgress` hears how far it is. */
export async function scrubObjects(
  session: Session,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<ScrubNote> {
  const { body } = await ask(session, 'POST', 'scrub');
  for await (const line of ndjson(body as AsyncIterable<Buffer>, LINE_MAX_BYTES)) {
    const { result, error, doneBytes, totalBytes } = line as {
      result?: ScrubNote;
      error?: FlatError;
      doneBytes?: number;
      totalBytes?: number;
    };
    if (error !== undefined) throw CloudError.unflatten(error);
    if (result !== undefined) return result;
    if (doneBytes !== undefined && totalBytes !== undefined) onProgress(doneBytes, totalBytes);
  }
  throw new CloudError('Unavailable', 'the connection to the cloud broke; the scrub has ended with it: begin it again');
}
