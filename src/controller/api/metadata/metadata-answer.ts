import { readMetadata } from './metadata-tree.ts';
import type { MetadataView } from './metadata-view.ts';
import type { SessionTokens } from './session-tokens.ts';
import { TOKEN_TTL_SECONDS } from './session-tokens.ts';

export interface MetadataRequest {
  readonly method: string;
  /** As on the request line: path and query. */
  readonly target: string;
  /** Names in lower case; a header that came more than once is joined, as node:http does. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

const TOKEN_PATH = '/latest/api/token';
const TOKEN_HEADER = 'x-aws-ec2-metadata-token';
const TTL_HEADER = 'x-aws-ec2-metadata-token-ttl-seconds';
const TEXT = { 'content-type': 'text/plain' };

function refusal(status: number, words: string, headers: Readonly<Record<string, string>> = {}): MetadataAnswer {
  return { status, headers: { ...TEXT, ...headers }, body: `${status} - ${words}\n` };
}

const notFound = refusal(404, 'Not Found');

function headerText(request: MetadataRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

function answerToken(request: MetadataRequest, view: MetadataView, tokens: SessionTokens): MetadataAnswer {
  if (request.method !== 'PUT') return refusal(405, 'Method Not Allowed', { allow: 'PUT' });
  // A proxy that an outsider can make fetch things adds this header: no token through such a one (as in EC2).
  if (request.headers['x-forwarded-for'] !== undefined) return refusal(403, 'Forbidden');
  const ttl = headerText(request, TTL_HEADER) ?? '';
  const seconds = /^\d{1,5}$/.test(ttl) ? Number(ttl) : 0;
  if (seconds < TOKEN_TTL_SECONDS.min || seconds > TOKEN_TTL_SECONDS.max) {
    const { min, max } = TOKEN_TTL_SECONDS;
    return refusal(400, `Bad Request: ${TTL_HEADER} must be ${min} to ${max}`);
  }
  return {
    status: 200,
    headers: { ...TEXT, [TTL_HEADER]: String(seconds) },
    body: tokens.issue(view.instanceId, seconds),
  };
}

function mayRead(request: MetadataRequest, view: MetadataView, tokens: SessionTokens): boolean {
  const token = headerText(request, TOKEN_HEADER);
  return token === undefined ? view.requireToken !== true : tokens.accepts(view.instanceId, token);
}

function contentType(path: string): string {
  if (path.endsWith('/user-data')) return 'application/octet-stream';
  return path.endsWith('/document') ? 'application/json' : 'text/plain';
}

/** The metadata service without its wire: what one request of the instance (undefined: nobody we know) is answered. */
export function answerMetadata(
  request: MetadataRequest,
  view: MetadataView | undefined,
  tokens: SessionTokens,
): MetadataAnswer {
  if (view === undefined) return notFound;
  const path = request.target.split('?', 1)[0] ?? '';
  if (path === TOKEN_PATH) return answerToken(request, view, tokens);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refusal(405, 'Method Not Allowed', { allow: 'GET, HEAD' });
  }
  if (!mayRead(request, view, tokens)) return refusal(401, 'Unauthorized');
  const body = readMetadata(view, path);
  if (body === undefined) return notFound;
  return { status: 200, headers: { 'content-type': contentType(path) }, body };
}
