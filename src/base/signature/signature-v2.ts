import { createHmac } from 'node:crypto';
import { uriEncode } from './canonical-request.ts';

/** SignatureMethod -> the hash. */
const HASHES = { HmacSHA1: 'sha1', HmacSHA256: 'sha256' } as const;
export type SignatureV2Method = keyof typeof HASHES;

export function isSignatureV2Method(text: string): text is SignatureV2Method {
  return Object.hasOwn(HASHES, text);
}

export interface SignatureV2Parts {
  readonly method: string;
  /** As the client wrote it into what it signed: with its port or without. */
  readonly host: string;
  /** As sent, still percent-encoded. */
  readonly path: string;
  /** Decoded, without `Signature`. */
  readonly parameters: Iterable<readonly [string, string]>;
}

const encoded = (text: string): string => uriEncode(Buffer.from(text, 'utf8'));

/** What signature version 2 covers (AWS, "Signature Version 2 signing process"): parameters sorted by the bytes of their names. */
export function stringToSignV2({ method, host, path, parameters }: SignatureV2Parts): string {
  const query = [...parameters]
    .map(([name, value]) => ({ bytes: Buffer.from(name, 'utf8'), text: `${encoded(name)}=${encoded(value)}` }))
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ text }) => text);
  return [method.toUpperCase(), host.toLowerCase(), path === '' ? '/' : path, query.join('&')].join('\n');
}

/** Base64, as it stands in the parameter `Signature`. */
export function signatureV2Of(secret: string, by: SignatureV2Method, parts: SignatureV2Parts): string {
  return createHmac(HASHES[by], secret).update(stringToSignV2(parts), 'utf8').digest('base64');
}
