import { afterAll, beforeAll } from 'vitest';
import { EndpointCloud } from '../support/endpoint-cloud.ts';
import { cloudOnEndpoint } from './cloud-on-endpoint.ts';

let endpoint: EndpointCloud;
beforeAll(async () => (endpoint = await EndpointCloud.start()));
afterAll(() => endpoint.destroy());

cloudOnEndpoint('the S3 server of another novactl', () => endpoint);
