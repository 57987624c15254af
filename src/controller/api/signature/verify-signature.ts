import { timingSafeEqual } from 'node:crypto';
import { isoTime } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import type { PathStyle, SignableRequest } from '../../../base/signature/canonical-request.ts';
import { parseSigningTime, signatureOf } from '../../../base/signature/signature-v4.ts';
import { claimedSignature, type ClaimedSignature } from './claimed-signature.ts';

/** A request's clock and ours may differ by this. */
export const CLOCK_WINDOW_MS = 300_000;

export interface VerifyOptions {
  readonly service: string;
  readonly region: string;
  readonly nowMs: number;
  readonly pathStyle: PathStyle;
  /** The secret of an active key; undefined when there is none of that id. */
  readonly secretOf: (accessKeyId: string) => string | undefined;
  /** What stands for the body in the signature; gets the form, since presigned requests carry no header that says it. */
  readonly payloadHash: (form: ClaimedSignature['form']) => string;
  /** Headers that must be signed where they are there, beside `host` and `x-amz-*`. */
  readonly mustSign?: (headerName: string) => boolean;
  /** Only requests that are signed in their header. */
  readonly headerOnly?: boolean;
  /** What the request says of its signature, where the caller has read that already. */
  readonly claimed?: ClaimedSignature;
  /** Whether the caller heeds the project of an access key written `KEY:project`; where nobody does, it is refused. */
  readonly namesProject?: boolean;
}

export interface VerifiedSignature {
  readonly accessKeyId: string;
  /** Of an access key written `KEY:project`. */
  readonly projectId?: string;
  readonly payloadHash: string;
}

const minutes = (ms: number): string => `${Math.round(Math.abs(ms) / 6000) / 10} minutes`;

function checkTime(claimed: ClaimedSignature, nowMs: number): string {
  if (claimed.time === undefined) {
    throw new CloudError('IncompleteSignature', 'the request has no X-Amz-Date');
  }
  const atMs = parseSigningTime(claimed.time);
  if (atMs === undefined) {
    throw new CloudError('IncompleteSignature', 'X-Amz-Date must be a time like 20150830T123600Z');
  }
  if (claimed.scope.date !== claimed.time.slice(0, 8)) {
    throw new CloudError('SignatureDoesNotMatch', 'the day in Credential is not the day of X-Amz-Date');
  }
  const ageMs = nowMs - atMs;
  const longestMs = claimed.expiresSeconds === undefined ? CLOCK_WINDOW_MS : claimed.expiresSeconds * 1000;
  if (ageMs > longestMs || ageMs < -CLOCK_WINDOW_MS) {
    const details = { requestTime: isoTime(atMs), serverTime: isoTime(nowMs) };
    const text = `the request says that it is ${details.requestTime}, and here it is ${details.serverTime}: ${minutes(ageMs)} apart`;
    const advice =
      claimed.form === 'header'
        ? 'at most 5 minutes are allowed; set the clock of one of the two machines'
        : 'the address is no longer, or not yet, good; make a new one';
    throw new CloudError('RequestExpired', `${text}; ${advice}`, { details });
  }
  return claimed.time;
}

function checkScope({ scope }: ClaimedSignature, { service, region }: VerifyOptions): void {
  for (const [name, is, must] of [
    ['region', scope.region, region],
    ['service', scope.service, service],
  ] as const) {
    if (is === must) continue;
    throw new CloudError(
      'SignatureDoesNotMatch',
      `the request is signed for the ${name} ${JSON.stringify(is.slice(0, 64))}; this is ${JSON.stringify(must)}`,
    );
  }
}

function checkHeaders({ signedHeaders }: ClaimedSignature, request: SignableRequest, options: VerifyOptions): void {
  const { mustSign = () => false } = options;
  const signed = new Set(signedHeaders);
  const needed = ['host', ...[...request.headers.keys()].filter((name) => name.startsWith('x-amz-') || mustSign(name))];
  const unsigned = needed.filter((name) => !signed.has(name));
  if (unsigned.length === 0) return;
  throw new CloudError('SignatureDoesNotMatch', `SignedHeaders must name ${unsigned.join(', ').slice(0, 200)} too`);
}

/** A key that nobody has, so that an unknown id costs what a known one does. */
const NOBODY = 'nobody';

/**
 * Checks AWS signature version 4, in the Authorization header or presigned in the query. Nothing of the body is read: its hash is what the request claims, and
 * who reads the body compares. The same request may come again within the window; TLS keeps others from having it, and a ClientToken keeps it from having effect twice.
 * Errors: 'MissingAuthenticationToken', 'IncompleteSignature', 'RequestExpired' (details.requestTime, serverTime), 'InvalidClientTokenId', 'SignatureDoesNotMatch',
 * 'AuthFailure' for a presigned request where only the header is taken.
 */
export function verifySignature(request: SignableRequest, options: VerifyOptions): VerifiedSignature {
  const claimed = options.claimed ?? claimedSignature(request);
  if (claimed.form === 'query' && options.headerOnly === true) {
    throw new CloudError('AuthFailure', 'presigned addresses are not taken here; sign in the Authorization header');
  }
  if (claimed.projectId !== undefined && options.namesProject !== true) {
    throw new CloudError(
      'IncompleteSignature',
      'Credential must begin with the access key alone; KEY:project is for the EC2 API',
    );
  }
  checkScope(claimed, options);
  checkHeaders(claimed, request, options);
  const time = checkTime(claimed, options.nowMs);
  const payloadHash = options.payloadHash(claimed.form);
  const secret = options.secretOf(claimed.accessKeyId);
  const expected = signatureOf(secret ?? NOBODY, {
    request,
    scope: claimed.scope,
    time,
    signedHeaders: claimed.signedHeaders,
    payloadHash,
    pathStyle: options.pathStyle,
    withoutParameter: claimed.form === 'query' ? 'X-Amz-Signature' : undefined,
  });
  const same = timingSafeEqual(Buffer.from(expected, 'latin1'), Buffer.from(claimed.signature, 'latin1'));
  if (secret === undefined) {
    throw new CloudError(
      'InvalidClientTokenId',
      `there is no active access key ${claimed.accessKeyId.slice(0, 64)} here; see "novactl key list"`,
    );
  }
  if (!same) {
    throw new CloudError(
      'SignatureDoesNotMatch',
      'the signature is not what the secret of this access key gives for the request; check the secret, and that nothing on the way changes requests',
    );
  }
  const { accessKeyId, projectId } = claimed;
  return { accessKeyId, payloadHash, ...(projectId === undefined ? {} : { projectId }) };
}
