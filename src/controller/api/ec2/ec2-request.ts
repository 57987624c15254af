import { isUtf8 } from 'node:buffer';
import { CloudError } from '../../../base/errors.ts';
import { uriDecode, type SignableRequest } from '../../../base/signature/canonical-request.ts';
import { signableRequest } from '../signature/signable-request.ts';

export const REQUEST_LIMITS = {
  bodyBytes: 1024 * 1024,
  parameters: 2000,
  nameChars: 256,
} as const;

/** A request as it came, its body whole. */
export interface RawEc2Request {
  readonly method: string;
  /** The request line's target. */
  readonly url: string;
  /** Name, value, name, value, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly remoteAddress: string;
}

/** A request that can be read. */
export interface Ec2Request {
  readonly signable: SignableRequest;
  readonly body: Buffer;
  /** Of query and body; no name comes twice. Those that carry the signature are among them. */
  readonly parameters: Map<string, string>;
  /** The Host header, in lower case. */
  readonly host: string;
}

const PATHS = new Set(['/', '/services/Cloud', '/services/Cloud/']);
const HOST = /^(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
const FORM = /^application\/x-www-form-urlencoded\s*(?:;\s*charset=(["']?)utf-?8\1\s*)?$/i;

const malformed = (text: string): CloudError => new CloudError('MalformedRequest', text);
const shown = (text: string): string => JSON.stringify(text.slice(0, 64));

/** Whether the query carries a signature of version 4; names count decoded, as in what is signed. */
export function hasAlgorithm({ query }: SignableRequest): boolean {
  return query.split('&').some((part) => decoded(part.split('=', 1)[0] ?? '') === 'X-Amz-Algorithm');
}

/** The Host header as the client may have signed it: clients differ on whether the port belongs to it. */
export function hostForms(host: string): string[] {
  const bare = host.replace(/:\d+$/, '');
  return bare === host ? [host, `${host}:443`] : [host, bare];
}

/** The one value of a header that must not be there twice. */
function single({ headers }: SignableRequest, name: string): string | undefined {
  const values = headers.get(name) ?? [];
  if (values.length > 1) throw malformed(`the header ${name} is there ${values.length} times; it must be there once`);
  return values[0];
}

function hostOf(request: SignableRequest): string {
  const host = single(request, 'host')?.trim().toLowerCase();
  if (host === undefined) throw malformed('the request has no Host header');
  if (!HOST.test(host)) throw malformed(`the Host header ${shown(host)} is no host name or address`);
  return host;
}

/** Percent-encoded text; undefined when what it stands for is not UTF-8. */
function decoded(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // A "%" that begins no pair of hex digits stands for itself, as in the signature.
    const bytes = uriDecode(text);
    return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
  }
}

function countParts(text: string): number {
  let count = text === '' ? 0 : 1;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) count += 1;
  return count;
}

function readParts(text: string, plusIsSpace: boolean, into: Map<string, string>): void {
  for (const part of text.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const raw = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
    const [name, value] = raw.map((one) => decoded(plusIsSpace ? one.replaceAll('+', ' ') : one));
    if (name === undefined || value === undefined) throw malformed(`the parameter ${shown(part)} is not UTF-8`);
    if (name === '' || name.length > REQUEST_LIMITS.nameChars) {
      throw malformed(`${shown(name)} is no name of a parameter: 1 to ${REQUEST_LIMITS.nameChars} characters`);
    }
    if (into.has(name)) {
      throw malformed(
        `the parameter ${shown(name)} is there twice (query and body count together); it must be there once`,
      );
    }
    into.set(name, value);
  }
}

/**
 * A plus in a query that is signed by version 4 was signed as a plus, so it is one; everywhere else it is a space, as forms have it. Else whoever
 * stands between could write one for the other.
 */
const plusIsSpaceInQuery = (request: SignableRequest): boolean =>
  !request.headers.has('authorization') && !hasAlgorithm(request);

function formText(request: SignableRequest, body: Buffer): string {
  if (body.length === 0) return '';
  const type = single(request, 'content-type')?.trim() ?? '';
  const encoding = single(request, 'content-encoding') ?? 'identity';
  if (request.method !== 'POST') throw malformed(`a ${shown(request.method)} has no body here`);
  if (!FORM.test(type)) throw malformed('the body must be application/x-www-form-urlencoded, in UTF-8');
  if (encoding !== 'identity') throw malformed(`the body must not be encoded (${shown(encoding)})`);
  if (!isUtf8(body)) throw malformed('the body is not UTF-8');
  return body.toString('utf8');
}

/** Errors: 'MalformedRequest', 'RequestTooLarge', 'InvalidAction' for another path or method. Nothing is believed of it yet. */
export function readEc2Request(raw: RawEc2Request): Ec2Request {
  if (!/^\/[\x21-\x7e]*$/.test(raw.url)) {
    throw malformed(`the target of the request must be a path, not ${shown(raw.url)}`);
  }
  const signable = signableRequest(raw);
  const host = hostOf(signable);
  if (!PATHS.has(signable.path)) {
    throw new CloudError(
      'InvalidAction',
      `there is nothing at ${shown(signable.path)}; the EC2 API is at / and /services/Cloud/`,
    );
  }
  if (signable.method !== 'GET' && signable.method !== 'POST') {
    throw new CloudError('InvalidAction', `the EC2 API takes GET and POST, not ${shown(signable.method)}`);
  }
  const form = formText(signable, raw.body);
  const count = countParts(signable.query) + countParts(form);
  if (count > REQUEST_LIMITS.parameters) {
    throw new CloudError(
      'RequestTooLarge',
      `the request has ${count} parameters; at most ${REQUEST_LIMITS.parameters} are taken`,
    );
  }
  const parameters = new Map<string, string>();
  readParts(signable.query, plusIsSpaceInQuery(signable), parameters);
  readParts(form, true, parameters);
  return { signable, body: raw.body, parameters, host };
}
