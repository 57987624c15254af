import { timingSafeEqual } from 'node:crypto';
import { isoTime } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import { isSignatureV2Method, signatureV2Of, type SignatureV2Method } from '../../../base/signature/signature-v2.ts';
import { namedKey } from '../signature/claimed-signature.ts';
import { CLOCK_WINDOW_MS } from '../signature/verify-signature.ts';
import type { NamedKey } from './ec2-principal.ts';
import { hostForms, type Ec2Request } from './ec2-request.ts';

const CARRIERS = ['AWSAccessKeyId', 'SignatureVersion', 'SignatureMethod', 'Signature'] as const;
/** So far ahead a request may say that it expires: a week, as for addresses signed by version 4. */
const MAX_EXPIRES_MS = 604_800_000;
/** A key that nobody has, so that an unknown id costs what a known one does. */
const NOBODY = 'nobody';

const incomplete = (text: string): CloudError => new CloudError('IncompleteSignature', text);

/** Whether the request carries a signature in its parameters, of whatever old version. */
export function isSignedInParameters({ parameters }: Ec2Request): boolean {
  return CARRIERS.some((name) => parameters.has(name));
}

/** `2010-08-31T12:00:00Z`, with or without parts of a second; without a zone it is UTC, as boto 1 wrote it. */
function timeIn(name: string, text: string): number {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  const ms = match === null ? Number.NaN : Date.parse(`${match[1] ?? ''}${match[2] ?? 'Z'}`);
  if (!Number.isNaN(ms)) return ms;
  throw incomplete(`${name} must be a time like 2010-08-31T12:00:00Z`);
}

function checkTime(parameters: ReadonlyMap<string, string>, nowMs: number): void {
  const [timestamp, expires] = [parameters.get('Timestamp'), parameters.get('Expires')];
  if ((timestamp === undefined) === (expires === undefined)) {
    throw incomplete('the request must have either Timestamp or Expires');
  }
  const here = `here it is ${isoTime(nowMs)}`;
  if (timestamp !== undefined) {
    const atMs = timeIn('Timestamp', timestamp);
    if (Math.abs(nowMs - atMs) <= CLOCK_WINDOW_MS) return;
    throw new CloudError(
      'RequestExpired',
      `the request says that it is ${isoTime(atMs)}, and ${here}; at most 5 minutes are allowed: set the clock of one of the two machines`,
    );
  }
  const untilMs = timeIn('Expires', expires ?? '');
  if (untilMs < nowMs)
    throw new CloudError('RequestExpired', `the request was good until ${isoTime(untilMs)}, and ${here}`);
  if (untilMs > nowMs + MAX_EXPIRES_MS) throw incomplete(`Expires must be at most a week ahead; ${here}`);
}

function methodOf({ parameters }: Ec2Request): SignatureV2Method {
  const version = parameters.get('SignatureVersion') ?? '';
  if (version === '0' || version === '1') {
    throw new CloudError(
      'AuthFailure',
      `signature version ${version} is not taken: what it signs can be changed on the way; sign by version 4`,
    );
  }
  if (version !== '2') throw incomplete(`SignatureVersion must be 2, or the request signed by version 4`);
  const method = parameters.get('SignatureMethod') ?? '';
  if (!isSignatureV2Method(method)) throw incomplete('SignatureMethod must be HmacSHA256 or HmacSHA1');
  return method;
}

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));

/**
 * Checks signature version 2, and takes the parameters that carry it away. Errors: 'IncompleteSignature', 'RequestExpired', 'InvalidClientTokenId',
 * 'SignatureDoesNotMatch', 'AuthFailure' (off, or an older version).
 */
export function verifySignatureV2(
  request: Ec2Request,
  options: { readonly on: boolean; readonly nowMs: number; readonly secretOf: (id: string) => string | undefined },
): NamedKey {
  const { signable, parameters } = request;
  const by = methodOf(request);
  if (!options.on) {
    throw new CloudError(
      'AuthFailure',
      'signature version 2 is not taken here; sign by version 4, or have ec2.signatureV2 set to on',
    );
  }
  const key = namedKey(parameters.get('AWSAccessKeyId') ?? '');
  if (key === undefined) throw incomplete('AWSAccessKeyId must be an access key, KEY or KEY:project');
  const given = parameters.get('Signature') ?? '';
  if (!/^[A-Za-z0-9+/]{27}(?:[A-Za-z0-9+/]{16})?=$/.test(given))
    throw incomplete('Signature must be base64 of the signature');
  checkTime(parameters, options.nowMs);
  const secret = options.secretOf(key.accessKeyId);
  const { method, path } = signable;
  const signed = [...parameters].filter(([name]) => name !== 'Signature');
  const isRight = hostForms(request.host)
    .map((host) => same(signatureV2Of(secret ?? NOBODY, by, { method, host, path, parameters: signed }), given))
    .includes(true);
  if (secret === undefined) {
    throw new CloudError('InvalidClientTokenId', `there is no active access key ${key.accessKeyId.slice(0, 64)} here`);
  }
  if (!isRight) {
    throw new CloudError(
      'SignatureDoesNotMatch',
      'the signature is not what the secret of this access key gives for the request; check the secret, and that nothing on the way changes requests',
    );
  }
  for (const name of [...CARRIERS, 'Timestamp', 'Expires']) parameters.delete(name);
  return key;
}
