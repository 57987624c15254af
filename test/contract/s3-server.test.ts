import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Cloud } from '../support/s3-cloud.ts';

let cloud: S3Cloud;
beforeAll(async () => {
  cloud = await S3Cloud.start({ domains: ['s3.example.org'] });
  expect(await cloud.ask({ method: 'PUT', target: '/first' })).toMatchObject({ status: 200 });
});
afterAll(() => cloud.close());

describe('objects over HTTP [sim]', () => {
  it.each(['a', 'a/b', '..', '../../x', 'a//b', '//a', 'a/', './a', 'a b+c%25', 'größe/漢字', 'A', '?x=1&y', '.'])(
    'come back under the key they were put: %s',
    async (key) => {
      const target = `/first/${key.split('/').map(encodeURIComponent).join('/')}`;
      const body = `bytes of ${key}`;
      const put = await cloud.ask({ method: 'PUT', target, body });
      expect([put.status, put.text]).toEqual([200, '']);
      const got = await cloud.ask({ target });
      expect([got.status, got.text]).toEqual([200, body]);
      const head = await cloud.ask({ method: 'HEAD', target });
      expect([head.status, head.headers['content-length'], head.text]).toEqual([
        200,
        String(Buffer.byteLength(body)),
        '',
      ]);
    },
  );
});
