import { X509Certificate } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { isoTime } from '../base/clock.ts';
import type { ErrorCode } from '../base/error-codes.ts';
import { CloudError, errorText } from '../base/errors.ts';
import { signRequest, type AccessKey } from '../base/signature/sign-request.ts';
import { HttpClient, type HttpClientOptions, projectHeader } from './http-client.ts';
import { parseCloudUrl } from './cloud-url.ts';
import type { Wire } from './wire.ts';

export interface HttpsClientOptions {
  /** `https://host:port` */
  readonly url: string;
  /** The cloud's own certificate authority, PEM; no other is trusted. */
  readonly ca: string;
  readonly key: AccessKey;
  /** Of the credential scope. */
  readonly region: string;
  /** To work in; undefined: that of the key. */
  readonly project?: string | undefined;
  readonly clock: Clock;
  readonly onRequest?: HttpClientOptions['onRequest'];
  readonly onStale?: HttpClientOptions['onStale'];
  /** How long the connection and its handshake may take. */
  readonly connectMs?: number;
}

/** What requests to the admin API are signed for. */
const SERVICE = 'novactl';
const CONNECT_MS = 10_000;

/** The admin API over TLS; every request is signed. */
export class HttpsClient extends HttpClient {
  constructor({ url, ca, key, region, project, ...rest }: HttpsClientOptions) {
    super({ ...rest, wire: httpsWire({ url, ca, key, region, project, ...rest }) });
  }
}

function httpsWire(options: HttpsClientOptions): Wire {
  const { url, ca, key, region, project, clock, connectMs = CONNECT_MS } = options;
  const { host, port, authority } = parseCloudUrl(url);
  return {
    endpoint: { host, port, ca, connectMs },
    headers: ({ method, path, headers, body }) =>
      signRequest(
        {
          ...{ method, body, region, service: SERVICE },
          target: path,
          headers: { host: authority, ...headers, ...projectHeader(project) },
          nowMs: clock.nowMs(),
        },
        key,
      ),
    explain: (error) => explainFailure(error, { url, host, ca, nowMs: clock.nowMs() }),
  };
}

interface Known {
  readonly url: string;
  readonly host: string;
  readonly ca: string;
  readonly nowMs: number;
}

type Say = (known: Known, error: Error) => readonly [ErrorCode, string];

const foreign: Say = ({ url, ca }) => [
  'AuthFailure',
  `what answers at ${url} has no certificate of this context's authority (${subjectOf(ca)}): it is another cloud, its authority was made anew, or somebody is in between`,
];
const dated: Say = ({ url, nowMs }) => [
  'AuthFailure',
  `the certificate of ${url} is not good at this time; here it is ${isoTime(nowMs)}: set this clock, or restart the cloud, which renews its certificate`,
];
const notTls: Say = ({ url }) => ['Unavailable', `what answers at ${url} does not speak TLS 1.2 or later`];
const noName: Say = ({ host }) => ['Unavailable', `no address is known for ${host}; check the name in the context`];
const noWay: Say = ({ url }, error) => [
  'Unavailable',
  `${url} can't be reached (${errorText(error)}); check the address, routes and firewalls`,
];

/** By the codes of node and OpenSSL (x509_verify_cert_error names). */
const FAILURES: Readonly<Record<string, Say>> = {
  SELF_SIGNED_CERT_IN_CHAIN: foreign,
  DEPTH_ZERO_SELF_SIGNED_CERT: foreign,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: foreign,
  UNABLE_TO_GET_ISSUER_CERT: foreign,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: foreign,
  CERT_SIGNATURE_FAILURE: foreign,
  CERT_UNTRUSTED: foreign,
  INVALID_CA: foreign,
  CERT_HAS_EXPIRED: dated,
  CERT_NOT_YET_VALID: dated,
  ERR_TLS_CERT_ALTNAME_INVALID: ({ url, host }) => [
    'AuthFailure',
    `the cloud's certificate at ${url} is not for the name ${host}; add it to api.names of the cloud's configuration, or use a name that is there`,
  ],
  EPROTO: notTls,
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ENOTFOUND: noName,
  EAI_AGAIN: noName,
  ECONNREFUSED: ({ url }) => [
    'Unavailable',
    `nothing listens at ${url}; is the cloud up there, with api.listen in its configuration?`,
  ],
  EHOSTUNREACH: noWay,
  ENETUNREACH: noWay,
  EADDRNOTAVAIL: noWay,
  ETIMEDOUT: noWay,
};

function subjectOf(ca: string): string {
  try {
    return `SHA-256 ${new X509Certificate(ca).fingerprint256.slice(0, 23)}...`;
  } catch {
    return 'which can not be read';
  }
}

function explainFailure(error: unknown, known: Known): CloudError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const say = FAILURES[String(error.code)];
  if (say === undefined) return undefined;
  const [code, text] = say(known, error);
  return new CloudError(code, text, { cause: error });
}
