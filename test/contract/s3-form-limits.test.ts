import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isoTime } from '../../src/base/clock.ts';
import { scopeText, signingKey, signingTime } from '../../src/base/signature/signature-v4.ts';
import { S3Cloud, type S3Reply } from '../support/s3-cloud.ts';

let cloud: S3Cloud;
beforeAll(async () => {
  cloud = await S3Cloud.start();
  expect(await cloud.ask({ method: 'PUT', target: '/first' })).toMatchObject({ status: 200 });
});
afterAll(() => cloud.close());

type Fields = Record<string, string>;

/** A policy that lets through these fields and so many bytes, signed by version 4. */
function signedForm(fields: Fields, maxBytes = 100): Fields {
  const nowMs = cloud.sim.clock.nowMs();
  const time = signingTime(nowMs);
  const scope = { date: time.slice(0, 8), region: 'nova', service: 's3' };
  const all = {
    ...fields,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${cloud.key.accessKeyId}/${scopeText(scope)}`,
    'x-amz-date': time,
  };
  const conditions = [
    { bucket: 'first' },
    ['content-length-range', 1, maxBytes],
    ...Object.entries(all).map(([name, value]) => (name === 'key' ? ['starts-with', '$key', ''] : { [name]: value })),
  ];
  const policy = Buffer.from(JSON.stringify({ expiration: isoTime(nowMs + 60_000), conditions })).toString('base64');
  const signature = createHmac('sha256', signingKey(cloud.key.secretAccessKey, scope)).update(policy).digest('hex');
  return { ...all, policy, 'x-amz-signature': signature };
}

function post(fields: Fields, file: string | Buffer): Promise<S3Reply> {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `${parts.join('')}--XX\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(head), Buffer.from(file), Buffer.from('\r\n--XX--\r\n')]);
  const headers = { 'content-type': 'multipart/form-data; boundary=XX', 'content-length': String(body.length) };
  return cloud.send({ method: 'POST', target: '/first', headers, body });
}

async function setPolicy(...statements: object[]): Promise<void> {
  const body = JSON.stringify({ Statement: statements });
  const asked = statements.length === 0 ? { method: 'DELETE' } : { method: 'PUT', body };
  expect((await cloud.ask({ target: '/first?policy', ...asked })).status).toBe(204);
}

const refusal = ({ status, code }: S3Reply): string => `${status} ${code}`;
const everybodyPuts = { Effect: 'Allow', Principal: '*', Action: 's3:PutObject', Resource: 'arn:aws:s3:::first/*' };

describe('what a form may upload [sim]', () => {
  it('is named by the file, and may come in many chunks', async () => {
    expect((await post(signedForm({ key: 'small/${filename}' }), 'bytes')).status).toBe(204);
    expect((await cloud.ask({ target: '/first/small/f' })).text).toBe('bytes');
    const large = Buffer.alloc(3_000_000, '\r\n--X');
    expect((await post(signedForm({ key: 'large' }, large.length), large)).status).toBe(204);
    expect((await cloud.ask({ target: '/first/large' })).bytes.equals(large)).toBe(true);
  });

  it('is no more than its policy says; the server goes on when it is refused on the way', async () => {
    const form = signedForm({ key: 'k', acl: 'private' });
    const large = await post(form, Buffer.alloc(200_000)).catch(() => undefined);
    // A client that sends on may see the connection end before the answer.
    if (large !== undefined) expect(refusal(large)).toBe('400 EntityTooLarge');
    expect(refusal(await post(form, ''))).toBe('400 EntityTooSmall');
    expect(refusal(await post({ ...form, acl: 'public-read' }, 'x'))).toBe('403 AccessDenied');
    expect(refusal(await post({ ...form, 'x-amz-meta-more': 'x' }, 'x'))).toBe('403 AccessDenied');
    expect((await cloud.ask({ method: 'HEAD', target: '/first/k' })).status).toBe(404);
  });

  it('is no more than the bucket’s policy lets anybody, whose conditions hold for fields as for headers', async () => {
    await setPolicy(everybodyPuts);
    expect((await post({ key: 'open' }, 'x')).status).toBe(204);
    expect(refusal(await post({ key: 'open', acl: 'public-read' }, 'x'))).toBe('403 AccessDenied');
    const noSharing = { ...everybodyPuts, Effect: 'Deny', Condition: { StringLike: { 's3:x-amz-acl': 'public-*' } } };
    await setPolicy({ ...everybodyPuts, Action: ['s3:PutObject', 's3:PutObjectAcl'] }, noSharing);
    expect((await post({ key: 'open', acl: 'private' }, 'x')).status).toBe(204);
    expect(refusal(await post({ key: 'open', acl: 'public-read' }, 'x'))).toBe('403 AccessDenied');
    expect(refusal(await post(signedForm({ key: 'k', acl: 'public-read' }), 'x'))).toBe('403 AccessDenied');
    await setPolicy();
  });
});
