import type { CloudClient } from '../../client/cloud-client.ts';
import type { Output } from '../../views/output.ts';
import type { CloudContext } from './contexts.ts';
import { warnOnce } from './stale-warning.ts';
import type { Io } from './io.ts';

/** The client of a cloud elsewhere; TLS and signatures are loaded only here. */
export async function httpsClientOf(
  context: CloudContext,
  io: Io,
  output: Output,
  project?: string,
): Promise<CloudClient> {
  const { HttpsClient } = await import('../../client/https-client.ts');
  const { url, ca, region, accessKeyId, secretAccessKey } = context;
  return new HttpsClient({
    ...{ url, ca, region, key: { accessKeyId, secretAccessKey } },
    project,
    clock: io.clock,
    onStale: warnOnce(output),
    onRequest: ({ name, status, tookMs }) => output.detail(`${name}: ${status} in ${tookMs.toFixed(1)} ms`),
  });
}
