import { CloudError } from '../../../../base/errors.ts';
import { S3_LIMITS, type BucketRecord, type ObjectMetadata, type ObjectRecord } from '../../../../domain/s3/records.ts';
import type { S3Call } from '../s3-action.ts';
import { expirationHeader, httpTime, quoted, versionHeader } from './answers.ts';

/** The headers that are kept beside `x-amz-meta-`, as records call them. */
const KEPT = {
  contentType: 'content-type',
  cacheControl: 'cache-control',
  contentDisposition: 'content-disposition',
  contentEncoding: 'content-encoding',
  contentLanguage: 'content-language',
  expires: 'expires',
} as const;
type Kept = keyof typeof KEPT;
const KEPT_NAMES = Object.keys(KEPT) as Kept[];

/** `aws-chunked` is of the request, not of the object. */
function withoutChunked(value: string): string | undefined {
  const kept = value.split(',').filter((one) => one.trim().toLowerCase() !== 'aws-chunked');
  return kept.length === 0 ? undefined : kept.join(',').trim();
}

/** What a client says of an object, by lower-case names. 'MetadataTooLarge'. */
export function metadataOf(
  header: (name: string) => string | undefined,
  user: readonly (readonly [string, string])[],
): ObjectMetadata {
  const bytes = user.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (bytes > S3_LIMITS.userMetadataBytes) {
    const text = `the x-amz-meta- headers have ${bytes} bytes of names and values: ${S3_LIMITS.userMetadataBytes} are allowed`;
    throw new CloudError('MetadataTooLarge', text, {
      details: { size: bytes, maxSizeAllowed: S3_LIMITS.userMetadataBytes },
    });
  }
  const kept: Partial<Record<Kept, string>> = {};
  for (const name of KEPT_NAMES) {
    const given = header(KEPT[name]);
    const value = name === 'contentEncoding' && given !== undefined ? withoutChunked(given) : given;
    if (value !== undefined && value !== '') kept[name] = value;
  }
  return { ...kept, user: Object.fromEntries(user) };
}

export function metadataAsked(call: S3Call): ObjectMetadata {
  return metadataOf((name) => call.header(name), call.headersOf('x-amz-meta-'));
}

/** What is told of an object whatever part of it is given. */
export function objectHeaders(bucket: BucketRecord, object: ObjectRecord): Record<string, string> {
  const { metadata, tags } = object;
  const headers: Record<string, string> = {
    'accept-ranges': 'bytes',
    'content-type': metadata.contentType ?? 'binary/octet-stream',
    etag: quoted(object.etag),
    'last-modified': httpTime(object.modifiedMs),
    ...versionHeader(bucket, object.versionId),
    ...expirationHeader(bucket, object),
  };
  for (const name of KEPT_NAMES) {
    const value = metadata[name];
    if (value !== undefined) headers[KEPT[name]] = value;
  }
  for (const [name, value] of Object.entries(metadata.user)) headers[`x-amz-meta-${name}`] = value;
  const count = Object.keys(tags).length;
  if (count > 0) headers['x-amz-tagging-count'] = String(count);
  return headers;
}

/** `response-content-type` and so on, of the query: they take the place of what is kept. */
export function overridden(call: S3Call): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of Object.values(KEPT)) {
    const value = call.query.get(`response-${name}`);
    if (value === undefined) continue;
    // A link that anybody can write must not say what the browser takes the object for.
    if (call.caller.kind === 'anonymous')
      throw new CloudError('InvalidRequest', `response-${name}: goes only with a signed request`);
    // A line's end in a header would begin another one.
    if (/[\0-\x08\n-\x1f\x7f]/.test(value) || /[^\0-\xff]/.test(value)) {
      throw new CloudError('InvalidArgument', `response-${name}: has characters that no header may have`);
    }
    headers[name] = value;
  }
  return headers;
}
