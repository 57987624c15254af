import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MetadataService {
  readonly port: number;
  /** `METHOD path` of each request, with the token it came with. */
  readonly requests: { readonly line: string; readonly token: string | undefined }[];
  close(): Promise<void>;
}

/**
 * What 169.254.169.254 answers, by path below /latest/. `version: 1` knows no tokens; 2 wants one with every request.
 */
export async function startMetadataService(
  answers: Readonly<Record<string, string>>,
  version: 1 | 2,
): Promise<MetadataService> {
  const requests: MetadataService['requests'] = [];
  const server = createServer((request, response) => {
    const token = request.headers['x-aws-ec2-metadata-token'] as string | undefined;
    requests.push({ line: `${request.method ?? ''} ${request.url ?? ''}`, token });
    const say = (status: number, body: string): void => void response.writeHead(status).end(body);
    if (request.method === 'PUT') {
      if (version === 1) say(405, 'no such method');
      else if (request.headers['x-aws-ec2-metadata-token-ttl-seconds'] === undefined) say(400, 'no lifetime');
      else say(200, 'a-token==');
      return;
    }
    if (version === 2 && token !== 'a-token==') {
      say(401, 'no token');
      return;
    }
    const answer = answers[(request.url ?? '').replace('/latest/', '')];
    if (answer === undefined) say(404, '<html>nothing here</html>');
    else say(200, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
