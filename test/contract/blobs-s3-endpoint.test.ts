import { afterAll, beforeAll } from 'vitest';
import { EndpointCloud } from '../support/endpoint-cloud.ts';
import { s3EndpointContract } from './s3-endpoint.ts';

let endpoint: EndpointCloud;
beforeAll(async () => (endpoint = await EndpointCloud.start()));
afterAll(() => endpoint.destroy());

s3EndpointContract('the S3 server of another novactl', () => endpoint, { checksRegion: true });
