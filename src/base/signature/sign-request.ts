import { sha256Hex } from '../ids.ts';
import { ALGORITHM, scopeText, signatureOf, signingTime, UNSIGNED_PAYLOAD } from './signature-v4.ts';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface RequestToSign {
  readonly method: string;
  /** Percent-encoded, with its query. */
  readonly target: string;
  /** Lower-case names; `host` must be among them. All are signed. */
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body; undefined: it is a stream, and goes unsigned (over TLS). */
  readonly body: Buffer | undefined;
  readonly region: string;
  readonly service: string;
  readonly nowMs: number;
}

/** The headers with those of AWS signature version 4 added: x-amz-date, x-amz-content-sha256, authorization. */
export function signRequest(asked: RequestToSign, key: AccessKey): Record<string, string> {
  const time = signingTime(asked.nowMs);
  const payloadHash = asked.body === undefined ? UNSIGNED_PAYLOAD : sha256Hex(asked.body);
  const headers = { ...asked.headers, 'x-amz-date': time, 'x-amz-content-sha256': payloadHash };
  const signedHeaders = Object.keys(headers).toSorted();
  const scope = { date: time.slice(0, 8), region: asked.region, service: asked.service };
  const [path = '/', query = ''] = asked.target.split('?');
  const signature = signatureOf(key.secretAccessKey, {
    request: {
      method: asked.method,
      path,
      query,
      headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
    },
    scope,
    time,
    signedHeaders,
    payloadHash,
    pathStyle: 'encoded',
  });
  const credential = `${key.accessKeyId}/${scopeText(scope)}`;
  return {
    ...headers,
    authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`,
  };
}
