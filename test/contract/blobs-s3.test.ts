import { afterAll, beforeAll } from 'vitest';
import { EndpointCloud } from '../support/endpoint-cloud.ts';
import { blobsContract } from './blobs.ts';

let endpoint: EndpointCloud;
beforeAll(async () => (endpoint = await EndpointCloud.start()));
afterAll(() => endpoint.destroy());

blobsContract('a bucket of another novactl, by TLS [real]', () =>
  Promise.resolve({ blobs: endpoint.blobs(), close: () => Promise.resolve() }),
);
