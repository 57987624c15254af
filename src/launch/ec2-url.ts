import { parseListen } from './config/listen.ts';
import type { Config } from './config/schema.ts';
import { publicUrl } from './public-url.ts';

/** The address of the EC2 API for clients. Undefined: it listens nowhere. */
export function publicEc2Url({ ec2, api }: Pick<Config, 'ec2' | 'api'>): string | undefined {
  const listening = ec2.listen.map((text) => {
    const { host, port = ec2.port } = parseListen(text);
    return { protocol: ec2.protocol, host, port };
  });
  return publicUrl(listening, api.names);
}
