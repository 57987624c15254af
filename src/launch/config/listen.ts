import { isIP } from 'node:net';

/** `10.0.0.1`, `10.0.0.1:8774`, `[fd00::1]:8774`, `fd00::1`, `localhost:8774`; undefined when it is none of these. */
export function readListen(text: string): { host: string; port: number | undefined } | undefined {
  if (isIP(text) !== 0) return { host: text, port: undefined };
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, v6, other = '', digits] = match;
  const host = v6 ?? other;
  const port = digits === undefined ? undefined : Number(digits);
  const bad = (v6 !== undefined && isIP(v6) !== 6) || (port !== undefined && port > 65_535);
  // A name that is all digits and dots is an address with a slip.
  return bad || (isIP(host) === 0 && /^[\d.]+$/.test(host)) ? undefined : { host, port };
}

/** The same of what the schema has let through. */
export function parseListen(text: string): { host: string; port: number | undefined } {
  return readListen(text) ?? { host: text, port: undefined };
}
