import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { parseListen } from './config/listen.ts';
import type { Config } from './config/schema.ts';

/**
 * The address of the EC2 API for clients, without a path: the first that is no loopback; a listener on every address is known by the machine's name.
 * Undefined: it listens nowhere.
 */
export function publicEc2Url({ ec2, api }: Pick<Config, 'ec2' | 'api'>): string | undefined {
  const urls = ec2.listen.map((text) => {
    const { host, port } = parseListen(text);
    const name = host === '0.0.0.0' || host === '::' ? (api.names[0] ?? hostname()) : host;
    return { name, url: `${ec2.protocol}://${isIP(name) === 6 ? `[${name}]` : name}:${port ?? ec2.port}` };
  });
  return (urls.find(({ name }) => !/^(127\.|::1$|localhost$)/.test(name)) ?? urls[0])?.url;
}
