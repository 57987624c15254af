import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { S3_ACTIONS } from '../../../../../src/controller/api/s3/actions/index.ts';
import { routeS3 } from '../../../../../src/controller/api/s3/s3-router.ts';

function named(method: string, target: string, headers: readonly string[] = []): string {
  const [path = '', query = ''] = target.split('?');
  const [, bucketName = '', ...key] = path.split('/');
  return routeS3(S3_ACTIONS, {
    ...{ method, bucketName, key: key.join('/'), query: new Map(new URLSearchParams(query)) },
    hasHeader: (name) => headers.includes(name),
  }).name;
}

/** Every request that the newest SDK can make, as method and target. */
function requestsOfSdk(): string[][] {
  const file = createRequire(import.meta.url).resolve('@aws-sdk/client-s3');
  const uris = readFileSync(file, 'utf8').matchAll(/\["(GET|PUT|POST|DELETE|HEAD)", "(\/[^"]*)"/g);
  return [...uris].map(([, method = '', uri = '']) => [method, uri.replace('/{Key+}', '/b/k').replace('/?', '/b?')]);
}

describe('which action a request is', () => {
  it('is none, of the parameters that SDKs know, that goes by the path alone', () => {
    const plain = [
      'CreateBucket',
      'DeleteBucket',
      'ListObjects',
      'PostObject',
      'PutObject',
      'GetObject',
      'DeleteObject',
    ];
    const marked = requestsOfSdk().filter(([, target = '']) => /\?(?!x-id=|list-type=|max-)/.test(target));
    expect(marked.length).toBeGreaterThan(80);
    const mistaken = marked.filter(([method = '', target = '']) => {
      try {
        return plain.includes(named(method, target));
      } catch {
        return false;
      }
    });
    expect(mistaken).toEqual([]);
  });

  it.each([
    ['GET', '/', 'ListBuckets'],
    ['PUT', '/b', 'CreateBucket'],
    ['HEAD', '/b', 'HeadBucket'],
    ['DELETE', '/b', 'DeleteBucket'],
    ['GET', '/b', 'ListObjects'],
    ['GET', '/b?prefix=acl', 'ListObjects'],
    ['GET', '/b?list-type=2', 'ListObjectsV2'],
    ['GET', '/b?versions', 'ListObjectVersions'],
    ['GET', '/b?location', 'GetBucketLocation'],
    ['GET', '/b?uploads', 'ListMultipartUploads'],
    ['PUT', '/b?acl', 'PutBucketAcl'],
    ['PUT', '/b/k?acl', 'PutObjectAcl'],
    ['POST', '/b?delete', 'DeleteObjects'],
    ['PUT', '/b/k', 'PutObject'],
    ['GET', '/b/k', 'GetObject'],
    ['GET', '/b/k?partNumber=1', 'GetObject'],
    ['GET', '/b/k?versionId=x', 'GetObject'],
    ['GET', '/b/k?tagging', 'GetObjectTagging'],
    ['GET', '/b/k?attributes', 'GetObjectAttributes'],
    ['POST', '/b/k?uploads', 'CreateMultipartUpload'],
    ['PUT', '/b/k?partNumber=1&uploadId=x', 'UploadPart'],
    ['GET', '/b/k?uploadId=x', 'ListParts'],
    ['POST', '/b/k?uploadId=x', 'CompleteMultipartUpload'],
    ['DELETE', '/b/k?uploadId=x', 'AbortMultipartUpload'],
    ['DELETE', '/b/k', 'DeleteObject'],
  ])('%s %s is %s', (method, target, name) => {
    expect(named(method, target)).toBe(name);
  });

  it('is told by a header too', () => {
    expect(named('PUT', '/b/k', ['x-amz-copy-source'])).toBe('CopyObject');
    expect(named('PUT', '/b/k?partNumber=1&uploadId=x', ['x-amz-copy-source'])).toBe('UploadPartCopy');
  });

  it.each([
    ['GET', '/b?inventory', 'NotImplemented'],
    ['DELETE', '/b/k?torrent', 'NotImplemented'],
    ['POST', '/b/k?select&select-type=2', 'NotImplemented'],
    ['PATCH', '/b/k', 'MethodNotAllowed'],
    ['POST', '/', 'MethodNotAllowed'],
    ['DELETE', '/b?uploads', 'MethodNotAllowed'],
    ['GET', '/b/k?acl&tagging', 'InvalidRequest'],
    ['DELETE', '/b?acl', 'MethodNotAllowed'],
  ])('%s %s is none, never another: %s', (method, target, code) => {
    expect(() => named(method, target)).toThrow(expect.objectContaining({ code }));
  });

  it('leaves no row out of reach', () => {
    const reached = S3_ACTIONS.map((action) => {
      const mark = action.query === undefined ? '' : `?${action.query}${action.query.includes('=') ? '' : '='}`;
      const part =
        action.query === 'partNumber'
          ? '&uploadId=x'
          : action.query === 'uploadId' && action.method === 'PUT'
            ? '&partNumber=1'
            : '';
      const path = { service: '/', 'new-bucket': '/b', bucket: '/b', object: '/b/k' }[action.level];
      return named(action.method, `${path}${mark}${part}`, action.header === undefined ? [] : [action.header]);
    });
    expect(reached).toEqual(S3_ACTIONS.map(({ name }) => name));
  });
});
