import { createHmac } from 'node:crypto';
import { sha256Hex } from '../ids.ts';
import { canonicalRequest, type PathStyle, type SignableRequest } from './canonical-request.ts';
import { signingKeys, type Scope } from './signing-keys.ts';

export type { Scope } from './signing-keys.ts';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
/** In place of a body's hash: the body is not signed. */
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/** What everything of that scope is signed with (AWS, "Derive a signing key"). */
export const signingKey = signingKeys();

export const scopeText = ({ date, region, service }: Scope): string => `${date}/${region}/${service}/aws4_request`;

/** `20150830T123600Z` */
export function signingTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

/** Milliseconds of `20150830T123600Z`; undefined when it is no such time. */
export function parseSigningTime(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1) as [string, string, string, string, string, string];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

export interface SignatureParts {
  readonly request: SignableRequest;
  readonly scope: Scope;
  /** As in X-Amz-Date. */
  readonly time: string;
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
  readonly pathStyle: PathStyle;
  readonly withoutParameter?: string | undefined;
}

export function stringToSign(parts: SignatureParts): string {
  const { request, scope, time, ...rest } = parts;
  return [ALGORITHM, time, scopeText(scope), sha256Hex(canonicalRequest(request, rest))].join('\n');
}

/** Lower-case hex of AWS signature version 4 (AWS, "Calculate the signature"). */
export function signatureOf(secret: string, parts: SignatureParts): string {
  return createHmac('sha256', signingKey(secret, parts.scope)).update(stringToSign(parts), 'utf8').digest('hex');
}
