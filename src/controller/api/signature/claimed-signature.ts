import { CloudError } from '../../../base/errors.ts';
import { uriDecode, type SignableRequest } from '../../../base/signature/canonical-request.ts';
import { ALGORITHM, type Scope } from '../../../base/signature/signature-v4.ts';

/** What a request says of its signature, not yet believed. */
export interface ClaimedSignature {
  readonly form: 'header' | 'query';
  readonly accessKeyId: string;
  /** Of an access key written `KEY:project`. */
  readonly projectId?: string;
  readonly scope: Scope;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** As the request has it; undefined when it has none. */
  readonly time: string | undefined;
  /** Of a presigned address, in seconds. */
  readonly expiresSeconds?: number;
}

const MAX_AUTHORIZATION = 4096;
/** A week, as AWS has it. */
const MAX_EXPIRES_SECONDS = 604_800;

const incomplete = (text: string): CloudError => new CloudError('IncompleteSignature', text);

/** The one value of a header; more than one would leave open which of them was meant. */
export function onlyHeader(request: SignableRequest, name: string): string | undefined {
  const values = request.headers.get(name) ?? [];
  if (values.length > 1) throw incomplete(`the header ${name} is there ${values.length} times; it must be there once`);
  return values[0];
}

function parameterOf(request: SignableRequest, name: string): string | undefined {
  const values = request.query.split('&').flatMap((part) => {
    const at = part.indexOf('=');
    const [key, value] = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
    return uriDecode(key).toString('utf8') === name ? [uriDecode(value).toString('utf8')] : [];
  });
  if (values.length > 1)
    throw incomplete(`the parameter ${name} is there ${values.length} times; it must be there once`);
  return values[0];
}

/** `KEY` or `KEY:project`; undefined when it is neither. */
export function namedKey(text: string): { accessKeyId: string; projectId?: string } | undefined {
  const match = /^([A-Za-z0-9]{1,128})(?::([A-Za-z0-9][A-Za-z0-9._-]{0,127}))?$/.exec(text);
  const [, accessKeyId, projectId] = match ?? [];
  if (accessKeyId === undefined) return undefined;
  return { accessKeyId, ...(projectId === undefined ? {} : { projectId }) };
}

function credentialOf(text: string): { accessKeyId: string; projectId?: string; scope: Scope } {
  const [keyText = '', date = '', region = '', service = '', end = '', ...more] = text.split('/');
  const key = namedKey(keyText);
  const whole = /^\d{8}$/.test(date) && end === 'aws4_request';
  if (key === undefined || !whole || region === '' || service === '' || more.length > 0) {
    throw incomplete('Credential must be KEYID/YYYYMMDD/region/service/aws4_request, or begin with KEYID:project');
  }
  return { ...key, scope: { date, region, service } };
}

function signedHeadersOf(text: string): readonly string[] {
  const names = text.split(';');
  const sorted = names.every((name, at) => at === 0 || (names[at - 1] ?? '') < name);
  if (!sorted || !names.every((name) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))) {
    throw incomplete('SignedHeaders must be lower-case header names, sorted, each once, with ";" between');
  }
  return names;
}

function signatureIn(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw incomplete('Signature must be 64 lower-case hex digits');
  return text;
}

function fromHeader(authorization: string, request: SignableRequest): ClaimedSignature {
  if (authorization.length > MAX_AUTHORIZATION)
    throw incomplete(`Authorization is over ${MAX_AUTHORIZATION} characters`);
  const [scheme = '', ...rest] = authorization.trim().split(/ +/);
  if (scheme !== ALGORITHM) {
    throw incomplete(`Authorization must begin with ${ALGORITHM}: only AWS signature version 4 is taken here`);
  }
  const fields = new Map<string, string>();
  for (const part of rest.join('').split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, Math.max(at, 0));
    if (!['Credential', 'SignedHeaders', 'Signature'].includes(name) || fields.has(name)) {
      throw incomplete(
        'Authorization must hold Credential=, SignedHeaders= and Signature=, each once, and nothing else',
      );
    }
    fields.set(name, part.slice(at + 1));
  }
  const missing = ['Credential', 'SignedHeaders', 'Signature'].filter((name) => !fields.has(name));
  if (missing.length > 0) throw incomplete(`Authorization lacks ${missing.join(', ')}`);
  return {
    form: 'header',
    ...credentialOf(fields.get('Credential') ?? ''),
    signedHeaders: signedHeadersOf(fields.get('SignedHeaders') ?? ''),
    signature: signatureIn(fields.get('Signature') ?? ''),
    time: onlyHeader(request, 'x-amz-date'),
  };
}

function fromQuery(algorithm: string, request: SignableRequest): ClaimedSignature {
  if (algorithm !== ALGORITHM) throw incomplete(`X-Amz-Algorithm must be ${ALGORITHM}`);
  const need = (name: string): string => {
    const value = parameterOf(request, name);
    if (value === undefined || value === '') throw incomplete(`the query lacks ${name}`);
    return value;
  };
  const expires = need('X-Amz-Expires');
  const expiresSeconds = /^\d{1,7}$/.test(expires) ? Number(expires) : 0;
  if (expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw incomplete(`X-Amz-Expires must be 1 to ${MAX_EXPIRES_SECONDS} seconds`);
  }
  return {
    form: 'query',
    ...credentialOf(need('X-Amz-Credential')),
    signedHeaders: signedHeadersOf(need('X-Amz-SignedHeaders')),
    signature: signatureIn(need('X-Amz-Signature')),
    time: need('X-Amz-Date'),
    expiresSeconds,
  };
}

/** Reads the header form or the presigned form. Errors: 'MissingAuthenticationToken' when there is neither, 'IncompleteSignature' for what can't be read. */
export function claimedSignature(request: SignableRequest): ClaimedSignature {
  const authorization = onlyHeader(request, 'authorization');
  const algorithm = parameterOf(request, 'X-Amz-Algorithm');
  if (authorization !== undefined && algorithm !== undefined) {
    throw incomplete('the request is signed in its header and in its query; only one of them may be there');
  }
  if (authorization !== undefined) return fromHeader(authorization, request);
  if (algorithm !== undefined) return fromQuery(algorithm, request);
  throw new CloudError('MissingAuthenticationToken', 'the request is not signed; sign it by AWS signature version 4');
}
