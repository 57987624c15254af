import { createHash, createHmac } from 'node:crypto';
import { canonicalRequest, type PathStyle, type SignableRequest } from './canonical-request.ts';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
/** In place of a body's hash: the body is not signed. */
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/** What a signing key is good for. */
export interface Scope {
  /** UTC, as YYYYMMDD. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text, 'utf8').digest();

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
  return [ALGORITHM, time, scopeText(scope), sha256(canonicalRequest(request, rest))].join('\n');
}

/** What everything of that scope is signed with (AWS, "Derive a signing key"). */
export function signingKey(secret: string, { date, region, service }: Scope): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request');
}

/** Lower-case hex of AWS signature version 4 (AWS, "Calculate the signature"). */
export function signatureOf(secret: string, parts: SignatureParts): string {
  return hmac(signingKey(secret, parts.scope), stringToSign(parts)).toString('hex');
}
