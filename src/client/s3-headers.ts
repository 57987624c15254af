import { isUtf8 } from 'node:buffer';

type Headers = Readonly<Record<string, string>>;

/** HTTP has bytes where we have text: UTF-8, one character of the wire's form a byte. */
const encoded = (text: string): string =>
  /[^\u0000-\u007f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;

function decoded(wire: string): string {
  if (!/[\u0080-\u00ff]/.test(wire)) return wire;
  const bytes = Buffer.from(wire, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : wire;
}

/** Headers as node sends them, with what says how long the body is. */
export function s3WireHeaders(headers: Headers, body: 'none' | 'stream' | number): Record<string, string> {
  const wire = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, encoded(text)]));
  if (typeof body === 'number') return { ...wire, 'content-length': String(body) };
  if (body === 'none') return { ...wire, 'content-length': '0' };
  return wire['content-length'] === undefined ? { ...wire, 'transfer-encoding': 'chunked' } : wire;
}

/** Headers of an answer as text. */
export function s3TextHeaders(
  wire: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(wire)) {
    if (value !== undefined) out[name] = decoded(typeof value === 'string' ? value : value.join(', '));
  }
  return out;
}
