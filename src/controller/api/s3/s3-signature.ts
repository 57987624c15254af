import { CloudError, isCode } from '../../../base/errors.ts';
import type { ChunkSeed } from '../../../base/signature/signature-chunks.ts';
import { parseSigningTime, signingKey, signingTime, UNSIGNED_PAYLOAD } from '../../../base/signature/signature-v4.ts';
import type { NamedKey } from '../ec2/ec2-principal.ts';
import type { Regions } from '../ec2/ec2-regions.ts';
import { claimedSignature, type ClaimedSignature } from '../signature/claimed-signature.ts';
import { verifySignature } from '../signature/verify-signature.ts';
import type { S3Request } from './s3-request.ts';
import { isSignedV2, verifyS3SignatureV2 } from './s3-signature-v2.ts';

/** The service that requests to this API are signed for. */
export const S3_SERVICE = 's3';

/** What the request says of its body: nothing, its SHA-256, or that it comes in chunks. */
export type PayloadClaim =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'sha256'; readonly hex: string }
  | {
      readonly kind: 'chunks';
      /** Each chunk is signed after this; undefined: none is. */
      readonly seed: ChunkSeed | undefined;
      /** Headers may come behind the last chunk. */
      readonly hasTrailer: boolean;
    };

/** Who says that they signed, rightly. */
export interface S3Signer {
  /** Undefined: there is no signature at all. */
  readonly key: NamedKey | undefined;
  readonly region: string;
  readonly payload: PayloadClaim;
}

export interface S3SignatureOptions {
  readonly regions: Regions;
  readonly secretOf: (accessKeyId: string) => string | undefined;
  readonly nowMs: number;
  /** Whether version 2 is taken. */
  readonly signatureV2: boolean;
}

/** Words in place of the body's hash, beside UNSIGNED-PAYLOAD. */
const CHUNKS: Readonly<Record<string, { readonly isSigned: boolean; readonly hasTrailer: boolean }>> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { isSigned: true, hasTrailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { isSigned: true, hasTrailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { isSigned: false, hasTrailer: true },
};
const CONTENT_HASH = 'x-amz-content-sha256';
/** What stands in a presigned query; one of them without the others is a signature that somebody took apart. */
const V4_PARAMETERS = ['Algorithm', 'Credential', 'Date', 'SignedHeaders', 'Signature'].map((name) => `X-Amz-${name}`);

const requestError = (text: string): CloudError => new CloudError('InvalidRequest', text);

function refuseSessions({ signable, query }: S3Request): void {
  const has = signable.headers.has('x-amz-security-token');
  if (!has && !query.has('X-Amz-Security-Token') && !query.has('x-amz-security-token')) return;
  throw new CloudError(
    'InvalidClientTokenId',
    'the request carries a session token, and there are no temporary credentials here; use an access key without one (unset AWS_SESSION_TOKEN)',
  );
}

/** The word or the hash that stands for the body in the signature. */
function payloadWord({ signable, query }: S3Request, form: ClaimedSignature['form']): string {
  const word = signable.headers.get(CONTENT_HASH)?.[0]?.trim() ?? query.get('X-Amz-Content-Sha256');
  if (word === undefined) {
    if (form === 'query') return UNSIGNED_PAYLOAD;
    throw requestError(`${CONTENT_HASH}: is needed with a signature in the header`);
  }
  if (word === UNSIGNED_PAYLOAD || Object.hasOwn(CHUNKS, word) || /^[0-9a-f]{64}$/.test(word)) return word;
  throw new CloudError(
    'InvalidArgument',
    `${CONTENT_HASH} must be ${UNSIGNED_PAYLOAD}, ${Object.keys(CHUNKS).join(', ')}, or 64 lower-case hex digits`,
  );
}

/** Codes of S3 in place of those that other APIs answer. */
function inWordsOfS3(error: unknown, form: ClaimedSignature['form']): unknown {
  const options = { cause: error };
  if (isCode(error, 'IncompleteSignature')) {
    const code = form === 'query' ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed';
    return new CloudError(code, error.message, options);
  }
  if (!isCode(error, 'RequestExpired')) return error;
  const details = error.details === undefined ? {} : { details: error.details };
  if (form === 'header') return new CloudError('RequestTimeTooSkewed', error.message, { ...options, ...details });
  return new CloudError('AccessDenied', `the address has expired: ${error.message}`, { ...options, ...details });
}

function checkScope({ scope, form }: ClaimedSignature, { names, first }: Regions): void {
  const code = form === 'query' ? 'AuthorizationQueryParametersError' : 'AuthorizationHeaderMalformed';
  if (scope.service !== S3_SERVICE) {
    const given = JSON.stringify(scope.service.slice(0, 64));
    throw new CloudError(code, `the request is signed for the service ${given}; this is "${S3_SERVICE}"`);
  }
  if (names.includes(scope.region)) return;
  // Clients read the right one from here, and sign again.
  throw new CloudError(
    code,
    `the region ${JSON.stringify(scope.region.slice(0, 64))} is wrong; expecting ${names.map((name) => `'${name}'`).join(' or ')}`,
    { details: { region: first, headers: { 'x-amz-bucket-region': first } } },
  );
}

/** Clients that can't say x-amz-date sign the header Date in its place (AWS, "Elements of an AWS API request signature"). */
function timed(claimed: ClaimedSignature, { signable }: S3Request): ClaimedSignature {
  const [date, ...more] = signable.headers.get('date') ?? [];
  if (claimed.time !== undefined || date === undefined || more.length > 0) return claimed;
  const ms = parseSigningTime(date) ?? Date.parse(date);
  return Number.isNaN(ms) || !claimed.signedHeaders.includes('date') ? claimed : { ...claimed, time: signingTime(ms) };
}

/** Clients differ on whether the port belongs to what they sign as the host. */
function hostForms(host: string): readonly string[] {
  const bare = host.replace(/:\d+$/, '');
  return bare === host ? [host] : [host, bare];
}

function verifiedByHost(request: S3Request, claimed: ClaimedSignature, options: S3SignatureOptions): NamedKey {
  const { signable } = request;
  const [host = ''] = signable.headers.get('host') ?? [];
  let refusal: unknown;
  for (const form of hostForms(host.trim())) {
    try {
      return verifySignature(
        { ...signable, headers: new Map([...signable.headers, ['host', [form]]]) },
        {
          ...{ service: S3_SERVICE, region: claimed.scope.region, nowMs: options.nowMs, pathStyle: 'plain' },
          secretOf: options.secretOf,
          payloadHash: (how) => payloadWord(request, how),
          namesProject: true,
          claimed,
        },
      );
    } catch (error) {
      if (!isCode(error, 'SignatureDoesNotMatch')) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

/** The secret is asked for only where chunks are signed with it: it is sealed, and opening it takes time. */
function claimOf(word: string, claimed: ClaimedSignature, secret: () => string): PayloadClaim {
  const chunks = CHUNKS[word];
  if (chunks === undefined) return word === UNSIGNED_PAYLOAD ? { kind: 'unsigned' } : { kind: 'sha256', hex: word };
  const { scope, time = '', signature } = claimed;
  const seed = chunks.isSigned ? { key: signingKey(secret(), scope), scope, time, signature } : undefined;
  return { kind: 'chunks', seed, hasTrailer: chunks.hasTrailer };
}

function byVersion4(request: S3Request, options: S3SignatureOptions): S3Signer {
  const form = request.query.has('X-Amz-Algorithm') ? 'query' : 'header';
  try {
    const claimed = timed(claimedSignature(request.signable), request);
    checkScope(claimed, options.regions);
    const { accessKeyId, projectId } = verifiedByHost(request, claimed, options);
    const word = payloadWord(request, claimed.form);
    return {
      key: { accessKeyId, ...(projectId === undefined ? {} : { projectId }) },
      region: claimed.scope.region,
      payload: claimOf(word, claimed, () => options.secretOf(accessKeyId) ?? ''),
    };
  } catch (error) {
    throw inWordsOfS3(error, form);
  }
}

/** Of a body that nobody signed: how it comes, by the same header. */
function unsignedPayload(request: S3Request): PayloadClaim {
  const word = request.signable.headers.get(CONTENT_HASH)?.[0]?.trim();
  if (word === undefined) return { kind: 'unsigned' };
  const chunks = Object.hasOwn(CHUNKS, word) ? CHUNKS[word] : undefined;
  if (chunks?.isSigned === true) throw requestError(`${CONTENT_HASH}: chunks can be signed only in a signed request`);
  if (chunks !== undefined) return { kind: 'chunks', seed: undefined, hasTrailer: true };
  return /^[0-9a-f]{64}$/.test(word) ? { kind: 'sha256', hex: word } : { kind: 'unsigned' };
}

/**
 * Checks the request's signature, of whatever version; one without any is anonymous. Errors: 'AuthorizationHeaderMalformed', 'AuthorizationQueryParametersError',
 * 'RequestTimeTooSkewed', 'AccessDenied' (an address that expired), 'InvalidClientTokenId', 'SignatureDoesNotMatch', 'InvalidArgument', 'InvalidRequest'.
 */
export function verifyS3Signature(request: S3Request, options: S3SignatureOptions): S3Signer {
  refuseSessions(request);
  const { signable, query } = request;
  const { first } = options.regions;
  const inHeader = signable.headers.has('authorization');
  const inQuery = V4_PARAMETERS.some((name) => query.has(name));
  const isV2 = isSignedV2(request);
  if ((inHeader && (inQuery || query.has('Signature'))) || (inQuery && isV2)) {
    throw new CloudError('InvalidArgument', 'the request is signed in two ways; only one of them may be there');
  }
  if (isV2) {
    const key = verifyS3SignatureV2(request, { ...options, on: options.signatureV2 });
    return { key, region: first, payload: unsignedPayload(request) };
  }
  if (inHeader || query.has('X-Amz-Algorithm')) return byVersion4(request, options);
  if (inQuery)
    throw new CloudError(
      'AuthorizationQueryParametersError',
      'the query has parts of a signature, without X-Amz-Algorithm',
    );
  return { key: undefined, region: first, payload: unsignedPayload(request) };
}
