import { createHmac } from 'node:crypto';

/** Parameters of the query that are signed; others are not (S3 user guide, "Signing and authenticating REST requests"; boto 2.49 and s3cmd have these too, botocore the last two lines). */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set([
  ...['acl', 'cors', 'delete', 'lifecycle', 'location', 'logging', 'notification', 'partNumber', 'policy'],
  ...['requestPayment', 'restore', 'tagging', 'torrent', 'uploadId', 'uploads', 'versionId', 'versioning', 'versions'],
  ...['website', 'response-cache-control', 'response-content-disposition', 'response-content-encoding'],
  ...['response-content-language', 'response-content-type', 'response-expires'],
  ...['accelerate', 'analytics', 'defaultObjectAcl', 'inventory', 'metrics', 'object-lock', 'replication', 'select'],
  ...['select-type', 'storageClass'],
]);

/** Whether version 2 covers a parameter of the query. */
export const isSignedByS3V2 = (name: string): boolean => SIGNED_PARAMETERS.has(name);

export interface S3SignatureV2Parts {
  readonly method: string;
  /** Lower-case name -> every value. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** The bucket when the host names it; '' when the path does. */
  readonly hostBucket: string;
  /** As sent, still percent-encoded. */
  readonly path: string;
  /** Decoded, `undefined` for a name without `=`. */
  readonly parameters: Iterable<readonly [name: string, value: string | undefined]>;
  /** In place of the date: `Expires` of a presigned address. */
  readonly expires?: string;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A header of several lines is signed as one. (In parts: a pattern for it takes time that goes with the square of what a stranger sends.) */
const unfolded = (value: string): string =>
  value
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');

function amzHeaders(headers: S3SignatureV2Parts['headers']): string {
  return [...headers]
    .filter(([name]) => name.startsWith('x-amz-'))
    .toSorted(([a], [b]) => byText(a, b))
    .map(([name, values]) => `${name}:${values.map(unfolded).join(',')}\n`)
    .join('');
}

function resource({ hostBucket, path, parameters }: S3SignatureV2Parts): string {
  const signed = [...parameters]
    .filter(([name]) => SIGNED_PARAMETERS.has(name))
    .toSorted(([a], [b]) => byText(a, b))
    .map(([name, value]) => (value === undefined ? name : `${name}=${value}`));
  const query = signed.length === 0 ? '' : `?${signed.join('&')}`;
  return `${hostBucket === '' ? '' : `/${hostBucket}`}${path}${query}`;
}

/** What signature version 2 of S3 covers. */
export function s3StringToSignV2(parts: S3SignatureV2Parts): string {
  const { method, headers, expires } = parts;
  const one = (name: string): string => (headers.get(name)?.[0] ?? '').trim();
  const date = expires ?? (headers.has('x-amz-date') ? '' : one('date'));
  return `${[method, one('content-md5'), one('content-type'), date].join('\n')}\n${amzHeaders(headers)}${resource(parts)}`;
}

/** HMAC-SHA1 in base64, as it stands behind `AWS KEY:`. */
export function s3SignatureV2(secret: string, text: string): string {
  return createHmac('sha1', secret).update(text, 'utf8').digest('base64');
}
