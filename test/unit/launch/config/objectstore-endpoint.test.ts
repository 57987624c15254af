import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../../src/launch/config/load-config.ts';

const WHOLE = {
  'objectstore.endpoint': 'https://s3.example.org:9000',
  'objectstore.bucket': 'cloud-images',
  'objectstore.accessKeyId': 'AKIAIOSFODNN7EXAMPLE',
  'objectstore.secretKeyFile': '/etc/novactl/s3-secret',
};

function problems(flags: Record<string, unknown>): string[] {
  try {
    loadConfig({ env: {}, readFile: () => undefined, flags, uid: 0 });
  } catch (error) {
    return (error as { details: { problems: string[] } }).details.problems;
  }
  return [];
}

describe('an S3 endpoint in the configuration', () => {
  it('is whole, and everything about it has a default that can have one', () => {
    const { config } = loadConfig({ env: {}, readFile: () => undefined, flags: WHOLE, uid: 0 });
    expect(config.objectstore).toMatchObject({
      ...{ addressing: 'path', region: 'us-east-1', prefix: 'novactl/', importBuckets: [], timeoutMs: 30_000 },
    });
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['has a bucket', { 'objectstore.bucket': '' }, /^objectstore\.bucket must be set, since objectstore\.endpoint is/],
    ['has a key', { 'objectstore.accessKeyId': '' }, /^objectstore\.accessKeyId must be set/],
    ['has a secret', { 'objectstore.secretKeyFile': '' }, /^objectstore\.secretKeyFile must be set/],
    ['is the only one', { 'objectstore.listen': ['10.0.0.1'] }, /^objectstore\.listen must be empty.*one object store/],
    ['is TLS', { 'objectstore.endpoint': 'http://s3.example.org' }, /^objectstore\.endpoint must begin with https/],
    [
      'is no page',
      { 'objectstore.endpoint': 'https://s3.example.org/path' },
      /^objectstore\.endpoint must be an address/,
    ],
    ['has no password', { 'objectstore.endpoint': 'https://me:x@s3.example.org' }, /^objectstore\.endpoint must be an/],
    ['is no trick', { 'objectstore.endpoint': 'http://127.0.0.1.example.org' }, /^objectstore\.endpoint must begin/],
    ['has a folder', { 'objectstore.prefix': 'images' }, /^objectstore\.prefix must be letters/],
    ['names buckets', { 'objectstore.importBuckets': ['A'] }, /^objectstore\.importBuckets must be the name/],
  ])('%s', (_, changed, text) => {
    expect(problems({ ...WHOLE, ...changed })).toEqual([expect.stringMatching(text)]);
  });

  it('may be plain http on loopback', () => {
    for (const endpoint of ['http://127.0.0.1:3900', 'http://localhost:3900', 'http://[::1]:3900'])
      expect(problems({ ...WHOLE, 'objectstore.endpoint': endpoint })).toEqual([]);
  });
});
