import { createHash } from 'node:crypto';
import { text as readText } from 'node:stream/consumers';
import { CloudError, errorText } from '../../base/errors.ts';
import { ERROR_TABLE, type ErrorCode } from '../../base/error-codes.ts';
import { parseXml, xmlText, type XmlElement } from '../../base/xml.ts';
import type { S3Exchange, S3Reply } from '../cloud-client.ts';

/** What carries a request of S3 to the cloud: `CloudClient.s3`. */
export type Exchange = (request: S3Exchange) => Promise<S3Reply>;

export interface S3Ask extends Pick<S3Exchange, 'method' | 'headers' | 'body' | 'signal'> {
  readonly bucket?: string;
  readonly key?: string;
  /** A value of '' is a name without one; undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
}

/** S3's codes that have another name here, or none. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  InternalError: 'InternalError',
  InvalidAccessKeyId: 'InvalidClientTokenId',
  MaxMessageLengthExceeded: 'RequestTooLarge',
  NoSuchVersion: 'NoSuchObjectVersion',
  ServiceUnavailable: 'Unavailable',
};

/** What a status says where nothing else does: the answer to a HEAD has no body. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'InvalidRequest',
  401: 'AuthFailure',
  403: 'AccessDenied',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  501: 'NotImplemented',
  503: 'Unavailable',
};

const codeOf = (code: string | undefined, status: number): ErrorCode => {
  if (code !== undefined && CODES[code] !== undefined) return CODES[code];
  if (code !== undefined && Object.hasOwn(ERROR_TABLE, code)) return code as ErrorCode;
  return BY_STATUS[status] ?? (status >= 500 ? 'InternalError' : 'InvalidRequest');
};

/** Characters that a URL may not hold as they are; `/` stands for itself. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The request line's target: path-style, percent-encoded. */
export function s3Path({ bucket = '', key = '', query = {} }: Pick<S3Ask, 'bucket' | 'key' | 'query'>): string {
  const path = `/${escaped(bucket)}${key === '' ? '' : `/${escaped(key).replaceAll('%2F', '/')}`}`;
  const words = Object.entries(query).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [value === '' ? escaped(name) : `${escaped(name)}=${escaped(String(value))}`];
  });
  return words.length === 0 ? path : `${path}?${words.join('&')}`;
}

/** A document of an answer. 'InternalError' when it can't be read: the other side is no S3. */
export async function replyXml(reply: S3Reply): Promise<XmlElement> {
  const body = await readText(reply.body);
  try {
    return parseXml(body);
  } catch (error) {
    throw new CloudError('InternalError', `the answer is no document of S3: ${errorText(error)}`, { cause: error });
  }
}

/** Reads an answer of which nothing is wanted, so that its connection is free again. */
export async function drained(reply: S3Reply): Promise<S3Reply> {
  for await (const _ of reply.body) continue;
  return reply;
}

async function errorOf(reply: S3Reply, { bucket, key }: S3Ask): Promise<CloudError> {
  const body = await readText(reply.body).catch(() => '');
  let document: XmlElement | undefined;
  try {
    document = body.trim() === '' ? undefined : parseXml(body);
  } catch {
    // Something between says no in its own words: the status is all that is known.
  }
  const told = document === undefined ? undefined : xmlText(document, 'Code');
  const code = codeOf(told, reply.status);
  const what = `${bucket ?? 'S3'}${key === undefined || key === '' ? '' : `/${key}`}`;
  const plain = reply.status === 404 ? `${what} is not there` : `${what}: refused with status ${reply.status}`;
  const text = (document === undefined ? undefined : xmlText(document, 'Message')) ?? plain;
  const requestId = reply.headers['x-amz-request-id'];
  return new CloudError(code, text || plain, {
    details: { ...(told === undefined ? {} : { s3Code: told }), ...(requestId === undefined ? {} : { requestId }) },
  });
}

/**
 * Asks; an error of S3 is thrown as a CloudError with its code and text. What is answered has to be read or destroyed.
 * Errors beside S3's: those of the way to the cloud, such as 'Unavailable'.
 */
export async function askS3(exchange: Exchange, ask: S3Ask): Promise<S3Reply> {
  const { method, headers = {}, body, signal } = ask;
  // Some documents are taken only with what their bytes must be.
  const length: Record<string, string> =
    typeof body === 'string'
      ? {
          'content-length': String(Buffer.byteLength(body)),
          'content-md5': createHash('md5').update(body).digest('base64'),
        }
      : {};
  const reply = await exchange({
    ...{ method, path: s3Path(ask), headers: { ...length, ...headers } },
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (reply.status >= 300) throw await errorOf(reply, ask);
  return reply;
}
