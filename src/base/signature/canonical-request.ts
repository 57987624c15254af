/** A request as it stands on the wire, as far as a signature covers it. */
export interface SignableRequest {
  readonly method: string;
  /** The path of the request line, still percent-encoded. */
  readonly path: string;
  /** The query of the request line, without "?", still percent-encoded. */
  readonly query: string;
  /** Lower-case name -> every value, in the order they came. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/**
 * How the path is written for signing: `encoded` encodes the wire's form once more and takes out dot segments (every AWS service but one), `plain` is S3's: the
 * key as it is, encoded once.
 */
export type PathStyle = 'encoded' | 'plain';

const UNRESERVED = new Set(Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~', 'latin1'));

/** RFC 3986 with upper-case digits: all but letters, digits and `-._~` as %XX, `keep` left as they are. */
export function uriEncode(bytes: Buffer, keep = ''): string {
  let out = '';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    if (UNRESERVED.has(byte) || (keep !== '' && keep.includes(char))) out += char;
    else out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** The bytes that percent-encoded text stands for; a `%` that begins no pair of hex digits stands for itself. */
export function uriDecode(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    const pair = byte === 0x25 ? bytes.toString('latin1', at + 1, at + 3) : '';
    if (/^[0-9A-Fa-f]{2}$/.test(pair)) {
      out.push(Number.parseInt(pair, 16));
      at += 2;
    } else out.push(byte);
  }
  return Buffer.from(out);
}

function withoutDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const trailing = kept.length > 0 && /\/\.{0,2}$/.test(path) ? '/' : '';
  return `/${kept.join('/')}${trailing}`;
}

export function canonicalPath(path: string, style: PathStyle): string {
  if (style === 'plain') return uriEncode(uriDecode(path), '/') || '/';
  return uriEncode(Buffer.from(withoutDots(path), 'utf8'), '/');
}

/** Name and value of each parameter, decoded and encoded anew, in the order of a query. */
function pairsOf(query: string): [string, string][] {
  return query.split('&').flatMap((part): [string, string][] => {
    if (part === '') return [];
    const at = part.indexOf('=');
    const [name, value] = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
    return [[uriEncode(uriDecode(name)), uriEncode(uriDecode(value))]];
  });
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Parameters sorted by encoded name, then value; `without` (plain name) is left out. */
export function canonicalQuery(query: string, without?: string): string {
  return pairsOf(query)
    .filter(([name]) => name !== without)
    .toSorted(([aName, aValue], [bName, bValue]) => byText(aName, bName) || byText(aValue, bValue))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

const trimmed = (value: string): string => value.trim().replaceAll(/[ \t\r\n]+/g, ' ');

/**
 * What signature version 4 hashes of a request (AWS, "Create a canonical request").
 * `signedHeaders`: lower-case names, sorted; one that the request lacks counts as empty. `payloadHash`: hex SHA-256 of the body, or the word in its place.
 */
export function canonicalRequest(
  request: SignableRequest,
  options: {
    readonly signedHeaders: readonly string[];
    readonly payloadHash: string;
    readonly pathStyle: PathStyle;
    /** Left out of the query: the signature itself in a presigned address. */
    readonly withoutParameter?: string | undefined;
  },
): string {
  const { signedHeaders, payloadHash, pathStyle, withoutParameter } = options;
  const headers = signedHeaders.map(
    (name) => `${name}:${(request.headers.get(name) ?? []).map((value) => trimmed(value)).join(',')}\n`,
  );
  return [
    request.method.toUpperCase(),
    canonicalPath(request.path, pathStyle),
    canonicalQuery(request.query, withoutParameter),
    headers.join(''),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}
