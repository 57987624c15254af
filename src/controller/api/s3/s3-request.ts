import { isUtf8 } from 'node:buffer';
import { CloudError } from '../../../base/errors.ts';
import { uriDecode, type SignableRequest } from '../../../base/signature/canonical-request.ts';
import { S3_LIMITS } from '../../../domain/s3/records.ts';
import { signableRequest } from '../signature/signable-request.ts';

/** A request's head as it came. */
export interface S3Head {
  readonly method: string;
  /** The request line's target. */
  readonly url: string;
  /** Name, value, name, value, as they came. */
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  /** Whether it came by TLS. */
  readonly isSecure: boolean;
}

/** A request whose head can be read. Nothing is believed of it yet. */
export interface S3Request {
  readonly signable: SignableRequest;
  readonly method: string;
  /** In lower case, with its port where it has one. */
  readonly host: string;
  /** `http://host:port` as the client wrote it, without the bucket. */
  readonly endpoint: string;
  readonly isSecure: boolean;
  readonly remoteAddress: string;
  /** '' for none. */
  readonly bucketName: string;
  /** Whether the host names the bucket. */
  readonly isVirtualHost: boolean;
  /** As the client wrote it, whatever it looks like as a path; '' for none. */
  readonly key: string;
  /** Decoded; no name comes twice. */
  readonly query: ReadonlyMap<string, string>;
  /** Names that came without `=`. */
  readonly bareNames: ReadonlySet<string>;
  /** Headers that an address signed in its query has there, by lower-case names: SDKs move what they can. */
  readonly queryHeaders: ReadonlyMap<string, string>;
}

const PARAMETERS_MAX = 200;
const HOST = /^(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
/** Headers that would mean two things if they came twice. */
const ONCE = [
  ...['content-length', 'content-md5', 'content-type', 'expect', 'range', 'if-match', 'if-none-match', 'x-amz-date'],
  ...['x-amz-content-sha256', 'x-amz-decoded-content-length', 'x-amz-copy-source', 'x-amz-acl', 'x-amz-trailer'],
];

const shown = (text: string): string => JSON.stringify(text.slice(0, 64));
const badUri = (text: string): CloudError => new CloudError('InvalidURI', text);
const badRequest = (text: string): CloudError => new CloudError('InvalidRequest', text);

function decoded(text: string): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw badUri(`${shown(text)}: a % must be followed by two hex digits`);
  const bytes = uriDecode(text);
  if (!isUtf8(bytes)) throw badUri(`${shown(text)}: is not UTF-8`);
  const plain = bytes.toString('utf8');
  if (plain.includes('\0')) throw badUri(`${shown(text)}: a zero byte is not allowed`);
  return plain;
}

/** Clients write UTF-8 into headers, which node reads as one character a byte. */
function asText(value: string): string {
  if (!/[\u0080-\u00ff]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : value;
}

function readSignable(head: S3Head): SignableRequest {
  const raw = signableRequest(head);
  const headers = new Map([...raw.headers].map(([name, values]) => [name, values.map(asText)]));
  for (const name of ONCE) {
    const count = headers.get(name)?.length ?? 0;
    if (count > 1) throw badRequest(`the header ${name} is there ${count} times; it must be there once`);
  }
  return { ...raw, headers };
}

function hostOf({ headers }: SignableRequest): string {
  const [host, ...more] = headers.get('host') ?? [];
  if (more.length > 0) throw badRequest(`the header host is there ${more.length + 1} times; it must be there once`);
  const name = host?.trim().toLowerCase();
  if (name === undefined || name === '') throw badRequest('the request has no Host header');
  if (!HOST.test(name)) throw badRequest(`the Host header ${shown(name)} is no host name or address`);
  return name;
}

/**
 * A plus is a space in queries that nobody signed, as forms have it. In a signed one it was signed as a plus, so it is one.
 */
function readQuery(query: string, isSigned: boolean): Pick<S3Request, 'query' | 'bareNames'> {
  const all = new Map<string, string>();
  const bareNames = new Set<string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const text = isSigned ? part : part.replaceAll('+', ' ');
    const at = text.indexOf('=');
    const name = decoded(at < 0 ? text : text.slice(0, at));
    if (all.has(name)) throw badRequest(`the parameter ${shown(name)} is there twice; it must be there once`);
    if (all.size >= PARAMETERS_MAX) throw badRequest(`the query has more than ${PARAMETERS_MAX} parameters`);
    all.set(name, at < 0 ? '' : decoded(text.slice(at + 1)));
    if (at < 0) bareNames.add(name);
  }
  return { query: all, bareNames };
}

/**
 * Checksums are passed over, as S3 does: of an upload whose body is not known when it is signed SDKs write that of no bytes at all.
 */
function headersInQuery(query: ReadonlyMap<string, string>): Map<string, string> {
  if (!query.has('X-Amz-Algorithm') && !query.has('Signature')) return new Map();
  const named = [...query].map(([name, value]) => [name.toLowerCase(), value] as const);
  return new Map(named.filter(([name]) => /^x-amz-(?!(sdk-)?checksum-)/.test(name)));
}

const isSigned = ({ query, headers }: SignableRequest): boolean =>
  headers.has('authorization') || /(?:^|&)(?:X-Amz-Algorithm|AWSAccessKeyId)=/.test(query);

/** The bucket that the host names: what stands before one of our domains. */
function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  const name = host.replace(/:\d+$/, '');
  const ours = domains.filter((one) => name.endsWith(`.${one}`));
  const domain = ours.toSorted((a, b) => b.length - a.length)[0];
  return domain === undefined ? undefined : name.slice(0, -domain.length - 1);
}

function splitPath(path: string): { readonly bucketName: string; readonly key: string } {
  const at = path.indexOf('/', 1);
  return at < 0
    ? { bucketName: decoded(path.slice(1)), key: '' }
    : { bucketName: decoded(path.slice(1, at)), key: decoded(path.slice(at + 1)) };
}

/** Reads the head: whose bucket, which key. Errors: 'InvalidURI', 'InvalidRequest', 'InvalidBucketName', 'KeyTooLongError'. */
export function readS3Request(head: S3Head, domains: readonly string[]): S3Request {
  const signable = readSignable(head);
  const host = hostOf(signable);
  const { path } = signable;
  if (!path.startsWith('/')) throw badUri('the target of the request must be a path');
  const hostBucket = bucketOfHost(host, domains);
  const { bucketName, key } =
    hostBucket === undefined ? splitPath(path) : { bucketName: hostBucket, key: decoded(path.slice(1)) };
  if (bucketName === '' && path !== '/')
    throw new CloudError('InvalidBucketName', 'the path names no bucket: it must be /bucket or /bucket/key');
  if (Buffer.byteLength(key) > S3_LIMITS.keyBytes) {
    throw new CloudError('KeyTooLongError', `the key is longer than ${S3_LIMITS.keyBytes} bytes of UTF-8`);
  }
  const endpointHost = hostBucket === undefined ? host : host.slice(hostBucket.length + 1);
  const parameters = readQuery(signable.query, isSigned(signable));
  return {
    ...{ signable, host, bucketName, key, method: head.method },
    endpoint: `${head.isSecure ? 'https' : 'http'}://${endpointHost}`,
    isSecure: head.isSecure,
    remoteAddress: head.remoteAddress,
    isVirtualHost: hostBucket !== undefined,
    ...parameters,
    queryHeaders: headersInQuery(parameters.query),
  };
}

/** The one value of a header, lower-case name; several joined. `aws-chunked` is how the body came, and no encoding of the object. */
export function headerOf({ signable, queryHeaders }: S3Request, name: string): string | undefined {
  const value = signable.headers.get(name)?.join(', ') ?? queryHeaders.get(name);
  if (value === undefined || name !== 'content-encoding') return value;
  const kept = value.split(',').filter((word) => word.trim().toLowerCase() !== 'aws-chunked');
  return kept.length === 0 ? undefined : kept.join(',').trim();
}

/** All of a prefix, without it, in the order of names. */
export function headersOf({ signable, queryHeaders }: S3Request, prefix: string): (readonly [string, string])[] {
  const inHeaders = [...signable.headers].map(([name, values]) => [name, values.join(', ')] as const);
  return [...new Map([...queryHeaders, ...inHeaders])]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [name.slice(prefix.length), value] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
