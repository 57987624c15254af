import { parseListen } from './config/listen.ts';
import type { Config } from './config/schema.ts';
import { publicUrl, type Listening } from './public-url.ts';

function listeningAt(url: string): Listening {
  const { protocol, hostname, port } = new URL(url);
  return {
    protocol: protocol.slice(0, -1),
    host: hostname.replaceAll(/[[\]]/g, ''),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  };
}

/** The address of S3 for clients: that of the endpoint elsewhere where there is one. Undefined: it listens nowhere. `bound`: where this process listens, as its servers say; a port of 0 is known by them alone. */
export function publicS3Url(
  { objectstore, api }: Pick<Config, 'objectstore' | 'api'>,
  bound: readonly string[] = [],
): string | undefined {
  if (objectstore.endpoint !== '') return objectstore.endpoint;
  if (bound.length > 0) return publicUrl(bound.map(listeningAt), api.names);
  const listening = objectstore.listen.map((text) => {
    const { host, port = objectstore.port } = parseListen(text);
    return { protocol: objectstore.protocol, host, port };
  });
  return publicUrl(listening, api.names);
}
