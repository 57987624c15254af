import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isoTime } from '../../src/base/clock.ts';
import { s3SignatureV2 } from '../../src/base/signature/signature-s3v2.ts';
import { scopeText, signingKey, signingTime } from '../../src/base/signature/signature-v4.ts';
import { S3Cloud, type S3Reply } from '../support/s3-cloud.ts';

let cloud: S3Cloud;
beforeAll(async () => {
  cloud = await S3Cloud.start({ signatureV2: true });
  await cloud.ask({ method: 'PUT', target: '/forms' });
});
afterAll(() => cloud.close());

const refusal = ({ status, code }: S3Reply): string => `${status} ${code}`;

function send(fields: Readonly<Record<string, string>>, content: string): Promise<S3Reply> {
  const parts = [
    ...Object.entries(fields).map(([name, value]) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`),
    `Content-Disposition: form-data; name="file"; filename="f.txt"\r\nContent-Type: text/x\r\n\r\n${content}`,
  ];
  const body = `${parts.map((part) => `--xyz\r\n${part}\r\n`).join('')}--xyz--\r\n`;
  const headers = {
    'content-type': 'multipart/form-data; boundary=xyz',
    'content-length': String(Buffer.byteLength(body)),
  };
  return cloud.send({ method: 'POST', target: '/forms', headers, body });
}

/** A policy for keys below `up/`, and the fields that sign it. */
function signedFields(key: string, secret = cloud.key.secretAccessKey): Record<string, string> {
  const nowMs = cloud.sim.clock.nowMs();
  const time = signingTime(nowMs);
  const scope = { date: time.slice(0, 8), region: 'nova', service: 's3' };
  const credential = `${cloud.key.accessKeyId}/${scopeText(scope)}`;
  const conditions = [
    { bucket: 'forms' },
    ['starts-with', '$key', 'up/'],
    { 'x-amz-algorithm': 'AWS4-HMAC-SHA256' },
    { 'x-amz-credential': credential },
    { 'x-amz-date': time },
  ];
  const policy = Buffer.from(JSON.stringify({ expiration: isoTime(nowMs + 60_000), conditions })).toString('base64');
  return {
    key,
    policy,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': credential,
    'x-amz-date': time,
    'x-amz-signature': createHmac('sha256', signingKey(secret, scope)).update(policy).digest('hex'),
  };
}

describe('uploads by a form of a page [sim]', () => {
  it('are taken as who signed the policy, for what it says', async () => {
    expect(refusal(await send(signedFields('up/a'), 'by a form'))).toBe('204 ');
    expect((await cloud.ask({ target: '/forms/up/a' })).text).toBe('by a form');
    expect(refusal(await send(signedFields('other/a'), 'x'))).toBe('403 AccessDenied');
  });

  it('are refused when nobody signed, or not rightly', async () => {
    expect(refusal(await send({ key: 'up/b' }, 'x'))).toBe('403 AccessDenied');
    expect(refusal(await send(signedFields('up/b', 'wrong'), 'x'))).toBe('403 SignatureDoesNotMatch');
    const { 'x-amz-signature': _, ...stripped } = signedFields('up/b');
    expect(refusal(await send(stripped, 'x'))).toBe('400 InvalidArgument');
    const fields = signedFields('up/b');
    const plain = Buffer.from(fields['policy'] ?? '', 'base64').toString('utf8');
    const other = Buffer.from(plain.replace('up/', 'u')).toString('base64');
    expect(refusal(await send({ ...fields, policy: other }, 'x'))).toBe('403 SignatureDoesNotMatch');
    const elsewhere = { ...fields, 'x-amz-credential': (fields['x-amz-credential'] ?? '').replace('nova', 'mars') };
    expect(refusal(await send(elsewhere, 'x'))).toBe('403 AccessDenied');
    const unknown = {
      ...fields,
      'x-amz-credential': (fields['x-amz-credential'] ?? '').replace(/^[^/]+/, 'AKIANOBODY'),
    };
    expect(refusal(await send(unknown, 'x'))).toBe('403 InvalidAccessKeyId');
    expect((await cloud.ask({ method: 'HEAD', target: '/forms/up/b' })).status).toBe(404);
  });

  it('may be signed by version 2, where that is on', async () => {
    const conditions = [{ bucket: 'forms' }, { key: 'up/c' }];
    const expiration = isoTime(cloud.sim.clock.nowMs() + 60_000);
    const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64');
    const signature = s3SignatureV2(cloud.key.secretAccessKey, policy);
    const fields = { key: 'up/c', policy, AWSAccessKeyId: cloud.key.accessKeyId, signature };
    expect(refusal(await send(fields, 'by version 2'))).toBe('204 ');
    expect((await cloud.ask({ target: '/forms/up/c' })).text).toBe('by version 2');
    expect(refusal(await send({ ...fields, signature: signature.toLowerCase() }, 'x'))).toBe(
      '403 SignatureDoesNotMatch',
    );
  });
});
