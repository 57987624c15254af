import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';
import { parseXml, xmlText } from '../../src/base/xml.ts';
import { watchFor } from '../support/canaries.ts';
import { S3Cloud, type S3Reply } from '../support/s3-cloud.ts';

let cloud: S3Cloud;
/** Of another project. */
let eve: AccessKey;

beforeAll(async () => {
  cloud = await S3Cloud.start();
  eve = await cloud.otherKey();
  expect((await cloud.ask({ method: 'PUT', target: '/box' })).status).toBe(200);
  expect((await cloud.ask({ method: 'PUT', target: '/box/a%20b', body: 'hello' })).status).toBe(200);
});
afterAll(() => cloud.close());

const asked = (fields: Readonly<Record<string, string | number>>): string =>
  `<PresignRequest>${Object.entries(fields)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join('')}</PresignRequest>`;

const presign = (
  fields: Readonly<Record<string, string | number>>,
  { key = 'a%20b', signer = cloud.key, at = cloud }: { key?: string; signer?: AccessKey; at?: S3Cloud } = {},
): Promise<S3Reply> =>
  at.ask({ method: 'POST', target: `/box/${key}?x-novactl-presign`, body: asked(fields) }, { key: signer });

const urlOf = ({ text }: S3Reply): URL => new URL(xmlText(parseXml(text), 'Url') ?? '');
const open = ({ pathname, search }: URL, more: { method?: string; body?: string } = {}): Promise<S3Reply> =>
  cloud.send({
    ...{ target: `${pathname}${search}`, ...more },
    headers: { host: cloud.authority, ...(more.body && { 'content-length': String(more.body.length) }) },
  });

describe('addresses that the cloud signs [sim]', () => {
  it('give the object to whoever has them, by the one method alone', async () => {
    const reply = await presign({ Method: 'GET', ExpiresSeconds: 60 });
    const url = urlOf(reply);
    expect([reply.status, xmlText(parseXml(reply.text), 'AccessKeyId')]).toEqual([200, cloud.key.accessKeyId]);
    const got = await open(url);
    expect([got.status, got.text]).toEqual([200, 'hello']);
    expect((await open(url, { method: 'PUT', body: 'mine' })).code).toBe('SignatureDoesNotMatch');
    url.pathname = '/box/other';
    expect((await open(url)).code).toBe('SignatureDoesNotMatch');
    expect(reply.text).not.toContain(cloud.key.secretAccessKey);
  });

  it('let whoever has them put an object', async () => {
    const url = urlOf(await presign({ Method: 'PUT', ExpiresSeconds: 60 }, { key: 'new' }));
    expect((await open(url, { method: 'PUT', body: 'from outside' })).status).toBe(200);
    expect((await cloud.ask({ target: '/box/new' })).text).toBe('from outside');
  });

  it('give no more than the key may that they are signed with', async () => {
    const wanted = { Method: 'GET', ExpiresSeconds: 60 };
    expect((await presign(wanted, { signer: eve })).code).toBe('AccessDenied');
    const others = await presign({ ...wanted, AccessKeyId: cloud.key.accessKeyId }, { signer: eve });
    expect([others.code, others.message]).toEqual(['InvalidRequest', expect.stringMatching(/no active access key/)]);
    const anonymous = await cloud.send({
      ...{ method: 'POST', target: '/box/a%20b?x-novactl-presign', body: asked(wanted) },
      headers: { host: cloud.authority, 'content-length': String(asked(wanted).length) },
    });
    expect(anonymous.code).toBe('AccessDenied');
  });

  it.each<[string, Readonly<Record<string, string | number>>, string, RegExp]>([
    ['a method that is none', { Method: 'DELETE', ExpiresSeconds: 60 }, 'InvalidArgument', /GET or PUT/],
    ['no time', { Method: 'GET', ExpiresSeconds: 0 }, 'InvalidArgument', /1 to 604800/],
    ['too long', { Method: 'GET', ExpiresSeconds: 604_801 }, 'InvalidArgument', /1 to 604800/],
    ['nothing', { Method: 'GET' }, 'MalformedXML', /ExpiresSeconds/],
  ])('are not signed for %s', async (_what, fields, code, text) => {
    const reply = await presign(fields);
    expect([reply.code, reply.message]).toEqual([code, expect.stringMatching(text)]);
  });

  it('are not signed for an object that is not there', async () => {
    expect((await presign({ Method: 'GET', ExpiresSeconds: 60 }, { key: 'none' })).code).toBe('NoSuchKey');
  });

  it('end with their key', async () => {
    const { accessKey, secretAccessKey } = await cloud.sim.call('CreateAccessKey', {});
    watchFor('secret access key', secretAccessKey);
    const signer = { accessKeyId: accessKey.accessKeyId, secretAccessKey };
    const url = urlOf(await presign({ Method: 'GET', ExpiresSeconds: 60 }, { signer }));
    expect((await open(url)).status).toBe(200);
    await cloud.sim.call('UpdateAccessKey', { AccessKeyId: signer.accessKeyId, Status: 'Inactive' });
    expect((await open(url)).status).toBe(403);
  });

  it('are not to be had where S3 listens nowhere, and that is said', async () => {
    const deaf = await S3Cloud.start({ listensNowhere: true });
    try {
      await deaf.ask({ method: 'PUT', target: '/box' });
      await deaf.ask({ method: 'PUT', target: '/box/a%20b', body: 'hello' });
      const reply = await presign({ Method: 'GET', ExpiresSeconds: 60 }, { signer: deaf.key, at: deaf });
      expect([reply.code, reply.message]).toEqual(['NotImplemented', expect.stringMatching(/objectstore\.listen/)]);
    } finally {
      await deaf.close();
    }
  });
});
