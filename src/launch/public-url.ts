import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** Where something listens. */
export interface Listening {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

/**
 * By what address clients know it, without a path: the first that is no loopback; a listener on every address is known by the first of the names, else by that of the
 * machine. Undefined: it listens nowhere.
 */
export function publicUrl(listening: readonly Listening[], names: readonly string[]): string | undefined {
  const urls = listening.map(({ protocol, host, port }) => {
    const name = host === '0.0.0.0' || host === '::' ? (names[0] ?? hostname()) : host;
    return { name, url: `${protocol}://${isIP(name) === 6 ? `[${name}]` : name}:${port}` };
  });
  return (urls.find(({ name }) => !/^(127\.|::1$|localhost$)/.test(name)) ?? urls[0])?.url;
}
