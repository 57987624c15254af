import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../src/base/clock.ts';
import { HttpsClient } from '../../../../src/client/https-client.ts';
import { BODY_MAX_BYTES } from '../../../../src/controller/api/admin/admin-routes.ts';
import { HttpsCloud } from '../../../support/https-cloud.ts';

let cloud: HttpsCloud;
beforeAll(async () => {
  cloud = await HttpsCloud.start();
});
afterAll(() => cloud.close());

describe('[sim] an upload that says it is JSON', () => {
  it.each([
    ['small', '{}', 'MalformedRequest'],
    ['too large to be held', JSON.stringify('x'.repeat(BODY_MAX_BYTES)), 'RequestTooLarge'],
  ])('%s, is refused', async (_what, body, code) => {
    const before = await cloud.uploads();
    const headers = { ...cloud.sign('/v1/blobs', body, { method: 'PUT' }), 'content-length': String(body.length) };
    const answer = await cloud.send('/v1/blobs', headers, body, 'PUT');
    expect(answer.body.error?.code).toBe(code);
    expect(await cloud.uploads()).toBe(before);
  });
});

it('[sim] a long reason is kept in any script', async () => {
  const reason = '夜'.repeat(1024);
  const client = new HttpsClient({
    ...{ url: cloud.url, ca: cloud.ca, key: cloud.key, region: 'nova' },
    clock: new SystemClock(),
  });
  const { operationId } = await client.call('CreateAccessKey', {}, { reason });
  const { operations } = await client.call('DescribeOperations', { OperationIds: [operationId] });
  expect(operations[0]?.reason).toBe(reason);
});

it('[sim] bytes may be more than a JSON body', async () => {
  const body = 'x'.repeat(2 * BODY_MAX_BYTES);
  const octets = { host: cloud.authority, 'content-type': 'application/octet-stream' };
  const headers = cloud.sign('/v1/blobs', body, { method: 'PUT', headers: octets });
  const answer = await cloud.send('/v1/blobs', { ...headers, 'content-length': String(body.length) }, body, 'PUT');
  expect(answer.body).toMatchObject({ sizeBytes: body.length });
});
