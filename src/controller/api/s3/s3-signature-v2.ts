import { timingSafeEqual } from 'node:crypto';
import { isoTime } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import { isSignedByS3V2, s3SignatureV2, s3StringToSignV2 } from '../../../base/signature/signature-s3v2.ts';
import { namedKey } from '../signature/claimed-signature.ts';
import { CLOCK_WINDOW_MS } from '../signature/verify-signature.ts';
import type { NamedKey } from '../ec2/ec2-principal.ts';
import type { S3Request } from './s3-request.ts';
import { isSubresource } from './s3-router.ts';

/** So far ahead an address may say that it expires; version 2 knows no limit of its own. */
const MAX_EXPIRES_SECONDS = 604_800;
/** A key that nobody has, so that an unknown id costs what a known one does. */
const NOBODY = 'nobody';

const malformed = (text: string): CloudError => new CloudError('AuthorizationHeaderMalformed', text);

/** Whether the request is signed by version 2 of S3, in its header or in its query. */
export function isSignedV2({ signable, query }: S3Request): boolean {
  const [authorization = ''] = signable.headers.get('authorization') ?? [];
  return /^AWS /.test(authorization) || query.has('AWSAccessKeyId') || query.has('Signature');
}

interface Claim extends NamedKey {
  readonly signature: string;
  /** Of a presigned address: seconds since 1970. */
  readonly expires?: string;
}

function claimOf({ signable, query }: S3Request): Claim {
  const [authorization] = signable.headers.get('authorization') ?? [];
  if (authorization !== undefined) {
    const match = /^AWS +(\S+):([^\s:]+)$/.exec(authorization.trim());
    const key = namedKey(match?.[1] ?? '');
    if (key === undefined) throw malformed('Authorization must be "AWS KEYID:signature", or begin with KEYID:project');
    return { ...key, signature: match?.[2] ?? '' };
  }
  const key = namedKey(query.get('AWSAccessKeyId') ?? '');
  const [signature, expires] = [query.get('Signature'), query.get('Expires')];
  if (key === undefined || signature === undefined || expires === undefined) {
    throw new CloudError(
      'AuthorizationQueryParametersError',
      'an address signed by version 2 must have AWSAccessKeyId, Expires and Signature',
    );
  }
  return { ...key, signature, expires };
}

function checkTime({ signable }: S3Request, { expires }: Claim, nowMs: number): void {
  if (expires !== undefined) {
    const untilMs = /^\d{1,12}$/.test(expires) ? Number(expires) * 1000 : Number.NaN;
    if (Number.isNaN(untilMs) || untilMs > nowMs + (MAX_EXPIRES_SECONDS + 300) * 1000) {
      throw new CloudError(
        'AuthorizationQueryParametersError',
        `Expires must be a time in seconds since 1970, at most ${MAX_EXPIRES_SECONDS} seconds ahead`,
      );
    }
    if (untilMs >= nowMs) return;
    throw new CloudError(
      'AccessDenied',
      `the address has expired: it was good until ${isoTime(untilMs)}, and here it is ${isoTime(nowMs)}; make a new one`,
    );
  }
  const text = signable.headers.get('x-amz-date')?.[0] ?? signable.headers.get('date')?.[0];
  const atMs = text === undefined ? Number.NaN : Date.parse(text);
  if (Number.isNaN(atMs)) throw new CloudError('AccessDenied', 'the request needs a valid Date or x-amz-date header');
  if (Math.abs(nowMs - atMs) <= CLOCK_WINDOW_MS) return;
  throw new CloudError(
    'RequestTimeTooSkewed',
    `the request says that it is ${isoTime(atMs)}, and here it is ${isoTime(nowMs)}; at most 5 minutes are allowed: set the clock of one of the two machines`,
    { details: { requestTime: isoTime(atMs), serverTime: isoTime(nowMs) } },
  );
}

/** Whoever has a signed request could make another one of it by what version 2 does not sign. */
function checkCovered({ query }: S3Request): void {
  const name = [...query.keys()].find((one) => isSubresource(one) && !isSignedByS3V2(one));
  if (name === undefined) return;
  const text = `${name}: signature version 2 does not cover this parameter; please use AWS4-HMAC-SHA256 for it`;
  throw new CloudError('InvalidRequest', text);
}

/** In a presigned address `x-amz-` parameters are signed as if they were headers (boto 2.49 writes what it knows of an object so). */
function withAmzParameters({ signable, query }: S3Request): Map<string, readonly string[]> {
  const headers = new Map(signable.headers);
  for (const [name, value] of query) {
    const lower = name.toLowerCase();
    if (lower.startsWith('x-amz-')) headers.set(lower, [...(headers.get(lower) ?? []), value]);
  }
  return headers;
}

/** What the client may have signed: of a bucket botocore signs the path with a slash behind it, whether it sends that or not. */
function stringsToSign(request: S3Request, { expires }: Claim): readonly string[] {
  const { signable, query, bareNames, isVirtualHost, bucketName, key, method } = request;
  const { path } = signable;
  const paths = isVirtualHost || key !== '' || path.endsWith('/') ? [path] : [path, `${path}/`];
  const headers = expires === undefined ? signable.headers : withAmzParameters(request);
  const parameters = [...query].map(([name, value]) => [name, bareNames.has(name) ? undefined : value] as const);
  return paths.map((one) =>
    s3StringToSignV2({
      ...{ method, headers, parameters, path: one, hostBucket: isVirtualHost ? bucketName : '' },
      ...(expires === undefined ? {} : { expires }),
    }),
  );
}

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));

export interface S3SignatureV2Options {
  readonly on: boolean;
  readonly nowMs: number;
  readonly secretOf: (accessKeyId: string) => string | undefined;
}

/**
 * Checks signature version 2 of S3. Errors: 'InvalidRequest' where it is off or does not cover what is asked for, 'AuthorizationHeaderMalformed', 'AuthorizationQueryParametersError', 'AccessDenied'
 * (expired), 'RequestTimeTooSkewed', 'InvalidClientTokenId', 'SignatureDoesNotMatch'.
 */
export function verifyS3SignatureV2(request: S3Request, options: S3SignatureV2Options): NamedKey {
  if (!options.on) {
    throw new CloudError(
      'InvalidRequest',
      'signature version 2 is not taken here: please use AWS4-HMAC-SHA256, or have objectstore.signatureV2 set to on',
    );
  }
  const claim = claimOf(request);
  checkCovered(request);
  checkTime(request, claim, options.nowMs);
  const secret = options.secretOf(claim.accessKeyId);
  const texts = stringsToSign(request, claim);
  const isRight = texts.some((text) => same(s3SignatureV2(secret ?? NOBODY, text), claim.signature));
  if (secret === undefined) {
    throw new CloudError(
      'InvalidClientTokenId',
      `there is no active access key ${claim.accessKeyId.slice(0, 64)} here`,
    );
  }
  if (!isRight) {
    throw new CloudError(
      'SignatureDoesNotMatch',
      'the signature is not what the secret of this access key gives for the request; check the secret, and that nothing on the way changes requests',
      { details: { stringToSign: texts[0]?.slice(0, 4096) } },
    );
  }
  const { accessKeyId, projectId } = claim;
  return { accessKeyId, ...(projectId === undefined ? {} : { projectId }) };
}
