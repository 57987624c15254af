import { uriEncode } from './canonical-request.ts';
import type { AccessKey } from './sign-request.ts';
import { ALGORITHM, scopeText, signatureOf, signingTime, UNSIGNED_PAYLOAD } from './signature-v4.ts';

/** AWS allows no more: a week. */
export const PRESIGN_MAX_S = 604_800;

export interface UrlToSign {
  readonly method: string;
  /** `https:` or `http:` */
  readonly protocol: string;
  /** With its port, where that is not the protocol's own. */
  readonly host: string;
  /** Not percent-encoded: bucket and key as they are. */
  readonly path: string;
  readonly region: string;
  readonly service: string;
  readonly expiresS: number;
  /** Further parameters of the query, signed too; names and values as they are. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  readonly nowMs: number;
}

/** A URL that carries its own signature (AWS signature version 4 in the query). Who has it may do that one thing until it expires. */
export function presignUrl(asked: UrlToSign, key: AccessKey): string {
  const { method, protocol, host, region, service, expiresS, nowMs } = asked;
  const time = signingTime(nowMs);
  const scope = { date: time.slice(0, 8), region, service };
  const path = uriEncode(Buffer.from(asked.path, 'utf8'), '/');
  const parameters: Record<string, string> = {
    ...asked.parameters,
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Credential': `${key.accessKeyId}/${scopeText(scope)}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(expiresS),
    'X-Amz-SignedHeaders': 'host',
  };
  const query = Object.entries(parameters)
    .map(([name, value]) => `${uriEncode(Buffer.from(name))}=${uriEncode(Buffer.from(value, 'utf8'))}`)
    .join('&');
  const signature = signatureOf(key.secretAccessKey, {
    request: { method, path, query, headers: new Map([['host', [host]]]) },
    ...{ scope, time, signedHeaders: ['host'], payloadHash: UNSIGNED_PAYLOAD, pathStyle: 'plain' },
  });
  return `${protocol}//${host}${path}?${query}&X-Amz-Signature=${signature}`;
}
