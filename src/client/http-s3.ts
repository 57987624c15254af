import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { CloudError, type FlatError } from '../base/errors.ts';
import type { S3Exchange, S3Reply } from './cloud-client.ts';
import { exchange, refuse } from './http-exchange.ts';
import { s3TextHeaders, s3WireHeaders } from './s3-headers.ts';
import type { Wire } from './wire.ts';

/** What stands before S3's own path. */
const PREFIX = '/v1/s3';

/** Why the admin API itself refused; S3's refusals are XML, and an answer to HEAD has no body at all. */
async function refuseOurs(response: IncomingMessage): Promise<void> {
  const told = response.headers['x-novactl-error'];
  if (typeof told === 'string') {
    response.destroy();
    throw CloudError.unflatten(JSON.parse(decodeURIComponent(told)) as FlatError);
  }
  const isOurs = (response.statusCode ?? 0) >= 400 && response.headers['content-type']?.startsWith('application/json');
  if (isOurs === true) await refuse(response);
}

function headersFor(wire: Wire, { method, path, headers = {} }: S3Exchange, text: Buffer | undefined) {
  const wireHeaders = s3WireHeaders(headers, text === undefined ? 'stream' : text.length);
  // How the bytes are cut on this connection is no part of what is asked for.
  const { 'transfer-encoding': chunked, 'content-length': length, ...signed } = wireHeaders;
  const framing = chunked === undefined ? { 'content-length': length ?? '0' } : { 'transfer-encoding': chunked };
  return { ...wire.headers({ method, path, headers: signed, body: text }), ...framing };
}

/** S3's protocol by one request to the admin API. */
export async function httpS3(wire: Wire, asked: S3Exchange, idleMs: number): Promise<S3Reply> {
  const { method, body, signal } = asked;
  const path = `${PREFIX}${asked.path}`;
  const stream = body instanceof Readable ? body : undefined;
  const content = body instanceof Readable ? body : Buffer.from(body ?? '', 'utf8');
  try {
    const response = await exchange({
      ...{ endpoint: wire.endpoint, method, path, idleMs, signal, body: content },
      headers: headersFor(wire, { ...asked, path }, content instanceof Readable ? undefined : content),
    });
    const status = response.statusCode ?? 0;
    if (stream !== undefined && !stream.readableEnded) stream.destroy();
    await refuseOurs(response);
    return { status, headers: s3TextHeaders(response.headers), body: response };
  } catch (error) {
    stream?.destroy();
    throw error;
  }
}
